package cueval

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"

	"github.com/pullbook/pullbook/engine/runbook"
)

// readChannels reads the channels of pullbook.cue, by name, each as JSON has it.
func readChannels(f *ast.File, organisation cue.Value) (channels map[string]map[string]any, ps []runbook.Problem) {
	x := field(organisation, "channels")
	if !x.Exists() || x.Validate(cue.Concrete(true)) != nil { // what is wrong has been reported
		return nil, nil
	}
	text, err := x.MarshalJSON()
	if err == nil {
		err = json.Unmarshal(text, &channels)
	}
	if err != nil {
		return nil, []runbook.Problem{{File: organisationFile, Path: "channels", Text: err.Error()}} // unreachable: it is concrete
	}
	for _, name := range slices.Sorted(maps.Keys(channels)) {
		if len(channels[name]) == 1 {
			continue
		}
		p := runbook.Problem{File: organisationFile, Path: "channels." + name, Text: "a channel has exactly one of webhook and email"}
		if at, _ := fieldOf(f, []string{"channels", name}); at != nil {
			p.Line, p.Column = at.Pos().Line(), at.Pos().Column()
		}
		ps = append(ps, p)
	}
	return channels, ps
}

// channels checks the names of channels in a field.
func (s *skeleton) channels(f cue.Value, at ...string) {
	known := slices.Sorted(maps.Keys(s.doc.org.channels))
	for _, name := range textsOf(f) {
		if slices.Contains(known, name) {
			continue
		}
		hint := didYouMean(name, known)
		if hint == "" {
			hint = "channels stand in " + organisationFile
		}
		s.problem(fmt.Sprintf("there is no channel %s", name), hint, at...)
	}
}

// channelled puts the channels themselves in the place of their names, so that people approve where a notice goes.
func (d *document) channelled(names any) any {
	switch x := names.(type) {
	case string:
		whole := map[string]any{"name": x}
		maps.Copy(whole, d.org.channels[x])
		return whole
	case []any:
		out := make([]any, len(x))
		for i, name := range x {
			out[i] = d.channelled(name)
		}
		return out
	}
	return names
}
