package cueval

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"

	"github.com/pullbook/pullbook/engine/runbook"
)

// longestTitle is how much of a title is kept, in characters: part of it may come from an alert.
const longestTitle = 200

// succeeded reports whether a step left an output that others can refer to.
func succeeded(e runbook.Ended) bool {
	return !e.Skipped && e.Conclusion == runbook.Succeeded && len(e.Output) > 0 && string(e.Output) != "null"
}

// words fills in the texts for people, as far as they are known.
func (d *document) words(plan *runbook.Plan, v cue.Value) {
	d.wordsOf(plan, v)
	for i := range plan.Steps {
		d.texts(&plan.Steps[i], v)
	}
}

// wordsOf fills in the texts that stand outside of the steps.
func (d *document) wordsOf(plan *runbook.Plan, v cue.Value) {
	plan.Title = oneLine(field(v, "title"), plan.Name)
	plan.Doc, _ = field(v, "doc").String()
	plan.Why, _ = field(v, "why").String()
	plan.ByHand, _ = field(v, "byHand").String()
	if plan.Severity, _ = field(v, "severity").String(); plan.Severity == "" {
		plan.Severity = d.org.defaults.Severity
	}
	d.service(plan, v)
}

// textFields are the fields of a step with words for people.
func textFields() []string { return []string{"title", "doc", "why", "byHand", "noUndo"} }

// texts fills in the texts of one step. What stands there as it is needs no evaluation.
func (d *document) texts(s *runbook.Step, v cue.Value) {
	h := d.homeOf[s.Name]
	into := []*string{&s.Title, &s.Doc, &s.Why, &s.ByHand, &s.NoUndo}
	for i, name := range textFields() {
		text, known := d.parts.text(h, name)
		if d.known == nil && !known {
			text, known = d.writtenText(h, name)
		}
		if !known {
			text, _ = v.LookupPath(h.at).LookupPath(cue.MakePath(cue.Str(name))).String()
		}
		*into[i] = text
	}
	s.Title = shortened(s.Title, cmp.Or(s.Rehearses, s.Name))
	if s.Rehearses != "" {
		s.Title = "Rehearse: " + s.Title
	}
}

func oneLine(v cue.Value, unknown string) string {
	text, _ := v.String()
	return shortened(text, unknown)
}

func shortened(text, unknown string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > longestTitle {
		text = string(runes[:longestTitle-1]) + "…"
	}
	if text == "" {
		return unknown
	}
	return text
}

// outset says what a step is as far as that follows from how others ended. The order matters: an unfilled list has the
// length 0, so a condition on it would be false before the list is there; and a step that is skipped may hold values that
// make no sense.
func (d *document) outset(s runbook.Step, ended map[string]runbook.Ended) (r runbook.Resolution, early bool) {
	if r, early := before(s, ended); early {
		return r, true
	}
	if p, lost := d.lostOutput(s, ended, inCondition); lost {
		return broken(p), true
	}
	return r, false
}

// now says what a step is whose values decide that.
func (d *document) now(s runbook.Step, v cue.Value, ended map[string]runbook.Ended) runbook.Resolution {
	step := d.step(v, s.Name)
	if w := field(step, "when"); w.Exists() && !(s.Each && d.graph.itemDecides[s.Name]) {
		b, err := w.Bool()
		if err != nil {
			return broken(d.why(err, s.Name, "when"))
		}
		if !b {
			return runbook.Resolution{Status: runbook.StatusSkip, Problem: "its condition is false"}
		}
	}
	if p, lost := d.lostOutput(s, ended, anywhere); lost {
		return broken(p)
	}
	if s.Each {
		return d.elements(s, v, ended)
	}
	if s.Undoes != "" {
		return d.ready(s, step, d.step(v, s.Undoes))
	}
	return d.ready(s, step, step)
}

