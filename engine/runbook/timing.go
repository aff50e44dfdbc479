package runbook

import (
	"slices"
	"time"
)

// OnTimeout says what follows when nobody has answered a gate in time. Nothing ever approves it.
type OnTimeout string

// What may follow.
const (
	TimeoutRejects   OnTimeout = ""         // the step is refused
	TimeoutAborts    OnTimeout = "abort"    // the step is refused, and the incident stops as by /cancel
	TimeoutEscalates OnTimeout = "escalate" // the next list of people is asked too
)

// Bounds of the time of a rule.
const (
	MaxEscalations = 5
	leastReminded  = 3 * time.Minute // who has less than this is not reminded by default
)

// ReminderOf is how long before the end people are reminded where the author does not say it: when a third of the time is
// left.
func ReminderOf(within time.Duration) time.Duration {
	if within < leastReminded {
		return 0
	}
	return (within / 3).Truncate(time.Second)
}

// At is the rule in force after some escalations: whoever could meet it before still can, and so can each list that has
// been asked since. Its time is that of the latest list.
func (a Approval) At(level int) Approval {
	level = min(max(level, 0), len(a.Escalate))
	if level == 0 {
		return a
	}
	out := a.Escalate[level-1].timing()
	out.NoGlass = a.NoGlass
	if out.OnTimeout = a.Escalate[level-1].OnTimeout; level < len(a.Escalate) {
		out.OnTimeout = TimeoutEscalates
	}
	out.Any = []Approval{a.parts()}
	for _, next := range a.Escalate[:level] {
		out.Any = append(out.Any, next.parts())
	}
	return out
}

// Everybody lists the users and teams that a rule can ask at any time, each once.
func (a Approval) Everybody() []string { return a.At(len(a.Escalate)).People() }

// parts is the rule without its time.
func (a Approval) parts() Approval {
	return Approval{From: a.From, Count: a.Count, Whence: a.Whence, All: a.All, Any: a.Any}
}

// timing is the time of a rule without its parts.
func (a Approval) timing() Approval {
	return Approval{Within: a.Within, OnTimeout: a.OnTimeout, Remind: a.Remind, NoGlass: a.NoGlass}
}

// each makes another rule of a rule and of each list that it escalates to. The time stays as it is.
func (a Approval) each(make func(Approval) Approval) Approval {
	out := a.timing()
	rule := make(a.parts())
	out.From, out.Count, out.Whence, out.All, out.Any = rule.From, rule.Count, rule.Whence, rule.All, rule.Any
	for _, next := range a.Escalate {
		out.Escalate = append(out.Escalate, next.each(make))
	}
	return out
}

// timed says the time of a rule in words, with lengths of time in a form.
func (a Approval) timed(form func(time.Duration) string) string {
	if a.Within <= 0 {
		return ""
	}
	s := " within " + form(a.Within.Round(time.Second))
	if a.OnTimeout == TimeoutAborts {
		s += ", then the incident is aborted"
	}
	return s
}

// sameTime reports whether two rules have the same time and escalate to the same lists.
func (a Approval) sameTime(b Approval) bool {
	same := func(x, y Approval) bool { return x.equal(y) }
	return a.Within == b.Within && a.OnTimeout == b.OnTimeout && a.Remind == b.Remind && a.NoGlass == b.NoGlass && slices.EqualFunc(a.Escalate, b.Escalate, same)
}
