package cueval

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/ast/astutil"
	"cuelang.org/go/cue/token"

	"github.com/pullbook/pullbook/engine/runbook"
)

// The fields of a template.
const (
	fieldEach = "each"
	fieldItem = "item"
	fieldKey  = "key"
)

// listPrefix begins the name of the hidden field beside a template that holds its list.
const listPrefix = "_each_of_"

// writtenSteps calls do for each step that is written out, with the struct that it stands in.
func writtenSteps(f *ast.File, do func(name string, step *ast.Field, around *ast.StructLit)) {
	for _, d := range f.Decls {
		list, ok := d.(*ast.Field)
		if !ok {
			continue
		}
		around, ok := list.Value.(*ast.StructLit)
		if n, _ := labelName(list.Label); !ok || n != "steps" && n != "finally" {
			continue
		}
		for _, e := range slices.Clone(around.Elts) {
			if step, ok := e.(*ast.Field); ok {
				if name, written := labelName(step.Label); written {
					do(name, step, around)
				}
			}
		}
	}
}

// own returns a field that is written directly in a step.
func own(step *ast.Field, name string) *ast.Field {
	s, ok := step.Value.(*ast.StructLit)
	if !ok {
		return nil
	}
	for _, d := range s.Elts {
		if x, ok := d.(*ast.Field); ok {
			if n, _ := labelName(x.Label); n == name {
				return x
			}
		}
	}
	return nil
}

// declareItems gives each template that does not say what an item is the field that others of its fields refer to, and
// ties the names that had no meaning before to it.
func declareItems(f *ast.File) {
	added := false
	writtenSteps(f, func(_ string, step *ast.Field, _ *ast.StructLit) {
		each := own(step, fieldEach)
		if each == nil || own(step, fieldItem) != nil {
			return
		}
		s := step.Value.(*ast.StructLit)
		s.Elts = append(s.Elts, &ast.Field{Label: named(each.Pos(), fieldItem), Value: unknown(each.Pos())})
		added = true
	})
	if !added {
		return
	}
	f.Unresolved = nil
	astutil.Resolve(f, func(token.Pos, string, ...any) {})
}

// hoistLists moves the lists of templates out of them, each into a hidden field beside its template. The field each keeps
// its place. CUE evaluates a template anew for every element; a list of thousands inside of it would be evaluated as often.
func hoistLists(f *ast.File, edges []edge) {
	writtenSteps(f, func(name string, step *ast.Field, around *ast.StructLit) {
		each := own(step, fieldEach)
		isRead := func(e edge) bool { return e.to == name && len(e.path) > 0 && e.path[0] == fieldEach }
		if each == nil || hidden(name) || refersInto(each.Value, step.Value) || slices.ContainsFunc(edges, isRead) {
			return
		}
		around.Elts = append(around.Elts, &ast.Field{Label: ast.NewIdent(listPrefix + name), Value: each.Value})
		each.Value = unknown(each.Value.Pos())
	})
}

// refersInto reports whether an expression uses a name that is declared inside of a struct.
func refersInto(e, inside ast.Expr) (found bool) {
	scopes := map[ast.Node]bool{}
	ast.Walk(inside, func(n ast.Node) bool { scopes[n] = true; return true }, nil)
	ast.Walk(e, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Scope != nil && scopes[id.Scope] && id.Scope != e {
			found = true
		}
		return true
	}, nil)
	return found
}

// listOf is the list or struct of a template, in an evaluation of the runbook.
func (d *document) listOf(v cue.Value, s runbook.Step) cue.Value {
	path := d.templateHome(s)
	if label, ok := d.hoisted(v, path[0])[path[1]]; ok {
		return v.LookupPath(cue.MakePath(cue.Str(path[0]), label))
	}
	return field(d.templateIn(v, s), fieldEach)
}

