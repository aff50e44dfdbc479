package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
)

var update = flag.Bool("update", false, "rewrite the golden files of this package")

// TestDemoCalls holds what the engine asks of the hub for the demonstration's incident against testdata/demo_calls.golden.
// Writes and pushes must be as many; reads at most as many, since wake-ups may fall together. With -update the writes are
// rewritten, and reads where there are more of them: a lower bound for reads is written by hand.
func TestDemoCalls(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	began := time.Now()
	writes, reads := demoCalls(t)
	took := time.Since(began)
	golden := filepath.Join("testdata", "demo_calls.golden")
	wantWrites, mostReads := readCalls(t, golden)
	if *update {
		maps.DeleteFunc(mostReads, func(call string, most int) bool { return reads[call] > most })
		for call, n := range reads {
			if mostReads[call] == 0 {
				mostReads[call] = n
			}
		}
		text := "# writes and pushes, exactly\n" + listed(writes) + "# reads, at most\n" + listed(mostReads)
		if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	const body = "PATCH /repos/{owner}/{repo}/issues/{issue_number}"
	if late := writes[body] - wantWrites[body]; late > 0 && late <= int(took/(10*time.Second)) {
		writes[body] -= late // on a slow machine the body is brought up to date once in ten seconds besides
	}
	if got, want := listed(writes), listed(wantWrites); got != want {
		t.Errorf("the engine wrote\n%swant\n%s", got, want)
	}
	for call, n := range reads {
		if n > mostReads[call] {
			t.Errorf("the engine read %s %d times, want at most %d", call, n, mostReads[call])
		}
	}
}

// demoCalls runs the demonstration with simulated reviewers and counts what the engine asked of the hub.
func demoCalls(t *testing.T) (writes, reads map[string]int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d := &show{flags: demoFlags{unattended: true, dir: t.TempDir(), listen: "127.0.0.1:0"}, out: io.Discard, events: make(chan incident.Event, 1024)}
	stopped, err := d.start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer d.world.close()
	defer d.svc.close()
	if err := errors.Join(d.sendAlert(ctx), d.follow(ctx), d.conclude(ctx, io.Discard)); err != nil {
		t.Fatal(err)
	}
	s := &scene{world: d.world}
	waitFor(t, "the branch is deleted after the merge", func() bool { return len(s.branches(t)) == 1 })
	cancel()
	<-stopped
	writes, reads = map[string]int{}, map[string]int{}
	add := func(method, pattern string, n int) {
		// A POST to git-upload-pack reads, as the method of a fetch; the engine's GraphQL only asks.
		if method == "GET" || pattern == "/graphql" || strings.HasSuffix(pattern, "git-upload-pack") {
			reads[method+" "+pattern] += n
		} else {
			writes[method+" "+pattern] += n
		}
	}
	for _, c := range d.svc.hub.Calls() {
		add(c.Method, c.Pattern, c.Count)
	}
	d.world.count.mu.Lock()
	defer d.world.count.mu.Unlock()
	for call, n := range d.world.count.count { // only the engine uses git here; of REST, people are counted as well
		if words := strings.Fields(call); strings.Contains(words[1], ".git/") {
			add(words[0], words[1], n)
		}
	}
	return writes, reads
}

func listed(calls map[string]int) string {
	var b strings.Builder
	for _, call := range slices.Sorted(maps.Keys(calls)) {
		fmt.Fprintf(&b, "%4d %s\n", calls[call], call)
	}
	return b.String()
}

// readCalls reads a golden file. One that is not there holds nothing.
func readCalls(t *testing.T, path string) (writes, reads map[string]int) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	writes, reads = map[string]int{}, map[string]int{}
	into := writes
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") {
			if strings.Contains(line, "reads") {
				into = reads
			}
			continue
		}
		var n int
		var method, pattern string
		if _, err := fmt.Sscan(line, &n, &method, &pattern); err != nil {
			t.Fatalf("%s: read %q: %v", path, line, err)
		}
		into[method+" "+pattern] = n
	}
	return writes, reads
}
