package audit

import (
	"encoding/json"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// factPlan is the fact that the step of a plan file records of it, and so does what carried it out.
const factPlan = "plan_sha256"

// shows remembers what a gate page shows of a step whose work is compared with it: one that opens another incident, and one
// that was rehearsed.
func (t *trail) shows(m moment, path string, page []byte) {
	if _, rehearsed := t.plan.Rehearsal(m.step.Name); rehearsed || m.step.Kind == runbook.KindRunbook || m.step.Workflow != nil {
		t.shown[path] = runbook.ReadPage(page)
	}
}

// approved is what the page showed behind whose gate an attempt of a step is.
func (t *trail) approved(m moment) runbook.Shown {
	step := m.step.Name
	if m.step.Of != "" && m.was.Round == 1 {
		step = m.step.Of
	}
	return t.shown[journal.GatePath(t.dir, step, m.index)]
}

// rehearsedPlan is the digest of the plan that the rehearsal of a step made; empty where it made none.
func (t *trail) rehearsedPlan(step string) string {
	r, ok := t.plan.Rehearsal(step)
	if !ok {
		return ""
	}
	var says struct {
		Plan string `json:"plan"`
	}
	if json.Unmarshal(t.state.Step(r.Name).Output, &says) != nil {
		return ""
	}
	return says.Plan
}

// planShown checks that a gate page shows the plan that the rehearsal made.
func (t *trail) planShown(m moment, path string) *Finding {
	if plan := t.rehearsedPlan(m.step.Name); t.shown[path].Plan != plan {
		return m.wrong(path, "the gate page shows the plan %q, and the rehearsal of step %s made %q", t.shown[path].Plan, m.step.Name, plan)
	}
	return nil
}

// carriedOut checks that what a step carried out is the plan that its rehearsal made and that its gate page showed.
func (t *trail) carriedOut(m moment, d incident.StepEnded) *Finding {
	plan, done := t.rehearsedPlan(m.step.Name), d.Facts[factPlan]
	switch {
	case plan == "" || d.WouldRun || done == "" && d.Conclusion != runbook.Succeeded:
		return nil
	case done != plan:
		return m.wrong("", "step %s carried out the plan %q, and its rehearsal made %q", d.Step, done, plan)
	case m.was.Gate.Page != "" && t.approved(m).Plan != plan:
		return m.wrong("", "step %s carried out the plan %q, and its gate page showed %q", d.Step, done, t.approved(m).Plan)
	}
	return nil
}

// approvedInputs are the values that the gate page of a step showed for the incident which it opens; nil where no gate asked.
func (t *trail) approvedInputs(m moment, gate string) (inputs json.RawMessage, shown bool) {
	if gate == "" {
		return nil, true
	}
	page := t.approved(m)
	what := page.What
	if m.step.Of != "" && page.Elements != nil {
		what = page.Elements[m.step.Name]
	}
	var work runbook.Work
	if json.Unmarshal(what, &work) != nil || work.Runbook == nil || work.Runbook.Name != m.step.Runbook {
		return nil, false
	}
	if len(work.Runbook.With) == 0 {
		return json.RawMessage("{}"), true
	}
	return work.Runbook.With, true
}

// opensApproved checks an intent to open another incident against its gate page.
func (t *trail) opensApproved(m moment, d incident.StepStarted) *Finding {
	if m.step.Kind != runbook.KindRunbook {
		return nil
	}
	if _, shown := t.approvedInputs(m, d.Gate); !shown {
		return m.wrong("", "step %s opens the runbook %s, and its gate page does not show that", d.Step, m.step.Runbook)
	}
	return nil
}

// sameInputs compares what a child was given with what people approved. What could not be worked out any more is not there.
func (t *trail) sameInputs(m moment, d incident.ChildOpened) *Finding {
	o := t.orders[runbook.AttemptKey(string(t.record.ID), d.Step, d.Attempt)]
	if len(o.approved) == 0 || len(d.Inputs) == 0 {
		return nil
	}
	if a, b := value(o.approved), value([]byte(runbook.Visible(string(d.Inputs)))); !within(a, b) || !within(b, a) {
		return m.wrong("", "step %s gave its incident other inputs than its gate page showed", d.Step)
	}
	return nil
}