// hoisted finds the hidden fields that hold the lists of templates, by the template: CUE knows a hidden field by its package
// too, and what that is called depends on how the runbook was read.
func (d *document) hoisted(v cue.Value, list string) map[string]cue.Selector {
	if labels, known := d.lists[list]; known {
		return labels
	}
	it, err := field(v, list).Fields(cue.Hidden(true))
	if err != nil {
		return nil // there are no steps here, or evaluation reports what is wrong with them
	}
	labels := map[string]cue.Selector{}
	for it.Next() {
		if name, ok := strings.CutPrefix(it.Selector().String(), listPrefix); ok {
			labels[name] = it.Selector()
		}
	}
	if d.lists == nil {
		d.lists = map[string]map[string]cue.Selector{}
	}
	d.lists[list] = labels
	return labels
}

// templateHome is the path of the step that has the field each: an undo is a template with its step.
func (d *document) templateHome(s runbook.Step) []string { return d.homeOf[s.Name].path[:2] }

func (d *document) templateIn(v cue.Value, s runbook.Step) cue.Value {
	path := d.templateHome(s)
	return v.LookupPath(cue.MakePath(cue.Str(path[0]), cue.Str(path[1])))
}

// item is one element of a template's list.
type item struct {
	key   string
	step  cue.Value // the template, or its undo, with the item filled in
	whole cue.Value // the template
}

// eachItem evaluates a template for each element of its list, in order, and hands each on. Each is evaluated by itself, from the same
// value: the effort grows with their number and no faster, and the memory does not grow, unless what is handed on is kept.
func (d *document) eachItem(v cue.Value, s runbook.Step, do func(item)) *misfit {
	list, m := d.elementsOf(v, s)
	if m != nil {
		return m
	}
	typ := field(d.templateIn(d.static(), s), fieldItem)
	seen := map[string]bool{}
	for _, e := range list {
		it, m := d.itemOf(v, s, typ, e)
		if m != nil {
			return m
		}
		lower := strings.ToLower(it.key)
		switch {
		case !runbook.ElementKey(it.key):
			return &misfit{at: keyPlace(it.whole), text: fmt.Sprintf("the element %s has the key %.80q", e.name, it.key),
				hint: "a key has at most 63 letters, digits and _.-, and begins with a letter or digit; say which with key"}
		case seen[lower]:
			return &misfit{at: keyPlace(it.whole), text: fmt.Sprintf("two elements have the key %s", it.key), hint: "keys that differ in capitals alone count as the same"}
		}
		seen[lower] = true
		do(it)
	}
	return nil
}

// itemOf evaluates a template for one element.
func (d *document) itemOf(v cue.Value, s runbook.Step, typ cue.Value, e element) (item, *misfit) {
	filled, err := d.withItem(d.templateIn(v, s), typ, e.value)
	if err != nil {
		return item{}, wrongItem(e, err)
	}
	it := item{key: e.name, step: filled, whole: filled}
	if key := field(filled, fieldKey); key.Exists() {
		if it.key, err = key.String(); err != nil {
			return item{}, &misfit{at: []string{fieldKey}, text: fmt.Sprintf("the key of the element %s cannot be worked out: %s", e.name, firstLine(err))}
		}
	}
	if d.homeOf[s.Name].stage == runbook.StageUndo {
		it.step = field(filled, "undo")
	}
	return it, nil
}

func keyPlace(step cue.Value) []string {
	if field(step, fieldKey).Exists() {
		return []string{fieldKey}
	}
	return []string{fieldEach}
}

func wrongItem(e element, err error) *misfit {
	return &misfit{at: []string{fieldEach}, text: fmt.Sprintf("the element %s cannot be used: %s", e.name, firstLine(err))}
}

// withItem fills an element into a template. Of an element, fields that the type of item does not declare are left out.
func (d *document) withItem(template, typ, element cue.Value) (cue.Value, error) {
	text, err := element.MarshalJSON()
	if err != nil {
		return cue.Value{}, err
	}
	x, err := extract(d.itemName(element), text, maxValue)
	if err != nil {
		return cue.Value{}, err
	}
	if typ.Exists() {
		x = prune(typ, x)
	}
	return template.FillPath(cue.MakePath(cue.Str(fieldItem)), d.ctx.BuildExpr(x)), nil
}

// element is one entry of a list or struct, named by its place or its field.
type element struct {
	name  string
	value cue.Value
}

