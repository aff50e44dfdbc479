package cueval

import (
	"fmt"
	"slices"
	"strconv"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"

	"github.com/pullbook/pullbook/engine/runbook"
)

// checkup vets a runbook, or pullbook.cue, and finds what the rest of the ledger must be held against.
func (t *texts) checkup(files map[string][]byte, name string) (c runbook.Checkup) {
	c.Runbook = name
	defer func() {
		if x := recover(); x != nil { // CUE is a large library: a file that makes it panic is a wrong file
			c.Problems = []runbook.Problem{{File: name, Text: fmt.Sprintf("makes the evaluation panic: %v", x)}}
		}
	}()
	src := runbook.SourceOf(files, name)
	defer func() {
		if len(c.Problems) == 0 { // whoever mends a mistake formats the file afterwards
			c.Remarks = unformatted(src)
		}
	}()
	if name == organisationFile {
		c.Problems = t.vetOrganisation(src)
		c.Problems = tidy(append(c.Problems, secretsIn(newLibrary(src), name)...))
		if len(c.Problems) == 0 {
			c.Facts.People = t.peopleIn(src)
		}
		return c
	}
	d, plan, ps := t.load(src)
	c.Problems = tidy(append(ps, secretsIn(newLibrary(src), name)...))
	if d == nil {
		c.Facts = matchOf(cuecontext.New(), files, name).Facts
		return c
	}
	if match, _ := fieldOf(d.text.view, []string{"match"}); match != nil {
		c.Facts = d.matchFacts(field(d.value, "match"))
	}
	c.Facts.Uses, c.Facts.Asks = d.uses, d.asks(plan)
	return c
}

// peopleIn lists whom a pullbook.cue without mistakes names: the people and teams, and the owners of services.
func (t *texts) peopleIn(src runbook.Source) []string {
	ctx, read := cuecontext.New(), t.schema(nil)
	types, _ := read.types(ctx)
	org, _ := readOrganisation(ctx, types, read.kindsOf(types), newLibrary(src))
	all := org.hubNames()
	for _, s := range org.Services {
		for _, owner := range s.Owners {
			hub, _ := org.who(owner)
			all = append(all, hub)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// asks lists the steps whose approval asks the code owners.
func (d *document) asks(plan runbook.Plan) (out []runbook.Ask) {
	for _, step := range plan.Steps {
		if step.Approval != nil && step.Approval.Says(runbook.CodeOwners) {
			out = append(out, runbook.Ask{Step: step, At: spotOf(d.place(append(slices.Clone(d.homeOf[step.Name].path), "approval")...))})
		}
	}
	return out
}

// matchOf reads the match of a runbook and nothing else of it. What is wrong with it is no concern here; the problems are
// packages that are missing, and an evaluation that panicked.
func matchOf(ctx *cue.Context, files map[string][]byte, name string) (c runbook.Checkup) {
	c.Runbook = name
	defer func() {
		if x := recover(); x != nil {
			c.Problems = []runbook.Problem{{File: name, Text: fmt.Sprintf("makes the evaluation panic: %v", x)}}
		}
	}()
	lib := newLibrary(runbook.SourceOf(files, name))
	text, ps := lib.runbook(name)
	if text == nil {
		c.Problems = slices.DeleteFunc(ps, func(p runbook.Problem) bool { return p.Missing == "" })
		return c
	}
	if f, _ := fieldOf(text.view, []string{"match"}); f == nil {
		return c
	}
	if match := field(lib.build(ctx, text.withoutSteps().parts), "match"); match.Validate() == nil {
		c.Facts = (&document{text: text}).matchFacts(match)
	}
	return c
}

// matchFacts are the facts that the match of a runbook gives.
func (d *document) matchFacts(match cue.Value) runbook.Facts {
	return runbook.Facts{Matches: true, At: spotOf(placeIn(d.text.view, "match")), Match: d.constraints(match, "")}
}

func spotOf(p runbook.Problem) runbook.Spot {
	return runbook.Spot{File: p.File, Line: p.Line, Column: p.Column}
}

// constraints lists what a match demands, with the author's places.
func (d *document) constraints(match cue.Value, above string, path ...string) (out []runbook.Constraint) {
	it, err := match.Fields()
	if err != nil {
		return nil
	}
	for it.Next() {
		name := it.Selector().Unquoted()
		below := extend(path, name)
		if it.Value().IncompleteKind() == cue.StructKind {
			out = append(out, d.constraints(it.Value(), name+".", below...)...)
			continue
		}
		at := placeIn(d.text.view, append([]string{"match"}, below...)...)
		out = append(out, runbook.Constraint{Field: above + name, Want: condition(it.Value(), 0), At: spotOf(at)})
	}
	return out
}

// condition reads a condition on a text. What is none of the operators is left to evaluation.
func condition(v cue.Value, depth int) runbook.Condition {
	if text, err := v.String(); err == nil {
		return runbook.Condition{Op: runbook.Equals, Text: text}
	}
	op, args := cue.Dereference(v).Expr()
	ops := map[cue.Op]string{cue.NotEqualOp: runbook.Differs, cue.RegexMatchOp: runbook.Fits, cue.NotRegexMatchOp: runbook.FitsNot,
		cue.AndOp: runbook.All, cue.OrOp: runbook.Any}
	c := runbook.Condition{Op: ops[op]}
	switch {
	case depth > deepest:
		return runbook.Condition{}
	case op == cue.AndOp || op == cue.OrOp:
		for _, arg := range args {
			part := condition(arg, depth+1)
			if op == cue.AndOp && part.Op == runbook.All { // such as the schema's own: any text
				c.Parts = append(c.Parts, part.Parts...)
			} else {
				c.Parts = append(c.Parts, part)
			}
		}
		if len(c.Parts) == 1 {
			return c.Parts[0]
		}
		return c
	case c.Op != "" && len(args) == 1:
		if text, err := args[0].String(); err == nil {
			c.Text = text
			return c
		}
	case op == cue.NoOp && v.IncompleteKind() == cue.StringKind:
		return runbook.Condition{Op: runbook.All} // any text
	}
	return runbook.Condition{}
}

// use remembers where a step names a file of the ledger.
func (s *skeleton) use(f runbook.File, dir bool, at ...string) {
	path := append(slices.Clone(s.path), at...)
	p := placeIn(s.doc.file, path...)
	if x, depth := fieldOf(s.doc.file, path); x != nil && depth == len(path) && x.Value.Pos().IsValid() {
		p.Line, p.Column = x.Value.Pos().Line(), x.Value.Pos().Column()
	}
	one := runbook.Use{File: f, Dir: dir, Path: p.Path, At: spotOf(p)}
	if s.doc.rehearsed(s.step.Kind, s.doc.step(s.doc.static(), s.step.Name)) {
		one.Rehearses = s.step.Kind
	}
	if !slices.Contains(s.doc.uses, one) {
		s.doc.uses = append(s.doc.uses, one)
	}
}

// entry is the path of the ith of the texts in a field: the field itself where it is one text.
func entry(f cue.Value, i int, at []string) []string {
	if f.IncompleteKind() == cue.ListKind {
		return extend(at, strconv.Itoa(i))
	}
	return at
}
