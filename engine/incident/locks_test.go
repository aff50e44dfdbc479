package incident

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// square is several incidents of one ledger and the table of its locks, as the engine keeps it.
type square struct {
	stages []*stage
	held   []map[string]Holder // by stage, as the remote branches have it, reservations included
	queue  [][]Waiting         // by stage: its steps that wait for locks
	most   int                 // of locks held at one time
}

func (q *square) others(i int) map[string]Holder {
	out := map[string]Holder{}
	for j, held := range q.held {
		for lock, by := range held {
			if j != i {
				out[lock] = by
			}
		}
	}
	return out
}

// look lets one incident decide and perform once, and keeps its place in the queue.
func (q *square) look(t *testing.T, i int) (moved bool) {
	t.Helper()
	s := q.stages[i]
	s.view.Queue = nil
	for j, waiting := range q.queue {
		if j != i {
			s.view.Queue = append(s.view.Queue, waiting...)
		}
	}
	q.queue[i] = nil
	for _, a := range Decide(s.resolve(), s.state, s.view, s.now) {
		if wait, is := a.(AwaitLocks); is {
			q.queue[i] = wait.Steps
		}
	}
	return s.lookOnce(t)
}

// newSquare opens incidents whose plans take the same locks in opposite orders.
func newSquare(t *testing.T, plans ...string) *square {
	t.Helper()
	q := &square{held: make([]map[string]Holder, len(plans)), queue: make([][]Waiting, len(plans))}
	for i, plan := range plans {
		s := newStage()
		s.id = ID(fmt.Sprintf("20261122-%s", string(slices.Repeat([]byte{byte('a' + i)}, 10))))
		if said := s.makePlan(t, plan); said != "ok\n" {
			t.Fatal(said)
		}
		s.reserve = func(want map[string]Holder) bool {
			others := q.others(i)
			for lock := range want {
				if _, taken := others[lock]; taken {
					return false
				}
			}
			q.held[i] = want
			return true
		}
		s.open(t)
		q.stages = append(q.stages, s)
	}
	return q
}

// check holds that no two incidents hold one lock, by what the journals say.
func (q *square) check(t *testing.T) {
	t.Helper()
	by := map[string]Holder{}
	for _, s := range q.stages {
		for lock, holder := range s.pushed.Locks() {
			if other, twice := by[lock]; twice {
				t.Fatalf("%s is held by %v and by %v", lock, other, holder)
			}
			by[lock] = holder
		}
	}
	q.most = max(q.most, len(by))
}

// move lets one thing happen in one incident: it is looked at, with what others held a moment ago, or an attempt ends.
func (q *square) move(t *testing.T, random *rand.Rand, stale map[string]Holder, i int) {
	t.Helper()
	s := q.stages[i]
	switch random.IntN(5) {
	case 0, 1:
		if s.view.Locks = q.others(i); random.IntN(3) == 0 {
			s.view.Locks = stale // two incidents decide at the same time: what one of them saw is not so any more
		}
		q.look(t, i)
	case 2:
		s.view.Locks = q.others(i)
		if s.unpushed = random.IntN(2) == 0; q.look(t, i) {
			s.unpushed = false
		}
	default:
		for j, a := range s.view.Attempts {
			if a.State == AttemptRunning {
				s.end(j, []runbook.Conclusion{runbook.Succeeded, runbook.Succeeded, runbook.Failed}[random.IntN(3)], "")
				break
			}
		}
	}
	q.held[i] = s.pushed.Locks()
	q.check(t)
}

// lookOnce decides and performs once.
func (s *stage) lookOnce(t *testing.T) (moved bool) {
	t.Helper()
	for _, action := range Decide(s.resolve(), s.state, s.view, s.now) {
		changed, failed := s.perform(t, action)
		if moved = moved || changed; failed != "" {
			return moved
		}
	}
	return moved
}

// TestLocksInOppositeOrder walks at random over incidents that take the same locks in opposite orders, one after the other
// and together, with pushes that fail, attempts that fail and decisions on what is not so any more. No lock is ever held
// twice, and from wherever the walk has come, the incidents end when they are left alone: nobody waits for ever.
func TestLocksInOppositeOrder(t *testing.T) {
	plans := []string{
		"a exec change locks=x continues\nb exec change needs=a locks=y continues\nc exec read locks=z attempts=2",
		"a exec change locks=y continues\nb exec change needs=a locks=x continues\nc exec change locks=z idempotent attempts=3",
		"a exec change locks=y,x continues\nb exec change locks=x,z continues",
		"a exec read locks=z,y,x continues\nb exec change needs=a continues\nm exec change locks=x,y undo\nm_undo exec change locks=y undoes=m",
	}
	most := 0
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 7))
		q := newSquare(t, plans...)
		stale := map[string]Holder{}
		for range 60 {
			i := random.IntN(len(plans))
			before := q.others(i)
			q.move(t, random, stale, i)
			stale = before
		}
		q.settle(t)
		most = max(most, q.most)
	}
	if most < 3 {
		t.Errorf("at most %d locks were held at once", most)
	}
}

