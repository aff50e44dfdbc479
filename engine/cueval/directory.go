package cueval

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"

	"github.com/pullbook/pullbook/engine/runbook"
)

// directory is who and what there is in an organisation, each by its name in pullbook.cue.
type directory struct {
	People   map[string]person
	Teams    map[string]team
	Services map[string]service
}

type person struct {
	Login string `json:"login"`
}

type team struct {
	Hub string `json:"hub"` // org/slug
}

type service struct {
	Owners    []string `json:"owners"`
	DependsOn []string `json:"dependsOn"`
}

// who turns a name into what the hub calls it: a user (login) or a team (org/slug). A name of pullbook.cue is one, and so is
// what the hub calls them. Where people are listed, nobody else is known; likewise teams.
func (o directory) who(name string) (hub string, known bool) {
	if t, ok := o.Teams[name]; ok {
		return t.Hub, true
	}
	if p, ok := o.People[name]; ok {
		return p.Login, true
	}
	if strings.Contains(name, "/") {
		return name, len(o.Teams) == 0 || slices.Contains(o.hubNames(), name)
	}
	return name, len(o.People) == 0 || slices.Contains(o.hubNames(), name)
}

// hubNames are the logins and teams as the hub has them.
func (o directory) hubNames() (names []string) {
	for _, p := range o.People {
		names = append(names, p.Login)
	}
	for _, t := range o.Teams {
		names = append(names, t.Hub)
	}
	return names
}

// nearestTo is a hint for a name that nobody has.
func (o directory) nearestTo(name string) string {
	names := slices.Concat(slices.Collect(maps.Keys(o.People)), slices.Collect(maps.Keys(o.Teams)), o.hubNames())
	slices.Sort(names)
	return didYouMean(name, names)
}

// unknownWho says that a name is nobody's.
func (o directory) unknownWho(name string) (text, hint string) {
	return fmt.Sprintf("%q is neither a person nor a team of %s", name, organisationFile), o.nearestTo(name)
}

// check looks for names that pullbook.cue itself does not have, and for services that depend on themselves. It turns the
// names of those who may command and own into those of the hub.
func (o *organisation) check() (ps []runbook.Problem) {
	report := func(text, hint string, path ...string) {
		p := placeIn(o.file, path...)
		p.Text, p.Hint = text, hint
		ps = append(ps, p)
	}
	o.checkReadCommands(report)
	for _, name := range slices.Sorted(maps.Keys(o.Teams)) {
		if _, both := o.People[name]; both {
			report("there is a person of this name as well", "a name means one of them", "teams", name)
		}
	}
	whoever := func(names []string, path ...string) {
		for i, name := range names {
			hub, known := o.who(name)
			if names[i] = hub; !known {
				text, hint := o.unknownWho(name)
				report(text, hint, append(slices.Clone(path), strconv.Itoa(i))...)
			}
		}
	}
	whoever(o.command, "command")
	whoever(o.selfApproval, "selfApproval")
	whoever(o.thaw, "thaw")
	all := slices.Sorted(maps.Keys(o.Services))
	for _, name := range all {
		whoever(o.Services[name].Owners, "services", name, "owners")
		for i, other := range o.Services[name].DependsOn {
			if _, ok := o.Services[other]; !ok {
				report(fmt.Sprintf("there is no service %s", other), didYouMean(other, all), "services", name, "dependsOn", strconv.Itoa(i))
			}
		}
	}
	if len(ps) == 0 {
		ps = o.circles(all)
	}
	return ps
}

// circles reports a service that depends on itself by way of others.
func (o *organisation) circles(all []string) []runbook.Problem {
	steps := make([]runbook.Step, len(all))
	for i, name := range all {
		steps[i] = runbook.Step{Name: name, Needs: o.Services[name].DependsOn}
	}
	_, err := runbook.Order(steps)
	c, ok := err.(*runbook.CycleError)
	if !ok {
		return nil
	}
	p := placeIn(o.file, "services", c.Steps[0], "dependsOn")
	p.Text = "depends on itself: " + strings.Join(append(slices.Clone(c.Steps), c.Steps[0]), " depends on ")
	return []runbook.Problem{p}
}

// dependents are the services that depend on one, directly or by way of others, sorted.
func (o directory) dependents(name string) (out []string) {
	for more := []string{name}; len(more) > 0; {
		next := more[0]
		more = more[1:]
		for _, other := range slices.Sorted(maps.Keys(o.Services)) {
			if slices.Contains(o.Services[other].DependsOn, next) && !slices.Contains(out, other) && other != name {
				out, more = append(out, other), append(more, other)
			}
		}
	}
	slices.Sort(out)
	return out
}

