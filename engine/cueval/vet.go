package cueval

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	cueerrors "cuelang.org/go/cue/errors"

	"github.com/pullbook/pullbook/engine/runbook"
)

// Vet checks a runbook in every way there is and returns its problems, sorted by place: one for each mistake. No
// problem means that Load makes a plan of it. It evaluates in this process and so can be kept busy by a hostile file;
// Evaluator.Load does the same in a child.
func Vet(src runbook.Source) (ps []runbook.Problem) {
	defer func() {
		if x := recover(); x != nil { // CUE is a large library: a file that makes it panic is a wrong file
			ps = []runbook.Problem{{File: src.Runbook, Text: fmt.Sprintf("makes the evaluation panic: %v", x)}}
		}
	}()
	_, _, ps = load(src)
	return ps
}

// load checks a runbook and makes a plan of it. With problems there is no plan.
func load(src runbook.Source) (*document, runbook.Plan, []runbook.Problem) {
	d, plan, ps := assemble(src)
	if len(ps) > 0 {
		return nil, runbook.Plan{}, tidy(ps)
	}
	if ps = d.trial(plan); len(ps) > 0 {
		return nil, runbook.Plan{}, tidy(ps)
	}
	return d, plan, nil
}

// assemble makes the plan, with every check that the plan itself rests on.
func assemble(src runbook.Source) (*document, runbook.Plan, []runbook.Problem) {
	d, ps := open(src)
	if d == nil {
		return nil, runbook.Plan{}, ps
	}
	ps = append(ps, d.names()...)
	refs := d.references(stepsWith(ps))
	ps = append(ps, refs...)
	for _, p := range d.evaluation() {
		if !slices.ContainsFunc(refs, func(r runbook.Problem) bool { return within(p.Path, r.Path) }) {
			ps = append(ps, p)
		}
	}
	ps = append(ps, d.stepsKnown(len(ps) > 0)...)
	ps = withoutEchoes(ps)
	bad := stepsWith(ps)
	kinds, risks := map[string]runbook.Kind{}, map[string]runbook.Risk{}
	names := d.stepNames()
	for _, name := range names {
		if bad[name] {
			continue
		}
		kind, more := d.kindOf(name, d.step(d.value, name))
		risk := runbook.Risk("")
		if len(more) == 0 {
			risk, more = d.riskOf(name, kind, d.step(d.value, name))
		}
		bad[name] = len(more) > 0
		ps, kinds[name], risks[name] = append(ps, more...), kind, risk
	}
	if len(ps) == 0 {
		if err := d.applyPolicy(risks); err != nil {
			return nil, runbook.Plan{}, []runbook.Problem{{File: src.Runbook, Text: err.Error()}}
		}
		ps = d.policyProblems()
		bad = stepsWith(ps)
	}
	plan := runbook.Plan{Name: planName(src.Runbook), Command: d.org.command}
	if plan.Command == nil {
		plan.Command = []string{}
	}
	for _, name := range names {
		if bad[name] {
			continue
		}
		step, more := d.skeletonOf(name, kinds[name], risks[name])
		ps = append(ps, more...)
		plan.Steps = append(plan.Steps, step)
	}
	ps = append(ps, d.link(&plan, names, len(ps) == 0)...)
	if len(ps) > 0 {
		return nil, runbook.Plan{}, ps
	}
	d.words(&plan, d.static)
	return d, plan, nil
}

// evaluation reports what CUE finds wrong, of the whole and of each step: it looks for missing fields only as long as
// nothing else is wrong.
func (d *document) evaluation() []runbook.Problem {
	err := d.value.Validate(cue.Final())
	if err == nil {
		return nil
	}
	r := d.reporter()
	ps := r.report(err)
	for _, name := range d.stepNames() {
		ps = append(ps, r.report(d.step(d.value, name).Validate(cue.Final()))...)
	}
	return tidy(ps)
}

// withoutEchoes leaves out the fields that are missing because they are misspelled: the misspelled name is the mistake.
func withoutEchoes(ps []runbook.Problem) (out []runbook.Problem) {
	for _, p := range ps {
		parent, name := split(p.Path)
		echo := p.Text == missingText && slices.ContainsFunc(ps, func(q runbook.Problem) bool {
			above, _ := split(q.Path)
			return above == parent && q.Hint == fmt.Sprintf(nearHint, name)
		})
		if !echo {
			out = append(out, p)
		}
	}
	return out
}

