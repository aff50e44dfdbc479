package render

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// eachPlan restarts n hosts that a step finds, behind a gate, and tells about it.
func eachPlan(n int) runbook.Plan {
	p := samplePlan()
	step := func(name string, title string, needs ...string) runbook.Step {
		return runbook.Step{Name: name, Kind: runbook.KindExec, Risk: runbook.RiskChange, Title: title, Needs: needs, Timeout: time.Minute,
			OnFailure: runbook.FailureHalts, Now: runbook.Resolution{Status: runbook.StatusReady}}
	}
	find, restart, tell := step("find", "Find the hosts"), step("restart", "restart", "find"), step("tell", "Tell the channel", "restart")
	undo := step("restart_undo", "restart_undo", "restart")
	find.Risk, restart.Each, restart.HasOutput, restart.Approval = runbook.RiskRead, true, true, &runbook.Approval{From: []string{"acme/sre"}, Count: 1}
	undo.Stage, undo.Undoes, undo.Each = runbook.StageUndo, "restart", true
	for _, key := range hosts(n) {
		now := runbook.Resolution{Status: runbook.StatusReady, Work: runbook.Work{Run: []byte(`{"command":["restart","` + key + `"]}`)}}
		restart.Now.Elements = append(restart.Now.Elements, runbook.Element{Key: key, Title: "Restart " + key + " @team", Now: now})
	}
	p.Steps = []runbook.Step{find, restart, tell, undo}
	return p
}

func hosts(n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprintf("web-%d", i+1))
	}
	return keys
}

// eachBegun is the journal until n elements are settled.
func eachBegun(n int) []incident.Data {
	return []incident.Data{sampleOpened(), finished("find", 1, runbook.Succeeded, time.Second),
		incident.GateOpened{Step: "restart", Round: 1, Page: digest("page"), Rule: runbook.Approval{From: []string{"acme/sre"}, Count: 1}, Digest: digest("d"), Elements: hosts(n)}}
}

func eachMoments() []moment {
	gate := eachBegun(5)
	vote := toManual()[5].(incident.GateApproved).Votes[:1]
	settled := append(gate, incident.GateApproved{Step: "restart", Page: digest("page"), Votes: vote}, incident.EachExpanded{Step: "restart", Keys: hosts(5)})
	for _, key := range hosts(4) {
		s := begin("restart."+key, runbook.KindExec, time.Hour)
		s.Gate = digest("page")
		settled = append(settled, s)
	}
	failed := append(settled[:len(settled):len(settled)], finished("restart.web-1", 1, runbook.Succeeded, 20*time.Second),
		finished("restart.web-2", 1, runbook.Failed, 30*time.Second), incident.StepSkipped{Step: "restart.web-5", Why: "its condition is false"})
	undone := append(failed[:len(failed):len(failed)], finished("restart.web-3", 1, runbook.Succeeded, 40*time.Second), finished("restart.web-4", 1, runbook.Succeeded, 41*time.Second),
		incident.UndoBegun{Why: "step restart.web-2 failed"}, incident.EachExpanded{Step: "restart_undo", Keys: []string{"web-1", "web-3", "web-4"}})
	done := append(failed[:len(failed):len(failed)], incident.RetryAsked{Step: "restart.web-2", Round: 2, Deed: incident.Deed{By: alice(), Via: "comment", ID: 9}},
		incident.StepByHand{Step: "restart.web-2", What: "it was off", Deed: incident.Deed{By: alice(), Via: "comment", ID: 10}},
		finished("restart.web-3", 1, runbook.Succeeded, 40*time.Second), finished("restart.web-4", 1, runbook.Succeeded, 41*time.Second))
	end := finished("restart", 1, runbook.Succeeded, 42*time.Second)
	end.Evidence, end.Output = "", []byte(`{"web-1":{"ok":true},"web-3":{"ok":true},"web-4":{"ok":true}}`)
	return []moment{
		{"each-gate", gate, gateView(), "restart"},
		{"each-halted", failed, incident.View{}, "restart.web-2"},
		{"each-undoing", undone, incident.View{}, "restart_undo"},
		{"each-done", append(done, end), incident.View{}, "restart"},
	}
}

// TestManyElements: a loop over 300 hosts is one line and one node, and all of its elements are there.
func TestManyElements(t *testing.T) {
	for _, n := range []int{300, 5_000} {
		p := eachPlan(n)
		data := eachBegun(n)
		data = append(data, incident.GateApproved{Step: "restart", Page: digest("page"), Votes: toManual()[5].(incident.GateApproved).Votes[:1]},
			incident.EachExpanded{Step: "restart", Keys: hosts(n)})
		for _, key := range hosts(n / 2) {
			s := begin("restart."+key, runbook.KindExec, time.Hour)
			s.Gate = digest("page")
			data = append(data, s, finished("restart."+key, 1, runbook.Succeeded, time.Minute))
		}
		s := fold(t, script(data...))
		body := Body(p, s, incident.View{})
		if len(body) > textLimit || !strings.Contains(body, fmt.Sprintf("%d of %d done", n/2, n)) {
			t.Errorf("%d elements: %d bytes\n%.2000s", n, len(body), body)
		}
		if n == 300 && strings.Count(body, "`restart.web-") < n {
			t.Errorf("only %d of %d elements are named", strings.Count(body, "`restart.web-"), n)
		}
		if nodes := strings.Count(Graph(p, s), `["`); nodes+strings.Count(Graph(p, s), `{{"`) != 3 {
			t.Errorf("%d elements: the graph is\n%s", n, Graph(p, s))
		}
	}
}
