package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// ending is how a case says that an attempt ends.
type ending struct {
	conclusion runbook.Conclusion // Unknown: its runner was lost
	output     json.RawMessage
	why        string
}

// endStep ends the attempt of a step that runs, or the incident that it opened.
func (s *stage) endStep(ctx context.Context, name string, e ending) error {
	i := slices.IndexFunc(s.view.Attempts, func(a incident.Attempt) bool { return a.Step == name && a.State == incident.AttemptRunning })
	if i >= 0 {
		e, err := s.checked(ctx, name, e)
		if err == nil {
			s.end(i, e)
		}
		return err
	}
	if c, ok := s.view.Children[name]; ok && c.End == "" && c.Problem == "" {
		return s.endChild(ctx, name, c, e)
	}
	running := s.running()
	if len(running) == 0 {
		return fmt.Errorf("%s does not run, nor does any other step", name)
	}
	return fmt.Errorf("%s does not run; what runs is %s", name, strings.Join(running, ", "))
}

// endGiven ends what has begun of the steps whose end was given beforehand.
func (s *stage) endGiven(ctx context.Context) (any bool, err error) {
	for _, name := range s.running() {
		e, ok := s.given[name]
		if template, _, element := runbook.SplitName(name); !ok && element {
			e, ok = s.given[template]
		}
		if !ok {
			continue
		}
		if err := s.endStep(ctx, name, e); err != nil {
			return any, err
		}
		any = true
	}
	return any, nil
}

// checked turns a success whose output is not of the declared type into a failure, as the engine does.
func (s *stage) checked(ctx context.Context, name string, e ending) (ending, error) {
	step, _, _ := s.plan.Written(name)
	if e.conclusion != runbook.Succeeded || !step.HasOutput {
		if len(e.output) > 0 && step.Name != "" {
			return e, fmt.Errorf("%s puts out nothing", name)
		}
		return e, nil
	}
	if step.Rehearses != "" {
		if len(e.output) == 0 {
			e.output = json.RawMessage(`{"changes": true, "text": ""}`)
		}
		return e, nil
	}
	if len(e.output) == 0 {
		e.output = json.RawMessage("{}")
	}
	out, err := s.eval.Output(ctx, s.query(s.state.Ended(s.plan)), name, e.output)
	if ctx.Err() != nil {
		return e, errors.Join(err, ctx.Err())
	}
	if err != nil {
		return ending{conclusion: runbook.Failed, why: err.Error()}, nil
	}
	e.output = out
	return e, nil
}

func (s *stage) end(i int, e ending) {
	a := &s.view.Attempts[i]
	if e.conclusion == runbook.Unknown {
		a.State = incident.AttemptLost
		return
	}
	a.State = incident.AttemptEnded
	a.Outcome = &runbook.Outcome{Key: a.Key, Step: a.Step, Attempt: a.Number, Conclusion: e.conclusion, Started: s.now, Ended: s.now, Output: e.output, Error: e.why}
}

// openChild notes that a step waits for another incident, or that its runbook refuses what it is given, as the engine does.
func (s *stage) openChild(ctx context.Context, a incident.OpenChild) (again bool, err error) {
	if c, ok := s.view.Children[a.Parent.Step]; ok && c.Attempt == a.Parent.Attempt {
		return false, nil
	}
	problem, err := s.refusedChild(ctx, a.Work)
	if err != nil {
		return false, err
	}
	if problem != "" {
		s.view.Children[a.Parent.Step] = incident.Child{Attempt: a.Parent.Attempt, Problem: problem}
		return true, nil
	}
	s.view.Children[a.Parent.Step] = incident.Child{Attempt: a.Parent.Attempt, Incident: incident.NewID(incident.ChildSlot(a.Parent.Key()), s.now),
		Pull: 2, URL: "http://hub/acme/ops/pull/2", Stage: runbook.StageMain, Came: 1}
	return true, nil
}

// refusedChild says why no incident of a runbook can be opened with these inputs; empty if one can.
func (s *stage) refusedChild(ctx context.Context, work runbook.Child) (problem string, err error) {
	name, there := runbook.Find(s.ledger, work.Name)
	if !there {
		return "there is no runbook " + work.Name, nil
	}
	source := runbook.SourceOf(s.ledger, name)
	if source.Inputs = work.With; len(work.With) == 0 {
		source.Inputs = json.RawMessage("{}") // what is not given is missing
	}
	_, problems, err := s.eval.Load(ctx, source)
	if err != nil {
		return "", fmt.Errorf("load the runbook %s: %w", work.Name, err)
	}
	if len(problems) > 0 {
		return fmt.Sprintf("the runbook %s cannot be used: %s", work.Name, problems[0]), nil
	}
	return "", nil
}

// recallChild notes that an incident was told not to go on. It does nothing more, and the case says how it ends.
func (s *stage) recallChild(id incident.ID) (again bool) {
	for name, c := range s.view.Children {
		if c.Incident == id && !c.Recalled {
			c.Recalled = true
			s.view.Children[name] = c
			s.line("tells the incident of " + name + " not to go on")
			return true
		}
	}
	return false
}

func (s *stage) endChild(ctx context.Context, name string, c incident.Child, e ending) error {
	c.End, c.EndedAt, c.Merged = incident.EndResolved, s.now, true
	if e.conclusion != runbook.Succeeded {
		c.End = incident.EndCancelled
	}
	if c.End == incident.EndResolved {
		whole := map[string]any{"incident": c.Incident, "pull": c.Pull, "url": c.URL, "end": c.End, "steps": map[string]any{}}
		if len(e.output) > 0 {
			if err := json.Unmarshal(e.output, &whole); err != nil {
				return fmt.Errorf("read the output of %s: %w", name, err)
			}
		}
		text, err := json.Marshal(whole)
		if err != nil {
			return fmt.Errorf("write the output of %s: %w", name, err)
		}
		if step, _, _ := s.plan.Written(name); step.HasOutput {
			checked, err := s.checked(ctx, name, ending{conclusion: runbook.Succeeded, output: text})
			if err != nil {
				return err
			}
			c.Output, c.Problem = checked.output, checked.why
		}
	}
	s.view.Children[name] = c
	return nil
}

// pinsOf are the files of the workflows of a plan. A story has no hub: each is there, and never changes.
func pinsOf(plan runbook.Plan) map[string]runbook.Pin {
	pins := map[string]runbook.Pin{}
	for _, step := range plan.Steps {
		if step.Workflow != nil {
			pins[step.Name] = runbook.Pin{Blob: "0000000000000000000000000000000000000000"}
		}
	}
	return pins
}
