package step

import (
	"context"
	"encoding/json"
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

// job is an attempt of a step whose author wrote w.
func job(kind runbook.Kind, w map[string]any) Job {
	work, err := json.Marshal(w)
	if err != nil {
		panic(err)
	}
	return Job{
		Key: "20261122-k3jq5zabcd/deploy/1", Incident: "20261122-k3jq5zabcd", Step: "deploy", Attempt: 1,
		Kind: kind, Work: work, Timeout: time.Minute,
	}
}

// set changes a field of what the author wrote; a dot leads into a struct.
func set(j *Job, path string, value any) {
	whole := map[string]any{}
	if err := json.Unmarshal(j.Work, &whole); err != nil {
		panic(err)
	}
	at, names := whole, strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		at = at[name].(map[string]any)
	}
	at[names[len(names)-1]] = value
	j.Work = job(j.Kind, whole).Work
}

// shell is a job whose program is a script of the ledger: the tests' own way to run a few lines.
func shell(t *testing.T, script string) Job {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("needs sh: ", err)
	}
	return withFile(job("exec", map[string]any{"command": []string{"./run"}}), "run", "#!/bin/sh\n"+script, true)
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
	sleep := map[string]any{"command": []string{"sleep", "1"}}
	get := map[string]any{"url": "http://localhost"}
	noTimeout := job("exec", sleep)
	noTimeout.Timeout = 0
	tests := map[string]struct {
		job  Job
		want string
	}{
		"no kind":      {job("", sleep), `no runner performs steps of kind ""`},
		"no work":      {Job{Kind: "exec", Step: "deploy", Timeout: time.Minute}, "read the work of kind exec"},
		"other work":   {job("http", sleep), `unknown field "command"`},
		"no timeout":   {noTimeout, "no timeout"},
		"manual":       {job("manual", map[string]any{"task": "x"}), `no runner performs steps of kind "manual"`},
		"no condition": {job("probe", map[string]any{"http": get}), "without a condition"},
		"no pause":     {job("probe", map[string]any{"http": get, "every": "0s"}), "no length of time"},
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
