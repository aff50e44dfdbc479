package codeowners_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/codeowners"
)

// documented is the example file of GitHub's page about code owners, its comments shortened.
const documented = `
# Lines starting with '#' are comments.
*       @global-owner1 @global-owner2
*.js    @js-owner #This is an inline comment.
*.go docs@example.com
*.txt @octo-org/octocats
/build/logs/ @doctocat
docs/* docs@example.com
apps/ @octocat
/docs/ @doctocat
/scripts/ @doctocat @octocat
**/logs @octocat
/apps/ @octocat
/apps/github
`

// TestDocumentedExamples holds the reading against what GitHub's page says of its example.
func TestDocumentedExamples(t *testing.T) {
	f := codeowners.Parse([]byte(documented))
	for path, want := range map[string]string{
		"README":                        "global-owner1 global-owner2",
		"a/b.js":                        "js-owner",
		"main.go":                       "", // an e-mail address
		"x/notes.txt":                   "octo-org/octocats",
		"build/logs/today":              "octocat", // **/logs comes later
		"other/build/logs/today":        "octocat",
		"sub/docs/getting-started.md":   "global-owner1 global-owner2", // docs/* is at the root
		"docs/build-app/trouble.md":     "doctocat",
		"lib/apps/x":                    "octocat",
		"scripts/deploy":                "doctocat octocat",
		"deeply/nested/logs/x":          "octocat",
		"apps/x":                        "octocat",
		"apps/github":                   "",
		"apps/github/x":                 "",
		"apps/githubber":                "octocat",
		"scriptsx/deploy":               "global-owner1 global-owner2",
		"runbooks/apps.cue":             "global-owner1 global-owner2",
		"deep/down/there/README.js.txt": "octo-org/octocats",
	} {
		if got := strings.Join(f.Of(path), " "); got != want {
			t.Errorf("%s is owned by %q, want %q", path, got, want)
		}
	}
	if want := []string{`line 5: "docs@example.com" is an e-mail address: nobody knows whose; write the login`,
		`line 8: "docs@example.com" is an e-mail address: nobody knows whose; write the login`}; !slices.Equal(f.Lost, want) {
		t.Errorf("lost: %q", f.Lost)
	}
}

// TestPatterns holds single patterns against paths that they match and do not match.
func TestPatterns(t *testing.T) {
	for _, c := range []struct{ pattern, matches, not string }{
		{"docs/*", "docs/a.md docs/b", "docs/a/b.md x/docs/a.md docs"},
		{"*", "a a/b a/b/c", ""},
		{"/*", "a", "a/b"},
		{"*.cue", "x.cue a/x.cue", "x.cuex acue"},
		{"runbooks/*.cue", "runbooks/a.cue", "runbooks/a/b.cue x/runbooks/a.cue"},
		{"runbooks/**/x.cue", "runbooks/x.cue runbooks/a/b/x.cue", "x.cue runbooks/xx.cue"},
		{"runbooks/**", "runbooks/a runbooks/a/b", "runbooks"},
		{"**/runbooks/x", "runbooks/x a/runbooks/x a/runbooks/x/y", "runbooks/xy aruns/x"},
		{"/scripts", "scripts scripts/a/b", "a/scripts scriptsx"},
		{"scripts/", "scripts/a x/scripts/a", "scripts x/scripts"},
		{"a?c", "abc x/abc", "ac a/c"},
		{`a\ b`, "a", "b"}, // see below: the blank belongs to the pattern
		{"a+(b).c", "a+(b).c", "aab.c a+(b)xc"},
		{"/A", "A", "a"},
	} {
		f := codeowners.Parse([]byte(c.pattern + " @o"))
		if c.pattern == `a\ b` {
			if len(f.Of("a b")) != 1 || len(f.Of("a")) != 0 {
				t.Errorf("%s: %q", c.pattern, f.Of("a b"))
			}
			continue
		}
		for _, path := range strings.Fields(c.matches) {
			if len(f.Of(path)) != 1 {
				t.Errorf("%s does not match %s", c.pattern, path)
			}
		}
		for _, path := range strings.Fields(c.not) {
			if len(f.Of(path)) != 0 {
				t.Errorf("%s matches %s", c.pattern, path)
			}
		}
	}
}

// TestLostLines: a line that GitHub does not read is no rule, whatever stands in it, and is said.
func TestLostLines(t *testing.T) {
	for _, line := range []string{"/ @b", "// @b", "!a @b", "[ab] @b", `\#a @b`, "*** @b", "a b", "a @b @", "a @b/c/d", "a @b,", "* @b @-@-", "a @b#c"} {
		f := codeowners.Parse([]byte("* @first\r\n" + line + "\r\n"))
		if got := f.Of("a"); !slices.Equal(got, []string{"first"}) || len(f.Lost) != 1 || !strings.HasPrefix(f.Lost[0], "line 2: ") {
			t.Errorf("%s: owned by %q, lost %q", line, got, f.Lost)
		}
	}
	if f := codeowners.Parse([]byte("* @a\n" + strings.Repeat("# filler\n", 400_000))); len(f.Of("x")) > 0 || len(f.Lost) != 1 {
		t.Errorf("a file that is too large is owned by %q, lost %q", f.Of("x"), f.Lost)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(documented), "docs/x")
	f.Add([]byte("/ @a\n\\ @b\n*/**/?/ @c/d"), "")
	f.Fuzz(func(t *testing.T, text []byte, path string) {
		for _, owner := range codeowners.Parse(text).Of(path) {
			if owner == "" || strings.ContainsAny(owner, "@ \t\n:") {
				t.Errorf("an owner %q", owner)
			}
		}
	})
}
