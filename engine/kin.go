package engine

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// relatives is what a worker remembers of the incidents that its own one opened, and of the one that opened it. Both are
// read anew from git with every look at the hub; in between, what their workers tell is enough.
type relatives struct {
	seen     map[string]seen           // by attempt key
	children map[string]incident.Child // by step
	parent   *kin
	recall   *incident.Recalled
}

// seen is a child as it was last looked at.
type seen struct {
	told  *report // what its worker had told then; nil: it was read from git
	child incident.Child
}

// lookAtKin brings up what git has of an incident's children and its parent, for the view of its next decision. The plan has the
// elements that are settled.
func (e *Engine) lookAtKin(ctx context.Context, w *worker, plan runbook.Plan) error {
	state := w.ledger.state
	all, children := map[string]seen{}, map[string]incident.Child{}
	for i := range plan.Steps {
		step := &plan.Steps[i]
		if step.Kind != runbook.KindRunbook {
			continue
		}
		st := state.Step(step.Name)
		if st.Phase != incident.PhaseStarted {
			continue
		}
		key := runbook.AttemptKey(string(state.Opened.ID), step.Name, st.Attempt)
		s, err := e.lookAtChild(ctx, w, *step, key)
		if err != nil {
			return fmt.Errorf("look at the incident of %s: %w", key, err)
		}
		s.child.Attempt = st.Attempt
		all[key], children[step.Name] = s, s.child
	}
	w.kin.seen, w.kin.children = all, children
	var err error
	w.kin.recall, err = e.recall(ctx, w)
	return err
}

// lookAtChild returns the child of an attempt; one without a name, if git has none.
func (e *Engine) lookAtChild(ctx context.Context, w *worker, step runbook.Step, key string) (seen, error) {
	slot := incident.ChildSlot(key)
	var told *report
	if cw := e.known(incident.BranchPrefix + slot); cw != nil {
		told = cw.report.Load()
	}
	before, looked := w.kin.seen[key]
	var k *kin
	switch {
	case looked && before.told == told && before.child.Incident != "":
		return before, nil
	case looked && told != nil:
		k = &kin{report: *told}
	default:
		var err error
		if k, err = e.find(ctx, slot); err != nil {
			return seen{}, err
		}
	}
	if k == nil {
		return seen{child: incident.Child{Problem: e.refusal(key)}}, nil
	}
	child, err := e.childSeen(ctx, w, step, *k)
	return seen{told, child}, err
}

// childSeen is what the parent's decision may know of a child.
func (e *Engine) childSeen(ctx context.Context, w *worker, step runbook.Step, k kin) (incident.Child, error) {
	s := k.state
	c := incident.Child{Incident: s.Opened.ID, Pull: k.pull.Number, URL: k.pull.URL, Stage: s.Stage(), Asks: s.AsksPeople(),
		Recalled: s.Recalled != nil, Stuck: k.stuck, Merged: k.merged, End: s.End, EndedAt: s.EndedAt,
		Spoke: s.Spoke(), Came: s.Came()}
	if s.End != incident.EndResolved || !step.HasOutput {
		return c, nil
	}
	raw, err := json.Marshal(outputOf(k))
	if err != nil {
		return c, fmt.Errorf("encode the outputs of %s: %w", s.Opened.ID, err)
	}
	plan := w.plan.plan
	written, _, _ := plan.Written(step.Name)
	o := e.checkOutput(ctx, w.query(w.ledger.state.Ended(plan)), written, runbook.Outcome{Conclusion: runbook.Succeeded, Output: raw})
	if ctx.Err() != nil {
		return c, fmt.Errorf("check the outputs of %s: %w", s.Opened.ID, ctx.Err())
	}
	c.Output, c.Problem = o.Output, o.Error
	return c, nil
}

// childOutput is what a step of KindRunbook puts out.
type childOutput struct {
	Incident incident.ID                `json:"incident"`
	Pull     int                        `json:"pull"`
	URL      string                     `json:"url"`
	End      incident.End               `json:"end"`
	Steps    map[string]json.RawMessage `json:"steps"` // outputs of the steps that succeeded
}

func outputOf(k kin) childOutput {
	out := childOutput{Incident: k.state.Opened.ID, Pull: k.pull.Number, URL: k.pull.URL, End: k.state.End, Steps: map[string]json.RawMessage{}}
	for name, st := range k.state.Steps {
		if _, _, element := runbook.SplitName(name); element {
			continue // its template has collected it
		}
		if st.Phase == incident.PhaseEnded && st.Conclusion == runbook.Succeeded && len(st.Output) > 0 {
			out.Steps[name] = st.Output
		}
	}
	return out
}

// recall asks the parent whether it wants this incident to go on. A parent that is nowhere to be found says nothing: the
// incident is one of its own, with people of its own.
func (e *Engine) recall(ctx context.Context, w *worker) (*incident.Recalled, error) {
	p := w.ledger.state.Opened.Parent
	if p == nil {
		return nil, nil
	}
	if pw := e.known(p.Incident.Branch()); pw != nil {
		if told := pw.report.Load(); told != nil {
			w.kin.parent = &kin{report: *told}
		}
	}
	if w.kin.parent == nil {
		k, err := e.find(ctx, p.Incident.Slot())
		if err != nil {
			return nil, fmt.Errorf("look at the parent of %s: %w", w.ledger.state.Opened.ID, err)
		}
		w.kin.parent = k
	}
	if k := w.kin.parent; k != nil && k.state.Opened.ID == p.Incident {
		return k.state.Recall(p.Step, p.Attempt, e.Clock.Now()), nil
	}
	return nil, nil
}
