package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// misbehaving floods its output, hangs without listening to signals, and leaves children behind.
const misbehaving = `title: "Steps that misbehave"
match: labels: service: "misbehave"
alert: _
steps: {
	flood: {
		risk:      "read"
		exec: command: ["sh", "-c", "head -c 20000000 /dev/zero | tr '\\0' x"]
	}
	hang: {
		risk:      "read"
		timeout:   "1s"
		onFailure: "continue"
		exec: command: ["sh", "-c", "trap '' TERM INT; while :; do sleep 0.1; done"]
	}
	fork: {
		risk: "read"
		exec: command: ["sh", "-c", "(trap '' TERM INT HUP; exec sleep 600) & echo \"{\\\"pid\\\": $!}\""]
		output: pid: int
	}
}
`

// slow waits until somebody stops it, and leaves its process number where the alert says.
const slow = `title: "A step that takes long"
match: labels: service: "slow"
alert: _
steps: linger: {
	risk: "read"
	exec: {
		command: ["sh", "-c", "echo $$ > \"$MARK.new\" && mv \"$MARK.new\" \"$MARK\" && exec sleep 600"]
		env: MARK: alert.annotations.mark
	}
}
`

// stepsMisbehave: the incident ends all the same, with bounded evidence and no process left.
func stepsMisbehave(t *testing.T, s *scene) {
	group := s.raise(t, alarm{Name: "Misbehave", Labels: map[string]string{"service": "misbehave"}})
	seen := s.await(t, group, "it is merged", sight.merged)
	flood, _ := seen.ended("flood")
	if flood.Conclusion != runbook.Succeeded || len(flood.Cut) == 0 {
		t.Errorf("the flood ended %s with cuts %v", flood.Conclusion, flood.Cut)
	}
	hang, _ := seen.ended("hang")
	if hang.Conclusion != runbook.TimedOut {
		t.Errorf("the hanging step ended %s (%s)", hang.Conclusion, hang.Error)
	}
	fork, _ := seen.ended("fork")
	var child struct{ PID int }
	if err := json.Unmarshal(fork.Output, &child); err != nil || fork.Conclusion != runbook.Succeeded {
		t.Fatalf("the forking step ended %s with %s: %v", fork.Conclusion, fork.Output, err)
	}
	waitFor(t, "the child is gone", func() bool { return !alive(child.PID) })
	for path, data := range s.ledgerFiles(t, seen, group) {
		if len(data) > 100_000 {
			t.Errorf("%s has %d bytes: a flood must not reach the ledger", path, len(data))
		}
	}
}

// cancelRunning: /cancel stops a running step at once, and the incident is merged.
func cancelRunning(t *testing.T, s *scene) {
	mark := filepath.Join(t.TempDir(), "pid")
	group := s.raise(t, alarm{Name: "Slow", Labels: map[string]string{"service": "slow"}, Annotations: map[string]string{"mark": mark}})
	var pid int
	waitFor(t, "the step runs", func() bool {
		text, err := os.ReadFile(mark)
		if err != nil {
			return false
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil
	})
	seen := s.await(t, group, "the pull request is open", func(sight) bool { return true })
	if err := s.world.comment(t.Context(), "bob", seen.pull.GetNumber(), "/cancel this takes too long"); err != nil {
		t.Fatal(err)
	}
	seen = s.await(t, group, "it is merged", sight.merged)
	if end, _ := find[incident.Ended](seen); end.End != incident.EndCancelled {
		t.Errorf("the incident ended %q, want cancelled", end.End)
	}
	if got := seen.conclusion("linger"); got != runbook.Cancelled {
		t.Errorf("the running step ended %q, want cancelled", got)
	}
	waitFor(t, "its process is gone", func() bool { return !alive(pid) })
}

// alive reports whether a process runs. One that has ended and that nobody has reaped does not.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil || p.Signal(syscall.Signal(0)) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return !os.IsNotExist(err) || !isDir("/proc/self")
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // see proc_pid_stat(5): the state follows the name
	return !strings.HasPrefix(rest, "Z")
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
