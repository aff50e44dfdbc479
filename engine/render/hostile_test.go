package render

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// hostile is text that an alert, an author or a server could send.
func hostile() map[string]string {
	return map[string]string{
		"mention":     "ping @acme/sre and @octocat, mail a@example.com, thanks",
		"reference":   "fixes #1, closes acme/ops#2, GH-3, gh-4, acme/ops@0123456789abcdef",
		"address":     "see https://evil.example/x?y=z#1 http://e.example www.evil.example ftp://f.example mailto:a@b.c WWW.evil.example",
		"link":        "[click](https://evil.example) [ref][1] [1]: https://evil.example <https://evil.example> ![pixel](https://evil.example/p.png)",
		"html":        `<img src=x onerror=alert(1)><script>alert(1)</script></details></summary><!-- x --> &lt;b&gt; &#64;octocat &commat;octocat &num;1 <a href="x">y</a>`,
		"format":      "**bold** _it_ __b__ *i* ~~gone~~ `code` $x^2$ $$y$$ :tada: a_b_c \\*kept\\* | a | b | [x] [ ] [^1]",
		"backticks":   strings.Repeat("`", 40) + " ```\n# escaped\n``` ~~~ " + strings.Repeat("~", 9),
		"lines":       "first\r\nsecond\n\n# heading\n\n> quote\n- item\n1. one\n\n    code\n---\n===\n| a | b |\n|---|---|\n| c | d |",
		"list":        "1. first",
		"bracket":     "12) twelfth",
		"heading":     "# heading",
		"quote":       "> quote",
		"dash":        "- item",
		"rule":        "---",
		"underline":   "===",
		"tablerow":    ":-:",
		"mermaid":     "\"]; click s0 \"https://evil.example\" %%{init: {'theme':'x'}}%%\nend; subgraph x --> y }} #quot; </br>",
		"ansi":        "\x1b[31mred\x1b[0m \x9b31m \x07bell \x00nul \x7fdel \x1b]8;;https://evil.example\x07x\x1b]8;;\x07",
		"direction":   "abc \u202egnp.exe\u202c \u2066x\u2069 \u200bzero \ufeffbom \u061c \U000e0041tag",
		"broken":      "bad \xff\xfe utf8 \xc3\x28 \xed\xa0\x80",
		"trailers":    "x\nCo-authored-by: Eve <eve@example.com>\nCloses #7",
		"commands":    "/approve rollback\n/cancel now\n```\n/approve rollback",
		"comment":     "<!-- pullbook:reply:opened -->",
		"spaces":      "   \t\n  ",
		"empty":       "",
		"punctuation": "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
		"backslash":   `ends with \`,
		"long":        strings.Repeat("@octocat [x](http://y) <b> \u202e ", 30_000), // about 1 MB
		"oneword":     strings.Repeat("x", 1<<16),
		"wide":        strings.Repeat("\U0001f600", 1<<14),
	}
}

// hostilePlan puts foreign text wherever an author may write it.
func hostilePlan(evil string) runbook.Plan {
	p := samplePlan()
	p.Title, p.Doc, p.Command = evil, evil, []string{evil, "acme/sre"}
	p.Why, p.ByHand, p.Service, p.Owners, p.Affected = evil, evil, evil, p.Command, p.Command
	for i := range p.Steps {
		p.Steps[i].Title, p.Steps[i].Doc, p.Steps[i].Why, p.Steps[i].ByHand = evil, evil, evil, evil
	}
	p.Steps[4].Now.Work.Manual = &runbook.Manual{Task: evil, Owner: evil}
	return p
}

// hostileEvents put foreign text wherever the world may write it. The incident ends in every way at once that one can see.
func hostileEvents(evil string) []incident.Event {
	opened := sampleOpened()
	opened.Why, opened.Problems, opened.Runbook = evil, []string{evil, evil}, evil
	opened.Alert = incident.Alert{Name: evil, Source: evil, Status: incident.AlertStatus(evil), URL: evil, StartsAt: sampleStart(),
		Labels: map[string]string{"service": evil, "x" + evil: "y"}, Annotations: map[string]string{"summary": evil}}
	eve := approval.Person{ID: 666, Login: evil}
	deed := incident.Deed{By: eve, Via: "comment", ID: 1, Words: evil}
	rule := runbook.Approval{From: []string{evil, "acme/sre"}, Count: 1, Within: time.Hour}
	read := finished("errors", 1, runbook.Succeeded, time.Second)
	read.Output, read.Cut = []byte(evil), []runbook.Cut{{Name: evil, Bytes: 1, SHA256: evil}}
	failed := finished("recovered", 1, runbook.Failed, time.Second)
	failed.Error = evil
	return script(opened, incident.PullOpened{Number: 7, URL: evil}, read,
		incident.StepSkipped{Step: "version", Why: evil},
		incident.GateOpened{Step: "rollback", Round: 1, Page: digest("page"), Rule: rule},
		failed, incident.Acknowledged{Deed: deed},
		incident.StepStarted{Step: "confirm", Attempt: 1, Work: runbook.KindManual},
		incident.Mitigated{How: evil, Deed: &deed})
}

func hostileView(evil string) incident.View {
	v := gateView()
	v.Reviews[0].By.Login, v.Reviews[0].Body = evil, evil
	v.Pull = &incident.Pull{URL: evil}
	return v
}

// closing are ways to end that hide parts of a living body, and so are rendered besides it.
func closing(evil string) [][]incident.Data {
	eve := approval.Person{ID: 666, Login: evil}
	cancel := incident.CancelAsked{Why: evil, Deed: incident.Deed{By: eve, Via: "comment", ID: 2}}
	vote := approval.Vote{Review: 3, By: eve, Commit: evil, Words: evil}
	return [][]incident.Data{{}, {incident.GateRejected{Step: "rollback", Vote: vote}},
		{incident.GateApproved{Step: "rollback", Page: digest("page"), Votes: []approval.Vote{vote}}},
		{cancel}, {cancel, incident.Ended{End: incident.EndCancelled}}}
}

// documents renders everything that is Markdown with the given foreign text in every place.
func documents(t testing.TB, evil string) map[string]string {
	out := map[string]string{"safe": "Inline " + Safe(evil) + " text\n\n- " + Safe(evil) + "\n\n" + Safe(evil) + "\n\nend"}
	p := hostilePlan(evil)
	for i, more := range closing(evil) {
		events := hostileEvents(evil)
		for _, data := range more {
			events = append(events, incident.Event{Seq: len(events) + 1, At: sampleStart().Add(time.Hour), Data: data})
		}
		s, view := fold(t, events), hostileView(evil)
		out[fmt.Sprintf("body %d", i)] = Body(p, s, view)
		view.Branch.Foreign = &incident.Foreign{Commit: evil, Why: evil}
		out[fmt.Sprintf("frozen %d", i)] = Body(p, s, view)
		out[fmt.Sprintf("report %d", i)] = string(Report(p, s, events))
		for _, step := range append(p.Steps, runbook.Step{Name: "no_such_step"}) {
			c := Check(p, s, step.Name, "log: "+evil)
			out[fmt.Sprintf("summary %d of %s", i, step.Name)] = c.Summary
			out[fmt.Sprintf("text %d of %s", i, step.Name)] = c.Text
		}
	}
	return out
}

// outline is what a document is made of, without its words.
type outline struct {
	nodes []string
	prose string // all text outside code
	bad   []string
}

func outlineOf(document string) outline {
	source := []byte(document)
	root := goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote)).Parser().Parse(text.NewReader(source))
	var o outline
	var prose strings.Builder
	_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		o.note(n, source)
		switch n := n.(type) {
		case *ast.Text:
			prose.WriteString(html.UnescapeString(string(n.Value(source))))
			return ast.WalkContinue, nil
		case *ast.String:
			prose.Write(n.Value)
			return ast.WalkContinue, nil
		case *ast.CodeSpan:
			prose.WriteByte('\n')
			o.nodes = append(o.nodes, n.Kind().String())
			return ast.WalkSkipChildren, nil
		}
		prose.WriteByte('\n')
		o.nodes = append(o.nodes, n.Kind().String())
		return ast.WalkContinue, nil
	})
	o.prose = prose.String()
	return o
}

// note keeps what must not be there at all.
func (o *outline) note(n ast.Node, source []byte) {
	own := []string{"<details>\n<summary>Commands</summary>\n", "</details>\n", "<details>\n<summary>How to do the steps by hand</summary>\n",
		"<details>\n<summary>How to do all of it by hand</summary>\n"}
	switch n := n.(type) {
	case *ast.Link:
		if !strings.HasPrefix(string(n.Destination), "https://github.com/acme/ops/pull/7/files#diff-") {
			o.bad = append(o.bad, "link to "+string(n.Destination))
		}
	case *ast.AutoLink:
		o.bad = append(o.bad, "address "+string(n.URL(source)))
	case *ast.Image:
		o.bad = append(o.bad, "image "+string(n.Destination))
	case *ast.RawHTML:
		o.bad = append(o.bad, "html "+string(n.Segments.Value(source)))
	case *ast.HTMLBlock:
		if block := string(n.Lines().Value(source)); !slices.Contains(own, block) {
			o.bad = append(o.bad, "html block "+block)
		}
	}
}

// linked finds what GitHub's own filters would turn into a link or an emoji after Markdown is done.
var linked = regexp.MustCompile(`(?i)@[\w-]|#\d|\bgh-\d|\bwww\.|:/|:[a-z+-][a-z0-9_+-]*:`)

func TestForeignTextIsOnlyText(t *testing.T) {
	tame := map[string]outline{}
	for name, document := range documents(t, "word") {
		tame[name] = outlineOf(document)
	}
	for kind, evil := range hostile() {
		t.Run(kind, func(t *testing.T) {
			for name, document := range documents(t, evil) {
				got := outlineOf(document)
				if len(got.bad) > 0 {
					t.Errorf("%s: %q", name, got.bad)
				}
				if found := linked.FindString(got.prose); found != "" {
					t.Errorf("%s: GitHub would make more of %q", name, found)
				}
				checkCharacters(t, name, document)
				if strings.TrimSpace(evil) == "" || len(evil) > 10_000 {
					continue // what is empty or cut has another outline by right
				}
				if diff := cmp.Diff(tame[name].nodes, got.nodes); diff != "" && name != "safe" {
					t.Errorf("%s: the text changed what the document is made of:\n%s", name, diff)
				}
			}
		})
	}
}

func checkCharacters(t *testing.T, name, document string) {
	t.Helper()
	for _, c := range document {
		if unicode.IsControl(c) && c != '\n' && c != '\t' || unicode.Is(unicode.Bidi_Control, c) {
			t.Fatalf("%s holds the character %U", name, c)
		}
	}
	if len(document) > textLimit && !strings.HasPrefix(name, "report") {
		t.Errorf("%s has %d bytes", name, len(document))
	}
}

func TestTitlesAndLinesArePlain(t *testing.T) {
	for kind, evil := range hostile() {
		t.Run(kind, func(t *testing.T) {
			events := hostileEvents(evil)
			p, s := hostilePlan(evil), fold(t, events)
			title := Title(p, s)
			if n := len([]rune(title)); n > titleLimit || strings.ContainsAny(title, "`\n") {
				t.Errorf("title of %d characters: %q", n, title)
			}
			if found := linked.FindString(title); found != "" {
				t.Errorf("title mentions or links %q", found)
			}
			c := Check(p, s, "rollback", "")
			for _, line := range append([]string{title, c.Title, c.Name}, progressOf(events)...) {
				checkCharacters(t, "line", line)
				if strings.Contains(line, "\n") || len([]rune(line)) > 800 {
					t.Errorf("not one short line: %d characters", len(line))
				}
			}
		})
	}
}

func progressOf(events []incident.Event) []string {
	var out []string
	for _, e := range events {
		out = append(out, Progress(e))
	}
	return out
}

// graphLine is every line that a graph may consist of. A label holds no quote, no percent sign and no bracket.
var graphLine = regexp.MustCompile(`^(flowchart TD|  (s\d+|over|later|more)(\["[^"\[\]{}%<>` + "`" + `\\]*(<br/>[^"\[\]{}%<>` + "`" + `\\]*)?"\]|\{\{"[^"\[\]{}%<>` + "`" + `\\]*(<br/>[^"\[\]{}%<>` + "`" + `\\]*)?"\}\})` +
	`|  (s\d+|over) --> (s\d+|later)|  classDef [a-z]+ [a-z0-9#:,\- ]+|  class [a-z0-9,]+ [a-z]+)$`)

func TestGraphIsOnlyAGraph(t *testing.T) {
	for kind, evil := range hostile() {
		t.Run(kind, func(t *testing.T) {
			p := hostilePlan(evil)
			for line := range strings.Lines(Graph(p, fold(t, hostileEvents(evil)))) {
				if !graphLine.MatchString(strings.TrimSuffix(line, "\n")) {
					t.Errorf("not a line of a graph: %q", line)
				}
			}
		})
	}
}
