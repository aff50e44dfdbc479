package sim

import (
	"flag"
	"fmt"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	seeds = flag.Uint64("seeds", 150/fewer, "how many seeds TestSeeds simulates")
	from  = flag.Uint64("from", 0, "the first seed of TestSeeds")
	until = flag.Bool("until-found", false, "TestSeeds ends with the first seed that finds something")
	seed  = flag.Uint64("seed", 0, "the seed that TestReplay tells")
	with  = flag.String("mishaps", "", "TestSeeds and TestReplay: the mishaps of every world, with commas between them; empty: as the seed draws")
)

// chosen are the options that flags ask for.
func chosen() (o Options) {
	for name := range strings.SplitSeq(*with, ",") {
		if name != "" {
			o.mishaps = append(o.mishaps, Fault(name))
		}
	}
	return o
}

// asChosen repeats the flag that a replay needs beside the seed.
func asChosen() string {
	if *with == "" {
		return ""
	}
	return fmt.Sprintf(" -mishaps %q", *with)
}

// TestSeeds simulates many seeds, one after the other on each processor.
func TestSeeds(t *testing.T) {
	var next atomic.Uint64
	var group sync.WaitGroup
	var mu sync.Mutex
	total := Tally{Faults: map[Fault]int{}}
	var failed atomic.Int64
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // a world is small, and makes much that is soon forgotten
	begun := time.Now()
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for {
				n := next.Add(1) - 1
				if n >= *seeds || failed.Load() > 0 && *until {
					return
				}
				r := Run(*from+n, chosen())
				mu.Lock()
				total.Incidents += r.Tally.Incidents
				total.Merged += r.Tally.Merged
				total.Transitions += r.Tally.Transitions
				total.Calls += r.Tally.Calls
				total.Events += r.Tally.Events
				for f, n := range r.Tally.Faults {
					total.Faults[f] += n
				}
				if r.Err != nil {
					failed.Add(1)
					t.Errorf("seed %d at %s: %v\n  go test ./engine/sim -run Replay -seed %d%s -v", r.Seed, commitUnderTest(), r.Err, r.Seed, asChosen())
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	for _, f := range slices.Concat(Faults(), Mishaps(), []Fault{Limited}) {
		if total.Faults[f] == 0 && *seeds >= 150 { // the few of a slow build need not meet the rare ones
			t.Errorf("the fault %q never happened", f)
		}
	}
	took := time.Since(begun).Seconds()
	t.Logf("faults: %v", total.Faults)
	t.Logf("%d incidents, %d merged, %d transitions, %d calls, %d events; %.0f seeds/s, %.0f transitions/s", total.Incidents, total.Merged,
		total.Transitions, total.Calls, total.Events, float64(*seeds)/took, float64(total.Transitions)/took)
}

// TestReplay tells the story of one seed.
func TestReplay(t *testing.T) {
	o := chosen()
	o.Story = true
	r := Run(*seed, o)
	if testing.Verbose() {
		fmt.Println(r.Story)
	}
	if r.Err != nil {
		t.Errorf("seed %d at %s: %v", r.Seed, commitUnderTest(), r.Err)
	}
}

// commitUnderTest names the commit at which a seed tells its story, and whether files differ from it.
func commitUnderTest() string {
	out, err := exec.Command("git", "describe", "--always", "--abbrev=12", "--dirty").Output()
	if err != nil {
		return "a commit that git does not tell (" + err.Error() + ")"
	}
	return "commit " + strings.TrimSpace(string(out))
}

// TestCommitUnderTest: what is printed beside a seed can be checked out.
func TestCommitUnderTest(t *testing.T) {
	if out, err := exec.Command("git", "rev-parse", "--git-dir").CombinedOutput(); err != nil {
		t.Skipf("needs git and a clone: %v: %s", err, out)
	}
	name, _ := strings.CutPrefix(commitUnderTest(), "commit ")
	name = strings.TrimSuffix(name, "-dirty")
	if out, err := exec.Command("git", "cat-file", "-t", name).CombinedOutput(); err != nil || string(out) != "commit\n" {
		t.Errorf("%q is %q: %v", name, out, err)
	}
}

// TestSameStory holds that a seed tells the same story, byte for byte, on one processor and on two.
func TestSameStory(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for seed := range uint64(20 / fewer) {
		runtime.GOMAXPROCS(1)
		one := Run(seed, Options{Story: true})
		runtime.GOMAXPROCS(2)
		two := Run(seed, Options{Story: true})
		if one.Story != two.Story {
			t.Fatalf("seed %d tells another story the second time: %s", seed, firstDifference(one.Story, two.Story))
		}
	}
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("line %d:\n%s\n%s", i+1, x[i], y[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(x), len(y))
}
