package cueval

import (
	"fmt"
	"slices"
	"strconv"

	"cuelang.org/go/cue"

	"github.com/pullbook/pullbook/engine/runbook"
)

// timing reads how long people have to answer, what follows, and when they are reminded.
func (s *skeleton) timing(v cue.Value, rule *runbook.Approval, at ...string) {
	rule.Within = s.duration(v, 0, "within", at...)
	what, written := s.text(v, "onTimeout", at...)
	if what != "reject" {
		rule.OnTimeout = runbook.OnTimeout(what)
	}
	rule.Remind = s.duration(v, runbook.ReminderOf(rule.Within), "remind", at...)
	place := func(name string) []string { return append(slices.Clone(at), name) }
	reminds := field(v, "remind").Exists()
	switch {
	case rule.Within == 0 && written:
		s.problem("nothing runs out without a time", "write within: as well", place("onTimeout")...)
	case rule.Within == 0 && reminds:
		s.problem("there is no time to remind people of", "write within: as well", place("remind")...)
	case reminds && rule.Remind >= rule.Within:
		s.problem("people would be reminded before they are asked", "remind is how long before the time is over", place("remind")...)
	}
}

// escalations reads the lists of people that are asked when others have not answered.
func (s *skeleton) escalations(v cue.Value, rule *runbook.Approval) {
	if allowed, err := field(v, "breakGlass").Bool(); err == nil {
		rule.NoGlass = !allowed
	}
	it, err := field(v, "escalateTo").List()
	for i := 0; err == nil && it.Next(); i++ {
		at := []string{"approval", "escalateTo", strconv.Itoa(i)}
		next := ruleOf(it.Value())
		s.named(&next, at...)
		s.misfitted(misfitOfRule(next, at...))
		s.timing(it.Value(), &next, at...)
		rule.Escalate = append(rule.Escalate, next)
	}
	escalates := rule.OnTimeout == runbook.TimeoutEscalates
	switch n := len(rule.Escalate); {
	case escalates && n == 0:
		s.problem("nobody is named to whom it is escalated", "write escalateTo: [{from: [...]}]", "approval", "onTimeout")
	case !escalates && n > 0:
		s.problem("nobody of it is ever asked", `write onTimeout: "escalate"`, "approval", "escalateTo")
	case n > runbook.MaxEscalations:
		s.problem(fmt.Sprintf("has %d lists of people", n), fmt.Sprintf("at most %d", runbook.MaxEscalations), "approval", "escalateTo")
	}
	for i, next := range rule.Escalate {
		at := []string{"approval", "escalateTo", strconv.Itoa(i)}
		switch last := i == len(rule.Escalate)-1; {
		case !last && next.OnTimeout != runbook.TimeoutRejects:
			s.problem("only the last list says what follows", "the others escalate to the next one", append(at, "onTimeout")...)
		case !last && next.Within == 0:
			s.problem("the lists after this one are never asked", "say within how long it has to answer", at...)
		}
	}
}
