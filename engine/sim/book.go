package sim

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// The kinds that runners perform; what is in them is of no concern to the core.
const (
	kindExec runbook.Kind = "exec"
	kindHTTP runbook.Kind = "http"
)

// book is a generated runbook.
type book struct {
	Name        string              `json:"name"`
	Command     []string            `json:"command"`
	Concurrency int                 `json:"concurrency,omitempty"`
	Steps       []bookStep          `json:"steps"`
	Calendar    runbook.Calendar    `json:"calendar,omitzero"`
	Glass       *runbook.BreakGlass `json:"glass,omitempty"`
	Edit        *runbook.Approval   `json:"edit,omitempty"` // who approves edits; then the steps say which line makes them

	skeleton *runbook.Plan // as it was made first
}

// bookStep is one step of it.
type bookStep struct {
	Name       string            `json:"name"`
	Kind       runbook.Kind      `json:"kind"`
	Risk       runbook.Risk      `json:"risk"`
	Idempotent bool              `json:"idempotent,omitempty"`
	Needs      []string          `json:"needs,omitempty"` // as written; references come on top
	Uses       string            `json:"uses,omitempty"`  // the step whose output is an argument
	When       *condition        `json:"when,omitempty"`
	JoinAny    bool              `json:"join_any,omitempty"`
	Stage      runbook.Stage     `json:"stage,omitempty"`
	Undoes     string            `json:"undoes,omitempty"`
	Timeout    time.Duration     `json:"timeout"`
	Retry      runbook.Retry     `json:"retry,omitzero"`
	OnFailure  runbook.OnFailure `json:"on_failure"`
	Approval   *runbook.Approval `json:"approval,omitempty"`
	HasOutput  bool              `json:"has_output,omitempty"`
	Wait       *runbook.Wait     `json:"wait,omitempty"`
	Locks      []string          `json:"locks,omitempty"` // sorted
	Each       string            `json:"each,omitempty"`  // the step whose output has the list, or written for one that is written out
	Child      string            `json:"child,omitempty"` // name of the book that it opens
	Every      time.Duration     `json:"every,omitempty"` // how long after its success it is due again
	Said       string            `json:"said,omitempty"`  // what the latest edit has put behind the name of what it does
}

// written is the list of a template that rests on no output.
const written = "written"

// condition is a `when`: a comparison with an output of another step.
type condition struct {
	Step string `json:"step"`
	Over int    `json:"over,omitempty"` // n of the output is more than this; of a choice: it is the first option
}

// text is the book as a file of the ledger.
func (b *book) text() []byte {
	if b.Edit != nil {
		return b.lined()
	}
	return append(jsonOf(b), '\n')
}

func jsonOf(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("sim: a book is always JSON: %v", err)) // unreachable unless bug in this package
	}
	return out
}

// String shows a book to people, one step a line.
func (b *book) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "  concurrency %d\n", b.Concurrency)
	for _, s := range b.Steps {
		text, err := json.Marshal(s)
		if err != nil {
			continue // unreachable: see text
		}
		fmt.Fprintf(&out, "  %s\n", text)
	}
	return strings.TrimRight(out.String(), "\n")
}

// step finds a step of a book; nil where there is none.
func (b *book) step(name string) *bookStep {
	name = strings.TrimSuffix(name, rehearsal)
	for i := range b.Steps {
		if b.Steps[i].Name == name {
			return &b.Steps[i]
		}
	}
	return nil
}

