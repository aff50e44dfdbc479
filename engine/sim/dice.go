package sim

import (
	"math/rand/v2"
	"time"
)

// dice are independent streams of randomness from one seed: a new way to draw a plan does not change who speaks when. The number
// of that for edits is one with which people edit in no world whose seed is known for what it has found, and so it is with that for
// mishaps.
type dice struct {
	plan, people, alerts, trouble, time, fate, game, limits, bent, lag, edits, dated, mishaps *rand.Rand
}

func newDice(seed uint64) dice {
	stream := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, n)) }
	return dice{plan: stream(1), people: stream(2), alerts: stream(3), trouble: stream(4), time: stream(5), fate: stream(6), game: stream(7), limits: stream(8), bent: stream(9), lag: stream(10), edits: stream(511), dated: stream(512), mishaps: stream(549)}
}

func oneIn(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// between is a random length of time, whole milliseconds.
func between(r *rand.Rand, from, to time.Duration) time.Duration {
	return (from + time.Duration(r.Int64N(int64(to-from)+1))).Truncate(time.Millisecond)
}
