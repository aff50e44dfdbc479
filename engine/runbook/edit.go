package runbook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Edit is what tells a plan from the one that it is to take the place of, by names of steps in the order of the plans.
type Edit struct {
	Changed []string // in both, and not the same: by the text that makes them, or by what was made of it
	Added   []string
	Removed []string
}

// Compare tells a frozen plan from one that was made of changed texts. before and after are the files of the plans by path. The
// problems are what an edit may not change, whoever approves it: who approves what, and anything that is no step.
func Compare(was, now Plan, before, after map[string][]byte) (e Edit, problems []Problem) {
	wrong := func(s Step, path, text, hint string) {
		p := Problem{Path: path, Text: text, Hint: hint}
		if len(s.Lines) > 0 {
			p.File, p.Line, p.Column = s.Lines[0].File, s.Lines[0].From, 1
		}
		problems = append(problems, p)
	}
	for _, field := range unlike(was, now) {
		problems = append(problems, Problem{Path: field, Text: "a running incident keeps its " + strings.ReplaceAll(field, "_", " "), Hint: "an edit changes steps, the title and the words for people"})
	}
	for _, old := range was.Steps {
		step, kept := now.Step(old.Name)
		switch {
		case kept && !bytes.Equal(encoded(old.Approval), encoded(step.Approval)):
			wrong(step, "steps."+old.Name+".approval", "an edit cannot change who approves a step", "leave the approval as it was")
		case !kept && old.Approval != nil:
			wrong(Step{}, "steps."+old.Name, "an edit cannot take away a step that people have to approve", "those people skip it by a review that says /skip "+old.Name+" <reason>")
		}
		switch {
		case !kept:
			e.Removed = append(e.Removed, old.Name)
		case !same(old, step, before, after):
			e.Changed = append(e.Changed, old.Name)
		}
	}
	for _, step := range now.Steps {
		if _, known := was.Step(step.Name); !known {
			e.Added = append(e.Added, step.Name)
		}
	}
	return e, problems
}

// unlike lists the fields of two plans that are no steps and no words for people, and differ.
func unlike(was, now Plan) (fields []string) {
	rest := func(p Plan) map[string]json.RawMessage {
		var all map[string]json.RawMessage
		if err := json.Unmarshal(encoded(p), &all); err != nil {
			panic(fmt.Sprintf("runbook: a plan is always a JSON object: %v", err)) // unreachable unless bug in this package
		}
		for _, free := range []string{"steps", "title", "doc", "why", "by_hand", "edits"} {
			delete(all, free)
		}
		return all
	}
	a, b := rest(was), rest(now)
	names := maps.Clone(a)
	maps.Copy(names, b)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !bytes.Equal(a[name], b[name]) {
			fields = append(fields, name)
		}
	}
	return fields
}

// same reports whether a step is made of the same text as it was, and the same was made of it.
func same(old, step Step, before, after map[string][]byte) bool {
	return bytes.Equal(skeleton(old), skeleton(step)) && textOf(old, before) == textOf(step, after)
}

func encoded(v any) []byte { return canonical(v) }

// skeleton is what a step is before anything runs, wherever its text stands.
func skeleton(s Step) []byte {
	s.Lines = nil
	return encoded(s)
}

// textOf is the text that makes a step.
func textOf(s Step, files map[string][]byte) string {
	var b strings.Builder
	for _, l := range s.Lines {
		lines := strings.SplitAfter(string(files[l.File]), "\n")
		from, to := max(0, l.From-1), min(len(lines), l.To)
		fmt.Fprintf(&b, "%s\n%s\n", l.File, strings.Join(lines[min(from, to):to], ""))
	}
	return b.String()
}