// newBook draws a runbook that vet would accept. child is the name of one that its steps may open, empty for none.
func (w *World) newBook(name, child string) *book {
	r := w.dice.plan
	b := &book{Name: name, Command: commanders(), Concurrency: pick(r, 0, 0, 1, 2)}
	for i := range 1 + r.IntN(6) {
		b.Steps = append(b.Steps, w.drawStep(b, fmt.Sprintf("s%d", i), runbook.StageMain))
	}
	main := len(b.Steps)
	if i := r.IntN(main); child != "" {
		b.Steps[i] = bookStep{Name: b.Steps[i].Name, Kind: runbook.KindRunbook, Risk: runbook.RiskChange, Needs: b.Steps[i].Needs,
			OnFailure: b.Steps[i].OnFailure, Approval: b.Steps[i].Approval, Timeout: longest, Child: child, HasOutput: oneIn(r, 2)}
		for j := range b.Steps {
			b.Steps[j].dropOutput(b.Steps[i].Name, b.Steps[i].HasOutput)
		}
	}
	for i := range main {
		s := b.Steps[i]
		if s.Each != "" && oneIn(r, 2) {
			b.Steps = append(b.Steps, w.undoOfTemplate(s))
		} else if s.Kind.NeedsRunner() && s.Each == "" && oneIn(r, 2) {
			u := w.drawStep(&book{}, s.Name+"_undo", runbook.StageUndo)
			u.Undoes, u.JoinAny, u.Each, u.OnFailure = s.Name, false, "", runbook.FailureHalts
			if u.Locks == nil {
				u.Locks = s.Locks
			}
			b.Steps = append(b.Steps, u)
		}
	}
	for i := range main {
		if s := &b.Steps[i]; b.undone(s.Name) && oneIn(r, 2) {
			s.OnFailure = runbook.FailureUndoes
		}
	}
	for i := range r.IntN(3) {
		b.Steps = append(b.Steps, w.drawStep(b, fmt.Sprintf("f%d", i), runbook.StageFinally))
	}
	w.extend(b)
	return b
}

// longest is the timeout of a step that opens another runbook.
const longest = 366 * 24 * time.Hour

// dropOutput removes the references to the output of a step that has no such output any more; it may have a number.
func (s *bookStep) dropOutput(of string, number bool) {
	if s.Each == of {
		s.Each = written
	}
	if number {
		return
	}
	if s.Uses == of {
		s.Uses = ""
	}
	if s.When != nil && s.When.Step == of {
		s.When = nil
	}
}

// undone reports whether a step, or one that it comes after, has an undo.
func (b *book) undone(name string) bool {
	if b.step(name+"_undo") != nil {
		return true
	}
	s := b.step(name)
	for _, need := range s.needs() {
		if b.undone(need) {
			return true
		}
	}
	return false
}

