package cueval

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"
	cuejson "cuelang.org/go/encoding/json"

	"github.com/pullbook/pullbook/engine/runbook"
)

// maxValue is the size of the largest JSON that enters an evaluation as one value, in bytes. CUE takes seconds for
// megabytes of records.
const maxValue = 256 << 10

// maxAlert is the size of the largest alert, in bytes. Intake takes 1 MiB, which may grow a little as JSON of ours.
const maxAlert = 4 << 20

// document is one runbook in one fresh CUE context, evaluated without alert and outputs.
type document struct {
	ctx         *cue.Context
	lib         *library
	text        *pkg      // the runbook as its author wrote it
	file        *ast.File // all of it in one tree
	graph       *graph
	refs        *walker           // of file, as the author wrote it
	edges       map[string][]edge // by the step they start in
	def         cue.Value         // #Runbook
	value       cue.Value         // the runbook & #Runbook
	fixed       cue.Value         // value & the risks & the policy; static returns it
	schema      *schemaText
	types       cue.Value // the whole schema
	org         organisation
	kinds       []kind        // of the schema
	known       *runbook.Plan // the plan that was made of the same source, or nil while it is being made
	alone       cue.Value     // value without what was given, once somebody asked; authored returns it
	open        cue.Value     // value without inputs, likewise; inputless returns it
	blind       cue.Value     // value without any type of what is not known yet, likewise; blindly returns it
	shaped      cue.Value     // the names of the runbook, likewise
	given       []ast.Decl    // the values of the inputs, as declarations of the runbook
	inputs      declared      // of value, once somebody asked; inputNames returns them
	inputsGiven bool          // somebody gave them, be it none: what is missing then is missing for good

	uses        []runbook.Use                      // where steps name files of the ledger
	homes       []home                             // of all steps: main, undo, finally, each in the author's order
	homeOf      map[string]home                    // by the name of the step
	lines       map[string][]runbook.Lines         // what linesWritten found
	statusAsked map[string]bool                    // steps to whose status somebody refers
	collects    map[string]bool                    // templates of the plan, once it is made
	source      runbook.Source                     // of a known plan
	parts       *parts                             // likewise
	only        *excerpt                           // what is evaluated; nil for all of it
	settled     map[string]cue.Value               // the types of outputs that rest on nothing, by step, as far as somebody asked; nil: they are not kept
	lists       map[string]map[string]cue.Selector // hidden fields with the lists of templates, by steps or finally and by step
}

// open reads and evaluates a runbook. The problems are those that leave nothing to evaluate, or that later steps of
// vet need not repeat; the document is nil if there is none.
func (t *texts) open(src runbook.Source) (*document, []runbook.Problem) {
	d, ps := t.parse(src, nil)
	if d == nil {
		return nil, ps
	}
	if many := d.tooManyWritten(len(d.graph.at)); len(many) > 0 {
		return nil, append(ps, many...)
	}
	ps = append(ps, d.shapeProblems()...)
	ps = append(ps, d.intakeProblems()...)
	d.lines = d.linesWritten()
	d.rewrite()
	d.value = d.built()
	ps = append(ps, d.takeInputs(src.Inputs)...)
	d.fixed = d.value
	d.findHomes()
	d.edges = d.edgesByStep()
	return d, ps
}

// parse reads a runbook and the organisation without evaluating the runbook, for a known plan of it with what that needs.
func (t *texts) parse(src runbook.Source, known *runbook.Plan) (*document, []runbook.Problem) {
	lib := newLibrary(src)
	p, ps := lib.runbook(src.Runbook)
	if p == nil {
		return nil, ps
	}
	ctx := cuecontext.New()
	read := t.schema(src.Schema)
	types, wrong := read.typesFor(ctx, known, lib)
	if len(wrong) > 0 {
		return nil, wrong
	}
	kinds := read.kindsOf(types)
	org, more := readOrganisation(ctx, types, kinds, lib)
	d := &document{ctx: ctx, lib: lib, text: p, file: p.view, schema: read, types: types, org: org, kinds: kinds, def: types.LookupPath(cue.MakePath(cue.Def("#Runbook")))}
	d.refs = p.refs
	d.graph = d.refs.read()
	return d, append(ps, more...)
}

// rewrite changes the tree so that CUE says more of what is wrong, and evaluates the elements of templates in linear time.
// What was written is in refs.
func (d *document) rewrite() {
	closeTypes(d.file, d.kinds)
	hoistLists(d.file, d.graph.edges)
}

// built evaluates the runbook with the values of its inputs and what else is declared.
// The order decides: unified this way round, fields of an output that its type does not declare are refused.
func (d *document) built(further ...ast.Decl) cue.Value {
	defer d.only.cut(d.text.parts)()
	return d.lib.build(d.ctx, d.text.parts, slices.Concat(d.given, further)...).Unify(d.def)
}

func (d *document) shapeProblems() []runbook.Problem {
	s := shape(d.text, d.lib, d.kinds)
	if newNameTree(d.def).holds(s.Decls) {
		return nil
	}
	err := d.ctx.BuildFile(s).Unify(d.def).Validate()
	return d.reporter().report(err)
}

func (d *document) reporter() reporter {
	return reporter{file: d.file, def: d.def, lib: d.lib, text: d.text}
}

func field(v cue.Value, name string) cue.Value { return v.LookupPath(cue.MakePath(cue.Str(name))) }

