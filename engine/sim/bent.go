package sim

import "time"

// bent is what is out of the ordinary in a world all the time.
type bent struct {
	deaf   bool          // no webhook arrives: what people do is found by sweeps
	absent time.Duration // the most that a machine stays off on which a process has died
	stands time.Duration // the most that a process stands still that is paused
	lag    time.Duration // the most that readers see an old head of a pull request
	lags   int           // after one push in so many
}

// straight is a world as most are.
func straight() bent {
	return bent{absent: 8 * time.Second, stands: 2 * time.Minute, lag: 3 * time.Second, lags: 30}
}

// newBent draws worlds in which much happens while nobody looks: the time of a gate is over, an incident is opened, ended and merged.
func newBent(d dice) bent {
	b := straight()
	b.deaf, b.absent = oneIn(d.bent, 6), pick(d.bent, b.absent, b.absent, b.absent, 10*time.Minute)
	b.stands = pick(d.bent, b.stands, b.stands, 15*time.Minute)
	if oneIn(d.lag, 5) {
		b.lag, b.lags = time.Minute, 4
	}
	return b
}
