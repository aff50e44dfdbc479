package cueval

import (
	"fmt"
	"slices"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/pullbook/pullbook/engine/runbook"
)

// defaults are what pullbook.cue says for steps and runbooks that do not say it themselves. Its names are the schema's.
type defaults struct {
	Timeout     string   `json:"timeout"`
	Within      string   `json:"within"`
	Retry       *retries `json:"retry"`
	Severity    string   `json:"severity"`
	Concurrency int      `json:"concurrency"`
}

// retries is an #Retry.
type retries struct {
	Attempts int      `json:"attempts"`
	Backoff  string   `json:"backoff"`
	Factor   *float64 `json:"factor"`
	Max      string   `json:"max"`
	Jitter   *float64 `json:"jitter"`
}

// limits are the bounds of pullbook.cue. Zero is no bound.
type limits struct {
	Steps    int `json:"steps"`
	Each     int `json:"each"`
	Children int `json:"children"`
}

// ofSteps reports whether any default is about steps.
func (x defaults) ofSteps() bool { return x.Timeout != "" || x.Within != "" || x.Retry != nil }

// tooManyWritten holds a runbook against the limit of what can be loaded, before it is evaluated: what takes too much memory
// or time says nothing else. Undo steps, and those with computed names, count once the others are few enough.
func (d *document) tooManyWritten(steps int) []runbook.Problem {
	if steps <= runbook.MostSteps {
		return nil
	}
	p := d.place("steps")
	p.Text = fmt.Sprintf("a runbook has at most %d steps, undo and finally steps included; this one has %d", runbook.MostSteps, steps)
	p.Hint = "each does a step for many elements, and a step can open another runbook"
	return []runbook.Problem{p}
}

// tooManySteps holds a runbook against the limit of the organisation.
func (d *document) tooManySteps() []runbook.Problem {
	most := d.org.limits.Steps
	if most == 0 || len(d.homes) <= most {
		return d.tooManyWritten(len(d.homes))
	}
	p := d.place("steps")
	p.Text = fmt.Sprintf("has %d steps, undo and finally steps included; at most %d are allowed", len(d.homes), most)
	if f, depth := fieldOf(d.org.file, []string{"limits", "steps"}); depth == 2 {
		p.See = ruleAt(f.Pos())
	}
	return []runbook.Problem{p}
}

// facts are what presets and policies look at, of the steps whose kind is known.
func (d *document) facts(kinds map[string]runbook.Kind, risks map[string]runbook.Risk) (out []runbook.Step) {
	for _, h := range d.homes {
		s := runbook.Step{Name: h.name, Kind: kinds[h.name], Risk: risks[h.name]}
		v := d.step(d.value, h.name)
		s.Idempotent, _ = field(v, "idempotent").Bool() // the skeleton reports what is wrong with it
		if field(v, "approval").Exists() {
			s.Approval = &runbook.Approval{}
		}
		out = append(out, s)
	}
	return out
}

// presets declares what holds for steps that do not say it themselves, as CUE's own defaults: what the author wrote takes
// their place, and a policy sees one or the other. They are no part of the schema, where they would be in the way of
// templates.
func (d *document) presets(facts []runbook.Step) []ast.Decl {
	lists := map[string]*ast.StructLit{}
	for _, s := range facts {
		one := &ast.StructLit{}
		add := func(x ast.Expr, path ...string) {
			for _, name := range slices.Backward(path[1:]) {
				x = &ast.StructLit{Elts: []ast.Decl{&ast.Field{Label: ast.NewString(name), Value: x}}}
			}
			one.Elts = append(one.Elts, &ast.Field{Label: ast.NewString(path[0]), Value: x})
		}
		add(preset(ast.NewBool(false), "bool"), "reversible")
		d.org.defaults.declare(s, add)
		h := d.homeOf[s.Name]
		if h.stage == runbook.StageUndo {
			one = ast.NewStruct("undo", one)
		}
		if lists[h.path[0]] == nil {
			lists[h.path[0]] = &ast.StructLit{}
		}
		lists[h.path[0]].Elts = append(lists[h.path[0]].Elts, &ast.Field{Label: ast.NewString(h.path[1]), Value: one})
	}
	var decls []ast.Decl
	for _, name := range []string{"steps", "finally"} {
		if lists[name] != nil {
			decls = append(decls, &ast.Field{Label: ast.NewString(name), Value: lists[name]})
		}
	}
	return decls
}

// declare adds the defaults that a step can have: a timeout where a runner performs it, and repetitions where it may be
// repeated.
func (x defaults) declare(s runbook.Step, add func(x ast.Expr, path ...string)) {
	text := func(s string, path ...string) {
		if s != "" {
			add(preset(ast.NewString(s), "string"), path...)
		}
	}
	if s.Approval != nil {
		text(x.Within, "approval", "within")
	}
	if !s.Kind.NeedsRunner() {
		return
	}
	text(x.Timeout, "timeout")
	if x.Retry == nil || !s.Repeatable() {
		return
	}
	add(preset(number(x.Retry.Attempts), "int"), "retry", "attempts")
	text(x.Retry.Backoff, "retry", "backoff")
	text(x.Retry.Max, "retry", "max")
	if x.Retry.Factor != nil {
		add(preset(number(*x.Retry.Factor), "number"), "retry", "factor")
	}
	if x.Retry.Jitter != nil {
		add(preset(number(*x.Retry.Jitter), "number"), "retry", "jitter")
	}
}

func number[T int | float64](n T) ast.Expr {
	kind := token.INT
	if _, isFloat := any(n).(float64); isFloat {
		kind = token.FLOAT
	}
	return ast.NewLit(kind, fmt.Sprint(n))
}

// preset is *value | typ.
func preset(value ast.Expr, typ string) ast.Expr {
	return &ast.BinaryExpr{X: &ast.UnaryExpr{Op: token.MUL, X: value}, Op: token.OR, Y: ast.NewIdent(typ)}
}

// ruleAt leads to a rule of the organisation.
func ruleAt(p token.Pos) *runbook.See { return &runbook.See{Words: "the rule is at", At: spotAt(p)} }

func spotAt(p token.Pos) runbook.Spot {
	return runbook.Spot{File: p.Filename(), Line: p.Line(), Column: p.Column()}
}
