package sim

import (
	"fmt"
	"testing"
)

// TestMishaps lets each mishap happen where nothing else goes wrong, and all of them at once. Beside all other trouble they happen in
// some worlds of TestSeeds.
func TestMishaps(t *testing.T) {
	combinations := [][]Fault{Mishaps()}
	for _, f := range Mishaps() {
		combinations = append(combinations, []Fault{f})
	}
	for _, some := range combinations {
		t.Run(fmt.Sprint(some), func(t *testing.T) {
			t.Parallel()
			happened := map[Fault]int{}
			for seed := range uint64(max(2, 12/fewer)) {
				r := Run(seed, Options{Clean: true, mishaps: some})
				if r.Err != nil {
					t.Errorf("seed %d: %v", seed, r.Err)
				}
				for f, n := range r.Tally.Faults {
					happened[f] += n
				}
			}
			for _, f := range some {
				if happened[f] == 0 {
					t.Errorf("the mishap %q never happened", f)
				}
			}
			t.Log(happened)
		})
	}
}
