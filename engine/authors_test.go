package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// register is a hub that knows who wrote files: one person each.
type register struct {
	Hub
	authors map[string]int64
	asked   [][]string
	fail    error
}

func (r *register) Blame(_ context.Context, commit string, files []string) (out []runbook.Blame, err error) {
	r.asked = append(r.asked, files)
	for _, f := range files {
		out = append(out, runbook.Blame{Lines: runbook.Lines{File: f, From: 1, To: 99}, Authors: []runbook.Author{{ID: r.authors[f], By: "commit " + commit}}})
	}
	return out, r.fail
}

// helped is a plan of one gated step, made of its own line and of the helper's where it means that.
func helped(edits int, helper bool) runbook.Plan {
	lines := []runbook.Lines{{File: editedBook, From: 1, To: 1}}
	if helper {
		lines = slices.Insert(lines, 0, runbook.Lines{File: "lib/helper.cue", From: 1, To: 2})
	}
	return runbook.Plan{Name: "a", Edits: edits, Steps: []runbook.Step{{Name: "a", Kind: runbook.KindExec, Risk: runbook.RiskChange,
		Approval: &runbook.Approval{From: []string{"acme/sre"}, Count: 1}, Lines: lines}}}
}

// TestEditMeansWhatOthersWrote: an edit makes a step refer to a helper that was there before, in a file that no step was made of. The
// hub is asked who wrote that too, once; while it does not answer, nobody has written the step and its gate cannot open.
func TestEditMeansWhatOthersWrote(t *testing.T) {
	hub := &register{authors: map[string]int64{editedBook: 11, "lib/helper.cue": 12}}
	e := New(Config{Hub: hub, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	files := func(edits int, helper bool, book string) map[string][]byte {
		static, err := planText(helped(edits, helper))
		if err != nil {
			t.Fatal(err)
		}
		return map[string][]byte{journal.PlanFile: static, editedBook: []byte(book), "lib/helper.cue": []byte("package lib\n#Drain: [\"drain\"]\n")}
	}
	first := files(0, false, "a: exec: command: [\"true\"]\n")
	opened := incident.Opened{ID: "20261122-k3jq5zabcd", Runbook: editedBook, Commit: "base", Plan: journal.PlanDigest(first)}
	state, err := incident.Fold([]incident.Event{{Seq: 1, Data: opened}})
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{branch: "incident/k3jq5zabcd", mu: e.newLock(), ledger: &notes{state: state}}
	freeze := func(now map[string][]byte) {
		t.Helper()
		if err := w.freeze(origin{plan: helped(0, false), files: first}, opened, now); err != nil {
			t.Fatal(err)
		}
	}
	wrote := func() string {
		plan := w.frozen.plan
		plan.Steps = slices.Clone(plan.Steps)
		plan.Steps[0].Now.Status = runbook.StatusReady
		ids := []int64{}
		a, known := e.authors(t.Context(), w, plan)["a"]
		for _, p := range a.People {
			ids = append(ids, p.ID)
		}
		return fmt.Sprint(known, ids, a.Unmapped, len(hub.asked))
	}
	freeze(first)
	for range 2 {
		if got, want := wrote(), "true [11] 0 1"; got != want {
			t.Errorf("as it was frozen: %s, want %s", got, want)
		}
	}
	freeze(files(1, true, "a: exec: command: lib.#Drain\n"))
	hub.fail = errors.New("502")
	if got, want := wrote(), "false [] 0 2"; got != want {
		t.Errorf("while the hub is away: %s, want %s", got, want)
	}
	hub.fail = nil
	for range 2 {
		if got, want := wrote(), "true [11 12] 0 3"; got != want {
			t.Errorf("once it means the helper: %s, want %s", got, want)
		}
	}
	state.Steps = map[string]*incident.StepState{"a": {Gate: incident.Gate{Authors: &runbook.Authorship{}, Edited: true}}}
	w.ledger.state = state
	if got, want := wrote(), "true [11 12] 0 3"; got != want {
		t.Errorf("of a gate from before the edit: %s, want %s", got, want)
	}
	state.Steps["a"] = &incident.StepState{Gate: incident.Gate{Authors: &runbook.Authorship{}}}
	if got, want := wrote(), "false [] 0 3"; got != want {
		t.Errorf("of a gate that says it: %s, want %s", got, want)
	}
}
