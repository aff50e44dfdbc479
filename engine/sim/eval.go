package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// evalPort answers what a book says, as package cueval answers what a runbook says.
type evalPort struct{ p *process }

func (w *World) read(src runbook.Source) (*book, error) {
	text := string(src.Files[src.Runbook])
	if b := w.parsed[text]; b != nil {
		return b, nil
	}
	b := &book{}
	if err := json.Unmarshal([]byte(text), b); err != nil {
		return nil, fmt.Errorf("read %s: %w", src.Runbook, err)
	}
	w.parsed[text] = b
	return b, nil
}

func (e evalPort) Route(_ context.Context, files map[string][]byte, alert json.RawMessage) (route runbook.Route, err error) {
	err = e.p.call("eval.route", func() error {
		var a struct{ Labels map[string]string }
		if err := json.Unmarshal(alert, &a); err != nil {
			return err
		}
		path := "runbooks/" + a.Labels["book"] + ".cue"
		if files[path] == nil {
			path = ""
		}
		route = runbook.Route{Runbook: path, Why: "its label book says so"}
		return nil
	})
	return route, err
}

func (e evalPort) Load(_ context.Context, src runbook.Source) (plan runbook.Plan, problems []runbook.Problem, err error) {
	err = e.p.call("eval.load", func() error {
		b, err := e.p.w.read(src)
		switch why := ""; {
		case err != nil:
			problems = []runbook.Problem{{File: src.Runbook, Text: err.Error()}}
			return nil
		case b.Edit != nil:
			if why = b.mistake(); why != "" {
				problems = []runbook.Problem{{File: src.Runbook, Text: why}}
				return nil
			}
		}
		plan, err = b.plan()
		plan.Sources = []string{src.Runbook}
		return err
	})
	return plan, problems, err
}

func (e evalPort) Resolve(_ context.Context, q runbook.Query) (plan runbook.Plan, err error) {
	err = e.p.call("eval.resolve", func() error {
		b, err := e.p.w.read(q.Source)
		if err == nil {
			plan, err = b.resolve(q.Ended)
			plan.Sources = []string{q.Source.Runbook}
		}
		return err
	})
	return plan, err
}

func (e evalPort) Until(context.Context, runbook.Query, string, json.RawMessage) (holds bool, err error) {
	err = e.p.call("eval.until", func() error {
		holds = true
		return nil
	})
	return holds, err
}

func (e evalPort) Output(_ context.Context, _ runbook.Query, step string, output json.RawMessage) (out json.RawMessage, err error) {
	err = e.p.call("eval.output", func() error {
		var o struct{ N int }
		if err := json.Unmarshal(output, &o); err != nil {
			return fmt.Errorf("the output of %s is not of its type", step)
		}
		out = output
		return nil
	})
	return out, err
}

// plan is the static skeleton.
func (b *book) plan() (runbook.Plan, error) {
	if b.skeleton == nil {
		p, err := b.drawnUp()
		if err != nil {
			return runbook.Plan{}, err
		}
		b.skeleton = &p
	}
	p := *b.skeleton
	p.Steps = slices.Clone(p.Steps) // what is in the steps is never changed
	return p, nil
}

// drawnUp makes the static skeleton.
func (b *book) drawnUp() (runbook.Plan, error) {
	steps := make([]runbook.Step, 0, len(b.Steps))
	for i := range b.Steps {
		s := &b.Steps[i]
		step := runbook.Step{Name: s.Name, Kind: s.Kind, Title: s.Name, Risk: s.Risk, Idempotent: s.Idempotent, Needs: s.needs(), JoinAny: s.JoinAny,
			Stage: s.Stage, Undoes: s.Undoes, Timeout: s.Timeout, Retry: s.Retry, OnFailure: s.OnFailure, Approval: s.Approval, HasOutput: s.HasOutput,
			TakesLocks: len(s.Locks) > 0, Each: s.Each != "", Runbook: s.Child, Every: s.Every, Lines: b.linesOf(i)}
		slices.Sort(step.Needs)
		if s.Uses != "" {
			step.Refers = append(step.Refers, s.Uses)
		}
		if s.When != nil {
			step.Refers = append(step.Refers, s.When.Step)
		}
		if s.Each != "" && s.Each != written && s.Undoes == "" {
			step.Refers = append(step.Refers, s.Each)
		}
		slices.Sort(step.Refers)
		step.Refers = slices.Compact(step.Refers)
		steps = append(steps, withRehearsal(step)...)
	}
	ordered, err := runbook.Order(steps)
	return runbook.Plan{Name: b.Name, Title: b.Name, Steps: ordered, Concurrency: b.Concurrency, Command: b.Command, Calendar: b.Calendar, BreakGlass: b.Glass, Edit: b.Edit}, err
}

// resolve says what each step is now.
func (b *book) resolve(ended map[string]runbook.Ended) (runbook.Plan, error) {
	p, err := b.plan()
	for i := range p.Steps {
		p.Steps[i].Now = b.now(p.Steps[i], ended)
	}
	return p, err
}