// elementsOf reads the list of a template, and refuses more than the organisation allows.
func (d *document) elementsOf(v cue.Value, s runbook.Step) (out []element, m *misfit) {
	list := d.listOf(v, s)
	if n, err := list.Len().Int64(); err == nil { // counted before they are looked at: there may be very many
		if m := d.tooMany(int(n), s); m != nil {
			return nil, m
		}
	}
	if err := list.Validate(cue.Concrete(true)); err != nil {
		return nil, &misfit{at: []string{fieldEach}, text: firstLine(err)}
	}
	switch list.IncompleteKind() {
	case cue.ListKind:
		it, err := list.List()
		if err != nil {
			return nil, &misfit{at: []string{fieldEach}, text: firstLine(err)} // unreachable: it is a list, and known
		}
		for it.Next() {
			out = append(out, element{strconv.Itoa(len(out)), it.Value()})
		}
	case cue.StructKind:
		it, err := list.Fields()
		if err != nil {
			return nil, &misfit{at: []string{fieldEach}, text: firstLine(err)} // unreachable: it is a struct, and known
		}
		for it.Next() {
			out = append(out, element{it.Selector().Unquoted(), it.Value()})
		}
	default:
		return nil, notAList(list)
	}
	return out, d.tooMany(len(out), s)
}

func notAList(list cue.Value) *misfit {
	return &misfit{at: []string{fieldEach}, text: fmt.Sprintf("each is a list or a struct, and no %s", list.IncompleteKind())}
}

// elements says what a template stands for. Its needs have ended, and it is not skipped.
func (d *document) elements(s runbook.Step, v cue.Value, ended map[string]runbook.Ended) runbook.Resolution {
	r := runbook.Resolution{Status: runbook.StatusReady}
	m := d.eachItem(v, s, func(it item) {
		if s.Undoes == "" || slices.Contains(ended[s.Undoes].Happened, it.key) {
			r.Elements = append(r.Elements, runbook.Element{Key: it.key, Title: oneLine(field(it.step, "title"), ""), Now: d.decided(s, it)})
		}
	})
	if m != nil {
		p := d.place(append(d.templateHome(s), m.at...)...)
		p.Text, p.Hint, p.See = m.text, m.hint, m.see
		return broken(p)
	}
	if s.Undoes == "" {
		return r
	}
	for _, key := range ended[s.Undoes].Happened { // what was done is undone, whatever became of the list
		if !slices.ContainsFunc(r.Elements, func(e runbook.Element) bool { return e.Key == key }) {
			p := d.place(append(d.templateHome(s), fieldEach)...)
			p.Text = fmt.Sprintf("the element %s is not in the list any more", key)
			r.Elements = append(r.Elements, runbook.Element{Key: key, Now: broken(p)})
		}
	}
	at := func(e runbook.Element) int { return slices.Index(ended[s.Undoes].Happened, e.Key) }
	slices.SortStableFunc(r.Elements, func(a, b runbook.Element) int { return at(a) - at(b) })
	return r
}

// outputType is the type of what one run of a step puts out: of a template, what its output has for each key.
func outputType(s runbook.Step, step cue.Value) cue.Value {
	out := field(step, "output")
	if s.Each {
		return out.LookupPath(cue.MakePath(cue.AnyString))
	}
	return out
}

// each checks what a step says of its elements, as far as it is known before anything runs.
func (s *skeleton) each(v cue.Value) {
	h := s.doc.homeOf[s.step.Name]
	s.step.Each = field(s.doc.templateIn(s.doc.static(), s.step), fieldEach).Exists()
	if !s.step.Each {
		for _, name := range []string{fieldItem, fieldKey} {
			if field(v, name).Exists() && h.stage != runbook.StageUndo {
				s.problem(name+" has a meaning only with each", "", name)
			}
		}
		return
	}
	if out := field(v, "output"); out.Exists() && !outputType(s.step, v).Exists() {
		s.problem("what the elements put out is collected by their keys", "write output: [string]: {...}", "output")
	}
	list := s.doc.listOf(s.doc.static(), s.step)
	switch {
	case h.stage == runbook.StageUndo:
	case list.IncompleteKind() == cue.BottomKind: // a list that depends on how another step ends is not known yet; other errors are reported
	case list.IncompleteKind()&(cue.ListKind|cue.StructKind) == 0:
		s.misfitted(notAList(list))
	case list.Validate(cue.Concrete(true)) == nil && s.doc.fixedList(s.step.Name):
		s.misfitted(s.doc.eachItem(s.doc.static(), s.step, func(item) {}))
	}
}

