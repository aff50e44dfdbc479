package cueval

import (
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/pullbook/pullbook/engine/runbook"
)

// policyNames refuses what a policy cannot say: steps of its own, and fields that no step has. A rule about a
// misspelled field would hold for nothing, and nobody would see it.
func policyNames(ctx *cue.Context, types cue.Value, kinds []kind, f *ast.File) (ps []runbook.Problem) {
	def := types.LookupPath(cue.MakePath(cue.Def("#Runbook")))
	rule := func(x *ast.Field, name string) {
		if name != "[" {
			p := problemAt(x.Pos(), "policy.steps."+name, "a policy speaks of all steps, not of one")
			p.Hint = "write [_]: or a pattern of names, such as [=~\"^db_\"]:"
			ps = append(ps, p)
			return
		}
		one := &ast.Field{Label: named(x.Pos(), "rule"), Value: shaper{kinds: kinds}.value(x.Value, []string{"steps", "rule"})}
		steps := &ast.Field{Label: named(x.Pos(), "steps"), Value: &ast.StructLit{Elts: []ast.Decl{one}}}
		err := ctx.BuildFile(&ast.File{Filename: f.Filename, Decls: []ast.Decl{steps}}).Unify(def).Validate()
		for _, p := range (reporter{file: f, def: def}).report(err) {
			p.Path = "policy." + strings.Replace(p.Path, "steps.rule", "steps", 1)
			ps = append(ps, p)
		}
	}
	rules, _ := policyRules(f)
	for _, x := range rules {
		name, written := labelName(x.Label)
		if !written {
			name = "["
		}
		rule(x, name)
	}
	return ps
}

// policyRules returns the fields of policy.steps. Rules that come from elsewhere are refused: they could not be told
// from a step, and nobody would see a misspelled field in them.
func policyRules(f *ast.File) (rules []*ast.Field, ps []runbook.Problem) {
	var collect func(e ast.Expr, below string)
	collect = func(e ast.Expr, below string) {
		s, ok := e.(*ast.StructLit)
		if !ok {
			p := problemAt(e.Pos(), "policy"+below, "the rules of a policy are written out")
			p.Hint = "write policy: steps: [_]: {...}; what several rules share can be a helper inside of them"
			ps = append(ps, p)
			return
		}
		for _, d := range s.Elts {
			x, isField := d.(*ast.Field)
			name := ""
			if isField {
				name, _ = labelName(x.Label)
			}
			switch {
			case below == ".steps" && isField:
				rules = append(rules, x)
			case below == "" && isField && name == "steps":
				collect(x.Value, ".steps")
			case below == "" && isField: // refused by the schema
			default:
				if _, isEllipsis := d.(*ast.Ellipsis); !isEllipsis {
					ps = append(ps, problemAt(d.Pos(), "policy"+below, "the rules of a policy are fields"))
				}
			}
		}
	}
	eachField(f.Decls, func(x *ast.Field, name string) {
		if name == "policy" {
			collect(x.Value, "")
		}
	})
	return rules, ps
}

// policyOf makes of the rules for steps what a runbook is unified with, by the stage they hold for: they hold for the undo of a step and for finally
// steps as well, but for what these cannot have.
//
// Unified with its definition a policy would be closed, and then closed against every field that it does not name.
func policyOf(ctx *cue.Context, lib *library) map[runbook.Stage]cue.Value {
	wrap := func(rule ast.Expr) ast.Expr {
		return &ast.StructLit{Elts: []ast.Decl{&ast.Field{Label: ast.NewIdent("undo"), Constraint: token.OPTION, Value: rule}}}
	}
	same := func(rule ast.Expr) ast.Expr { return rule }
	return map[runbook.Stage]cue.Value{
		runbook.StageMain:    appliedTo(ctx, lib, "steps", nil, same),
		runbook.StageUndo:    appliedTo(ctx, lib, "steps", []string{"undo", "noUndo", "when", "needs", "join", "onFailure"}, wrap),
		runbook.StageFinally: appliedTo(ctx, lib, "finally", []string{"undo", "noUndo"}, same),
	}
}

// inapplicable reports rules that cannot be applied: what is no value constrains nothing, and nobody would see it.
func inapplicable(policy map[runbook.Stage]cue.Value) (ps []runbook.Problem) {
	for _, v := range policy {
		if err := v.Err(); !v.Exists() || err != nil {
			text := "the rules cannot be applied"
			if err != nil {
				text += ": " + firstLine(err)
			}
			ps = append(ps, runbook.Problem{File: organisationFile, Path: "policy.steps", Text: text})
		}
	}
	return ps
}

// appliedName is a field that no author can write, since the definition does not have it.
const appliedName = "applied policy"

// appliedTo builds the rules once more for one list of steps, without the fields in drop. Every use has its own syntax
// tree, since identifiers in it are tied to what they mean.
func appliedTo(ctx *cue.Context, lib *library, list string, drop []string, wrap func(ast.Expr) ast.Expr) cue.Value {
	text, _ := lib.runbook(organisationFile) // its problems are known
	f := text.view
	rules, _ := policyRules(f)
	all := &ast.StructLit{}
	for _, x := range rules {
		without(x.Value, drop)
		all.Elts = append(all.Elts, &ast.Field{Label: x.Label, Value: wrap(x.Value)})
	}
	f.Decls = append(f.Decls, &ast.Field{Label: ast.NewString(appliedName), Value: &ast.StructLit{Elts: []ast.Decl{
		&ast.Field{Label: ast.NewIdent(list), Value: all}}}})
	return field(lib.build(ctx, text.parts), appliedName)
}

// without takes fields out of a rule, also those behind conditions. A condition can still ask for them, and finds that they
// are not there.
func without(e ast.Expr, drop []string) {
	s, ok := e.(*ast.StructLit)
	if !ok || len(drop) == 0 {
		return
	}
	for _, d := range s.Elts {
		switch x := d.(type) {
		case *ast.Field:
			if name, written := labelName(x.Label); written && slices.Contains(drop, name) {
				x.Constraint = token.OPTION // its value stays: a condition is tied to it
			}
		case *ast.Comprehension:
			without(x.Value, drop)
			if x.Fallback != nil {
				without(x.Fallback.Body, drop)
			}
		case *ast.EmbedDecl:
			without(x.Expr, drop)
		}
	}
}
