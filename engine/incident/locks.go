package incident

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// Holder says who holds a lock, or who waits for it and comes first.
type Holder struct {
	Incident ID
	Step     string
	Since    time.Time // of the intent that took it; of one who waits, since when
	PullURL  string    // of the incident's pull request; empty while there is none
	Waits    bool      // it does not hold the lock yet
}

// Waiting is a step that waits for locks, and all the locks that it needs. Nobody who came later takes one of them.
type Waiting struct {
	Holder
	Locks []string
}

// Before reports whether a step came before one of another incident.
func (w Waiting) Before(other Waiting) bool {
	if w.Since.Equal(other.Since) {
		return w.Incident < other.Incident
	}
	return w.Since.Before(other.Since)
}

// LockedOut is a lock that a step needs and cannot have yet.
type LockedOut struct {
	Lock string
	By   Holder
}

// Locks gives the locks that the incident holds, with the steps that hold them. A step takes all of its locks with its
// intent and holds them until its attempt has come to an end that is known: while it runs, while people are asked to do it,
// while a time is waited for, and while nobody knows whether it happened. An attempt that failed holds nothing; the next
// one takes the locks anew. With the end of the incident all its locks are free.
func (s State) Locks() map[string]Holder {
	out := make(map[string]Holder, len(s.locks))
	for lock, step := range s.locks {
		out[lock] = Holder{Incident: s.Opened.ID, Step: step, Since: s.Steps[step].Started, PullURL: s.PullURL}
	}
	return out
}

// Keeps gives the locks that others cannot have because of this incident: those that it holds. Where nothing more is
// recorded, the step queue says what has come to an end:
//
//   - On a frozen branch a lock is kept until its attempt has an outcome that is known. What people were asked to do, and
//     what nobody knows, they may still be doing: it is kept until the branch is thawed or gone from the ledger.
//   - After a merge by hand, and when the branch was deleted, the incident is gone: nobody is asked and nothing is looked
//     after any more. A lock is kept only while its attempt is queued or running.
func (s State) Keeps(v View) map[string]Holder {
	held := s.Locks()
	over := v.Branch.Deleted || v.Pull != nil && v.Pull.Merged
	if !over && v.Branch.Foreign == nil && !v.Branch.Gone {
		return held
	}
	maps.DeleteFunc(held, func(_ string, by Holder) bool {
		number := s.Steps[by.Step].Attempt
		i := slices.IndexFunc(v.Attempts, func(a Attempt) bool { return a.Step == by.Step && a.Number == number })
		switch {
		case over:
			return i < 0 || !v.Attempts[i].underWay()
		case i < 0:
			return false
		}
		return v.Attempts[i].Outcome != nil && v.Attempts[i].Outcome.Conclusion != runbook.Unknown
	})
	return held
}

func (a Attempt) underWay() bool { return a.State == AttemptQueued || a.State == AttemptRunning }

// LockedOut lists the locks that a step which is ready needs and cannot have now, in the order of their names: another step
// of the incident or another incident holds them, or a step of another incident waits for them that came first. What a step
// holds of which nobody is asked any more whether it happened keeps others out, and not the finally steps of the incident: with its
// end it would be free.
func (s State) LockedOut(step runbook.Step, v View) (out []LockedOut) {
	for _, lock := range step.Now.Locks {
		by, held := v.Locks[lock]
		own, ours := s.locks[lock]
		if ours && s.Steps[own].Closed {
			continue
		}
		if ours && own != step.Name {
			by, held = Holder{Incident: s.Opened.ID, Step: own, Since: s.Steps[own].Started, PullURL: s.PullURL}, true
		}
		if !held {
			by, held = s.first(step, lock, v.Queue)
		}
		if held {
			out = append(out, LockedOut{lock, by})
		}
	}
	return out
}

// first finds who of a queue comes first for a lock that a step needs, if that is before the step.
func (s State) first(step runbook.Step, lock string, queue []Waiting) (by Holder, found bool) {
	front := s.waiting(step)
	for _, w := range queue {
		if w.Before(front) && slices.Contains(w.Locks, lock) {
			front, found = w, true
		}
	}
	return front.Holder, found
}

