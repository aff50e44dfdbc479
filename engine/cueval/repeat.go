package cueval

import (
	"fmt"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// leastEvery is the shortest time between two repetitions: each is two pushes, and a hub takes few of them a minute.
const leastEvery = time.Minute

// repeats reads how long after its success a step is due again.
func (s *skeleton) repeats(text string, at ...string) {
	every, ok := runbook.ParseDuration(text)
	switch {
	case !ok || every <= 0:
		return // reported as any other length of time
	case every < leastEvery:
		s.problem(fmt.Sprintf("%q is too often", text), "at least 1m", at...)
	case s.step.Stage != runbook.StageMain:
		s.problem(fmt.Sprintf("%s steps are not repeated", s.step.Stage), "what is repeated until the incident is mitigated is one of steps", at...)
	}
	if locks := field(s.doc.static().LookupPath(s.doc.homeOf[s.step.Name].at), "locks"); locks.Exists() {
		s.problem("a step that is repeated takes no lock", "its repetitions would not take it", "locks")
	}
	s.step.Every = every
}
