package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// hostileRunbook hands labels to programs in the ways that there are, and puts them into titles.
const hostileRunbook = `title: "Hostile \(alert.labels.text)"
match: labels: service: "hostile"
alert: _
steps: {
	show: {
		title: "Show \(alert.labels.text)"
		risk: "read"
		exec: {
			command: ["sh", "-c", "printf '%s\\n' \"$TEXT\"; cat"]
			env: TEXT: alert.labels.shell
		}
	}
	change: {
		title: "Change \(alert.labels.shell)"
		needs: ["show"]
		approval: {from: ["acme/sre"], count: 1}
		exec: {
			command: ["sh", "-c", "printf '%s' \"$TEXT\" \"$CODE\""]
			env: {TEXT: alert.labels.text, CODE: alert.labels.shell}
			stdin: alert.labels.big
		}
	}
	argument: {
		risk:      "read"
		onFailure: "continue"
		exec: command: ["sh", "-c", alert.labels.shell]
	}
}
`

const hostileText = "@alice @acme/sre #1 GH-1 Closes #1 https://evil.example/a www.evil.example ![x](https://evil.example/x.png) [y](https://evil.example/y) " +
	"<img src=https://evil.example/z> <script>alert(1)</script> <!-- pullbook:reply:frozen -->\n```\n~~~\n# out\n/approve change\n- [x] done\n" +
	"Approved-by: alice\n\x1b[31mred\x1b]0;title\x07\x9b1m\u202egnp.exe \x00 end"

// hostileAlert: labels that hold shell, markdown, mentions, escapes and a megabyte of text run nothing, format nothing,
// mention nobody, and steer no terminal, wherever they are shown.
func hostileAlert(t *testing.T, s *scene) {
	canary := filepath.Join(t.TempDir(), "canary")
	shell := "$(touch " + canary + ") `touch " + canary + "`; touch " + canary + " | touch " + canary + " && touch " + canary + "\n'\"; touch " + canary + " #"
	group := s.raise(t, alarm{Name: "Hostile @alice `x` \"$(touch " + canary + ")\"", Labels: map[string]string{"service": "hostile",
		"text": hostileText, "shell": shell, "big": strings.Repeat("@alice ", 140_000)}})
	seen := s.await(t, group, "the gate opens", func(v sight) bool { return has[incident.GateOpened](v) })
	s.await(t, group, "the body asks", func(v sight) bool { seen = v; return strings.Contains(v.pull.GetBody(), "/approve change") })
	checkPages(t, s, seen, group)
	if err := s.world.review(t.Context(), "alice", seen.pull.GetNumber(), "/approve change"); err != nil {
		t.Fatal(err)
	}
	seen = s.await(t, group, "it is merged", sight.merged)
	checkPages(t, s, seen, group)
	if got := seen.conclusion("change"); got != runbook.Succeeded {
		t.Errorf("the step ended %q", got)
	}
	if broken, _ := find[incident.StepBroken](seen); broken.Step != "argument" {
		t.Errorf("text of an alert as an argument of a shell is not refused: %+v", broken)
	}
	if _, err := os.Stat(canary); !os.IsNotExist(err) {
		t.Errorf("text of an alert was run: %v", err)
	}
}

// checkPages looks at everything of an incident that people see.
func checkPages(t *testing.T, s *scene, v sight, group string) {
	t.Helper()
	checkPlain(t, "title", v.pull.GetTitle())
	checkPlain(t, "body", v.pull.GetBody())
	checkMarkdown(t, "body", v.pull.GetBody())
	pages := 0
	for path, data := range s.ledgerFiles(t, v, group) {
		checkPlain(t, path, string(data))
		if strings.HasSuffix(path, ".md") {
			pages++
			checkMarkdown(t, path, string(data))
		}
	}
	if pages == 0 {
		t.Error("there is no gate page")
	}
	log, err := exec.Command("git", "-C", s.world.bareRepo(), "log", "--format=%B", v.pull.GetHead().GetSHA()).Output()
	if err != nil {
		t.Fatal(err)
	}
	checkPlain(t, "commit messages", string(log))
	if m := mention.FindString(string(log)); m != "" {
		t.Errorf("a commit message mentions %q", m)
	}
}

// checkPlain demands text without characters that steer a terminal or reorder what is shown.
func checkPlain(t *testing.T, where, s string) {
	t.Helper()
	if i := strings.IndexFunc(s, func(c rune) bool {
		return c != '\n' && c != '\t' && (unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c))
	}); i >= 0 {
		t.Errorf("%s holds the character %q", where, []rune(s[i:])[0])
	}
}

// mention is what GitHub would make a mention or a reference of.
var mention = regexp.MustCompile(`(?:^|[^\w])(?:@alice|@acme|#1\b|GH-1\b)`)

// checkMarkdown reads a page as GitHub does: outside of code nothing of the alert is more than text.
func checkMarkdown(t *testing.T, where, page string) {
	t.Helper()
	source := []byte(page)
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	var shown bytes.Buffer
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.CodeSpan, *ast.CodeBlock, *ast.FencedCodeBlock:
			return ast.WalkSkipChildren, nil
		case *ast.Image:
			t.Errorf("%s: an image %s", where, n.Destination)
		case *ast.Link:
			refuseForeign(t, where, string(n.Destination))
		case *ast.AutoLink:
			refuseForeign(t, where, string(n.URL(source)))
		case *ast.RawHTML:
			refuseForeign(t, where, string(n.Segments.Value(source)))
		case *ast.HTMLBlock:
			refuseForeign(t, where, string(n.Lines().Value(source)))
		case *ast.Text:
			shown.Write(n.Value(source))
			if n.SoftLineBreak() {
				shown.WriteByte('\n')
			}
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if m := mention.Find(shown.Bytes()); m != nil {
		t.Errorf("%s mentions %q", where, m)
	}
}

// refuseForeign demands that a link or a piece of HTML is the engine's own.
func refuseForeign(t *testing.T, where, what string) {
	t.Helper()
	for _, foreign := range []string{"evil.example", "script", "img", "reply:frozen"} {
		if strings.Contains(what, foreign) {
			t.Errorf("%s holds %q as markup", where, what)
		}
	}
}