// now follows the order of package cueval: first how the step and others ended, then the condition, then the values.
func (b *book) now(step runbook.Step, ended map[string]runbook.Ended) runbook.Resolution {
	s := b.step(step.Name)
	if step.Over(ended) {
		return runbook.Resolution{Status: runbook.StatusOver}
	}
	skipped := 0
	for _, need := range step.Needs {
		end, ok := ended[need]
		if !ok {
			return runbook.Resolution{Status: runbook.StatusWaiting}
		}
		if end.Skipped {
			skipped++
		}
	}
	switch {
	case s.Undoes != "" && s.Each != "" && len(ended[s.Undoes].Happened) == 0,
		s.Undoes != "" && s.Each == "" && (ended[s.Undoes].Skipped || ended[s.Undoes].Conclusion != runbook.Succeeded):
		return runbook.Resolution{Status: runbook.StatusSkip, Problem: "there is nothing to undo"}
	case s.Undoes == "" && skipped > 0 && skipped == len(step.Needs) && !s.JoinAny:
		return runbook.Resolution{Status: runbook.StatusSkip, Problem: "only follows skipped steps"}
	}
	if s.When != nil {
		switch holds, ok := b.holds(*s.When, ended); {
		case !ok:
			return brokenFor(s.When.Step)
		case !holds:
			return runbook.Resolution{Status: runbook.StatusSkip, Problem: "its condition is false"}
		}
	}
	argument := ""
	if s.Uses != "" {
		out, ok := b.outputOf(s.Uses, ended)
		if !ok {
			return brokenFor(s.Uses)
		}
		argument = out.text()
	}
	if s.Kind == kindTerraform && step.Rehearses == "" {
		if _, ok := outputOf(ended[s.Name+rehearsal]); !ok {
			return brokenFor(s.Name + rehearsal)
		}
	}
	return b.ready(step, argument, ended)
}

// ready is what a step would do whose condition holds and whose values are there.
func (b *book) ready(step runbook.Step, argument string, ended map[string]runbook.Ended) runbook.Resolution {
	s := b.step(step.Name)
	if s.Each == "" {
		r := runbook.Resolution{Status: runbook.StatusReady, Work: s.work(argument), Locks: s.Locks}
		if step.Rehearses != "" {
			r.Locks = nil
		}
		return r
	}
	list := []string{"a", "b"}
	if s.Each != written {
		out, ok := outputOf(ended[s.Each])
		if !ok {
			return brokenFor(s.Each)
		}
		list = out.Hosts
	}
	r := runbook.Resolution{Status: runbook.StatusReady}
	for i, item := range list {
		now := runbook.Resolution{Status: runbook.StatusReady, Work: s.work(strings.TrimPrefix(argument+"+"+item, "+")), Locks: s.Locks}
		r.Elements = append(r.Elements, runbook.Element{Key: fmt.Sprint(i), Now: now})
	}
	if s.Undoes != "" {
		r.Elements = elementsDone(r.Elements, ended[s.Undoes].Happened)
	}
	return r
}

func brokenFor(step string) runbook.Resolution {
	return runbook.Resolution{Status: runbook.StatusBroken, Problem: "refers to the output of " + step + ", which did not succeed"}
}

// put is an output: of a choice, or of anything else.
type put struct {
	N      int
	Pull   int // of a step that opens a runbook
	Hosts  []string
	Choice string
}

func (o put) text() string {
	if o.Choice != "" {
		return o.Choice
	}
	return fmt.Sprint(o.N + o.Pull)
}

// outputOf is the output of a step by its name. Of a template it counts the elements that put out something.
func (b *book) outputOf(step string, ended map[string]runbook.Ended) (o put, ok bool) {
	e := ended[step]
	if o, ok = outputOf(e); ok && b.step(step).Each != "" {
		var by map[string]json.RawMessage
		ok = json.Unmarshal(e.Output, &by) == nil
		o = put{N: len(by)}
	}
	return o, ok
}

func outputOf(e runbook.Ended) (o put, ok bool) {
	if e.Skipped || e.Conclusion != runbook.Succeeded || len(e.Output) == 0 || strings.TrimSpace(string(e.Output)) == "null" {
		return o, false
	}
	err := json.Unmarshal(e.Output, &o)
	return o, err == nil
}

func (b *book) holds(c condition, ended map[string]runbook.Ended) (holds, ok bool) {
	o, ok := b.outputOf(c.Step, ended)
	if o.Choice != "" {
		return o.Choice == "x", ok
	}
	return o.N+o.Pull > c.Over, ok
}

func length(d time.Duration) string { return fmt.Sprintf("%ds", int(d.Seconds())) }

// work is what a step would do. What runners get is JSON with sorted names and no spaces.
func (s *bookStep) work(argument string) runbook.Work {
	name := s.called()
	url := "https://svc.test/" + name
	switch s.Kind {
	case runbook.KindManual:
		return runbook.Work{Manual: &runbook.Manual{Task: "do " + name}}
	case runbook.KindWait:
		return runbook.Work{Wait: s.Wait}
	case runbook.KindChoose:
		return runbook.Work{Choose: &runbook.Choose{Question: "which", Options: []runbook.Option{{Name: "x"}, {Name: "y"}}}}
	case runbook.KindRunbook:
		return runbook.Work{Runbook: &runbook.Child{Name: s.Child}}
	case kindHTTP:
		return runbook.Work{Run: []byte(`{"url":"` + url + `"}`)}
	case kindTicket:
		return runbook.Work{Run: []byte(`{"title":"` + name + argument + `"}`)}
	case kindTerraform:
		return runbook.Work{Run: []byte(`{"dir":"tf","vars":{"x":"` + name + argument + `"}}`)}
	case kindUpdate:
		every := ""
		if s.Every > 0 {
			every = `,"every":"` + length(s.Every) + `"`
		}
		return runbook.Work{Run: []byte(`{"audience":{"name":"board","webhook":{"url":"https://chat.test"}}` + every + `,"text":"` + name + argument + `"}`)}
	case runbook.KindProbe:
		return runbook.Work{Run: []byte(`{"http":{"url":"` + url + `"}}`)}
	}
	command := `"do","` + name + `"`
	if argument != "" {
		command += `,"` + argument + `"`
	}
	return runbook.Work{Run: []byte(`{"command":[` + command + `]}`)}
}
