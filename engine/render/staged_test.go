package render

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// stagedPlan waits, asks for a choice, undoes and has something to do in the end.
func stagedPlan() runbook.Plan {
	p := samplePlan()
	step := func(name string, kind runbook.Kind, title string, needs ...string) runbook.Step {
		return runbook.Step{Name: name, Kind: kind, Risk: runbook.RiskRead, Title: title, Needs: needs, Timeout: time.Minute,
			OnFailure: runbook.FailureHalts, Now: runbook.Resolution{Status: runbook.StatusReady}}
	}
	which := step("which", runbook.KindChoose, "What to do about it")
	which.Now.Work.Choose = &runbook.Choose{Question: "Is it the release, or the load? @team", Owner: "acme/sre", Options: []runbook.Option{
		{Name: "roll_back", Title: "Roll back to 2.0.9"}, {Name: "scale_up"}}}
	drain := step("drain", runbook.KindExec, "Take web-1 out", "which")
	swap := step("swap", runbook.KindExec, "Switch to 2.0.9", "drain")
	drain.Risk, swap.Risk, swap.OnFailure = runbook.RiskChange, runbook.RiskChange, runbook.FailureUndoes
	soak := step("soak", runbook.KindWait, "Let it settle", "swap")
	drainUndo, swapUndo := step("drain_undo", runbook.KindExec, "Put web-1 back", "drain"), step("swap_undo", runbook.KindExec, "Switch back", "swap")
	drainUndo.Stage, drainUndo.Undoes, drainUndo.Risk = runbook.StageUndo, "drain", runbook.RiskChange
	swapUndo.Stage, swapUndo.Undoes, swapUndo.Risk = runbook.StageUndo, "swap", runbook.RiskChange
	tell := step("tell", runbook.KindHTTP, "Tell the status page", "swap")
	tell.Stage = runbook.StageFinally
	p.Steps = []runbook.Step{which, drain, swap, soak, drainUndo, swapUndo, tell}
	return p
}

func begin(step string, kind runbook.Kind, deadline time.Duration) incident.StepStarted {
	return incident.StepStarted{Step: step, Attempt: 1, Work: kind, Risk: runbook.RiskChange, Deadline: sampleStart().Add(deadline)}
}

// stagedMoments are points in the life of an incident of stagedPlan.
func stagedMoments() []moment {
	deed := incident.Deed{By: alice(), Via: "comment", ID: 78, At: sampleStart().Add(time.Minute), Words: "/choose which roll_back"}
	chose := incident.StepEnded{Step: "which", Attempt: 1, Conclusion: runbook.Succeeded, Started: sampleStart(), Ended: sampleStart().Add(time.Minute),
		Output: []byte(`{"choice":"roll_back"}`), Deed: &deed}
	join := func(to []incident.Data, more ...incident.Data) []incident.Data {
		return append(to[:len(to):len(to)], more...)
	}
	asked := []incident.Data{sampleOpened(), begin("which", runbook.KindChoose, time.Hour)}
	drained := join(asked, chose, begin("drain", runbook.KindExec, time.Hour), finished("drain", 1, runbook.Succeeded, 70*time.Second), begin("swap", runbook.KindExec, time.Hour))
	waiting := join(drained, finished("swap", 1, runbook.Succeeded, 80*time.Second), begin("soak", runbook.KindWait, 10*time.Minute))
	undoing := join(drained, finished("swap", 1, runbook.Failed, 80*time.Second), incident.UndoBegun{Why: "step swap failed"}, begin("drain_undo", runbook.KindExec, time.Hour))
	failed := join(undoing, finished("drain_undo", 1, runbook.Failed, 90*time.Second))
	finishing := join(undoing, finished("drain_undo", 1, runbook.Succeeded, 90*time.Second), incident.FinallyBegun{End: incident.EndUndone})
	undone := join(finishing, finished("tell", 1, runbook.Succeeded, 99*time.Second), incident.Ended{End: incident.EndUndone})
	given := join(failed, incident.CancelAsked{Why: "leave it", Deed: deed, During: runbook.StageUndo}, incident.FinallyBegun{End: incident.EndCancelled},
		finished("tell", 1, runbook.Succeeded, 99*time.Second), incident.Ended{End: incident.EndCancelled})
	return []moment{
		{"choice", asked, incident.View{}, "which"},
		{"wait", waiting, incident.View{}, "which"},
		{"undoing", undoing, incident.View{}, "swap"},
		{"undo-failed", failed, incident.View{}, "drain_undo"},
		{"finishing", finishing, incident.View{}, "drain_undo"},
		{"undone", undone, incident.View{}, "tell"},
		{"undo-given-up", given, incident.View{}, "drain_undo"},
	}
}

