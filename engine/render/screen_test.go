package render

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// busyPlan has n steps in layers of ten and is half over: of the steps that have begun one failed and is not needed, one is
// skipped, two run, and one asks people.
func busyPlan(n int) (runbook.Plan, []incident.Event) {
	p := largePlan(n)
	half := n / 2
	data := []incident.Data{sampleOpened(), incident.PullOpened{Number: 7, URL: "https://github.com/acme/ops/pull/7"}}
	for i := range p.Steps {
		s := &p.Steps[i]
		s.Approval, s.Kind = nil, runbook.KindExec
		switch {
		case i == half-2:
			s.OnFailure = runbook.FailureContinues
			data = append(data, incident.StepStarted{Step: s.Name, Attempt: 1, Work: s.Kind, Risk: s.Risk}, finished(s.Name, 1, runbook.Failed, time.Minute))
		case i == half-3:
			data = append(data, incident.StepSkipped{Step: s.Name, Why: "there is nothing to do"})
		case i < half:
			data = append(data, incident.StepStarted{Step: s.Name, Attempt: 1, Work: s.Kind, Risk: s.Risk}, finished(s.Name, 1, runbook.Succeeded, time.Minute))
		case i == half:
			s.Approval = &runbook.Approval{From: []string{"acme/sre"}, Count: 2, Within: 15 * time.Minute}
			data = append(data, incident.GateOpened{Step: s.Name, Round: 1, Page: digest("page"), Rule: *s.Approval, Digest: digest("gate")})
		case i <= half+2:
			data = append(data, incident.StepStarted{Step: s.Name, Attempt: 1, Work: s.Kind, Risk: s.Risk})
		}
	}
	return p, script(data...)
}

// TestScreens compares the body at four sizes with testdata. What is collapsed and folded there is what a person on a phone
// does not have to scroll over.
func TestScreens(t *testing.T) {
	for _, n := range []int{2, 30, 300, 2_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			p, events := busyPlan(n)
			got := Body(p, fold(t, events), gateView())
			if len(got) > textLimit {
				t.Errorf("%d bytes", len(got))
			}
			unfolded := strings.Count(withoutDetails(got), "- [")
			if unfolded > wholeList+stepsDrawn {
				t.Errorf("%d steps are not folded away", unfolded)
			}
			if strings.Count(got, "<details>") != strings.Count(got, "</details>") || strings.Count(got, "```")%2 != 0 {
				t.Error("something that was opened is not closed")
			}
			path := filepath.Join("testdata", fmt.Sprintf("screen-%d.md", n))
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// withoutDetails is what is seen of a body before anything is unfolded.
func withoutDetails(body string) string {
	var out strings.Builder
	depth := 0
	for line := range strings.Lines(body) {
		depth += strings.Count(line, "<details>")
		if depth == 0 {
			out.WriteString(line)
		}
		depth -= strings.Count(line, "</details>")
	}
	return out.String()
}

// TestLabelsSayHowItStands: the state in one word, the severity, and who took notice.
func TestLabelsSayHowItStands(t *testing.T) {
	for _, m := range moments() {
		want := map[string]string{"opened": "running", "gate": "waiting", "running": "running", "halted": "halted", "unknown": "waiting",
			"manual": "waiting", "frozen": "frozen", "cancelled": "cancelled", "resolved": "resolved"}[m.name]
		got := Screen(samplePlan(), fold(t, script(m.data...)), m.view)
		if !slices.Equal(got.Labels, []string{"state:" + want, "severity:sev2"}) {
			t.Errorf("%s: %v", m.name, got.Labels)
		}
		if got.Body != Body(samplePlan(), fold(t, script(m.data...)), m.view) || got.Title != Title(samplePlan(), fold(t, script(m.data...))) {
			t.Errorf("%s: the screen does not hold body and title", m.name)
		}
	}
	deed := incident.Deed{By: alice(), Via: "comment", ID: 5, At: sampleStart(), Words: "/ack"}
	again := deed
	again.ID = 6
	acked := fold(t, script(append(toGate(), incident.Acknowledged{Deed: deed}, incident.Acknowledged{Deed: again})...))
	if s := Screen(samplePlan(), acked, incident.View{}); !slices.Equal(s.Assignees, []string{"alice"}) || !strings.Contains(s.Body, "- Took notice: alice\n") {
		t.Errorf("who took notice is not shown: %v", s.Assignees)
	}
}

// TestForeignTextInLabels: a severity is an author's text, and a label stays one label that is short enough.
func TestForeignTextInLabels(t *testing.T) {
	for kind, evil := range hostile() {
		p := samplePlan()
		p.Severity = evil
		for _, label := range Screen(p, fold(t, script(toGate()...)), incident.View{}).Labels {
			if len([]rune(label)) > 50 || strings.ContainsAny(label, ",\n\r@#") || !OwnLabel(label) {
				t.Errorf("%s: label %q", kind, label)
			}
		}
	}
}

// TestLayersKeepWhatMatters: of a large plan, every step that people must see has a node of its own, and all others are
// counted.
func TestLayersKeepWhatMatters(t *testing.T) {
	p, events := busyPlan(300)
	graph := Graph(p, fold(t, events))
	for _, step := range []string{"step_0148", "step_0150", "step_0151", "step_0152"} {
		if !strings.Contains(graph, label(step)) {
			t.Errorf("%s is not drawn", step)
		}
	}
	for _, want := range []string{"140 steps are over", "9 steps are over", "7 steps are still to come", "130 steps are still to come"} {
		if !strings.Contains(graph, want) {
			t.Errorf("the graph does not say %q:\n%s", want, graph)
		}
	}
}