// needs are all steps that a step comes after, as written and by reference, without doubles.
func (s *bookStep) needs() []string {
	seen := map[string]bool{}
	var out []string
	add := func(name string) {
		if name != "" && !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	for _, n := range s.Needs {
		add(n)
	}
	add(s.Uses)
	if s.Each != written && s.Undoes == "" {
		add(s.Each)
	}
	if s.When != nil {
		add(s.When.Step)
	}
	add(s.Undoes)
	return out
}

// drawStep draws one step that may come after those that the book has.
func (w *World) drawStep(b *book, name string, stage runbook.Stage) bookStep {
	r := w.dice.plan
	s := bookStep{Name: name, Stage: stage, OnFailure: runbook.FailureHalts, JoinAny: stage == runbook.StageFinally,
		Kind: pick(r, kindExec, kindExec, kindExec, kindHTTP, runbook.KindProbe, runbook.KindManual, runbook.KindWait, runbook.KindChoose)}
	s.Risk = runbook.RiskRead
	if s.Kind == kindExec {
		s.Risk = pick(r, runbook.RiskRead, runbook.RiskChange, runbook.RiskChange, runbook.RiskDestructive)
	}
	s.HasOutput = s.Kind == kindExec && oneIn(r, 2) || s.Kind == runbook.KindChoose
	s.Timeout = map[bool]time.Duration{true: pick(r, 30*time.Second, 5*time.Minute), false: 24 * time.Hour}[s.Kind.NeedsRunner()]
	if s.Kind == runbook.KindWait {
		s.Timeout = longest
		s.Wait = &runbook.Wait{For: pick(r, 30*time.Second, 5*time.Minute, time.Hour)}
		if oneIn(r, 4) {
			s.Wait = &runbook.Wait{Window: &runbook.Window{Days: everyDay(), From: 4 * time.Hour, To: 3 * time.Hour}}
		}
	}
	if s.Kind == kindExec && s.Risk != runbook.RiskRead {
		s.Idempotent = oneIn(r, 3)
	}
	if s.Kind.NeedsRunner() && (s.Risk == runbook.RiskRead || s.Idempotent) && oneIn(r, 3) {
		s.Retry = runbook.Retry{Attempts: 2 + r.IntN(2), Backoff: pick(r, time.Second, 20*time.Second), Jitter: pick(r, 0, 0.5)}
	}
	if oneIn(r, 3) {
		s.Approval = w.drawRule()
	}
	if oneIn(r, 5) {
		s.OnFailure = runbook.FailureContinues
	}
	if s.Kind.NeedsRunner() && oneIn(r, 4) {
		s.Locks = pick(r, []string{"db"}, []string{"db", "web"}, []string{"web"})
	}
	w.drawNeeds(b, &s)
	if s.Kind == kindExec && !s.HasOutput && s.Each == "" && oneIn(r, 2) {
		s.Each = written
	}
	if s.Each != "" && s.Stage == runbook.StageMain {
		s.HasOutput = oneIn(r, 2)
	}
	return s
}

// drawNeeds lets a step come after others, and refer to what they put out.
func (w *World) drawNeeds(b *book, s *bookStep) {
	r := w.dice.plan
	for _, up := range b.Steps {
		if up.Stage == runbook.StageUndo || !oneIn(r, 3) {
			continue
		}
		s.Needs = append(s.Needs, up.Name)
		if !up.HasOutput {
			continue
		}
		if s.When == nil && oneIn(r, 2) {
			s.When = &condition{Step: up.Name, Over: r.IntN(3)}
		}
		if s.Uses == "" && s.Kind == kindExec && oneIn(r, 2) {
			s.Uses = up.Name
		}
		if up.Kind == kindExec && up.Each == "" && s.Kind == kindExec && !s.HasOutput && s.Each == "" && oneIn(r, 2) {
			s.Each = up.Name
		}
	}
	if s.Stage == runbook.StageMain && len(s.Needs) > 0 {
		s.JoinAny = oneIn(r, 4)
	}
}

// drawRule draws who has to approve. Grace, and two of the team, do nothing during the trouble that could bar them.
func (w *World) drawRule() *runbook.Approval {
	r := w.dice.plan
	team, grace := runbook.Approval{From: []string{sreTeam}, Count: 1 + r.IntN(2)}, runbook.Approval{From: []string{"grace"}, Count: 1}
	rule := pick(r, team, team, runbook.Approval{From: []string{sreTeam, "grace"}, Count: 2}, runbook.Approval{All: []runbook.Approval{team, grace}},
		runbook.Approval{Any: []runbook.Approval{team, grace}})
	rule.Within = pick(r, 0, 0, 15*time.Minute)
	if rule.Within > 0 && oneIn(w.dice.bent, 2) {
		rule.Within = 2 * time.Minute // over while things still go wrong
	}
	rule.Remind = runbook.ReminderOf(rule.Within)
	if rule.Within > 0 {
		rule.OnTimeout = pick(r, runbook.TimeoutRejects, runbook.TimeoutAborts, runbook.TimeoutEscalates)
	}
	if rule.OnTimeout == runbook.TimeoutEscalates {
		rule.Escalate = []runbook.Approval{{From: []string{"grace", "heidi"}, Count: 1, Within: 15 * time.Minute, Remind: 5 * time.Minute,
			OnTimeout: pick(r, runbook.TimeoutRejects, runbook.TimeoutAborts)}}
	}
	return &rule
}

func everyDay() []time.Weekday {
	return []time.Weekday{time.Sunday, time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday, time.Saturday}
}
