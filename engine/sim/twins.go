package sim

import "time"

// twins is random trouble with two engines that believe from the beginning to the end of it that they have the ledger. Both of them
// get alerts, and nobody else writes to branches.
type twins struct{ *swarm }

func newTwins(w *World) twins {
	s := newSwarm(w)
	w.smooth = false
	delete(s.rates, Overtaken)
	s.some.rivals, s.some.losses = false, false
	return twins{s}
}

func (t twins) plan(w *World, until time.Duration) {
	t.swarm.plan(w, until)
	w.in(between(w.dice.trouble, 0, 5*time.Second), "", func() { w.second() })
}
