package incident

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// GateReminded records that people were reminded of an open gate, once for each list of people that is asked.
type GateReminded struct {
	Step  string `json:"step"`
	Level int    `json:"level,omitempty"` // how often it was escalated before
}

// GateEscalated records that the next list of people is asked too. The page stays, and so does what was approved of it.
type GateEscalated struct {
	Step  string `json:"step"`
	Level int    `json:"level"` // from 1
	Why   string `json:"why"`   // EscalatedInTime, or who is left, one sentence
}

// EscalatedInTime is why a gate is escalated when its time is over.
const EscalatedInTime = "nobody answered in time"

// Kind implements Data.
func (GateReminded) Kind() string { return "gate-reminded" }

// Kind implements Data.
func (GateEscalated) Kind() string { return "gate-escalated" }

// Expires is when the time of an open gate is over; zero if it has none.
func (g Gate) Expires() time.Time {
	if g.Rule.Within <= 0 {
		return time.Time{}
	}
	return g.Since.Add(g.Rule.Within)
}

// Answered reports whether a decision on the gate approves it by votes that were given in time. Such a gate does not
// expire, whatever keeps its step from starting.
func (g Gate) Answered(answer approval.Decision) bool {
	if answer.Verdict.Status != approval.StatusApproved {
		return false
	}
	expires := g.Expires()
	if b := answer.Broken; b != nil {
		return expires.IsZero() || b.At.Before(expires)
	}
	var timely []approval.Vote
	for _, v := range answer.Votes {
		if expires.IsZero() || v.At.Before(expires) {
			timely = append(timely, v)
		}
	}
	return approval.Met(g.Rule, approval.Voters(timely))
}

func (s *State) gateReminded(e Event, d GateReminded) error {
	st := s.Step(d.Step)
	switch {
	case st.Phase != PhaseGate:
		return errNoGate(d.Step)
	case st.Gate.Reminded || st.Gate.Level != d.Level:
		return fmt.Errorf("people were reminded of step %s already, or others are asked by now", d.Step)
	}
	st.Gate.Reminded = true
	s.set(d.Step, st)
	return nil
}

func (s *State) gateEscalated(e Event, d GateEscalated) error {
	st := s.Step(d.Step)
	switch {
	case st.Phase != PhaseGate:
		return errNoGate(d.Step)
	case d.Level != st.Gate.Level+1 || d.Level > len(st.Gate.Asked.Escalate):
		return fmt.Errorf("step %s has no list of people %d to ask after %d", d.Step, d.Level, st.Gate.Level)
	}
	st.Gate.Level, st.Gate.Why, st.Gate.Since, st.Gate.Reminded = d.Level, d.Why, e.At, false
	st.Gate.Rule = st.Gate.Asked.At(d.Level)
	st.since = e.Seq
	s.set(d.Step, st)
	return nil
}

// gateExpired refuses a step whose gate nobody answered, and stops the stage where the author said so.
func (s *State) gateExpired(e Event, d GateExpired) error {
	if err := s.gateRefused(e, d.Step, "nobody approved it in time"); err != nil || !d.Abort {
		return err
	}
	if s.Aborted == nil {
		s.Aborted = &d
	}
	s.stopped[s.Stage()] = true
	s.closeGates(e.Seq)
	return nil
}

// timeOver does what the rule of a gate says when nobody has answered it in time.
func (d *decider) timeOver(step runbook.Step, st StepState) {
	if st.Gate.Rule.OnTimeout == runbook.TimeoutEscalates && st.Gate.Level < len(st.Gate.Asked.Escalate) {
		d.escalate(step, st, EscalatedInTime)
		return
	}
	abort := st.Gate.Rule.OnTimeout == runbook.TimeoutAborts
	d.stale = d.record(GateExpired{Step: step.Name, Abort: abort}) || d.stale
	d.flushFor("a gate expired")
}

func (d *decider) escalate(step runbook.Step, st StepState, why string) {
	if !d.record(GateEscalated{Step: step.Name, Level: st.Gate.Level + 1, Why: why}) {
		return
	}
	d.asking = true
	d.flushFor("others are asked about " + step.Name)
	d.wakeForGate(step)
}

