package runbook

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const editedText = `title: "T"
_shared: "x"
steps: {
	a: title: "\(_shared)"
	b: title: "b"
}
`

// editable is a plan of two steps, b behind a gate; a is made of lines 2 and 4, b of line 5.
func editable() Plan {
	return Plan{Name: "t", Title: "T", Command: []string{}, Steps: []Step{
		{Name: "a", Kind: KindExec, Risk: RiskRead, Lines: []Lines{{"t.cue", 2, 2}, {"t.cue", 4, 4}}},
		{Name: "b", Kind: KindExec, Risk: RiskChange, Approval: &Approval{From: []string{"acme/sre"}, Count: 1}, Lines: []Lines{{"t.cue", 5, 5}}},
	}}
}

// TestCompare: what an edit changes is found by the text of the lines that make a step and by what was made of it, wherever the
// lines stand; what no edit may change is a problem.
func TestCompare(t *testing.T) {
	files := func(change ...string) map[string][]byte {
		return map[string][]byte{"t.cue": []byte(strings.NewReplacer(change...).Replace(editedText))}
	}
	moved := func(p *Plan) {
		for i := range p.Steps {
			p.Steps[i].Lines = slices.Clone(p.Steps[i].Lines)
			for j := range p.Steps[i].Lines {
				p.Steps[i].Lines[j].From++
				p.Steps[i].Lines[j].To++
			}
		}
	}
	for name, c := range map[string]struct {
		plan  func(*Plan)
		after map[string][]byte
		want  string
	}{
		"nothing":                {func(*Plan) {}, files(), "[] [] []"},
		"all lines further down": {moved, files("title: \"T\"\n", "title: \"T\"\n\n"), "[] [] []"},
		"the title":              {func(p *Plan) { p.Title = "U" }, files(`"T"`, `"U"`), "[] [] []"},
		"what a step refers to":  {func(*Plan) {}, files(`"x"`, `"y"`), "[a] [] []"},
		"a helper elsewhere": {func(p *Plan) {
			p.Steps[0].Lines = append(slices.Clone(p.Steps[0].Lines), Lines{"helpers/x.cue", 1, 2})
		}, files(), "[a] [] []"},
		"a value of the step": {func(*Plan) {}, files(`"b"`, `"c"`), "[b] [] []"},
		"what was made of it": {func(p *Plan) { p.Steps[0].Idempotent = true }, files(), "[a] [] []"},
		"another step":        {func(p *Plan) { p.Steps = append(p.Steps, Step{Name: "c"}) }, files(), "[] [c] []"},
		"one step less":       {func(p *Plan) { p.Steps = p.Steps[1:] }, files(), "[] [] [a]"},
		"a gate less":         {func(p *Plan) { p.Steps = p.Steps[:1] }, files(), "[] [] [b] steps.b: an edit cannot take away a step that people have to approve"},
		"who approves":        {func(p *Plan) { p.Steps[1].Approval = nil }, files(), "[b] [] [] steps.b.approval: an edit cannot change who approves a step"},
		"who edits":           {func(p *Plan) { p.Edit = p.Steps[1].Approval }, files(), "[] [] [] edit: a running incident keeps its edit"},
		"who commands":        {func(p *Plan) { p.Command = []string{"mallory"} }, files(), "[] [] [] command: a running incident keeps its command"},
	} {
		t.Run(name, func(t *testing.T) {
			now := editable()
			c.plan(&now)
			e, problems := Compare(editable(), now, files(), c.after)
			got := fmt.Sprint(e.Changed, e.Added, e.Removed)
			for _, p := range problems {
				got += " " + p.Path + ": " + p.Text
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
