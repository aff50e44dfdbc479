package cueval

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"

	"github.com/pullbook/pullbook/engine/runbook"
)

// secretMark is where a request has a secret: a dollar and its name, in capitals as the schema wants the names of secrets.
var secretMark = regexp.MustCompile(`\$\{?([A-Z_][A-Z0-9_]+)\}?`)

// unnamed reports marks of secrets that stay without one: the step does not name them, or they stand where none is put. A
// mark that is pieced together, such as "\("$")HOME", is text.
func (d *document) unnamed(plan runbook.Plan) (ps []runbook.Problem) {
	for _, s := range written(plan.Steps) {
		for _, r := range requests() {
			if r.at[0] != string(s.Kind) {
				continue
			}
			v := deeper(d.step(d.value, s.Name), r.at)
			var secrets []string
			if err := field(v, "secrets").Decode(&secrets); err != nil {
				secrets = nil // there are none
			}
			at := append(slices.Clone(d.homeOf[s.Name].path), r.at...)
			for _, name := range []string{"url", "headers", "body"} {
				for _, e := range d.refs.vals[joined(extend(at, name))] {
					ps = append(ps, d.marksIn(e, extend(at, name), secrets, slices.Contains(r.fills, name))...)
				}
			}
		}
	}
	return ps
}

// request is where a step has an address, and in which parts of it secrets are put.
type request struct {
	at    []string // below the step
	fills []string
}

func requests() []request {
	return []request{
		{[]string{"http"}, []string{"headers"}},
		{[]string{"probe", "http"}, []string{"headers"}},
		{[]string{"notify", "webhook"}, []string{"url", "headers"}},
	}
}

func (d *document) marksIn(e ast.Expr, path, secrets []string, fills bool) (ps []runbook.Problem) {
	ast.Walk(e, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if !ok {
			return true
		}
		for _, m := range secretMark.FindAllStringSubmatch(lit.Value, -1) {
			p := problemAt(lit.Pos(), strings.Join(path, "."), "")
			switch named := slices.Contains(secrets, m[1]); {
			case !fills:
				p.Text, p.Hint = m[0]+" would be sent as it stands: secrets are put into headers alone", `write "\("$")..." where that is meant`
			case !named:
				p.Text, p.Hint = m[0]+" is not among the secrets of the step", didYouMean(m[1], secrets)
				if p.Hint == "" {
					p.Hint = fmt.Sprintf("write secrets: [%q] beside it", m[1])
				}
			case m[0] != "$"+m[1]:
				p.Text, p.Hint = m[0]+" is not put in: a secret is written without braces", "write $"+m[1]
			default:
				continue
			}
			ps = append(ps, p)
		}
		return true
	}, nil)
	return ps
}

// themselves reports fields whose value is their own name: inside of braces it means the field itself, not what has that
// name outside, and so nothing at all.
func (d *document) themselves() (ps []runbook.Problem) {
	for _, n := range d.lib.texts(d.text) {
		f, ok := n.(*ast.File)
		if !ok {
			continue // unreachable: those are files
		}
		ast.Walk(f, func(n ast.Node) bool {
			s, ok := n.(*ast.StructLit)
			if !ok {
				return true
			}
			for _, x := range s.Elts {
				ps = append(ps, itself(f, s, x)...)
			}
			return true
		}, nil)
	}
	return ps
}

func itself(f *ast.File, s *ast.StructLit, decl ast.Decl) []runbook.Problem {
	x, ok := decl.(*ast.Field)
	if !ok {
		return nil
	}
	name, _ := labelName(x.Label)
	id, ok := x.Value.(*ast.Ident)
	if !ok || name == "" || id.Name != name || id.Scope != s {
		return nil
	}
	p := problemAt(id.Pos(), pathAt(f, id.Pos()), fmt.Sprintf("%s means the field itself here, and has no value", name))
	p.Hint = "give what it should be another name outside of the braces"
	return []runbook.Problem{p}
}