// service fills in what the plan is about, and who answers for it.
func (d *document) service(plan *runbook.Plan, v cue.Value) {
	plan.Service = oneLine(field(v, "service"), "")
	plan.Affected = d.org.dependents(plan.Service)
	plan.Owners = nil
	var written []string
	if err := field(v, "owners").Decode(&written); err != nil {
		written = nil // there are none, or vet reports why they are unknown
	}
	for _, name := range written {
		hub, _ := d.org.who(name)
		plan.Owners = append(plan.Owners, hub)
	}
	for _, hub := range d.org.Services[plan.Service].Owners {
		if !slices.Contains(plan.Owners, hub) {
			plan.Owners = append(plan.Owners, hub)
		}
	}
}

// peopleOfRunbook checks the owners and the service that a runbook names.
func (d *document) peopleOfRunbook() (ps []runbook.Problem) {
	report := func(text, hint string, path ...string) {
		p := d.place(path...)
		p.Text, p.Hint = text, hint
		ps = append(ps, p)
	}
	owners := field(d.static(), "owners")
	var written []string
	switch {
	case !owners.Exists() || owners.Validate() != nil: // there are none, or evaluation reported them
	case owners.Validate(cue.Concrete(true)) != nil || owners.Decode(&written) != nil:
		report("must be known before anything runs", "owners cannot depend on the alert", "owners")
	}
	for i, name := range written {
		if _, known := d.org.who(name); !known {
			text, hint := d.org.unknownWho(name)
			report(text, hint, "owners", strconv.Itoa(i))
		}
	}
	if name, err := field(d.static(), "service").String(); err == nil && len(d.org.Services) > 0 {
		if _, ok := d.org.Services[name]; !ok {
			report(fmt.Sprintf("there is no service %s in %s", name, organisationFile),
				didYouMean(name, slices.Sorted(maps.Keys(d.org.Services))), "service")
		}
	}
	return ps
}

// named turns the names of a rule into those of the hub.
func (s *skeleton) named(rule *runbook.Approval, at ...string) {
	for i, name := range rule.From {
		if runbook.StandsFor(name) {
			continue
		}
		hub, known := s.doc.org.who(name)
		if rule.From[i] = hub; !known {
			text, hint := s.doc.org.unknownWho(name)
			s.problem(text, hint, append(slices.Clone(at), "from", strconv.Itoa(i))...)
		}
	}
	s.ownersIn(rule, at)
	for i := range rule.All {
		s.named(&rule.All[i], append(slices.Clone(at), "all", strconv.Itoa(i))...)
	}
	for i := range rule.Any {
		s.named(&rule.Any[i], append(slices.Clone(at), "any", strconv.Itoa(i))...)
	}
}

// owner checks who is asked, if that is known before anything runs.
func (s *skeleton) owner(k cue.Value) {
	name, err := field(k, "owner").String()
	if err != nil {
		return
	}
	if _, known := s.doc.org.who(name); !known {
		text, hint := s.doc.org.unknownWho(name)
		s.problem(text, hint, string(s.step.Kind), "owner")
	}
}

// writtenAt is what a name leads to in a written list or struct, nil if it leads nowhere.
func writtenAt(e ast.Expr, name string) ast.Expr {
	if id, ok := e.(*ast.Ident); ok { // a list that several steps have may stand under a name of its own, such as _approvers
		if e, ok = id.Node.(*ast.ListLit); !ok {
			return nil
		}
	}
	switch x := e.(type) {
	case *ast.ListLit:
		if i, err := index(name); err == nil && i < len(x.Elts) {
			return x.Elts[i]
		}
	case *ast.StructLit:
		for _, d := range x.Elts {
			if f, ok := d.(*ast.Field); ok {
				if n, _ := labelName(f.Label); n == name {
					return f.Value
				}
			}
		}
	}
	return nil
}

// placeIn returns where a path leads in a file: a field, or something inside of a list.
func placeIn(f *ast.File, path ...string) runbook.Problem {
	p := runbook.Problem{File: f.Filename, Path: strings.Join(path, ".")}
	x, depth := fieldOf(f, path)
	if x == nil {
		return p
	}
	pos := x.Pos()
	if at, left := followed(x.Value, path[depth:]); left < len(path)-depth {
		pos = at.Pos()
	}
	p.Line, p.Column = pos.Line(), pos.Column()
	return p
}

// followed follows a path into what is written as far as it leads, and counts the names that are left.
func followed(e ast.Expr, path []string) (found ast.Expr, left int) {
	for i, name := range path {
		next := writtenAt(e, name)
		if next == nil {
			return e, len(path) - i
		}
		e = next
	}
	return e, 0
}
