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

// TestCrashPoints lets each fault happen once, at one call of a port after the other, while a plan of ten steps with two gates, a
// timer and an undo runs to its end. With -every 1 these are all calls: every point of every step.
func TestCrashPoints(t *testing.T) {
	none := &crash{}
	quiet := Run(1, Options{script: none})
	if quiet.Err != nil || quiet.Tally.Merged != 1 {
		t.Fatalf("without a fault: %v, %d merged", quiet.Err, quiet.Tally.Merged)
	}
	points := 0
	for pt := range quiet.Tally.Points {
		if !pt.reads() {
			points++
		}
	}
	if points < 40 {
		t.Errorf("there are %d durability points", points)
	}
	tried, runs := map[Point]map[Fault]bool{}, 0
	for n := 1; n <= none.calls; n += max(1, *every/7) {
		for _, f := range append(Faults(), DiskFull) {
			c := &crash{single{n: n, fault: f}}
			r := Run(1, Options{script: c})
			if r.Err != nil {
				t.Errorf("%s at call %d (%s): %v", f, n, c.point, r.Err)
			}
			if c.point == "" {
				continue
			}
			if runs++; tried[c.point] == nil {
				tried[c.point] = map[Fault]bool{}
			}
			tried[c.point][f] = true
		}
	}
	t.Logf("%d durability points; %d faults at %d points and %d calls", points, runs, len(tried), none.calls)
	if *every == 1 {
		for pt := range quiet.Tally.Points {
			if !pt.reads() && len(tried[pt]) == 0 {
				t.Errorf("nothing was tried at %s", pt)
			}
		}
	}
}
