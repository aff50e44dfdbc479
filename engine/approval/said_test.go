package approval

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCommands(t *testing.T) {
	cases := map[string][]Said{
		"":                                  nil,
		"/approve":                          nil,
		"/approve a":                        {{Step: "a"}},
		"/approve   a  \r\n":                {{Step: "a"}},
		"/approve a and b":                  {{Step: "a", Why: "and b"}},
		"/reject a too risky now":           {{Step: "a", Reject: true, Why: "too risky now"}},
		"/approved a":                       nil,
		"/Approve a":                        nil,
		"please /approve a":                 nil,
		"/approve a\n/reject b\n/approve c": {{Step: "a"}, {Step: "b", Reject: true}, {Step: "c"}},
		"/ack\n/approve a":                  {{Step: "a"}},
		"/skip a not needed":                {{Step: "a", Verb: VerbSkip, Why: "not needed"}},
		"/did-it-by-hand a at the console":  {{Step: "a", Verb: VerbByHand, Why: "at the console"}},
		"/skip":                             nil,
	}
	for body, want := range cases {
		if d := cmp.Diff(want, Commands(body)); d != "" {
			t.Errorf("%q: %s", body, d)
		}
	}
}

// TestLines: "/no" is code, quoted or indented and never comes back; "/yes" is a person's own word and does.
func TestLines(t *testing.T) {
	cases := map[string]string{
		"plain":                            "/yes",
		"folded":                           "/yes  it   is\t so",
		"after text":                       "hello\n/yes",
		"windows":                          "hello\r\n/yes\r\n",
		"indented":                         " /no\n    /no\n\t/no",
		"quoted":                           "> /no\n>/no\n> > /no\n\n/yes",
		"list":                             "- /no\n* /no\n1. /no\n\n/yes",
		"fence":                            "```\n/no\n```\n/yes",
		"fence with a language":            "```sh\n/no\n```\n/yes",
		"tildes":                           "~~~\n/no\n```\n/no\n~~~\n/yes",
		"longer fence":                     "````\n/no\n```\n/no\n````\n/yes",
		"closed by a longer one":           "```\n/no\n`````\n/yes",
		"never closed":                     "```\n/no\n/no",
		"opening mark inside":              "```\n```go\n/no\n```\n/yes",
		"code in a line":                   "```x```\n```\n/no\n```\n/yes",
		"tildes with backticks in info":    "~~~ a`b\n/no\n~~~\n/yes",
		"two marks are no fence":           "``\n/yes",
		"indented mark is no fence":        "    ```\n/yes",
		"indented mark closes nothing":     "```\n    ```\n/no\n```\n/yes",
		"fence in a list":                  "- ```\n  /no\n  ```\n/yes",
		"fence in a list, left":            "- ```\n  /no\n/yes",
		"fence in a list, then another":    "- ```\n```\n/no\n```\n/yes",
		"fence in a list, closed, later":   "1. ```\n   x\n   ```\n```\n/no\n```\n/yes",
		"fence in a quote":                 "> ```\n> /no\n> ```\n/yes",
		"fence in a quote, left":           "> ```\n> /no\n/yes",
		"suggestion":                       "```suggestion\n/no\n```\n/yes",
		"a rule is no list":                "---\n/yes",
		"fence in a quoted list":           "> - ```\n>   /no\n>   ```\n/yes",
		"blank lines in a fence in a list": "- ```\n\n  /no\n  ```\n/yes",
		"comment":                          "<!--\n/no\n-->\n/yes",
		"comment on one line":              "<!-- /no -->\n/yes",
		"comment in a sentence":            "as follows <!--\n/no\n--> and\n/yes",
		"comment behind a command":         "/yes <!--\n/no\n-->",
		"comment never closed":             "<!--\n/no\n\n/no",
		"no comment, for nothing closes":   "an arrow <!-- is\n/yes",
		"comment, then another":            "<!--\n/no\n--> <!--\n/no\n-->\n/yes",
		"comment in code":                  "the mark `<!--` is\n/yes\n-->",
		"comment in a quote":               "> <!-- fill this in\n\n/yes\n-->",
		"backticks that nothing closes":    "` <!--\n/no\n-->",
		"comment in a fence":               "```\n<!--\n```\n/yes\n-->",
		"fence in a comment":               "<!--\n```\n-->\n/yes",
		"preformatted":                     "<pre>\n/no\n</pre>\n/yes",
		"preformatted, in capitals":        "<PRE class=x>\n/no\n</Pre>\n/yes",
		"script never closed":              "<script>\n/no",
		"another tag":                      "<present>\n/yes",
	}
	for name, body := range cases {
		got := Lines(body)
		for _, line := range got {
			if strings.HasPrefix(line, "/no") {
				t.Errorf("%s: %q was read from %q", name, line, body)
			}
		}
		if want := strings.Count(body, "/yes"); len(got) < want {
			t.Errorf("%s: nothing was read from %q", name, body)
		}
	}
	if got := Lines("/yes  it   is\t so"); len(got) != 1 || got[0] != "/yes it is so" {
		t.Errorf("spaces are not folded: %q", got)
	}
}

// FuzzLines: whatever the text is, a line that comes back stood in it at the beginning of a line.
func FuzzLines(f *testing.F) {
	f.Add("```\n/a\n```\n/b")
	f.Add("- > ```\n/c\r\n~~~~ `\n/d")
	f.Fuzz(func(t *testing.T, body string) {
		own := map[string]bool{}
		for line := range strings.Lines(body) {
			if strings.HasPrefix(line, "/") {
				own[strings.Join(strings.Fields(line), " ")] = true
			}
		}
		for _, line := range Lines(body) {
			if !own[line] {
				t.Errorf("%q does not begin a line of %q", line, body)
			}
		}
	})
}
