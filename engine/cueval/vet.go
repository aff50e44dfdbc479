package cueval

import (
	"fmt"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"
	cueerrors "cuelang.org/go/cue/errors"

	"github.com/pullbook/pullbook/engine/runbook"
)

// Vet checks a runbook in every way there is and returns its problems, sorted by place: one for each mistake. No
// problem means that Load makes a plan of it. It evaluates in this process and so can be kept busy by a hostile file;
// Evaluator.Load does the same in a child.
func Vet(src runbook.Source) []runbook.Problem { return (&texts{}).vet(src) }

func (t *texts) vet(src runbook.Source) (ps []runbook.Problem) {
	defer func() {
		if x := recover(); x != nil { // CUE is a large library: a file that makes it panic is a wrong file
			ps = []runbook.Problem{{File: src.Runbook, Text: fmt.Sprintf("makes the evaluation panic: %v", x)}}
		}
	}()
	_, _, ps = t.load(src)
	return ps
}

// VetOrganisation checks pullbook.cue alone, as Vet checks it with a runbook.
func VetOrganisation(src runbook.Source) []runbook.Problem { return (&texts{}).vetOrganisation(src) }

func (t *texts) vetOrganisation(src runbook.Source) (ps []runbook.Problem) {
	defer func() {
		if x := recover(); x != nil {
			ps = []runbook.Problem{{File: organisationFile, Text: fmt.Sprintf("makes the evaluation panic: %v", x)}}
		}
	}()
	ctx, read := cuecontext.New(), t.schema(nil)
	types, ps := read.types(ctx)
	if len(ps) > 0 {
		return ps // unreachable: it is the program's own
	}
	d := &document{ctx: ctx, lib: newLibrary(src), schema: read, types: types, kinds: read.kindsOf(types)}
	if d.org, ps = readOrganisation(ctx, types, d.kinds, d.lib); d.org.text != nil {
		ps = append(ps, d.intakeProblems()...)
	}
	return tidy(ps)
}

// load checks a runbook and makes a plan of it. With problems there is no plan.
func (t *texts) load(src runbook.Source) (*document, runbook.Plan, []runbook.Problem) {
	d, plan, ps := t.assemble(src)
	if len(ps) == 0 {
		ps = d.unusedImports() // beside other mistakes it may follow from them
	}
	if len(ps) > 0 {
		return nil, runbook.Plan{}, declaredOnce(tidy(ps))
	}
	if ps = slices.Concat(d.trial(plan), d.unnamed(plan), d.themselves(), d.foreignOutputs(plan), t.relatives(d, plan, src)); len(ps) > 0 {
		return nil, runbook.Plan{}, tidy(ps)
	}
	d.words(&plan, d.static())
	return d, plan, nil
}

// assemble makes the plan but for the texts in it, with every check that the plan itself rests on.
func (t *texts) assemble(src runbook.Source) (*document, runbook.Plan, []runbook.Problem) {
	d, ps := t.open(src)
	if d == nil || slices.ContainsFunc(ps, func(p runbook.Problem) bool { return !d.reporter().mine(p.File) && p.File != organisationFile }) {
		return nil, runbook.Plan{}, ps // what a package lacks is missing in each step that uses it
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
	ps = append(ps, d.tooManySteps()...)
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
		if err := d.applyRules(kinds, risks); err != nil {
			return nil, runbook.Plan{}, []runbook.Problem{{File: src.Runbook, Text: err.Error()}}
		}
		ps = d.policyProblems()
		bad = stepsWith(ps)
	}
	plan := runbook.Plan{Name: planName(src.Runbook), Command: d.org.command, SelfApproval: d.org.selfApproval, Thaw: d.org.thaw, BreakGlass: d.org.glass, Edit: d.org.edit, Sources: d.lib.sources(d.text, d.org.text)}
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
	ps = append(ps, d.whole(&plan)...)
	ps = append(ps, d.rehearsals(&plan)...)
	ps = append(ps, slices.Concat(d.permitted(plan), d.secretly(plan), d.ungated(plan), d.unsettled(plan))...)
	ps = append(ps, d.link(&plan, len(ps) == 0)...)
	if len(ps) > 0 {
		return nil, runbook.Plan{}, ps
	}
	d.linesOf(&plan)
	return d, plan, nil
}

// whole reads what is said of the runbook as a whole.
func (d *document) whole(plan *runbook.Plan) (ps []runbook.Problem) {
	s := &skeleton{doc: d}
	plan.Concurrency = d.org.defaults.Concurrency
	f := field(d.static(), "concurrency")
	if f.Validate() == nil && s.known(f, "concurrency") { // what is wrong otherwise has been reported
		n, err := f.Int64()
		if err == nil {
			plan.Concurrency = int(n)
		}
	}
	served, _ := d.servedName()
	plan.Calendar = d.org.calendar.of(served)
	more := append(d.wholeInputs(plan), d.peopleOfRunbook()...)
	return append(s.ps, more...)
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
	ps = tidy(ps)
	last := 0
	return slices.DeleteFunc(ps, func(p runbook.Problem) bool { // the further lines of one list that is written as YAML has it
		again := p.Text == listText && last > 0 && p.Line == last+1
		if p.Text == listText {
			last = p.Line
		}
		return again
	})
}

// unusedImports reports imports that nothing in their file uses, as CUE itself does.
func (d *document) unusedImports() (ps []runbook.Problem) {
	for _, f := range d.text.parts {
		kept := map[*ast.ImportSpec]bool{}
		for spec := range (&ast.File{Decls: usedImports(f.Decls)}).ImportSpecs() {
			kept[spec] = true
		}
		for spec := range f.ImportSpecs() {
			if !kept[spec] {
				ps = append(ps, problemAt(spec.Pos(), "", "imported and not used: "+spec.Path.Value))
			}
		}
	}
	return ps
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
		for _, name := range stepAt(p.Path) {
			out[name] = true
		}
	}
	return out
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
			if all := cueerrors.Errors(err); len(all) > 0 {
				if kind, name := classify(all[0]); kind == undefined {
					d.reporter().selected(&p, at, name)
				}
			}
			ps = append(ps, p)
		}
	}
	unknown(steps, "steps")
	if f := field(d.value, "finally"); f.Exists() {
		unknown(f, "finally")
	}
	for _, h := range d.homes {
		unknown(d.value.LookupPath(h.at), h.path...)
	}
	if len(d.written("steps", runbook.StageMain)) == 0 && len(ps) == 0 {
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

// policyProblems checks the steps with the policy and the risks in place.
func (d *document) policyProblems() []runbook.Problem {
	if d.org.policy == nil {
		return nil
	}
	var ps []runbook.Problem
	for _, name := range d.stepNames() {
		// Step by step: CUE looks for missing fields only as long as nothing else is wrong.
		v := d.step(d.static(), name)
		if err := v.Validate(cue.Final()); err != nil {
			ps = append(ps, d.reporter().report(err)...)
			continue
		}
		// An undecided rule says nothing, and hides what else is wrong.
		if err := v.Err(); err != nil {
			p := d.placeIn(name)
			p.Text = "the policy cannot be decided before anything runs: " + firstLine(err)
			ps = append(ps, p)
			continue
		}
		ps = append(ps, d.rungProblems(name)...)
	}
	return ps
}
