package render

import (
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// class is what a step looks like in the graph.
type class string

const (
	classWaiting class = "waiting"
	classGate    class = "gate" // people are asked
	classRunning class = "running"
	classDone    class = "done"
	classFailed  class = "failed"
	classSkipped class = "skipped"
)

// row is one step as people see it.
type row struct {
	step    runbook.Step
	st      incident.StepState
	index   int       // in the frozen plan; of an element, that of its template
	retry   time.Time // when it is tried again by itself, zero if it is not
	class   class
	look    class                // in the graph, where that is another one
	word    string               // what it is, in Markdown, without the time
	settled bool                 // the plan goes on after it
	halts   bool                 // it has failed, and the plan does not go on by itself
	locked  []incident.LockedOut // locks without which it would start now
}

// board is everything that one rendering looks at.
type board struct {
	plan  runbook.Plan // with the elements that are settled
	state incident.State
	view  incident.View
	rows  []row

	written []row                    // without those of elements
	under   map[try]bool             // attempts that are with a runner
	ended   map[string]runbook.Ended // what steps that have not begun need not wait for any more
	next    string                   // the step whose turn it is to be undone
}

// try names one attempt of a step.
type try struct {
	step   string
	number int
}

func newBoard(p runbook.Plan, s incident.State, v incident.View) board {
	p = s.Expand(p)
	b := blank(p, s, v).abreast()
	b.rows = b.rowsOf(p.Steps, 0)
	b.written = b.collapsed()
	return b
}

// blank is a board without rows.
func blank(p runbook.Plan, s incident.State, v incident.View) board {
	b := board{plan: p, state: s, view: v, under: map[try]bool{}}
	for _, a := range v.Attempts {
		if a.State == incident.AttemptQueued || a.State == incident.AttemptRunning {
			b.under[try{a.Step, a.Number}] = true
		}
	}
	return b
}

// abreast adds what a step that has not begun must know of all others.
func (b board) abreast() board {
	b.ended = b.state.Ended(b.plan)
	if b.state.Stage() == runbook.StageUndo {
		next, _ := b.state.NextUndo(b.state.Expand(b.plan))
		b.next = next.Name
	}
	return b
}

// rowsOf makes the rows of some steps of the plan, in its order: of those that people have to know of. index is the place of the
// first of them in the frozen plan.
func (b board) rowsOf(steps []runbook.Step, index int) []row {
	rows, count := make([]row, 0, len(steps)), tally{}
	for _, step := range steps {
		at := index
		if step.Of == "" {
			index++
		}
		if !matters(b.state, step) {
			continue
		}
		r := b.row(step, at)
		switch { // elements stand before their template
		case step.Of != "":
			count.add(r)
		case step.Each:
			r.collect(count)
			count = tally{}
		}
		rows = append(rows, r)
	}
	return rows
}

// row is one step; of a template without how far its elements are.
func (b board) row(step runbook.Step, index int) row {
	s, st := b.state, b.state.Step(step.Name)
	r := row{step: step, st: st, index: index, retry: s.RetryAt(step)}
	over := s.Settled(step)
	r.settled = over && st.Over()
	r.halts = step.Stage == s.Stage() && st.Over() && !over && r.retry.IsZero()
	r.class, r.word = stands(r, b.under[try{step.Name, st.Attempt + 1}])
	switch {
	case r.word == "":
		r.word = b.idle(step)
	case r.waitsForChild():
		r.class, r.word = b.childStands(r)
	case r.waitsForRun():
		r.class, r.word = b.runStands(r)
	}
	if r.locked = b.lockedOut(r); len(r.locked) > 0 {
		r.class, r.word = classWaiting, lockWord(r)
	}
	return r
}

// only is the row of one step, as the whole board would have it.
func (b board) only(name string) (r row, ok bool) {
	step, index, ok := b.state.Find(b.plan, name)
	if !ok {
		return row{}, false
	}
	if step.Each || !b.state.Step(name).Over() {
		b = b.abreast()
	}
	steps := []runbook.Step{step}
	if step.Each {
		steps = b.state.Expand(runbook.Plan{Steps: steps}).Steps
	}
	rows := b.rowsOf(steps, index)
	if len(rows) == 0 || rows[len(rows)-1].step.Name != name {
		return row{}, false
	}
	return rows[len(rows)-1], true
}

// matters reports whether people have to know of a step: of an undo step only while something is undone that it undoes.
func matters(s incident.State, step runbook.Step) bool {
	if step.Each && step.Stage == runbook.StageUndo {
		return s.Undo != nil && undoMatters(s, step)
	}
	return step.Stage != runbook.StageUndo || s.Step(step.Name).Seq > 0 || s.Undo != nil && s.Step(step.Undoes).Happened()
}

// stands gives the class and the word of a step. begun says that its next attempt is with a runner. The word of a step
// that has not begun is empty.
func stands(r row, begun bool) (class, string) {
	switch r.st.Phase {
	case incident.PhaseGate:
		return classGate, "waits for approval"
	case incident.PhaseUnknown:
		if r.st.Closed {
			return classFailed, "outcome unknown"
		}
		return classGate, "did it happen?"
	case incident.PhaseStarted:
		return started(r.st)
	case incident.PhaseEnded:
		return endedAs(r, begun)
	case incident.PhaseByHand:
		return classDone, "done by hand"
	case incident.PhaseSkipped:
		return classSkipped, "skipped"
	case incident.PhaseBroken:
		return classFailed, "broken"
	case incident.PhaseRefused:
		return classFailed, "refused"
	case incident.PhaseEach:
		return classRunning, "waits for its elements"
	case incident.PhaseCleared:
		return classWaiting, "approved, about to start"
	}
	if begun {
		return classRunning, "running"
	}
	return classWaiting, ""
}

func started(st incident.StepState) (class, string) {
	switch st.Kind {
	case runbook.KindManual:
		return classGate, "waits for a person"
	case runbook.KindChoose:
		return classGate, "waits for a choice"
	case runbook.KindWait:
		return classWaiting, "waits until " + stamp(st.Deadline)
	}
	return classRunning, "running"
}

func endedAs(r row, begun bool) (class, string) {
	switch {
	case r.st.Conclusion == runbook.Succeeded && r.st.WouldRun:
		return classDone, wouldRun
	case r.st.Conclusion == runbook.Succeeded:
		return classDone, "succeeded"
	case begun:
		return classRunning, "running again"
	case !r.retry.IsZero():
		return classFailed, ended(r.st.Conclusion) + ", next attempt not before " + stamp(r.retry)
	}
	return classFailed, ended(r.st.Conclusion)
}

// idle says what a step that has not begun is waiting for.
func (b board) idle(step runbook.Step) string {
	now := b.state.Stage()
	if b.state.End != "" || b.state.Stopped() || now != step.Stage && step.Stage != runbook.StageFinally {
		return "not started"
	}
	if step.Stage == runbook.StageFinally && now != step.Stage {
		return "at the end"
	}
	if step.Stage == runbook.StageUndo {
		if b.next != step.Name {
			return "its turn comes"
		}
		return nextWord
	}
	var after []string
	for _, need := range step.Needs {
		if _, ok := b.ended[need]; !ok {
			after = append(after, code(need))
		}
	}
	if len(after) > 0 {
		return "after " + bounded(after, ", ", 200)
	}
	return nextWord
}

// nextWord is what a step is of which nothing is known that it waits for.
const nextWord = "next"

// timed reports whether the row waits for a time.
func (r row) timed() bool {
	return r.st.Phase == incident.PhaseStarted && r.st.Kind == runbook.KindWait
}

// open reports whether people are asked about the row.
func (r row) open() bool { return r.class == classGate }

// when is the time that belongs to the word: since when it waits or runs, or when it came to its end.
func (r row) when() time.Time {
	switch {
	case r.st.Phase == incident.PhaseGate:
		return r.st.Gate.Opened
	case r.st.Over():
		return r.st.Ended
	case r.st.Phase == incident.PhaseStarted || r.st.Phase == incident.PhaseUnknown:
		return r.st.Started
	}
	return time.Time{}
}

// expires is when the time of an open gate is over, zero if never.
func (r row) expires() time.Time {
	if r.st.Phase != incident.PhaseGate {
		return time.Time{}
	}
	return r.st.Gate.Expires()
}

// pick returns the rows that match.
func (b board) pick(match func(row) bool) []row {
	var out []row
	for _, r := range b.rows {
		if match(r) {
			out = append(out, r)
		}
	}
	return out
}

// names lists the steps of some rows as code, at most eight of them.
func names(rows []row) string {
	const shown = 8
	var out []string
	for _, r := range rows[:min(len(rows), shown)] {
		out = append(out, code(r.step.Name))
	}
	if n := len(rows) - shown; n > 0 {
		return strings.Join(out, ", ") + " and " + plural(n, "more", "more")
	}
	return strings.Join(out, ", ")
}
