package sim

import "time"

// atRestWithin is how long after the last fault, and at most in between, an incident may be on its way without a pause.
const atRestWithin = time.Minute

// lookAround is how often it is looked in the calm which incidents are at rest.
const lookAround = 10 * time.Second

// comesToRest sees to it that somebody looks around in the calm as long as anything happens. That is I8: no incident is on its way
// for longer than a minute before it is terminal, or waits for a person or for a timer that is not due.
func comesToRest(w *World) {
	if w.calm && !w.lookingAround {
		w.lookingAround = true
		w.in(lookAround, "", w.lookAround)
	}
}

// lookAround holds every incident that is on its way against the clock.
func (w *World) lookAround() {
	w.lookingAround = false
	for _, r := range w.chronicle.records {
		why := w.restless(r)
		switch {
		case why == "" || w.now.Before(w.settled):
			r.busy = time.Time{}
			continue
		case r.busy.IsZero():
			r.busy = w.now
		case w.now.Sub(r.busy) > atRestWithin:
			w.fail("I8", "%s has not come to rest for %s: %s", r.id, w.now.Sub(r.busy), why)
		}
		comesToRest(w)
	}
}
