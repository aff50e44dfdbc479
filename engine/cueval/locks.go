package cueval

import (
	"fmt"
	"slices"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"

	"github.com/pullbook/pullbook/engine/runbook"
)

// locks reads whether a step takes locks, and checks their names as far as they are known before anything runs.
func (s *skeleton) locks() {
	h := s.doc.homeOf[s.step.Name]
	f, at := field(s.doc.static().LookupPath(h.at), "locks"), h.path
	if up, ok := s.doc.homeOf[h.undoes]; ok && !f.Exists() {
		f, at = field(s.doc.static().LookupPath(up.at), "locks"), up.path
	}
	at = append(slices.Clone(at), "locks")
	if s.step.TakesLocks = f.Exists() && !s.doc.writtenEmpty(at); !s.step.TakesLocks {
		return
	}
	if s.step.Kind == runbook.KindRunbook {
		s.problem("a step that opens another runbook takes no lock", "it would keep it from the steps of that runbook, which take their own", "locks")
		return
	}
	for _, e := range s.doc.edges[s.step.Name] {
		if e.field == "locks" {
			p := problemAt(e.pos, pathAt(s.doc.file, e.pos), "which locks a step takes cannot depend on an output")
			p.Hint = "write the name out, or take it from the alert"
			s.ps = append(s.ps, p)
			return
		}
	}
	var names []string
	if f.Validate(cue.Concrete(true)) != nil || f.Decode(&names) != nil {
		return // they depend on the alert; the schema has the types
	}
	slices.Sort(names)
	switch {
	case len(names) > runbook.MaxLocks:
		s.problem(fmt.Sprintf("takes %d locks", len(names)), fmt.Sprintf("at most %d", runbook.MaxLocks), "locks")
	case len(slices.Compact(slices.Clone(names))) < len(names):
		s.problem("takes a lock twice", "name each once", "locks")
	}
}

// writtenEmpty reports whether [] is all that is written at a path. A list that a for makes of the alert is empty too as
// long as there is none.
func (d *document) writtenEmpty(at []string) bool {
	values := d.refs.vals[joined(at)]
	return len(values) > 0 && !slices.ContainsFunc(values, func(e ast.Expr) bool {
		list, ok := e.(*ast.ListLit)
		return !ok || len(list.Elts) > 0
	})
}

// locksOf are the names of the locks that a step which is ready takes, sorted, each once: two values of the alert may be
// the same. An undo that does not say its own takes those of its step; whole is that.
func (d *document) locksOf(s runbook.Step, step, whole cue.Value) (names []string, err error) {
	if s.Rehearses != "" || !s.TakesLocks {
		return nil, nil // of a rehearsal the step takes them, when something changes
	}
	f := field(step, "locks")
	if !f.Exists() {
		f = field(whole, "locks")
	}
	if !f.Exists() {
		return nil, nil
	}
	if err := f.Validate(cue.Concrete(true)); err != nil {
		return nil, err
	}
	if err := f.Decode(&names); err != nil {
		return nil, err
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) > runbook.MaxLocks {
		return nil, &misfit{at: []string{"locks"}, text: fmt.Sprintf("takes %d locks", len(names)), hint: fmt.Sprintf("at most %d", runbook.MaxLocks)}
	}
	return names, nil
}