// TestUndoStepsAreShownOnlyWhereTheyMatter: those of steps that never happened are nobody's business.
func TestUndoStepsAreShownOnlyWhereTheyMatter(t *testing.T) {
	p := stagedPlan()
	for _, m := range stagedMoments() {
		events := script(m.data...)
		s := fold(t, events)
		texts := map[string]string{"body": Body(p, s, m.view), "graph": Graph(p, s), "report": string(Report(p, s, events))}
		undo := s.Undo != nil
		for where, text := range texts {
			if strings.Contains(text, "Put web-1 back") != undo && strings.Contains(text, "Put web#45;1 back") != undo {
				t.Errorf("%s: undo of drain in the %s: %t, want %t", m.name, where, !undo, undo)
			}
			if strings.Contains(text, "Switch back") {
				t.Errorf("%s: the undo of a step that failed is in the %s", m.name, where)
			}
		}
		if n, want := Measure(p, s, events).Steps, 5; undo && n != want+1 || !undo && n != want {
			t.Errorf("%s: %d steps", m.name, n)
		}
		if strings.Contains(texts["graph"], "-. undo .->") != undo || !strings.Contains(texts["graph"], "-.->") {
			t.Errorf("%s: edges of the graph:\n%s", m.name, texts["graph"])
		}
	}
}

// TestUnknownIsAskedAccordingToTheStage: what /retry and /cancel do differs while the incident is undone.
func TestUnknownIsAskedAccordingToTheStage(t *testing.T) {
	drain := incident.StepUnknown{Step: "drain", Attempt: 1}
	data := []incident.Data{sampleOpened(), begin("drain", runbook.KindExec, time.Hour), drain}
	cases := map[string][]incident.Data{
		"it did not happen; start it again.":        data,
		"`/cancel <reason>`: stop here.":            data,
		"it is not started again.":                  append(data[:3:3], incident.UndoBegun{Why: "step swap failed"}),
		"`/cancel <reason>`: undo no more":          append(data[:3:3], incident.UndoBegun{Why: "step swap failed"}),
		"(`drain`): **outcome unknown**":            append(data[:3:3], incident.FinallyBegun{End: incident.EndCancelled}),
		"only the finally steps are left; then the": append(data[:3:3], incident.FinallyBegun{End: incident.EndCancelled}),
	}
	for want, data := range cases {
		body := Body(stagedPlan(), fold(t, script(data...)), incident.View{})
		if !strings.Contains(body, want) {
			t.Errorf("no %q in:\n%s", want, body)
		}
	}
}

func TestWhoStoppedWhat(t *testing.T) {
	deed := incident.Deed{By: alice()}
	for during, want := range map[runbook.Stage]string{runbook.StageMain: "cancelled the incident: x", runbook.StageUndo: "stopped the undoing: x",
		runbook.StageFinally: "stopped the finally steps: x"} {
		got := Progress(incident.Event{Data: incident.CancelAsked{Why: "x", Deed: deed, During: during}})
		if !strings.HasSuffix(got, fmt.Sprintf("alice: %s", want)) {
			t.Errorf("%q: %s", during, got)
		}
	}
}