// waiting is a step that is ready as one that waits.
func (s State) waiting(step runbook.Step) Waiting {
	return Waiting{Holder{Incident: s.Opened.ID, Step: step.Name, Since: s.readySince(step), PullURL: s.PullURL, Waits: true}, step.Now.Locks}
}

// readySince is since when a step that is ready could have run, by the journal alone: what it needs has ended, its gate was
// opened, and its attempt before was over. So its place in the queue is the same for whoever looks, and whenever.
func (s State) readySince(step runbook.Step) time.Time {
	own := s.Step(step.Name)
	at := s.OpenedAt
	for _, then := range []time.Time{own.Ended, own.Gate.Opened} {
		if then.After(at) {
			at = then
		}
	}
	for _, need := range step.Needs {
		if then := s.Step(need).Ended; then.After(at) {
			at = then
		}
	}
	return at
}

// holds reports whether the locks of the latest attempt are taken.
func (s StepState) holds() bool { return s.Phase == PhaseStarted || s.Phase == PhaseUnknown }

// lockable checks that a step may take the locks of its intent.
func (s *State) lockable(d StepStarted) error {
	for i, lock := range d.Locks {
		switch by, held := s.locks[lock]; {
		case held && !s.Steps[by].Closed:
			return fmt.Errorf("step %s takes the lock %s, which step %s holds", d.Step, lock, by)
		case i > 0 && d.Locks[i-1] >= lock:
			return fmt.Errorf("the locks of step %s are not in order, each once", d.Step)
		}
	}
	return nil
}

// relock moves the locks of a step along with it.
func (s *State) relock(name string, before, after StepState) {
	if before.holds() {
		for _, lock := range before.Locks {
			if s.locks[lock] == name {
				delete(s.locks, lock)
			}
		}
	}
	if after.holds() {
		for _, lock := range after.Locks {
			s.locks[lock] = name
		}
	}
}

// waits reports whether a step has to wait until another one has ended: for room, or for a lock.
func (d *decider) waits(step runbook.Step) bool {
	if d.full(step) {
		return true
	}
	out := d.state.LockedOut(step, d.view)
	foreign := false
	for _, o := range out {
		d.locked = append(d.locked, lockedStep{step.Name, o})
		if o.By.Incident == d.state.Opened.ID {
			continue
		}
		if foreign = true; !slices.Contains(d.awaited.Names, o.Lock) {
			d.awaited.Names = append(d.awaited.Names, o.Lock)
		}
	}
	if foreign {
		d.awaited.Steps = append(d.awaited.Steps, d.state.waiting(step))
	}
	return len(out) > 0
}

// lockedStep is a step that would start if it could have a lock.
type lockedStep struct {
	step string
	LockedOut
}

// lockedOut reports whether a step would start if it could have a lock.
func (d *decider) lockedOut(step string) bool {
	return slices.ContainsFunc(d.locked, func(l lockedStep) bool { return l.step == step })
}

// frees reports whether a lock that was held before this look is free after it: others wait for that to be on the remote
// branch.
func (d *decider) frees(before State) bool {
	for lock := range before.locks {
		if _, held := d.state.locks[lock]; !held {
			return true
		}
	}
	return false
}

// locksText says what steps wait for locks, and who holds them; empty if none does.
func (d *decider) locksText() string {
	var lines []string
	for _, l := range d.locked {
		by := "step " + l.By.Step
		if l.By.Incident != d.state.Opened.ID {
			by += " of incident " + string(l.By.Incident)
			if l.By.PullURL != "" {
				by += " (" + l.By.PullURL + ")"
			}
		}
		how := "held by"
		if l.By.Waits {
			how = "for which it comes after"
		}
		lines = append(lines, fmt.Sprintf("Step %s waits for the lock `%s`, %s %s since %s UTC.", l.step, l.Lock, how, by,
			l.By.Since.UTC().Format("2006-01-02 15:04:05")))
	}
	return strings.Join(lines, "\n\n")
}