func split(path string) (parent, name string) {
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return "", path
}

// stepsWith returns the steps that already have a problem: what else they have may follow from it.
func stepsWith(ps []runbook.Problem) map[string]bool {
	out := map[string]bool{}
	for _, p := range ps {
		if parts := strings.Split(p.Path, "."); len(parts) > 1 && parts[0] == "steps" {
			out[parts[1]] = true
		}
	}
	return out
}

// names checks what the syntax tree alone tells: names that would shadow others, and steps that nobody can foresee.
func (d *document) names() (ps []runbook.Problem) {
	taken := reserved(d.def)
	for name, pos := range d.graph.at {
		if slices.Contains(taken, name) {
			p := problemAt(pos, "steps."+name, fmt.Sprintf("a step cannot be called %s", name))
			p.Hint = "inside other steps the name already means something else"
			ps = append(ps, p)
		}
	}
	for _, pos := range d.graph.whole {
		p := problemAt(pos, pathAt(d.file, pos), "a reference to a step names the step")
		p.Hint = "write steps.name or name"
		ps = append(ps, p)
	}
	for _, pos := range d.graph.guards {
		p := problemAt(pos, "steps", "which steps there are cannot depend on outputs or the alert")
		p.Hint = "write the step with when"
		ps = append(ps, p)
	}
	for name, pos := range d.graph.partial {
		p := problemAt(pos, "steps."+name, "which fields a step has cannot depend on outputs or the alert")
		p.Hint = "use when, or put the condition into exec, http, probe or manual"
		ps = append(ps, p)
	}
	return ps
}

// reserved are the names that mean something inside a step: the fields of the schema, and what CUE predeclares.
func reserved(def cue.Value) []string {
	names := append(predeclared(), "true", "false", "null", "if", "for", "in", "let", "alert", "steps", "self")
	step, _ := lookup(def, []string{"steps", "any"})
	names = append(names, fieldNames(step)...)
	for _, inner := range []string{"retry", "approval", "exec", "http", "probe", "manual"} {
		if v, ok := lookup(step, []string{inner}); ok {
			names = append(names, fieldNames(v)...)
		}
	}
	return names
}

// stepsKnown checks that there are steps, and that all their fields can be seen. Doubtful says that problems were
// found, from which more of the same would follow.
func (d *document) stepsKnown(doubtful bool) (ps []runbook.Problem) {
	steps := field(d.value, "steps")
	if doubtful || !steps.Exists() {
		return nil
	}
	unknown := func(v cue.Value, at ...string) {
		if err := v.Err(); err != nil {
			p := d.place(at...)
			p.Text, p.Hint = "must be known before anything runs: "+firstLine(err), ""
			ps = append(ps, p)
		}
	}
	unknown(steps, "steps")
	names := d.stepNames()
	for _, name := range names {
		unknown(d.step(d.value, name), "steps", name)
	}
	if len(names) == 0 && len(ps) == 0 {
		p := d.place("steps")
		p.Text = "a runbook has at least one step"
		ps = append(ps, p)
	}
	return ps
}

func firstLine(err error) string {
	if all := cueerrors.Errors(err); len(all) > 0 {
		return plain(all[0])
	}
	return err.Error()
}

// link completes the needs by the references, checks them, and orders the steps. Without sound it leaves out what would
// follow from problems of other steps.
func (d *document) link(plan *runbook.Plan, names []string, sound bool) (ps []runbook.Problem) {
	exists := map[string]bool{}
	for _, n := range names {
		exists[n] = true
	}
	for i := range plan.Steps {
		s := &plan.Steps[i]
		for _, need := range s.Needs {
			if need == s.Name || !exists[need] {
				p := d.place("steps", s.Name, "needs")
				p.Text, p.Hint = fmt.Sprintf("there is no step %s", need), didYouMean(need, names)
				if need == s.Name {
					p.Text, p.Hint = "a step cannot need itself", ""
				}
				ps = append(ps, p)
			}
		}
		for _, e := range d.edges[s.Name] {
			s.Needs = append(s.Needs, e.to)
			if len(e.path) == 0 || e.path[0] == "output" {
				s.Refers = append(s.Refers, e.to)
			}
		}
		slices.Sort(s.Needs)
		slices.Sort(s.Refers)
		s.Needs, s.Refers = slices.Compact(s.Needs), slices.Compact(s.Refers)
	}
	if len(ps) > 0 || !sound {
		return ps
	}
	steps, err := runbook.Order(plan.Steps)
	if err != nil {
		return []runbook.Problem{d.cycle(err)}
	}
	plan.Steps = steps
	return nil
}

