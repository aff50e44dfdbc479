package cueval

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"cuelang.org/go/cue"

	"github.com/pullbook/pullbook/engine/runbook"
)

// skeleton reads what is known of a step before anything runs.
type skeleton struct {
	doc  *document
	path []string // of the step's home
	step runbook.Step
	ps   []runbook.Problem
}

// kindOf finds the one kind of a step.
func (d *document) kindOf(name string, v cue.Value) (runbook.Kind, []runbook.Problem) {
	var found []string
	names, all := d.writtenIn(d.homeOf[name].path)
	for _, k := range d.kinds {
		if all && !slices.Contains(names, string(k.name)) {
			continue
		}
		if field(v, string(k.name)).Exists() {
			found = append(found, string(k.name))
		}
	}
	if len(found) == 1 {
		return runbook.Kind(found[0]), nil
	}
	p := d.placeIn(name)
	p.Text, p.Hint = "the step does nothing", "give it a kind, such as exec, http or manual"
	if len(found) > 1 {
		p.Text, p.Hint = "the step has more than one kind: "+strings.Join(found, " and "), "make a step of each"
		p.See = d.furthest(p, name, found)
	}
	return "", []runbook.Problem{p}
}

// furthest leads to the kind of a step that is written last, if that is in another line than the step begins: two steps of one name are one.
func (d *document) furthest(step runbook.Problem, name string, kinds []string) (see *runbook.See) {
	last := step.Line
	for _, kind := range kinds {
		f, depth := fieldOf(d.file, append(slices.Clone(d.homeOf[name].path), kind))
		if f != nil && depth == len(d.homeOf[name].path)+1 && f.Pos().Filename() == step.File && f.Pos().Line() > last {
			last, see = f.Pos().Line(), &runbook.See{Words: kind + " is at", At: spotAt(f.Pos())}
		}
	}
	return see
}

// riskOf returns the risk that the author gave, or the one of the kind and of what the step's fields say.
func (d *document) riskOf(name string, kind runbook.Kind, v cue.Value) (runbook.Risk, []runbook.Problem) {
	s := &skeleton{doc: d, path: d.homeOf[name].path}
	if text, ok := s.text(v, "risk"); ok || len(s.ps) > 0 {
		return runbook.Risk(text), s.ps
	}
	k := d.kind(kind)
	risk := k.risk
	for _, t := range k.traits {
		if t.risks == nil {
			continue
		}
		f := deeper(field(v, string(kind)), t.path)
		if !s.known(f, append([]string{string(kind)}, t.path...)...) {
			continue
		}
		if text, err := f.String(); err == nil && risk.Less(t.risks[text]) {
			risk = t.risks[text]
		}
	}
	return risk, s.ps
}

// skeletonOf reads a step whose risk is known. Its needs are still those that references make.
func (d *document) skeletonOf(name string, kind runbook.Kind, risk runbook.Risk) (runbook.Step, []runbook.Problem) {
	h := d.homeOf[name]
	v := d.static().LookupPath(h.at)
	s := &skeleton{doc: d, path: h.path}
	s.step = runbook.Step{Name: name, Kind: kind, Risk: risk, Title: name, HasOutput: field(v, "output").Exists(),
		Stage: h.stage, Undoes: h.undoes}
	s.step.Reversible = s.flag(v, "reversible")
	s.step.Idempotent = s.flag(v, "idempotent") || s.doc.kind(kind).again && !field(v, "idempotent").Exists()
	s.step.OnFailure = runbook.FailureHalts
	if text, ok := s.text(v, "onFailure"); ok {
		s.step.OnFailure = runbook.OnFailure(text)
	}
	s.each(v)
	s.timeout(v)
	s.retry(field(v, "retry"))
	s.approval(field(v, "approval"))
	s.needs(v)
	s.join(v)
	s.kind(v)
	s.locks()
	return s.step, s.ps
}

func (s *skeleton) problem(text, hint string, at ...string) {
	p := s.doc.place(append(slices.Clone(s.path), at...)...)
	p.Text, p.Hint = text, hint
	s.ps = append(s.ps, p)
}

// known reports whether a field is there and is one value; a field that depends on an output or the alert is a problem.
func (s *skeleton) known(f cue.Value, at ...string) bool {
	if !f.Exists() {
		return false
	}
	if err := f.Validate(cue.Concrete(true)); err != nil {
		if see := s.doc.reporter().ruleOf(err); see != nil {
			s.problem("must be written out", "", at...)
			s.ps[len(s.ps)-1].See = see
			return false
		}
		s.problem(unsettledText, unsettledHint, at...)
		return false
	}
	return true
}