// decided says what one element of a template is. Its template is not skipped as a whole.
func (d *document) decided(s runbook.Step, it item) runbook.Resolution {
	step := it.step
	if w := field(step, "when"); w.Exists() {
		b, err := w.Bool()
		if err != nil {
			return broken(d.why(err, s.Name, "when"))
		}
		if !b {
			return runbook.Resolution{Status: runbook.StatusSkip, Problem: "its condition is false"}
		}
	}
	return d.ready(s, step, it.whole)
}

// ready says what a step runs, the values of which must be known, and which locks it takes. whole is the step with its undo,
// of either.
func (d *document) ready(s runbook.Step, step, whole cue.Value) runbook.Resolution {
	if err := step.Validate(cue.Final()); err != nil {
		return broken(d.why(err, s.Name))
	}
	work, says, err := d.work(s, step)
	var locks []string
	if err == nil {
		locks, err = d.locksOf(s, step, whole)
	}
	if m := (*misfit)(nil); errors.As(err, &m) {
		p := d.placeIn(s.Name, m.at...)
		p.Text, p.Hint, p.See = m.text, m.hint, m.see
		return broken(p)
	}
	if err != nil {
		return broken(d.why(err, s.Name, string(s.Kind)))
	}
	if s.Kind == runbook.KindExec {
		if p, ok := d.strange(s, step, textsIn(says[commandField(s)])); ok {
			return broken(p)
		}
	}
	if p, ok := d.strangeEnv(s, says); ok {
		return broken(p)
	}
	if p, ok := d.overreaches(s, step); ok {
		return broken(p)
	}
	return runbook.Resolution{Status: runbook.StatusReady, Work: work, Locks: locks}
}

// before says what a step is as far as that follows from how others ended, without looking at its values.
func before(s runbook.Step, ended map[string]runbook.Ended) (r runbook.Resolution, early bool) {
	skipped := 0
	for _, need := range s.Needs {
		end, ok := ended[need]
		if !ok {
			return runbook.Resolution{Status: runbook.StatusWaiting}, true
		}
		if end.Skipped && !slices.Contains(s.Tells, need) {
			skipped++
		}
	}
	if r, ok := ended[s.Name+rehearsalSuffix]; ok && !r.Skipped && !succeeded(r) && slices.Contains(s.Needs, s.Name+rehearsalSuffix) {
		return broken(runbook.Problem{File: s.Name, Text: "its rehearsal left nothing to go by", Hint: "/retry " + s.Name + rehearsalSuffix}), true
	}
	if s.Undoes != "" {
		end := ended[s.Undoes]
		if nothing := end.Skipped || end.Conclusion != runbook.Succeeded; s.Each && len(end.Happened) == 0 || !s.Each && nothing {
			return runbook.Resolution{Status: runbook.StatusSkip, Problem: "there is nothing to undo"}, true
		}
		return r, false
	}
	if skipped > 0 && skipped == len(s.Needs)-len(s.Tells) && !s.JoinAny {
		return runbook.Resolution{Status: runbook.StatusSkip, Problem: "only follows skipped steps"}, true
	}
	return r, false
}

// statusOf is what others see as the status of a step that has ended, as JSON.
func statusOf(e runbook.Ended) json.RawMessage {
	if e.Skipped {
		return json.RawMessage(strconv.Quote(statusSkipped))
	}
	return json.RawMessage(strconv.Quote(string(e.Conclusion)))
}

func broken(p runbook.Problem) runbook.Resolution {
	return runbook.Resolution{Status: runbook.StatusBroken, Problem: p.String()}
}

// inCondition and anywhere select the references that count for whether a step runs, and all of them.
func inCondition(e edge) bool { return e.field == "when" || e.field == "" }
func anywhere(edge) bool      { return true }

