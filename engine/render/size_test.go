package render

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

func TestBodyFitsAtEverySize(t *testing.T) {
	for _, n := range []int{2, 60, 61, 300, 3_000} {
		for _, done := range []int{0, 1, n / 2, n} {
			t.Run(fmt.Sprintf("%d of %d", done, n), func(t *testing.T) {
				p := largePlan(n)
				s := fold(t, largeEvents(p, done))
				body := Body(p, s, gateView())
				if len(body) > textLimit {
					t.Errorf("%d bytes", len(body))
				}
				if want := fmt.Sprintf("%d of %d steps are over", done, n); !strings.Contains(body, want) {
					t.Errorf("the body does not say %q", want)
				}
				open := len(newBoard(p, s, incident.View{}).pick(row.open))
				if strings.Contains(body, "What to do now") != (open > 0) {
					t.Errorf("%d gates are open, and the body says otherwise", open)
				}
			})
		}
	}
}

// TestBodyShowsLessStepByStep pins what is given up first: every step of a plan of 300 is still named, with its title.
func TestBodyShowsLessStepByStep(t *testing.T) {
	p := largePlan(300)
	body := Body(p, fold(t, largeEvents(p, 150)), incident.View{})
	if last := p.Steps[299]; !strings.Contains(body, last.Title) {
		t.Error("the title of the last of 300 steps is missing")
	}
	p = largePlan(3_000)
	body = Body(p, fold(t, largeEvents(p, 2_000)), incident.View{})
	if strings.Contains(body, p.Steps[2_999].Title) {
		t.Error("a plan of 3,000 steps kept all its titles")
	}
	for _, want := range []string{"2000 steps are over", "more questions are open and not shown here", "### Alert", "### Where this comes from"} {
		if !strings.Contains(body, want) {
			t.Errorf("the body does not say %q", want)
		}
	}
}

// TestWorstBodyFits fills every part with as many bytes as it takes.
func TestWorstBodyFits(t *testing.T) {
	for kind, evil := range hostile() {
		p := largePlan(400)
		p.Title, p.Command = evil, []string{evil, evil, evil}
		p.Why, p.Doc, p.ByHand, p.Service, p.Owners, p.Affected = evil, evil, evil, evil, p.Command, p.Command
		for i := range p.Steps {
			p.Steps[i].Title = evil[:min(len(evil), 5_000)]
			p.Steps[i].ByHand = evil
			p.Steps[i].Retry = runbook.Retry{Attempts: 1}
		}
		events := hostileEvents(evil)[:1]
		for i, step := range p.Steps {
			rule := runbook.Approval{From: []string{evil, evil, evil}, Count: 2}
			opened := incident.GateOpened{Step: step.Name, Round: 1, Page: digest("page"), Rule: rule}
			events = append(events, incident.Event{Seq: i + 2, At: sampleStart(), Data: opened})
		}
		view := incident.View{Branch: incident.Branch{Commits: map[string]int{"e": len(events)}}}
		for i := range 30 {
			view.Reviews = append(view.Reviews, approval.Review{ID: int64(i), By: approval.Person{ID: int64(i), Login: evil},
				State: approval.Approved, Commit: "e", Body: "/approve step_0000"})
		}
		if body := Body(p, fold(t, events), view); len(body) > textLimit {
			t.Errorf("%s: %d bytes", kind, len(body))
		}
	}
}

func TestGraphFolds(t *testing.T) {
	for _, n := range []int{2, 60, 61, 300, 3_000} {
		for _, done := range []int{0, n / 2, n} {
			p := largePlan(n)
			graph := Graph(p, fold(t, largeEvents(p, done)))
			nodes, edges := strings.Count(graph, `["`)+strings.Count(graph, `{{"`), strings.Count(graph, " --> ")+strings.Count(graph, " & ")
			if nodes > max(graphSteps, layersDrawn+stepsDrawn) || edges > graphEdges || len(graph) > graphBudget {
				t.Errorf("%d of %d done: %d nodes, %d edges, %d bytes", done, n, nodes, edges, len(graph))
			}
			if folded := strings.Contains(graph, "steps are over"); folded != (n > graphSteps && done > 0) {
				t.Errorf("%d of %d done: folded is %v", done, n, folded)
			}
		}
	}
}

// TestGraphCountsWhatItLeavesOut has one step that needs more than a graph can draw, in a plan that is not folded.
func TestGraphCountsWhatItLeavesOut(t *testing.T) {
	p := largePlan(60)
	for i := range p.Steps {
		p.Steps[i].Needs = nil
		for j := range i {
			p.Steps[i].Needs = append(p.Steps[i].Needs, p.Steps[j].Name)
		}
	}
	graph := Graph(p, fold(t, largeEvents(p, 0)))
	if want := fmt.Sprintf("%d edges are not drawn", 60*59/2-graphEdges); !strings.Contains(graph, want) {
		t.Errorf("the graph does not say %q", want)
	}
}

func TestCheckKeepsTheEndOfALog(t *testing.T) {
	s := fold(t, script(toEnd()...))
	for name, log := range map[string]string{
		"lines":     strings.Repeat("one line of a log\n", 10_000) + "the last line",
		"one line":  strings.Repeat("x", 200_000) + "the last line",
		"backticks": strings.Repeat("`", 200_000) + "the last line",
		"controls":  strings.Repeat("\x1b", 200_000) + "the last line",
		"wide":      strings.Repeat("\U0001f600", 60_000) + "the last line",
	} {
		c := Check(samplePlan(), s, "rollback", log)
		if len(c.Text) > textLimit || !strings.Contains(c.Text, "the last line\n") {
			t.Errorf("%s: %d bytes, and the end is %q", name, len(c.Text), c.Text[max(0, len(c.Text)-40):])
		}
		if !strings.Contains(c.Text, "[the beginning is left out]") {
			t.Errorf("%s: it does not say that something is left out", name)
		}
	}
	if c := Check(samplePlan(), s, "rollback", "short"); c.Text != "The end of the log:\n\n```text\nshort\n```\n" {
		t.Errorf("a short log is changed: %q", c.Text)
	}
}

func TestReportStaysBelowAnObject(t *testing.T) {
	p := largePlan(3_000)
	events := largeEvents(p, 3_000)
	report := Report(p, fold(t, events), events)
	if len(report) > 1_000_000 {
		t.Errorf("%d bytes", len(report))
	}
	if !strings.Contains(string(report), "more are not shown here") {
		t.Error("rows are missing and nothing says so")
	}
}

func BenchmarkBody(b *testing.B) {
	for _, n := range []int{10, 300, 3_000} {
		p := largePlan(n)
		s := fold(b, largeEvents(p, n/2))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if len(Body(p, s, gateView())) == 0 {
					b.Fatal("empty")
				}
			}
		})
	}
}
