package sim

import (
	"strings"
	"testing"
	"time"
)

// slowOpening lets the first engine stand still when it pushes its first opening. Another one opens the incident meanwhile, and
// somebody deletes the branch as soon as there is a pull request.
type slowOpening struct {
	w       *World
	paused  bool
	deleted bool
}

func (s *slowOpening) at(_ *process, pt Point) Fault {
	if s.paused || !pt.below("journal.flush.") {
		return NoFault
	}
	s.paused = true
	return Paused
}

func (s *slowOpening) door(w *World) *process { return w.active() }

func (s *slowOpening) latency(Point) time.Duration { return 0 }

func (s *slowOpening) plan(w *World, _ time.Duration) {
	if s.w = w; s.deleted {
		return
	}
	if len(w.forge.pulls) > 0 {
		s.deleted = true
		w.vandalise(w.forge.pulls[0])
		return
	}
	w.in(500*time.Millisecond, "", func() { s.plan(w, 0) })
}

// TestOpenedTwice holds that an incident whose branch was deleted is not begun again by an engine that stood still with its
// opening: it is frozen, and a person gives it back.
func TestOpenedTwice(t *testing.T) {
	twice := 0
	for seed := range uint64(40 / fewer) {
		r := Run(seed, Options{script: &slowOpening{}, Story: true})
		if r.Err != nil {
			t.Errorf("seed %d: %v", seed, r.Err)
		}
		if strings.Contains(r.Story, "is opened a second time over") {
			twice++
		}
	}
	if twice == 0 {
		t.Error("no incident was opened a second time")
	}
}