// lostOutput reports a reference to the output of a step that ended without one. CUE alone would take a list in it for
// an empty one. A reference that its author made only for the case that the step succeeded counts only then.
func (d *document) lostOutput(s runbook.Step, ended map[string]runbook.Ended, counts func(edge) bool) (runbook.Problem, bool) {
	for _, e := range d.edges[s.Name] {
		end := ended[e.to]
		switch {
		case len(e.path) > 0 && e.path[0] != "output", succeeded(end), !counts(e):
			continue
		case s.Each && e.to == s.Undoes && len(end.Happened) > 0: // of the elements that had succeeded
			continue
		case e.guarded && (end.Skipped || end.Conclusion != runbook.Succeeded):
			continue
		}
		p := problemAt(e.pos, pathAt(d.file, e.pos), "")
		p.Text = fmt.Sprintf("refers to the output of %s, which did not succeed", e.to)
		switch {
		case end.Skipped:
			p.Text = fmt.Sprintf("refers to the output of %s, which was skipped", e.to)
		case end.Conclusion == runbook.Succeeded:
			p.Text = fmt.Sprintf("refers to the output of %s, which left none", e.to)
		}
		return p, true
	}
	return runbook.Problem{}, false
}

// why turns an error into one problem of a step.
func (d *document) why(err error, step string, below ...string) runbook.Problem {
	path := append(slices.Clone(d.homeOf[step].path), below...)
	if ps := d.reporter().report(err); len(ps) > 0 {
		p := ps[0]
		if p.Path == "" || p.Line == 0 {
			place := d.place(path...)
			p.File, p.Line, p.Column, p.Path = place.File, place.Line, place.Column, place.Path
		}
		return p
	}
	p := d.place(path...)
	p.Text = err.Error()
	return p
}

// work reads what would run. All its values must be known. Of what a runner gets it also says it as data.
func (d *document) work(s runbook.Step, step cue.Value) (w runbook.Work, says map[string]any, err error) {
	v, k := field(step, string(s.Kind)), d.kind(s.Kind)
	if k.engine {
		w, err = d.engineWork(s, v)
		return w, nil, err
	}
	all, err := d.fieldsOf(s, v)
	if err == nil {
		says, err = d.data(k, all, k.unlike(s)...)
	}
	if err == nil {
		w.Run, err = sortedJSON(says)
	}
	return w, says, err
}

// engineWork reads what the engine itself does.
func (d *document) engineWork(s runbook.Step, v cue.Value) (runbook.Work, error) {
	if err := v.Validate(cue.Concrete(true)); err != nil {
		return runbook.Work{}, err
	}
	switch s.Kind {
	case runbook.KindManual:
		var x runbook.Manual
		err := v.Decode(&x)
		x.Owner, _ = d.org.who(x.Owner)
		return runbook.Work{Manual: &x}, err
	case runbook.KindWait:
		x, m := waitOf(v)
		if m != nil {
			return runbook.Work{}, m
		}
		return runbook.Work{Wait: &x}, nil
	case runbook.KindRunbook:
		return childWork(v)
	case runbook.KindChoose:
		return d.chooseWork(v, outputType(s, d.step(d.static(), s.Name))) // with the choice filled in it fits one option only
	}
	return runbook.Work{}, fmt.Errorf("the engine has no step of kind %q", s.Kind) // unreachable unless the schema names another kind its own
}

// data is what the author wrote in fields of a kind, without what is decided later and without some fields.
func (d *document) data(k kind, fields []fieldValue, without ...string) (map[string]any, error) {
	all := map[string]any{}
	for _, f := range fields {
		if k.trait(f.name).later != "" || slices.Contains(without, f.name) {
			continue
		}
		x, err := f.data()
		if err != nil {
			return nil, err
		}
		if k.trait(f.name).channel {
			x = d.channelled(x)
		}
		all[f.name] = x
	}
	return all, nil
}

// sortedJSON writes what runs, with its names sorted.
func sortedJSON(all map[string]any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(all); err != nil {
		return nil, fmt.Errorf("write what runs: %w", err) // unreachable: it was read from JSON
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}
