package cueval

import (
	"fmt"
	"slices"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"

	"github.com/pullbook/pullbook/engine/runbook"
)

// organisationFile is where a ledger keeps what holds for all of its runbooks.
const organisationFile = runbook.Organisation

// organisation is what pullbook.cue says. The zero value is a ledger without one.
type organisation struct {
	command      []string
	thaw         []string                    // who may give a branch back to the engine
	selfApproval []string                    // who may approve what they wrote
	policy       map[runbook.Stage]cue.Value // what every runbook with such steps is unified with; nil if there is none
	readCommands [][]string                  // nil: exec may say read freely
	readEnv      []string                    // the variables that such an exec may set
	restricted   bool                        // readCommands was written, be it empty
	// ungatedSecrets are the secrets that a step without an approval may use.
	ungatedSecrets []string
	directory
	defaults defaults
	limits   limits
	calendar calendar
	glass    *runbook.BreakGlass
	edit     *runbook.Approval         // nil: nobody approves that a plan is changed
	file     *ast.File                 // of pullbook.cue; nil if there is none
	channels map[string]map[string]any // by name, each as JSON has it
	text     *pkg
	intakes  cue.Value
}

// readOrganisation reads pullbook.cue. A mistake in it is a problem of every runbook, since no runbook may go without
// the policy that was meant.
func readOrganisation(ctx *cue.Context, types cue.Value, kinds []kind, lib *library) (organisation, []runbook.Problem) {
	if _, ok := lib.files[organisationFile]; !ok {
		return organisation{}, nil
	}
	text, ps := lib.runbook(organisationFile)
	if text == nil {
		return organisation{}, ps
	}
	f := text.view
	def := types.LookupPath(cue.MakePath(cue.Def("#Organisation")))
	ps = append(ps, organisationNames(f, def)...)
	ps = append(ps, policyNames(ctx, types, kinds, f)...)
	raw := lib.build(ctx, text.parts)
	v := raw.Unify(def)
	r := reporter{file: f, def: def}
	ps = append(ps, r.report(v.Validate(cue.Final()))...)
	var org organisation
	org.file, org.text, org.intakes = f, text, field(v, "intake")
	org.restricted = field(v, "readCommands").Exists()
	sound, right := true, len(ps) == 0 // what can be read, and all of it
	for name, into := range org.parts() {
		x := field(v, name)
		if !x.Exists() {
			continue
		}
		err := x.Validate(cue.Concrete(true))
		if err == nil {
			err = x.Decode(into)
		}
		ps, sound = append(ps, r.report(err)...), sound && err == nil
	}
	if sound {
		ps = append(ps, org.check()...)
	}
	if sound && right {
		ps = slices.Concat(ps, org.readCalendar(v), org.readGlass(v), org.readEdit(v))
	}
	channels, more := readChannels(f, v)
	org.channels, ps = channels, append(ps, more...)
	rules, more := policyRules(f)
	if ps = append(ps, more...); len(rules) > 0 {
		org.policy = policyOf(ctx, lib)
		if len(ps) == 0 {
			ps = inapplicable(org.policy)
		}
	}
	return org, tidy(ps)
}

// parts are the fields of pullbook.cue that are plain data, and where each is kept.
func (o *organisation) parts() map[string]any {
	return map[string]any{"command": &o.command, "selfApproval": &o.selfApproval, "thaw": &o.thaw, "readCommands": &o.readCommands, "readEnv": &o.readEnv, "ungatedSecrets": &o.ungatedSecrets,
		"people": &o.People, "teams": &o.Teams,
		"services": &o.Services, "defaults": &o.defaults, "limits": &o.limits}
}

// organisationNames refuses unknown fields from the syntax tree, where no incomplete value can hide them.
func organisationNames(f *ast.File, def cue.Value) (ps []runbook.Problem) {
	known := fieldNames(def)
	eachField(f.Decls, func(x *ast.Field, name string) {
		if hidden(name) {
			return
		}
		for _, k := range known {
			if k == name {
				return
			}
		}
		p := problemAt(x.Pos(), name, fmt.Sprintf("unknown field %q", name))
		p.Hint = didYouMean(name, known)
		ps = append(ps, p)
	})
	return ps
}

func eachField(decls []ast.Decl, do func(x *ast.Field, name string)) {
	for _, d := range decls {
		if x, ok := d.(*ast.Field); ok {
			name, written := labelName(x.Label)
			if !written {
				name = "["
			}
			do(x, name)
		}
	}
}
