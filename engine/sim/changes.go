package sim

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// lined is the book as a file of the ledger with each step on a line of its own, so that an edit of one changes no other.
func (b *book) lined() []byte {
	head := *b
	head.Steps = []bookStep{}
	lines := make([][]byte, len(b.Steps))
	for i, s := range b.Steps {
		lines[i] = append(jsonOf(s), '\n')
	}
	steps := slices.Concat([]byte(`"steps":[`+"\n"), bytes.Join(lines, []byte(",\n")), []byte("]"))
	return append(bytes.Replace(jsonOf(head), []byte(`"steps":[]`), steps, 1), '\n')
}

// linesOf are the lines of the file that make a step, where that is asked for.
func (b *book) linesOf(i int) []runbook.Lines {
	if b.Edit == nil {
		return nil
	}
	return []runbook.Lines{{File: "runbooks/" + b.Name + ".cue", From: 2 + 2*i, To: 2 + 2*i}}
}

// called is what a step does, in the words that stand in what runners and people get.
func (s *bookStep) called() string {
	if s.Said == "" {
		return s.Name
	}
	return s.Name + "-" + s.Said
}

// mistake says what is wrong with a book as a runbook, or nothing.
func (b *book) mistake() string {
	for i := range b.Steps {
		for _, need := range b.Steps[i].needs() {
			if b.step(need) == nil {
				return b.Steps[i].Name + " needs " + need + ", which is no step"
			}
		}
	}
	if len(b.Steps) == 0 {
		return "it has no steps"
	}
	return ""
}

// change changes something of a book that an incident follows, and says what in a few words.
func (e *editing) change(b *book, rec *record) string {
	r := e.w.dice.edits
	if len(b.Steps) == 0 {
		return "nothing is left"
	}
	s := &b.Steps[r.IntN(len(b.Steps))]
	for i := range b.Steps { // what people are asked about just now is edited most
		if rec.state.Step(b.Steps[i].Name).Phase == incident.PhaseGate && oneIn(r, 2) {
			s = &b.Steps[i]
		}
	}
	for range 3 { // and seldom what has its turn behind it
		if rec.edits.ran[s.Name] {
			s = &b.Steps[r.IntN(len(b.Steps))]
		}
	}
	switch n := r.IntN(16); {
	case n < 4:
		return e.add(b)
	case n == 4 && s.Approval != nil:
		s.Approval = pick(r, nil, &runbook.Approval{From: []string{"alice", "bob"}, Count: 1})
		return "who approves " + s.Name
	case n == 5 && s.Approval != nil:
		rule := *s.Approval
		rule.Escalate = append(slices.Clone(rule.Escalate), runbook.Approval{From: []string{"alice"}, Count: 1, Within: time.Minute})
		s.Approval = &rule
		return "to whom " + s.Name + " is escalated"
	case n == 6:
		gone := s.Name
		b.Steps = slices.DeleteFunc(b.Steps, func(s bookStep) bool { return len(b.Steps) > 1 && (s.Name == gone || s.Undoes == gone) })
		return "without " + gone
	case n == 7:
		s.OnFailure = map[bool]runbook.OnFailure{true: runbook.FailureContinues, false: runbook.FailureHalts}[s.OnFailure == runbook.FailureHalts]
		return s.Name + " " + string(s.OnFailure)
	case n == 8 && s.Kind.NeedsRunner():
		s.Timeout += time.Second
		return "the timeout of " + s.Name
	case s.Wait != nil && s.Wait.For > 0:
		s.Wait = &runbook.Wait{For: pick(r, 10*time.Second, 2*time.Minute)}
		return fmt.Sprintf("%s waits %s", s.Name, s.Wait.For)
	}
	e.made++
	s.Said = fmt.Sprintf("w%03d", e.made)
	return s.called()
}

// add puts a step behind another one that has perhaps not begun.
func (e *editing) add(b *book) string {
	r := e.w.dice.edits
	e.made++
	s := bookStep{Name: fmt.Sprintf("e%d", e.made), Kind: kindExec, Risk: pick(r, runbook.RiskRead, runbook.RiskChange, runbook.RiskChange), Timeout: 30 * time.Second,
		OnFailure: pick(r, runbook.FailureHalts, runbook.FailureContinues)}
	if up := &b.Steps[r.IntN(len(b.Steps))]; up.Stage == runbook.StageMain {
		s.Needs = []string{up.Name}
	}
	if oneIn(r, 2) {
		s.Approval = &runbook.Approval{From: []string{sreTeam, "grace"}, Count: 1 + r.IntN(2)}
	}
	b.Steps = append(b.Steps, s)
	return fmt.Sprintf("%s behind %v", s.Name, s.Needs)
}