// text reads a text field of v. The names before it lead from the step to v.
func (s *skeleton) text(v cue.Value, name string, above ...string) (string, bool) {
	f := field(v, name)
	if !s.known(f, append(above, name)...) {
		return "", false
	}
	text, err := f.String()
	return text, err == nil // the schema has the type
}

func (s *skeleton) flag(v cue.Value, name string) bool {
	f := field(v, name)
	if !s.known(f, name) {
		return false
	}
	b, err := f.Bool()
	return err == nil && b
}

// duration reads a length of time that is more than zero, or returns the one for an absent field.
func (s *skeleton) duration(v cue.Value, absent time.Duration, name string, above ...string) time.Duration {
	text, ok := s.text(v, name, above...)
	if !ok {
		return absent
	}
	d, ok := runbook.ParseDuration(text)
	if !ok || d <= 0 {
		s.problem(fmt.Sprintf("%q is no time to wait", text), "more than nothing, at most 366d", append(above, name)...)
		return absent
	}
	return d
}

// join reads when the step runs although what it needs was skipped, and refuses what its stage cannot have.
func (s *skeleton) join(v cue.Value) {
	text, written := s.text(v, "join")
	s.step.JoinAny = text == "any" || !written && s.step.Stage == runbook.StageFinally
	if field(v, "status").Exists() {
		s.problem("the engine says how a step ended", "leave status out, and refer to it in other steps", "status")
	}
	if s.step.Stage == runbook.StageMain && field(v, "undo").Exists() && field(v, "noUndo").Exists() {
		s.problem("says why there is no undo, and has one", "", "noUndo")
	}
	if s.step.Stage != runbook.StageFinally {
		return
	}
	if field(v, "undo").Exists() {
		s.problem("what a finally step does is not undone", "", "undo")
	}
	if s.step.OnFailure == runbook.FailureUndoes {
		s.problem("a finally step cannot undo the incident", "it runs when all else has ended", "onFailure")
	}
}

func (s *skeleton) timeout(v cue.Value) {
	s.step.Timeout = s.duration(v, s.doc.kind(s.step.Kind).timeout, "timeout")
}

func (s *skeleton) retry(v cue.Value) {
	if !s.known(v, "retry") {
		return
	}
	attempts, err := field(v, "attempts").Int64()
	if err != nil {
		return // the schema has the type, and reported it
	}
	r := runbook.Retry{Attempts: int(attempts)}
	r.Backoff = s.duration(v, 0, "backoff", "retry")
	r.Max = s.duration(v, 0, "max", "retry")
	if f := field(v, "factor"); f.Exists() {
		if x, err := f.Float64(); err == nil {
			r.Factor = x
		}
	}
	if f := field(v, "jitter"); f.Exists() {
		if x, err := f.Float64(); err == nil {
			r.Jitter = x
		}
	}
	s.step.Retry = r
	if r.Attempts > 1 && !s.step.Repeatable() {
		s.problem("a step that changes something is not repeated by itself",
			"say idempotent: true if a second run does no harm", "retry")
	}
}

func (s *skeleton) needs(v cue.Value) {
	f := field(v, "needs")
	if !s.known(f, "needs") {
		return
	}
	var written []string
	if err := f.Decode(&written); err != nil {
		return // the schema has the type, and reported it
	}
	s.step.Needs = written
}

// kind reads what is static inside the kind.
func (s *skeleton) kind(v cue.Value) {
	k := field(v, string(s.step.Kind))
	if s.step.Kind.AsksPeople() {
		s.owner(k)
	}
	switch s.step.Kind {
	case runbook.KindManual: // what a person finds out is written with /done
	case runbook.KindWait:
		s.wait(v, k)
	case runbook.KindChoose:
		s.choose(k, outputType(s.step, v))
	case runbook.KindRunbook:
		s.opens(k, outputType(s.step, v))
		s.traits(k, s.doc.kind(s.step.Kind))
	case runbook.KindActions:
		s.workflow(k)
		s.traits(k, s.doc.kind(s.step.Kind))
	case runbook.KindExec:
		s.programs()
		fallthrough
	default:
		s.traits(k, s.doc.kind(s.step.Kind))
	}
}

// local reports whether p names a file inside the ledger, in its one spelling.
func local(p string) bool {
	return p != "" && p != "." && path.Clean(p) == p && !path.IsAbs(p) && p != ".." && !strings.HasPrefix(p, "../") &&
		!strings.ContainsAny(p, "\x00\\") && p != ".git" && !strings.HasPrefix(p, ".git/")
}
