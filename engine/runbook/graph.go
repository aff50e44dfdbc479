package runbook

import (
	"fmt"
	"slices"
	"strings"
)

// CycleError says that steps wait for each other.
type CycleError struct {
	Steps []string // in the order in which each needs the next; the last needs the first
}

func (e *CycleError) Error() string {
	if len(e.Steps) == 1 {
		return fmt.Sprintf("step %s needs itself", e.Steps[0])
	}
	return fmt.Sprintf("steps need each other: %s needs %s", strings.Join(e.Steps, " needs "), e.Steps[0])
}

// UnknownStepError says that a step needs one that the runbook does not have.
type UnknownStepError struct {
	Step, Needs string
}

func (e *UnknownStepError) Error() string {
	return fmt.Sprintf("step %s needs %s, which is not a step of this runbook", e.Step, e.Needs)
}

// Order sorts steps so that each comes after all steps it needs; among those that could come next it keeps the given
// order. It returns a *CycleError or an *UnknownStepError, and takes time linear in steps and needs.
func Order(steps []Step) ([]Step, error) {
	at := make(map[string]int, len(steps))
	for i, s := range steps {
		at[s.Name] = i
	}
	o := ordering{steps: steps, at: at, mark: make([]mark, len(steps))}
	for i := range steps {
		if err := o.visit(i); err != nil {
			return nil, err
		}
	}
	return o.out, nil
}

type mark int8

const (
	unseen mark = iota
	open        // on the path that is being walked
	done
)

// ordering is a depth-first walk that appends a step after everything it needs.
type ordering struct {
	steps []Step
	at    map[string]int
	mark  []mark
	path  []int
	out   []Step
}

func (o *ordering) visit(i int) error {
	switch o.mark[i] {
	case done:
		return nil
	case open:
		return o.cycle(i)
	}
	o.mark[i] = open
	o.path = append(o.path, i)
	for _, need := range o.steps[i].Needs {
		j, ok := o.at[need]
		if !ok {
			return &UnknownStepError{Step: o.steps[i].Name, Needs: need}
		}
		if err := o.visit(j); err != nil {
			return err
		}
	}
	o.path = o.path[:len(o.path)-1]
	o.mark[i] = done
	o.out = append(o.out, o.steps[i])
	return nil
}

func (o *ordering) cycle(i int) error {
	from := slices.Index(o.path, i)
	names := make([]string, 0, len(o.path)-from)
	for _, j := range o.path[from:] {
		names = append(names, o.steps[j].Name)
	}
	return &CycleError{Steps: names}
}