// cycle gives the place at which the first step of a cycle needs the next.
func (d *document) cycle(err error) runbook.Problem {
	var c *runbook.CycleError
	if !errors.As(err, &c) {
		return runbook.Problem{File: d.file.Filename, Text: err.Error()}
	}
	next := c.Steps[1%len(c.Steps)]
	p := d.place("steps", c.Steps[0], "needs")
	for _, e := range d.edges[c.Steps[0]] {
		if e.to == next {
			p = problemAt(e.pos, pathAt(d.file, e.pos), "")
			break
		}
	}
	p.Text = c.Error()
	return p
}

// references checks each reference against the type of what it refers to. CUE does so too, but not in every place, and
// with the position of a whole text instead of the reference's.
func (d *document) references(bad map[string]bool) (ps []runbook.Problem) {
	names := d.stepNames()
	for _, e := range d.graph.edges {
		if bad[e.to] {
			continue // what is missing there may be there under a misspelled name
		}
		v := d.step(d.value, e.to)
		p := problemAt(e.pos, pathAt(d.file, e.pos), "")
		switch {
		case !v.Exists():
			p.Text, p.Hint = fmt.Sprintf("there is no step %s", e.to), didYouMean(e.to, names)
		case e.from == e.to:
			p.Text = "a step cannot refer to its own output"
		case len(e.path) == 0:
			continue
		case e.path[0] == "output" && !field(v, "output").Exists():
			p.Text, p.Hint = fmt.Sprintf("the step %s has no output", e.to), "declare its type with output: {...}"
		default:
			name, candidates, ok := missing(v, e.path)
			if !ok {
				continue
			}
			p.Text = fmt.Sprintf("there is no field %q in the step %s", name, e.to)
			p.Hint = didYouMean(name, candidates)
		}
		ps = append(ps, p)
	}
	for _, e := range d.graph.answers {
		if bad[e.to] {
			continue
		}
		if name, candidates, ok := missing(d.step(d.value, e.to), e.path); ok {
			p := problemAt(e.pos, pathAt(d.file, e.pos), "")
			p.Text, p.Hint = fmt.Sprintf("the answer has no field %q", name), didYouMean(name, candidates)
			ps = append(ps, p)
		}
	}
	alert := field(d.def, "alert")
	for _, e := range d.graph.alert {
		if name, candidates, ok := missing(alert, e.path); ok {
			p := problemAt(e.pos, pathAt(d.file, e.pos), "")
			p.Text, p.Hint = fmt.Sprintf("an alert has no field %q", name), didYouMean(name, candidates)
			ps = append(ps, p)
		}
	}
	return ps
}

// within reports whether a path leads to another one or to what is below it.
func within(path, above string) bool { return path == above || strings.HasPrefix(path, above+".") }

// missing follows a path into a type and returns the first name that the type does not have.
func missing(v cue.Value, path []string) (name string, candidates []string, ok bool) {
	for _, name := range path {
		if name == "*" {
			return "", nil, false // only evaluation knows
		}
		next, found := lookup(v, []string{name})
		if found {
			v = next
			continue
		}
		if op, _ := v.Expr(); op == cue.OrOp || v.IncompleteKind() == cue.TopKind {
			return "", nil, false // it depends on the value
		}
		if open := field(v, name); cue.IsIncomplete(open.Err()) && !v.IsClosed() {
			return "", nil, false
		}
		return name, fieldNames(v), true
	}
	return "", nil, false
}

// policyProblems checks the steps with the policy and the risks in place.
func (d *document) policyProblems() []runbook.Problem {
	if !d.org.policy.Exists() {
		return nil
	}
	var ps []runbook.Problem
	for _, name := range d.stepNames() {
		// Step by step: CUE looks for missing fields only as long as nothing else is wrong.
		v := d.step(d.static, name)
		if err := v.Validate(cue.Final()); err != nil {
			ps = append(ps, d.reporter().report(err)...)
			continue
		}
		// An undecided rule says nothing, and hides what else is wrong.
		if err := v.Err(); err != nil {
			p := d.place("steps", name)
			p.Text = "the policy cannot be decided before anything runs: " + firstLine(err)
			ps = append(ps, p)
		}
	}
	return ps
}
