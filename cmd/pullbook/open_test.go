package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
)

// TestOpen opens incidents by hand against a running engine: with a runbook that a person chose and an alert, without an
// alert, with a runbook that does not exist, and without the token.
func TestOpen(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{files: map[string]string{"runbooks/gated.cue": gated, "runbooks/drain.cue": drain}})
	s.setToken(t, "open-sesame")
	s.serve(t)
	alert := filepath.Join(t.TempDir(), "alert.json")
	if err := os.WriteFile(alert, []byte(`{"name": "Whatever @alice", "labels": {"service": "checkout"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	token := filepath.Join(s.world.dir, "alert.token")

	opened := s.open(t, "gated", "--token-file", token, "--alert", alert)
	if opened.Runbook != "runbooks/gated.cue" || opened.Why != "chosen by a person" || opened.Alert.Source != "generic" {
		t.Errorf("opened %s (%s) for an alert from %s, want gated, chosen by a person, from the file", opened.Runbook, opened.Why, opened.Alert.Source)
	}
	opened = s.open(t, "runbooks/triage.cue", "--token-file", token)
	if opened.Runbook != "runbooks/triage.cue" || opened.Alert.Source != "manual" || len(opened.Problems) > 0 {
		t.Errorf("opened %s for an alert from %s with %q, want triage for one of its own making", opened.Runbook, opened.Alert.Source, opened.Problems)
	}
	opened = s.open(t, "nosuch", "--token-file", token)
	if !strings.HasSuffix(opened.Runbook, "runbooks/triage.cue") || !strings.Contains(strings.Join(opened.Problems, "\n"), "runbooks/nosuch.cue") {
		t.Errorf("opened %s with %q, want triage that names what does not exist", opened.Runbook, opened.Problems)
	}

	opened = s.open(t, "drain", "--token-file", token, "--input", "region=us", "--input", "hosts=3")
	var inputs bytes.Buffer
	if err := json.Compact(&inputs, opened.Inputs); err != nil {
		t.Fatal(err)
	}
	if inputs.String() != `{"hosts":3,"region":"us","mode":"slow"}` || opened.Runbook != "runbooks/drain.cue" {
		t.Errorf("opened %s with %s", opened.Runbook, opened.Inputs)
	}
	_, stderr, status := pullbook(t, "open", "drain", "--server", s.address(), "--token-file", token, "--input", "regoin=us", "--input", "hosts=many")
	for _, want := range []string{"422", "did you mean region?", "runbooks/drain.cue:2:26: inputs.hosts", `"many" is no int`} {
		if status != 1 || !strings.Contains(stderr, want) {
			t.Errorf("wrong inputs: status %d, %q, want %s", status, stderr, want)
		}
	}

	_, stderr, status = pullbook(t, "open", "gated", "--server", s.address())
	if status != 1 || !strings.Contains(stderr, "401") || !strings.Contains(stderr, "hint: --token-file") {
		t.Errorf("without a token: status %d, %q", status, stderr)
	}
	if n := len(s.pullBranches(t)); n != 4 {
		t.Errorf("%d pull requests, want 4", n)
	}
}

// drain has an input without a default, one that is no text, and one with a default.
const drain = `title: "Drain \(inputs.region)"
inputs: {region: string, hosts: int, mode: "fast" | *"slow"}
steps: look: manual: task: "Drain \(inputs.hosts) hosts of \(inputs.region), \(inputs.mode)"
`

// open runs pullbook open --json and waits for the incident.
func (s *scene) open(t *testing.T, args ...string) incident.Opened {
	t.Helper()
	stdout, stderr, status := pullbook(t, append([]string{"open", "--json", "--server", s.address()}, args...)...)
	var got receipt
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || status != 0 {
		t.Fatalf("pullbook open %v: status %d, %q, %q: %v", args, status, stdout, stderr, err)
	}
	opened, _ := find[incident.Opened](s.await(t, got.Group, "the incident opens", func(v sight) bool { return has[incident.Opened](v) }))
	return opened
}

// pullbook runs this test binary as the program.
func pullbook(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Args[0] = "pullbook"
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// timed is a writer that notes the deadlines for reading.
type timed struct {
	*httptest.ResponseRecorder
	set []time.Time
}

func (w *timed) SetReadDeadline(at time.Time) error { w.set = append(w.set, at); return nil }

// TestOrderHasADeadline: a client that sends its order slowly does not hold the connection for ever.
func TestOrderHasADeadline(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/open", strings.NewReader(`{}`))
	r.RemoteAddr = "127.0.0.1:40000"
	w := &timed{ResponseRecorder: httptest.NewRecorder()}
	(&service{}).openHandler(nil).ServeHTTP(w, r)
	if len(w.set) != 2 || w.set[0].IsZero() || !w.set[1].IsZero() || w.Code != http.StatusBadRequest {
		t.Errorf("answered %d, deadlines %v", w.Code, w.set)
	}
}
