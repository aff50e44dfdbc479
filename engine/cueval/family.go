package cueval

import (
	"fmt"
	"slices"
	"strings"

	"cuelang.org/go/cue"

	"github.com/pullbook/pullbook/engine/runbook"
)

// opens reads a #Child as far as it is static. Which runbook it opens decides what must be looked at before anything runs.
func (s *skeleton) opens(k, output cue.Value) {
	s.step.Runbook, _ = field(k, "name").String() // that it is known is looked at with the other static fields
	known := []string{"incident", "pull", "url", "end", "steps"}
	for _, name := range fieldNames(output) {
		if !slices.Contains(known, name) {
			s.problem(fmt.Sprintf("a runbook puts out no %s", name), "it puts out "+listed(known, "and"), "output", name)
		}
	}
}

// childWork reads a #Child whose values are known.
func childWork(k cue.Value) (runbook.Work, error) {
	c := &runbook.Child{}
	var err error
	if c.Name, err = field(k, "name").String(); err != nil {
		return runbook.Work{}, err
	}
	if with := field(k, "with"); with.Exists() {
		all, err := fieldsIn(with)
		if err != nil {
			return runbook.Work{}, err
		}
		says, err := (&document{}).data(kind{}, all)
		if err != nil {
			return runbook.Work{}, err
		}
		if c.With, err = sortedJSON(says); err != nil {
			return runbook.Work{}, err
		}
		if len(c.With) > maxInputs {
			return runbook.Work{}, &misfit{at: []string{string(runbook.KindRunbook), "with"}, text: fmt.Sprintf("the values have %d bytes", len(c.With)),
				hint: fmt.Sprintf("the inputs of an incident have at most %d", maxInputs)}
		}
	}
	return runbook.Work{Runbook: c}, nil
}

// family is the runbooks of a ledger as one of them opens others.
type family struct {
	texts   *texts
	src     runbook.Source
	members map[string]member // by path
	sound   map[visit]bool    // what was looked at and is right
}

// member is one runbook, or what is wrong with it.
type member struct {
	doc  *document
	plan runbook.Plan
	ps   []runbook.Problem
}

// visit is a runbook at a place in a chain.
type visit struct {
	name  string
	depth int
}

// relatives checks the runbooks that a plan opens, and those that they open: that they exist and are right, that none
// opens itself, and that the values for their inputs and the outputs that are wanted of them fit.
func (t *texts) relatives(d *document, plan runbook.Plan, src runbook.Source) (ps []runbook.Problem) {
	f := family{texts: t, src: src, members: map[string]member{}, sound: map[visit]bool{}}
	for _, s := range plan.Steps {
		if s.Runbook == "" {
			continue
		}
		if text, hint := f.follow([]string{src.Runbook}, s.Runbook); text != "" {
			p := d.placeIn(s.Name, string(runbook.KindRunbook), "name")
			p.Text, p.Hint = text, hint
			ps = append(ps, p)
			continue
		}
		ps = append(ps, d.agrees(s, f.member(s.Runbook))...)
	}
	return ps
}

// follow looks at a runbook that the last one of a chain opens, and at all that it opens.
func (f *family) follow(chain []string, name string) (text, hint string) {
	if text = runbook.ChainProblem(chain, name); text != "" {
		return text, ""
	}
	at := visit{name, len(chain)}
	if f.sound[at] {
		return "", ""
	}
	file := f.file(name)
	if file == "" {
		var names []string
		for _, other := range runbooksOf(f.src.Others) {
			names = append(names, runbook.NameOf(other))
		}
		return fmt.Sprintf("there is no runbook called %s", name), didYouMean(name, names)
	}
	m := f.member(name)
	if len(m.ps) > 0 {
		return fmt.Sprintf("the runbook %s is wrong: %s", name, m.ps[0]), ""
	}
	for _, s := range m.plan.Steps {
		if s.Runbook == "" {
			continue
		}
		if text, hint := f.follow(append(slices.Clone(chain), file), s.Runbook); text != "" {
			return text, hint
		}
	}
	f.sound[at] = true // a chain that came back to itself would have been too long
	return "", ""
}

func (f *family) member(name string) member {
	file := f.file(name)
	m, ok := f.members[file]
	if !ok {
		m.doc, m.plan, m.ps = f.texts.assemble(runbook.SourceOf(f.src.Others, file))
		f.members[file] = m
	}
	return m
}

// file is where the runbook with a name is written; empty if there is none.
func (f *family) file(name string) string {
	file, ok := runbook.Find(f.src.Others, name)
	if !ok {
		return ""
	}
	return file
}

// agrees checks what a step gives to a runbook and wants of it, as far as that is known before anything runs.
func (d *document) agrees(s runbook.Step, m member) (ps []runbook.Problem) {
	wrong := func(text, hint string, below ...string) {
		p := d.placeIn(s.Name, below...)
		p.Text, p.Hint = text, hint
		ps = append(ps, p)
	}
	unknown := func(text, hint string, below ...string) { // the name is the mistake, and not its value
		wrong(text, hint, below...)
		path := append(slices.Clone(d.homeOf[s.Name].path), below...)
		if f, depth := fieldOf(d.file, path); f != nil && depth == len(path) {
			p := &ps[len(ps)-1]
			p.Line, p.Column = f.Pos().Line(), f.Pos().Column()
		}
	}
	step := d.step(d.static(), s.Name)
	with, inputs := field(field(step, string(s.Kind)), "with"), m.doc.inputNames()
	given := fieldNames(with)
	for _, name := range given {
		if !slices.Contains(inputs, name) {
			unknown(fmt.Sprintf("the runbook %s has no input %s", s.Runbook, name), didYouMean(name, inputs), string(s.Kind), "with", name)
			continue
		}
		if why := m.doc.unfit(name, field(with, name)); why != "" {
			wrong(fmt.Sprintf("the value does not fit the input of %s: %s", s.Runbook, why), "", string(s.Kind), "with", name)
		}
	}
	for _, name := range inputs {
		if !slices.Contains(given, name) && field(field(m.doc.static(), "inputs"), name).Validate(cue.Concrete(true)) != nil {
			wrong(fmt.Sprintf("the input %s of %s is given no value, and has no default", name, s.Runbook), "", string(s.Kind))
		}
	}
	var puts []string
	for _, one := range m.plan.Steps {
		if one.HasOutput {
			puts = append(puts, one.Name)
		}
	}
	for _, name := range fieldNames(field(field(step, "output"), "steps")) {
		if !slices.Contains(puts, name) {
			unknown(fmt.Sprintf("%s has no step %s with an output", s.Runbook, name), didYouMean(name, puts), "output", "steps", name)
		}
	}
	return ps
}

// unfit says why a value, if it is known already, does not fit an input.
func (d *document) unfit(name string, v cue.Value) string {
	if v.Validate(cue.Concrete(true)) != nil {
		return "" // it depends on an output or the alert: the opening looks at it
	}
	text, err := v.MarshalJSON()
	if err != nil {
		return firstLine(err)
	}
	x, err := extract("inputs.json", text, maxInputs)
	if err != nil {
		return strings.TrimPrefix(err.Error(), "read inputs.json: ")
	}
	_, why := d.fit(field(field(d.value, "inputs"), name), x)
	return why
}
