package step

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// newRunner makes a runner in directories of its own, with the given secrets.
func newRunner(t *testing.T, secrets map[string]string) *Runner {
	t.Helper()
	dir := t.TempDir()
	for name, value := range secrets {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := New(Config{Dir: filepath.Join(t.TempDir(), "scratch"), SecretsDir: dir, PrivateNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	r.grace = 500 * time.Millisecond
	return r
}

func job(w runbook.Work) Job {
	return Job{
		Key: "20261122-k3jq5zabcd/deploy/1", Incident: "20261122-k3jq5zabcd", Step: "deploy", Attempt: 1,
		Work: w, Timeout: time.Minute,
	}
}

// shell is a job whose program is a script of the ledger: the tests' own way to run a few lines.
func shell(t *testing.T, script string) Job {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("needs sh: ", err)
	}
	return withFile(job(runbook.Work{Exec: &runbook.Exec{Command: []string{"./run"}}}), "run", "#!/bin/sh\n"+script, true)
}

func withFile(j Job, path, data string, exec bool) Job {
	files := map[string]FileData{path: {Data: []byte(data), Exec: exec}}
	for k, v := range j.Files {
		files[k] = v
	}
	j.Files = files
	j.Pins = append([]runbook.File{{Path: path, Blob: blobID([]byte(data)), Exec: exec}}, j.Pins...)
	return j
}

func expect(t *testing.T, got runbook.Outcome, want runbook.Conclusion, problem string) {
	t.Helper()
	if got.Conclusion != want {
		t.Fatalf("conclusion %s, want %s; error %q, log %q", got.Conclusion, want, got.Error, got.Log)
	}
	if (want == runbook.Succeeded) != (got.Error == "") || !strings.Contains(got.Error, problem) {
		t.Fatalf("error %q, want one with %q", got.Error, problem)
	}
}

func TestJobsThatCannotRun(t *testing.T) {
	sleep := &runbook.Exec{Command: []string{"sleep", "1"}}
	get := &runbook.HTTP{URL: "http://localhost"}
	noTimeout := job(runbook.Work{Exec: sleep})
	noTimeout.Timeout = 0
	tests := map[string]struct {
		job  Job
		want string
	}{
		"no work":      {job(runbook.Work{}), "0 kinds of work"},
		"two works":    {job(runbook.Work{Exec: sleep, HTTP: get}), "2 kinds of work"},
		"no timeout":   {noTimeout, "no timeout"},
		"manual":       {job(runbook.Work{Manual: &runbook.Manual{Task: "x"}}), "a person does it"},
		"no condition": {job(runbook.Work{Probe: &runbook.Probe{HTTP: *get, Every: time.Second}}), "without a condition"},
	}
	r := newRunner(t, nil)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			expect(t, r.Run(t.Context(), tt.job, nil), runbook.Failed, tt.want)
		})
	}
}

func TestOutcomeBelongsToItsAttempt(t *testing.T) {
	r := newRunner(t, nil)
	now := time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)
	r.cfg.Now = func() time.Time { now = now.Add(time.Second); return now }
	j := shell(t, "echo done")
	got := r.Run(t.Context(), j, nil)
	expect(t, got, runbook.Succeeded, "")
	if got.Key != j.Key || got.Step != "deploy" || got.Attempt != 1 {
		t.Errorf("outcome of %s %s %d", got.Key, got.Step, got.Attempt)
	}
	if got.Ended.Sub(got.Started) != time.Second {
		t.Errorf("from %s to %s, want the clock's second", got.Started, got.Ended)
	}
}

func TestCancelledBeforeTheStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	canary := filepath.Join(t.TempDir(), "canary")
	expect(t, newRunner(t, nil).Run(ctx, shell(t, "touch "+canary), nil), runbook.Cancelled, "before it was started")
	mustNotExist(t, canary)
}

func mustNotExist(t *testing.T, name string) {
	t.Helper()
	if _, err := os.Lstat(name); err == nil {
		t.Errorf("%s exists", name)
	}
}

func TestNewRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []Config{{}, {Dir: t.TempDir(), LogLimit: -1}, {Dir: file}} {
		if _, err := New(cfg); err == nil {
			t.Errorf("made a runner of %+v", cfg)
		}
	}
}
