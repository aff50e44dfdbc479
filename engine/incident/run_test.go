package incident

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/pullbook/pullbook/engine/runbook"
)

// runs reads the options of a step that runs a workflow: runs=FILE, and key=INPUT after it.
func runs(t *testing.T, step *runbook.Step, key, value string) {
	t.Helper()
	switch key {
	case "runs":
		step.Workflow = &runbook.Workflow{File: value, Ref: "main"}
	case "key":
		step.Workflow.Key = value
	default:
		t.Fatalf("unknown option %q", key)
	}
}

// aboutRun moves what the hub says of workflows and their runs.
func (s *stage) aboutRun(t *testing.T, d *datadriven.TestData, args map[string]string) string {
	t.Helper()
	if s.view.Runs == nil {
		s.view.Runs, s.view.Pins = map[string]Run{}, map[string]runbook.Pin{}
	}
	step := args["step"]
	st := s.state.Step(step)
	switch d.Cmd {
	case "pin": // the file of a workflow, or what is wrong with it
		s.view.Pins[step] = runbook.Pin{Blob: args["blob"], Problem: strings.TrimSpace(d.Input)}
	case "dispatched": // the answer to the runner
		i := slices.IndexFunc(s.view.Attempts, func(a Attempt) bool { return a.Step == step && a.State == AttemptRunning })
		if i < 0 {
			return "nothing is running\n"
		}
		s.end(i, runbook.Succeeded, "")
		s.view.Attempts[i].Outcome.Run = &runbook.WorkflowRun{ID: number(t, args["run"]), URL: "http://hub/runs/" + args["run"]}
	case "run": // what the hub says of it
		r := Run{Attempt: st.Attempt, ID: number(t, args["id"]), URL: "http://hub/runs/" + args["id"], Runs: 1, Status: args["status"], Gone: args["gone"] != ""}
		if again := args["again"]; again != "" {
			r.Runs = int(number(t, again))
		}
		if how := args["conclusion"]; how != "" {
			r.Outcome = &runbook.Outcome{Step: step, Attempt: st.Attempt, Conclusion: runbook.Conclusion(how), Started: st.Started, Ended: s.now,
				Output: []byte(args["output"]), Facts: map[string]string{"run_attempt": fmt.Sprint(r.Runs)}, Error: strings.TrimSpace(d.Input)}
		}
		s.view.Runs[step] = r
	default:
		t.Fatalf("%s: unknown command %s", d.Pos, d.Cmd)
	}
	return "ok\n"
}
