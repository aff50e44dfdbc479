package sim

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine"
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

// slowReader lets an engine stand still when it has read where it left a branch, and is about to read the branch. Another one goes
// on with the incident meanwhile, somebody takes its last commit away, and the first one reads what is left of the branch.
type slowReader struct {
	w      *World
	reader *process
	seq    int // of the journal when it stood still
	moved  bool
}

func (s *slowReader) at(p *process, pt Point) Fault {
	if s.reader != nil || pt != "ledger.branch" || len(p.w.chronicle.records) == 0 || p.w.chronicle.records[0].state.Seq < 3 {
		return NoFault
	}
	s.reader, s.seq = p, p.w.chronicle.records[0].state.Seq
	return Paused
}

func (s *slowReader) door(w *World) *process { return w.active() }

func (s *slowReader) latency(Point) time.Duration { return 0 }

func (s *slowReader) plan(w *World, _ time.Duration) {
	if s.w = w; w.calm {
		return
	}
	if s.reader == nil {
		w.restart(w.active(), false) // who begins reads every branch
	}
	if len(w.chronicle.records) > 0 && s.reader != nil && !s.reader.dead && s.reader.paused && w.chronicle.records[0].state.Seq > s.seq+1 {
		r := w.chronicle.records[0]
		w.moveBack(w.forge.of(r.branch))
		s.moved = r.disturbed
		s.reader.goOn()
		return
	}
	w.in(3*time.Second, "", func() { s.plan(w, 0) })
}

// TestBookmarkStays holds that an engine which stood still does not put its bookmark over that of the one which went on: what
// somebody has taken from the branch meanwhile is missed.
func TestBookmarkStays(t *testing.T) {
	moved := 0
	for seed := range uint64(max(4, 12/fewer)) {
		s := &slowReader{}
		if r := Run(seed, Options{script: s}); r.Err != nil {
			t.Errorf("seed %d: %v", seed, r.Err)
		}
		if s.moved {
			moved++
		}
	}
	if t.Logf("%d branches were moved back", moved); moved == 0 {
		t.Error("no branch was moved back")
	}
}

// lastPush kills an engine when its push has arrived and its bookmark is not set. Before another one begins, somebody pushes to the
// branch and deletes it, and perhaps makes another one of its name.
type lastPush struct {
	anew    bool
	killed  bool
	deleted bool
}

func (s *lastPush) at(p *process, pt Point) Fault {
	if s.killed || !pt.below("journal.flush.") || len(p.w.forge.pulls) == 0 || p.w.chronicle.records[0].state.Seq < 3 {
		return NoFault
	}
	s.killed = true
	p.w.in(time.Millisecond, "", func() {
		pull := p.w.forge.pulls[0]
		p.w.intrude(pull.branch)
		p.w.vandalise(pull)
		s.deleted = p.w.remote.heads[pull.branch] == ""
		if tip := p.w.remote.heads[mainBranch]; s.anew && s.deleted {
			mine := p.w.remote.keep((&commit{parent: tip, files: map[string][]byte{"mine": nil}, message: "mine", by: "mallory", at: p.w.now}).named())
			p.w.remote.heads[pull.branch] = mine.id
			p.w.tell("mallory", "makes %s anew at %s", pull.branch, short(mine.id))
		}
	})
	return KillAfter
}

func (s *lastPush) door(w *World) *process { return w.active() }

func (s *lastPush) latency(Point) time.Duration { return 0 }

func (s *lastPush) plan(*World, time.Duration) {}

// TestLastPushStays holds that a branch is given back with everything that the engine had pushed, also where its bookmark is behind
// that and a stranger's commit was the last one.
func TestLastPushStays(t *testing.T) { lastPushStays(t, false) }

// TestLastPushStaysUnderAnother holds the same where somebody has made another branch of that name.
func TestLastPushStaysUnderAnother(t *testing.T) { lastPushStays(t, true) }

func lastPushStays(t *testing.T, anew bool) {
	deleted := 0
	for seed := range uint64(max(4, 12/fewer)) {
		s := &lastPush{anew: anew}
		if r := Run(seed, Options{script: s}); r.Err != nil {
			t.Errorf("seed %d: %v", seed, r.Err)
		}
		if s.deleted {
			deleted++
		}
	}
	if t.Logf("%d branches were deleted", deleted); deleted == 0 {
		t.Error("no branch was deleted")
	}
}

// hesitant is a ledger that fails every third time when it is asked for a branch as it was.
type hesitant struct {
	engine.Ledger
	asked *int
}

func (h hesitant) Branch(ctx context.Context, q engine.BranchQuery) (engine.Branch, error) {
	if q.At != "" {
		if *h.asked++; *h.asked%3 == 2 {
			return engine.Branch{}, errInjected
		}
	}
	return h.Ledger.Branch(ctx, q)
}

// TestLastPushStaysWhenReadsFail holds the same where what was pushed last cannot be read for a moment, just when a person gives the
// branch back.
func TestLastPushStaysWhenReadsFail(t *testing.T) {
	for seed := range uint64(max(4, 12/fewer)) {
		asked := 0
		spoil := func(c engine.Config) engine.Config {
			c.Ledger = hesitant{c.Ledger, &asked}
			return c
		}
		if r := Run(seed, Options{script: &lastPush{}, spoil: spoil}); r.Err != nil {
			t.Errorf("seed %d: %v", seed, r.Err)
		}
		if asked == 0 {
			t.Errorf("seed %d: no branch was read as it was", seed)
		}
	}
}
