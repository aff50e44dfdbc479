package audit

import (
	"bytes"
	"encoding/json"
	"maps"
	"testing"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// rewriting is what a story of an edit does otherwise than it should.
type rewriting struct {
	plan   func(*runbook.Plan)                           // the plan that is written
	event  func(*ledger, *incident.PlanEdited)           // what is said of it
	files  func(files map[string][]byte, planDir string) // the files, once they are bound
	nobody bool                                          // the plan names nobody who approves edits
	late   bool                                          // only after the changed step has begun
}

// editedStory is an incident whose plan is edited while a gate is open: another step gets another title.
func (l *ledger) editedStory(r rewriting) {
	l.tb.Helper()
	l.begin()
	l.start("group one")
	if !r.nobody {
		l.inc.plan.Edit = &runbook.Approval{From: []string{"acme/sre"}, Count: 1}
	}
	l.opened("", "group one")
	l.gate("")
	if r.late {
		l.approve("")
		l.end("")
	}
	l.edit(r)
	if !r.late {
		l.approve("")
		l.end("")
	}
	l.close("")
	l.merge("merge")
	l.publish("")
}

func (l *ledger) edit(r rewriting) {
	l.tb.Helper()
	dir := journal.PlanDir(l.inc.id.Dir())
	before := map[string][]byte{"plan.json": l.skeleton(), runbookPath: []byte(runbookText), "pullbook.cue": []byte(policyText)}
	was := l.inc.plan
	now := was
	now.Steps = append([]runbook.Step{}, was.Steps...)
	now.Steps[3].Title, now.Edits = "Note it", was.Edits+1
	if r.plan != nil {
		r.plan(&now)
	}
	static, err := json.Marshal(now)
	l.must(err)
	after := maps.Clone(before)
	after["plan.json"], after[runbookPath] = static, []byte(runbookText+"// Note it.\n")
	d := incident.PlanEdited{Pull: 9, Head: "6f2a0c7a1a0f7ddf3b1f1c0a5b2f8b7c9d0e1f23", Was: journal.PlanDigest(before), Plan: journal.PlanDigest(after),
		Authors: []runbook.Author{{ID: 31, Login: "dora", By: "opened it"}}, Changed: []string{"note"}, Diff: runbook.Diff(journal.PlanSources(before), journal.PlanSources(after)),
		Votes: []approval.Vote{{Review: 301, By: alice(), Commit: "6f2a0c7a1a0f7ddf3b1f1c0a5b2f8b7c9d0e1f23", At: at(20)}}}
	if r.event != nil {
		r.event(l, &d)
	}
	files := map[string][]byte{}
	for name, text := range after {
		if !bytes.Equal(text, before[name]) {
			files[dir+name] = text
		}
	}
	if r.files != nil {
		r.files(files, dir)
	}
	l.record("edit", files, d)
	l.inc.plan = now
}

// TestEditsAreVerified: an edit of the plan that its people have approved verifies; nothing but the whole truth about it does.
func TestEditsAreVerified(t *testing.T) {
	l := newLedger(t)
	l.editedStory(rewriting{})
	if r := verify(l, Options{Trust: trusting(1)}); !r.OK() || len(r.Incidents) != 1 || r.Incidents[0].Votes != 3 || r.Verdict() != "verified" {
		t.Fatalf("%+v", r)
	}
	vote := func(change func(*approval.Vote)) rewriting {
		return rewriting{event: func(_ *ledger, d *incident.PlanEdited) { change(&d.Votes[0]) }}
	}
	says := func(change func(*incident.PlanEdited)) rewriting {
		return rewriting{event: func(_ *ledger, d *incident.PlanEdited) { change(d) }}
	}
	plans := func(change func(*runbook.Plan)) rewriting { return rewriting{plan: change} }
	for name, c := range map[string]struct {
		is  rewriting
		why string
	}{
		"by somebody who is not named":   {vote(func(v *approval.Vote) { v.By = bob() }), "may not approve an edit"},
		"by an App":                      {vote(func(v *approval.Vote) { v.By.Bot = true }), "may not approve an edit"},
		"by somebody who may not write":  {vote(func(v *approval.Vote) { v.By.Write = false }), "may not approve an edit"},
		"by its author":                  {vote(func(v *approval.Vote) { v.By.ID = 31 }), "what they wrote"},
		"on another commit":              {vote(func(v *approval.Vote) { v.Commit = "aa" }), "was given on"},
		"another diff":                   {says(func(d *incident.PlanEdited) { d.Diff += " " }), "the diff"},
		"another digest":                 {says(func(d *incident.PlanEdited) { d.Plan = "aa" }), "another digest"},
		"from another plan":              {says(func(d *incident.PlanEdited) { d.Was = "aa" }), "another plan"},
		"a step is not named":            {says(func(d *incident.PlanEdited) { d.Changed = nil }), "not those that the edit changes"},
		"who approves":                   {plans(func(p *runbook.Plan) { a := *p.Steps[1].Approval; a.Count = 1; p.Steps[1].Approval = &a }), "who approves a step"},
		"the gate is taken away":         {plans(func(p *runbook.Plan) { p.Steps = append(p.Steps[:1:1], p.Steps[2:]...) }), "take away a step"},
		"who approves the next edit":     {plans(func(p *runbook.Plan) { p.Edit = nil }), "keeps its edit"},
		"a step that has ended":          {plans(func(p *runbook.Plan) { p.Steps[0].Title = "Others" }), "not those that the edit changes"},
		"it is not counted":              {plans(func(p *runbook.Plan) { p.Edits = 0 }), "says that it is edit 0"},
		"a file that was not bound":      {rewriting{files: func(f map[string][]byte, dir string) { f[dir+runbookPath] = []byte("x") }}, "another digest"},
		"the policy":                     {rewriting{files: func(f map[string][]byte, dir string) { f[dir+"pullbook.cue"] = []byte("x") }}, "does not write this file"},
		"a file that the plan had not":   {rewriting{files: func(f map[string][]byte, dir string) { f[dir+"runbooks/other.cue"] = []byte("x") }}, "does not write this file"},
		"a gate page":                    {rewriting{files: func(f map[string][]byte, dir string) { f[journal.GatePath(first, "rollback", 1)] = []byte("x") }}, "no event of this commit"},
		"the step has begun":             {rewriting{late: true}, "has begun"},
		"the ended step, and it says so": {rewriting{plan: func(p *runbook.Plan) { p.Steps[0].Title = "Others" }, event: func(_ *ledger, d *incident.PlanEdited) { d.Changed = []string{"logs", "note"} }}, "has begun"},
		"without votes":                  {says(func(d *incident.PlanEdited) { d.Votes = nil }), "nobody who approved"},
		"the plan names nobody for it":   {rewriting{nobody: true}, "names nobody who approves"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t)
			l.editedStory(c.is)
			expect(t, l, verify(l, Options{Trust: trusting(1)}), "edit", c.why)
		})
	}
	t.Run("without an event", func(t *testing.T) {
		l := newLedger(t)
		l.edits["approve"] = func(d *draft) { d.files[journal.PlanPath(first)] = []byte("{}") }
		l.editedStory(rewriting{})
		expect(t, l, verify(l, Options{Trust: trusting(1)}), "approve", "changes what an earlier commit wrote")
	})
}
