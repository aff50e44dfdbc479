package cueval

import (
	"regexp"
	"slices"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"

	"github.com/pullbook/pullbook/engine/runbook"
)

// host is the beginning of an address up to the end of its host: what comes behind it cannot change it.
var host = regexp.MustCompile(`^https?://[^/?#@\\]+(/|\?|#|$)`)

// secretly reports requests with secrets of which an output, the alert or an input could choose the host, and secrets that
// these could choose: a secret would go to whoever writes an alert.
func (d *document) secretly(plan runbook.Plan) (ps []runbook.Problem) {
	for _, s := range plan.Steps {
		for _, at := range [][]string{{"exec"}, {"ansible"}, {"terraform"}, {"http"}, {"probe", "http"}} {
			if at[0] != string(s.Kind) {
				continue
			}
			in := func(step cue.Value) cue.Value {
				step = deeper(step, at)
				return step
			}
			now, written := in(d.step(d.value, s.Name)), in(d.step(d.inputless(), s.Name))
			secrets := field(written, "secrets")
			if !secrets.Exists() {
				continue
			}
			report := func(name, text string) {
				p := d.placeIn(s.Name, append(slices.Clone(at), name)...)
				p.Text, p.Hint = text+" must be written out", "an output, the alert or an input could otherwise choose where a secret goes"
				ps = append(ps, p)
			}
			if secrets.Validate(cue.Concrete(true)) != nil || !sameValue(field(now, "secrets"), secrets) {
				report("secrets", "which secrets a step gets")
			}
			if !field(written, "url").Exists() {
				continue
			}
			was, is := d.hostOf(s.Name, at, written), d.hostOf(s.Name, at, now)
			if was == "" || was != is {
				report("url", "the host of a request with secrets")
			}
		}
	}
	return ps
}

// hostOf is the beginning of the address of a request, as far as it is known or the text has it; empty where it is not.
func (d *document) hostOf(step string, at []string, request cue.Value) string {
	if url, err := field(request, "url").String(); err == nil {
		return host.FindString(url)
	}
	values := d.refs.vals[joined(append(append(slices.Clone(d.homeOf[step].path), at...), "url"))]
	if len(values) == 0 {
		return ""
	}
	x, ok := values[0].(*ast.Interpolation)
	if !ok {
		return ""
	}
	if start := host.FindString(interpolationStart(x)); start != "" && start[len(start)-1] == '/' {
		return start
	}
	return ""
}
