package cueval

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"

	"github.com/pullbook/pullbook/engine/runbook"
)

// maxOptions bounds what a person is asked to choose from: an earlier step may offer thousands.
const maxOptions = 100

// choose checks a #Choose as far as it is known before anything runs.
func (s *skeleton) choose(k, output cue.Value) {
	if output.Exists() {
		choice := field(output, "choice")
		if names := fieldNames(output); len(names) != 1 || choice.IncompleteKind() != cue.StringKind {
			s.problem("a choice puts out nothing but the name of an option", "write output: choice: string", "output")
			return
		}
	}
	options := field(k, "options")
	refers := func(e edge) bool { return e.from == s.step.Name || e.from == generated }
	if len(s.doc.edges[s.step.Name]) > 0 || slices.ContainsFunc(s.doc.graph.alert, refers) || options.Validate(cue.Concrete(true)) != nil {
		return // they may come from elsewhere; a list that does is empty until it is there
	}
	_, m := s.doc.optionsOf(options, output)
	s.misfitted(m)
}

// chooseWork reads a #Choose whose values are known.
func (d *document) chooseWork(k, output cue.Value) (runbook.Work, error) {
	var c runbook.Choose
	var err error
	if c.Question, err = field(k, "question").String(); err != nil {
		return runbook.Work{}, err
	}
	if owner := field(k, "owner"); owner.Exists() {
		if c.Owner, err = owner.String(); err != nil {
			return runbook.Work{}, err
		}
		c.Owner, _ = d.org.who(c.Owner)
	}
	var m *misfit
	if c.Options, m = d.optionsOf(field(k, "options"), output); m != nil {
		return runbook.Work{}, m
	}
	return runbook.Work{Choose: &c}, nil
}

// optionsOf reads a list of names, or a struct of titles by name, in the author's order.
func (d *document) optionsOf(v, output cue.Value) (options []runbook.Option, m *misfit) {
	wrong := func(text, hint string, below ...string) ([]runbook.Option, *misfit) {
		return nil, &misfit{at: append([]string{"choose", "options"}, below...), text: text, hint: hint}
	}
	options, broken, at := readOptions(v)
	if broken != "" {
		return wrong(broken, "write [\"name\", ...] or {name: \"title\", ...}", at)
	}
	if len(options) < 2 || len(options) > maxOptions {
		return wrong(fmt.Sprintf("there are %d options", len(options)), fmt.Sprintf("a person chooses from 2 to %d", maxOptions))
	}
	choice := field(output, "choice")
	seen := map[string]bool{}
	for i, o := range options {
		at := o.Name
		if v.IncompleteKind() == cue.ListKind {
			at = strconv.Itoa(i)
		}
		switch {
		case !optionName(o.Name):
			return wrong(fmt.Sprintf("%q is no name for an option", o.Name),
				"small letters, digits and _.-, beginning with a letter or digit", at)
		case seen[o.Name]:
			return wrong(fmt.Sprintf("there are two options called %s", o.Name), "", at)
		case choice.Exists() && choice.Unify(d.ctx.Encode(o.Name)).Err() != nil:
			return wrong(fmt.Sprintf("the option %s does not fit the type of output.choice", o.Name), "", at)
		}
		seen[o.Name] = true
	}
	return options, nil
}

// readOptions returns the options, or what is broken and at which of them.
func readOptions(v cue.Value) (options []runbook.Option, broken, at string) {
	if it, err := v.List(); err == nil {
		for i := 0; it.Next(); i++ {
			name, err := it.Value().String()
			if err != nil {
				return nil, "the name of an option is a text", strconv.Itoa(i)
			}
			options = append(options, runbook.Option{Name: name})
		}
		return options, "", ""
	}
	it, err := v.Fields()
	if err != nil {
		return nil, err.Error(), "" // unreachable: the schema has lists and structs only
	}
	for it.Next() {
		title, err := it.Value().String()
		if err != nil {
			return nil, "the title of an option is a text", it.Selector().Unquoted()
		}
		options = append(options, runbook.Option{Name: it.Selector().Unquoted(), Title: strings.Join(strings.Fields(title), " ")})
	}
	return options, "", ""
}

// optionName reports whether a person can write a name in a comment: ^[a-z0-9][a-z0-9_.-]*$, at most 64 bytes.
func optionName(s string) bool {
	for i, c := range s {
		letter := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("_.-", c)) {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