// pending waits for the answer to a gate, reminds people of it, and asks others where nobody is left who could give it.
func (d *decider) pending(step runbook.Step, st StepState, answer approval.Decision) {
	d.asking = true
	switch due := st.Gate.reminds(); {
	case answer.Verdict.Status != approval.StatusPending:
		return // it is approved, and waits for something else
	case answer.Stranded != "" && st.Gate.Level < len(st.Gate.Asked.Escalate):
		d.escalate(step, st, answer.Stranded)
		return
	case !due.IsZero() && !d.now.Before(due) && d.record(GateReminded{Step: step.Name, Level: st.Gate.Level}):
		d.flushFor("people are reminded of " + step.Name)
	}
	d.wakeForGate(step)
}

// reminds is when people are to be reminded of a gate; zero if they are not, or were already.
func (g Gate) reminds() time.Time {
	if g.Reminded || g.Rule.Within <= 0 || g.Rule.Remind <= 0 {
		return time.Time{}
	}
	return g.Expires().Add(-g.Rule.Remind)
}

// wakeForGate asks for a look when something is due for an open gate by itself.
func (d *decider) wakeForGate(step runbook.Step) {
	gate := d.state.Step(step.Name).Gate
	d.wakeForCalendar(step)
	if at := gate.reminds(); at.After(d.now) {
		d.wakeAt(at, "people are reminded of "+step.Name)
	}
	if at := gate.Expires(); at.After(d.now) {
		d.wakeAt(at, "the gate of "+step.Name+" expires")
	}
}

// remind tells those who are asked what the time of each open gate has brought, once for each event.
func (d *decider) remind() {
	for step, st := range d.astir() {
		if st.Phase != PhaseGate {
			continue
		}
		key := fmt.Sprintf("gate-%s-%d", step.Name, st.since)
		asked := d.helpers(step)
		answer := d.answer(d.approvalGate(step, st))
		if answer.Verdict.Status != approval.StatusPending {
			continue
		}
		if st.Gate.Level > 0 {
			d.announce(key+"-escalated", fmt.Sprintf("**Escalated:** the gate of `%s` asks more people, since %s.%s%s", step.Name, st.Gate.Why,
				st.Gate.until(), call(asked)))
		}
		if st.Gate.Reminded {
			d.announce(key+"-reminder", fmt.Sprintf("**Reminder:** `%s` waits for approval.%s%s", step.Name, st.Gate.until(), call(asked)))
		}
		if answer.Stranded != "" {
			d.announce(key+"-stranded", fmt.Sprintf("**Nobody can open the gate of `%s`:** %s. It stays closed until that changes.%s",
				step.Name, answer.Stranded, call(asked)))
		}
	}
}

// until says when the time of a gate is over, as a sentence; empty if it has none.
func (g Gate) until() string {
	if g.Expires().IsZero() {
		return ""
	}
	return " The gate " + g.ends() + "."
}

// ends says what happens to an open gate by itself, as the end of a sentence about it.
func (g Gate) ends() string {
	what := map[runbook.OnTimeout]string{runbook.TimeoutRejects: "is refused", runbook.TimeoutAborts: "is refused and the incident aborted",
		runbook.TimeoutEscalates: "asks more people"}
	return what[g.Rule.OnTimeout] + " at " + g.Expires().UTC().Format("2006-01-02 15:04:05") + " UTC if nobody answers"
}

// Ends says what happens to an open gate by itself, and when; empty if nothing does.
func (g Gate) Ends() string {
	if g.Expires().IsZero() {
		return ""
	}
	return g.ends()
}

var plainWho = regexp.MustCompile(`^[A-Za-z0-9-]+(/[A-Za-z0-9_.-]+)?$`)

// call mentions users and teams of the plan, so that the hub notifies them. It is the only text of the engine that does.
func call(who []string) string {
	var out strings.Builder
	for _, name := range who {
		if plainWho.MatchString(name) {
			out.WriteString(" @" + name)
		}
	}
	if out.Len() == 0 {
		return ""
	}
	return " Asked:" + out.String()
}

// announce writes a comment once, after all else that people see.
func (d *decider) announce(key, text string) {
	if d.view.Pull != nil && !d.answered(key) {
		d.actions = append(d.actions, Reply{Key: key, Text: text})
	}
}

// TeamsAsked lists the teams that open gates ask, sorted.
func (s State) TeamsAsked() (teams []string) {
	for _, st := range s.Steps {
		if st.Phase != PhaseGate {
			continue
		}
		for _, who := range st.Gate.Rule.People() {
			if strings.Contains(who, "/") && !slices.Contains(teams, who) {
				teams = append(teams, who)
			}
		}
	}
	slices.Sort(teams)
	return teams
}
