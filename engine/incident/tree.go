package incident

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/pullbook/pullbook/engine/runbook"
)

// Room is how many incidents may come from one attempt of a step of the plan that opens another runbook, the one that it
// opens included. No incident knows what the others of its tree have opened, so each has a part of its own: an incident
// divides what it may open evenly among the steps of its plan that open one, and a template among its elements. What came from
// earlier attempts of a step is gone, also where a person asks for another one by /retry; it divides the rest evenly among the
// attempts that it still makes by itself.
func (s State) Room(p runbook.Plan, step string) int {
	room := runbook.MaxTree
	if p := s.Opened.Parent; p != nil && p.Room > 0 {
		room = p.Room - 1
	}
	places := 0
	for _, other := range p.Base().Steps {
		if other.Kind == runbook.KindRunbook {
			places++
		}
	}
	written, _, ok := p.Written(step)
	if !ok || places == 0 {
		return 0
	}
	room /= places
	if template, _, _ := runbook.SplitName(step); written.Each || written.Of != "" {
		room /= max(1, s.elementsOf(p, template))
	}
	st := s.Step(step)
	return max(0, room-st.Came) / max(1, written.Retry.Attempts-st.Tried)
}

// Came is how many incidents came from this one, itself included; 0 while one that it opened is under way, from which more
// may come.
func (s State) Came() int {
	all := 1
	for _, st := range s.Steps {
		if st.hasChild() {
			return 0
		}
		all += st.Came
	}
	return all
}

// came is how many incidents came from an attempt that has ended: as its facts say, and one at least where it opened one.
func (d StepEnded) came(child ID) (int, error) {
	text, said := d.Facts[factCame]
	switch n, err := strconv.Atoi(text); {
	case child == "" && !said:
		return 0, nil
	case !said: // the journal is older than this fact
		return 1, nil
	case err != nil || n < 1 || n > runbook.MaxTree:
		return 0, fmt.Errorf("%q incidents cannot have come from attempt %d of step %s", text, d.Attempt, d.Step)
	default:
		return n, nil
	}
}

// elementsOf is how many elements a template has: those that are settled, or that it would have now.
func (s State) elementsOf(p runbook.Plan, template string) int {
	if n := len(s.Step(template).Keys); n > 0 {
		return n
	}
	i := slices.IndexFunc(p.Steps, func(step runbook.Step) bool { return step.Name == template })
	if i < 0 {
		return 0
	}
	return len(p.Steps[i].Now.Elements)
}

// inFamily breaks the steps that must not open their runbook here: before a gate is asked, and before anything is opened.
func (d *decider) inFamily(plan runbook.Plan) runbook.Plan {
	copied := false
	for i := range plan.Steps {
		step := &plan.Steps[i]
		if step.Kind != runbook.KindRunbook || step.Now.Status != runbook.StatusReady {
			continue
		}
		if step.Of != "" && d.state.Step(step.Name).Came == 0 { // its template was looked at
			continue
		}
		problem := runbook.ChainProblem(d.state.Chain(), step.Runbook)
		if problem == "" && d.state.Room(plan, step.Name) < 1 {
			problem = fmt.Sprintf("too many incidents would come from one: at most %d may, and the part of them that is left here is used up", runbook.MaxTree)
		}
		if problem == "" {
			continue
		}
		if !copied {
			plan.Steps, copied = slices.Clone(plan.Steps), true
		}
		plan.Steps[i].Now = runbook.Resolution{Status: runbook.StatusBroken, Problem: problem}
	}
	return plan
}