// fixedList reports whether a template's list depends on nothing else: an output that is a list has no elements yet.
func (d *document) fixedList(name string) bool {
	depends := func(e edge) bool { return e.field == fieldEach || e.field == fieldKey || e.field == "" }
	return !slices.ContainsFunc(d.edges[name], depends) && !slices.ContainsFunc(d.graph.alert, func(e edge) bool {
		return (e.from == name || e.from == generated) && depends(e)
	})
}

// itemReferences checks the references to an item against its type.
func (d *document) itemReferences(bad map[string]bool) (ps []runbook.Problem) {
	for _, e := range slices.Concat(d.graph.own, d.graph.edges) {
		if len(e.path) < 2 || e.path[0] != fieldItem || bad[e.to] || len(d.homeOf[e.to].path) < 2 { // steps that cannot be read have no home
			continue
		}
		s := runbook.Step{Name: e.to}
		types := []cue.Value{field(d.templateIn(d.value, s), fieldItem)}
		if types[0].IncompleteKind() == cue.TopKind {
			types = d.elementTypes(s)
		}
		if name, candidates, ok := missingInAll(types, e.path[1:]); ok {
			p := d.misspelt(e.pos, name)
			p.Text, p.Hint = fmt.Sprintf("the item has no field %q", name), didYouMean(name, candidates)
			ps = append(ps, p)
		}
	}
	return ps
}

// elementTypes are the types of what a template's list holds, as far as they are known: the one that holds for all, or else
// those of the elements that are written out.
func (d *document) elementTypes(s runbook.Step) (types []cue.Value) {
	list := d.listOf(d.value, s)
	for _, any := range []cue.Selector{cue.AnyIndex, cue.AnyString} {
		if typ := list.LookupPath(cue.MakePath(any)); typ.Exists() {
			return []cue.Value{typ}
		}
	}
	it, err := list.List()
	for err == nil && it.Next() && len(types) < runbook.UsualElements {
		types = append(types, it.Value())
	}
	fields, err := list.Fields()
	for err == nil && fields.Next() && len(types) < runbook.UsualElements {
		types = append(types, fields.Value())
	}
	return types
}

// missingInAll finds a path that none of the types has.
func missingInAll(types []cue.Value, path []string) (name string, candidates []string, ok bool) {
	for i, typ := range types {
		n, c, none := missing(typ, path)
		if !none && typ.Validate(cue.Concrete(true)) == nil {
			n, c, none = unwritten(typ, path)
		}
		if !none {
			return "", nil, false
		}
		if i == 0 {
			name, candidates, ok = n, c, true
		}
	}
	return name, candidates, ok
}

// unwritten is missing for a value that is written out: nothing adds a field to it, although it is not closed.
func unwritten(v cue.Value, path []string) (name string, candidates []string, ok bool) {
	for _, name := range path {
		next, found := lookup(v, []string{name})
		if !found {
			return name, fieldNames(v), name != "*" && v.IncompleteKind() == cue.StructKind
		}
		v = next
	}
	return "", nil, false
}

// ofItem reports whether a field of a step belongs to its elements.
func ofItem(name string) bool { return name == fieldEach || name == fieldItem || name == fieldKey }

// trialItems evaluates templates for what the trial made up as elements of their lists.
func (d *document) trialItems(plan runbook.Plan, v cue.Value) (found []error) {
	for _, s := range plan.Steps {
		if !s.Each || s.Stage == runbook.StageUndo { // an undo is inside of its step
			continue
		}
		var wrong []error
		m := d.eachItem(v, s, func(it item) {
			if err := it.step.Validate(); err != nil {
				wrong = append(wrong, err)
			}
		})
		if m == nil { // what is wrong with a list that was made up is no mistake of the author
			found = append(found, wrong...)
		}
	}
	return found
}