// deeper is what names lead to, one after the other. Every look into a value costs a context of CUE's: this is one look.
func deeper(v cue.Value, names []string) cue.Value {
	path := make([]cue.Selector, len(names))
	for i, name := range names {
		path[i] = cue.Str(name)
	}
	return v.LookupPath(cue.MakePath(path...))
}

// ruled reports whether the organisation says anything of steps.
func (d *document) ruled() bool { return d.org.policy != nil || d.org.defaults.ofSteps() }

// applyRules applies what the organisation says of steps, given what is known of them.
func (d *document) applyRules(kinds map[string]runbook.Kind, risks map[string]runbook.Risk) error {
	if !d.ruled() {
		return nil
	}
	return d.applyPolicy(d.facts(kinds, risks))
}

// applyPolicy fills in the risks, which policies look at, and the organisation's defaults, and unifies the policy with
// every step.
func (d *document) applyPolicy(facts []runbook.Step) error {
	steps := map[string]fill{}
	for _, s := range facts {
		steps[s.Name] = fill{"risk": json.RawMessage(strconv.Quote(string(s.Risk)))}
	}
	risked, err := d.filled(d.value, nil, steps)
	if err != nil {
		return err
	}
	d.fixed = d.narrowed(risked.Unify(d.ctx.BuildExpr(&ast.StructLit{Elts: d.presets(facts)})), facts)
	return nil
}

// narrowed unifies the policy with a runbook whose risks are filled in. Of it the rules for the stages of the steps count.
func (d *document) narrowed(v cue.Value, steps []runbook.Step) cue.Value {
	// One after the other: unified with each other first, rules that cannot be decided are lost.
	for _, stage := range []runbook.Stage{runbook.StageMain, runbook.StageUndo, runbook.StageFinally} {
		if slices.ContainsFunc(steps, func(s runbook.Step) bool { return d.homeOf[s.Name].stage == stage }) {
			v = v.Unify(d.org.policy[stage])
		}
	}
	return v
}

// fill is JSON by the name of a field.
type fill map[string]json.RawMessage

// filled returns v with the alert and with fields of its steps, all in one unification: a chain of them would keep the
// memory of each. The JSON is read by CUE's own decoder, since encoding/json makes floats of all numbers.
func (d *document) filled(v cue.Value, alert json.RawMessage, steps map[string]fill) (cue.Value, error) {
	decls, err := d.fills(alert, steps)
	if err != nil {
		return cue.Value{}, err
	}
	return v.Unify(d.ctx.BuildExpr(&ast.StructLit{Elts: decls})), nil
}

// fills writes the alert and fields of steps as declarations of a runbook. Their names are quoted: so no identifier of the
// runbook can come to mean them instead of what its author declared.
func (d *document) fills(alert json.RawMessage, steps map[string]fill) (decls []ast.Decl, err error) {
	if len(alert) > 0 && string(alert) != "null" {
		x, err := extract("alert.json", alert, maxAlert)
		if err != nil {
			return nil, err
		}
		decls = append(decls, &ast.Field{Label: ast.NewString("alert"), Value: x})
	}
	lists := map[string]*ast.StructLit{}
	for _, name := range slices.Sorted(maps.Keys(steps)) {
		one := &ast.StructLit{}
		for _, key := range slices.Sorted(maps.Keys(steps[name])) {
			most := maxValue
			if key == "output" && d.collects[name] {
				most = runbook.MostCollected
			}
			x, err := extract(name+"/"+key+".json", steps[name][key], most)
			if err != nil {
				return nil, err
			}
			one.Elts = append(one.Elts, &ast.Field{Label: ast.NewString(key), Value: x})
		}
		h := d.homeOf[name]
		if h.stage == runbook.StageUndo {
			one = ast.NewStruct("undo", one)
		}
		if lists[h.path[0]] == nil {
			lists[h.path[0]] = &ast.StructLit{}
		}
		lists[h.path[0]].Elts = append(lists[h.path[0]].Elts, &ast.Field{Label: ast.NewString(h.path[1]), Value: one})
	}
	for _, name := range slices.Sorted(maps.Keys(lists)) {
		decls = append(decls, &ast.Field{Label: ast.NewString(name), Value: lists[name]})
	}
	return decls, nil
}

func extract(name string, text []byte, most int) (ast.Expr, error) {
	if len(text) > most {
		return nil, fmt.Errorf("read %s: has %d bytes; at most %d are read", name, len(text), most)
	}
	x, err := cuejson.Extract(name, text)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return x, nil
}

// placeIn returns where the author wrote something of a step of the plan.
func (d *document) placeIn(step string, below ...string) runbook.Problem {
	return d.place(append(slices.Clone(d.homeOf[step].path), below...)...)
}

// place returns where the author wrote what a path leads to: a field, or something inside of a list.
func (d *document) place(p ...string) runbook.Problem {
	f, depth := fieldOf(d.file, p)
	out := runbook.Problem{File: d.file.Filename, Path: strings.Join(p, ".")}
	if f == nil {
		return out
	}
	pos := f.Pos()
	switch e, left := followed(f.Value, p[depth:]); {
	case depth == len(p) && len(p) > 2 && f.Value.Pos().IsValid():
		pos = f.Value.Pos()
	case left < len(p)-depth:
		pos = e.Pos()
	}
	out.Line, out.Column = pos.Line(), pos.Column()
	if pos.IsValid() {
		out.File = pos.Filename() // of a package, one of its files
	}
	return out
}

// planName is the name of a runbook: its file's, without the ending.
func planName(file string) string { return strings.TrimSuffix(path.Base(file), ".cue") }
