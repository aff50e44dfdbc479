package sim

import (
	"flag"
	"testing"
)

var every = flag.Int("every", 97*fewer, "TestEveryFault tries each fault at every so-many-th call")

// TestEveryFault takes simulations in which nothing else goes wrong, and lets each fault happen once, at one call of a port
// after the other. With -every 1 these are all calls.
func TestEveryFault(t *testing.T) {
	tried := map[Point]bool{}
	for _, seed := range []uint64{3, 8} {
		calls := Run(seed, Options{script: &single{}}).Tally.Calls
		for n := 1 + int(seed); n <= calls; n += *every {
			for _, f := range Faults() {
				one := &single{n: n, fault: f}
				r := Run(seed, Options{script: one})
				if r.Err != nil {
					t.Errorf("seed %d, %s at call %d (%s): %v", seed, f, n, one.point, r.Err)
				}
				tried[one.point] = true
			}
		}
	}
	t.Logf("%d points were tried", len(tried))
}