// TestNobodyIsOvertaken: a step that needs two locks gets them although others, who came later, take one or the other of
// them all the time.
func TestNobodyIsOvertaken(t *testing.T) {
	small := func(lock string) string {
		lines := "s00 exec change locks=" + lock
		for i := 1; i < 30; i++ {
			lines += fmt.Sprintf("\ns%02d exec change needs=s%02d locks=%s", i, i-1, lock)
		}
		return lines
	}
	q := newSquare(t, small("x"), small("y"), "both exec change locks=x,y")
	turn := func(i int, ends bool) {
		s := q.stages[i]
		for j, a := range s.view.Attempts {
			if ends && a.State == AttemptRunning {
				s.end(j, runbook.Succeeded, "")
			}
		}
		for range 4 {
			s.view.Locks = q.others(i)
			q.look(t, i)
			q.held[i] = s.pushed.Locks()
			q.check(t)
		}
	}
	turn(0, false)
	turn(1, false)
	for round := range 20 { // x and y are never free at one time, unless somebody gives way
		for i := range q.stages {
			q.stages[i].now = q.stages[i].now.Add(time.Minute)
		}
		turn(2, false)
		turn(round%2, true)
		turn(2, false)
		if q.stages[2].pushed.Step("both").Phase == PhaseStarted {
			if round > 2 {
				t.Errorf("it was overtaken %d times", round)
			}
			return
		}
	}
	t.Error("it was overtaken for ever")
}

// settle lets every attempt end well, and looks until nothing moves. Then every incident has ended.
func (q *square) settle(t *testing.T) {
	t.Helper()
	for range 200 {
		for i, s := range q.stages {
			s.unpushed, s.now = false, s.now.Add(time.Minute)
			for j, a := range s.view.Attempts {
				if a.State == AttemptRunning {
					s.end(j, runbook.Succeeded, "")
				}
			}
			s.view.Locks = q.others(i)
			q.look(t, i)
			q.held[i] = s.pushed.Locks()
			q.check(t)
		}
	}
	for i, s := range q.stages {
		if s.pushed.End == "" && !s.halts() {
			t.Fatalf("incident %d waits for ever, held by others: %v\n%s", i, q.others(i), s.describe())
		}
	}
}

// halts reports whether a step has failed for good, so that a person has to decide.
func (s *stage) halts() bool {
	return slices.ContainsFunc(s.plan.Steps, func(step runbook.Step) bool {
		st := s.state.Step(step.Name)
		return st.Over() && !s.state.settled(step)
	})
}

// TestFoldRefusesLocks: a journal in which a lock is taken twice, or out of order, was not written by the engine.
func TestFoldRefusesLocks(t *testing.T) {
	start := func(step string, locks ...string) Data {
		return StepStarted{Step: step, Attempt: 1, Work: runbook.KindExec, Locks: locks}
	}
	cases := map[string]struct {
		events []Data
		want   string
	}{
		"of two steps":  {[]Data{start("a", "x", "y"), start("b", "y")}, "step b takes the lock y, which step a holds"},
		"twice":         {[]Data{start("a", "x", "x")}, "the locks of step a are not in order, each once"},
		"out of order":  {[]Data{start("a", "y", "x")}, "the locks of step a are not in order, each once"},
		"of an unknown": {[]Data{start("a", "x"), StepUnknown{Step: "a", Attempt: 1}, start("b", "x")}, "step b takes the lock x, which step a holds"},
		"after its end": {[]Data{start("a", "x"), StepEnded{Step: "a", Attempt: 1, Conclusion: runbook.Failed}, start("b", "x")}, ""},
		"after a retry": {[]Data{start("a", "x"), StepUnknown{Step: "a", Attempt: 1}, RetryAsked{Step: "a", Round: 2}, start("b", "x")}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var empty State
			s := newStage()
			events := empty.Next(append([]Data{Opened{ID: s.id}}, c.events...), s.now)
			_, err := Fold(events)
			if got := fmt.Sprint(err); c.want == "" && err != nil || c.want != "" && !strings.Contains(got, c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}
