package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
)

// advanced is what one run of `pullbook advance` said.
type advanced struct {
	status  int
	cpu     time.Duration // what it took of a processor: all but the network's share
	out     summary
	log     string
	summary string
}

// did reports whether the run did something that is told with these words.
func (a advanced) did(words string) bool {
	for _, d := range a.out.Done {
		if strings.Contains(d.Done, words) {
			return true
		}
	}
	return false
}

// advance runs this test binary as pullbook advance.
func (s *scene) advance(t *testing.T, args ...string) (got advanced) {
	t.Helper()
	dir := s.world.dir
	job := filepath.Join(t.TempDir(), "summary.md")
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"advance", "--hub", s.world.url + "/api/v3", "--repo", demoOwner + "/" + demoName,
		"--app-id", fmt.Sprint(demoAppID), "--app-key", filepath.Join(dir, "app.pem"), "--signing-key", filepath.Join(dir, "signing_key"),
		"--private-networks", "--limits", "off", "--linger", "1s", "--summary", job, "--json"}, args...)...)
	cmd.Args[0] = "pullbook"
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	got.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	got.status, got.log = cmd.ProcessState.ExitCode(), log.String()
	if text, err := os.ReadFile(job); err == nil {
		got.summary = string(text)
	}
	if out.Len() > 0 {
		if err := json.Unmarshal(out.Bytes(), &got.out); err != nil {
			t.Fatalf("the summary %s: %v", out.String(), err)
		}
	}
	return got
}

func (s *scene) mustAdvance(t *testing.T, args ...string) advanced {
	t.Helper()
	got := s.advance(t, args...)
	if got.status != 0 {
		t.Fatalf("status %d, done %v, log:\n%s", got.status, got.out.Done, got.log)
	}
	return got
}

// checkoutAlert writes an alert for the runbook of the demonstration.
func (s *scene) checkoutAlert(t *testing.T) (path string) {
	t.Helper()
	body, err := json.Marshal(alarm{Name: "CheckoutErrors", Labels: map[string]string{"service": "checkout"}, Annotations: map[string]string{"base_url": s.toy.url}})
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "alert.json")
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestAdvance plays the demonstration's incident from alert to merge with no server: each thing that happens on the hub is
// followed by a run that does what is due and exits. Two runs at once do nothing twice.
func TestAdvance(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	t.Parallel()
	s := newScene(t, stage{})
	s.startToy(t)
	opened := s.mustAdvance(t, "--alert", s.checkoutAlert(t))
	if len(opened.out.Open) != 1 || !strings.Contains(opened.out.Open[0].Headline, "approval of `rollback`") || !strings.Contains(opened.summary, "Waits for people") {
		t.Fatalf("after the alert: %+v\n%s", opened.out, opened.summary)
	}
	id, pull := opened.out.Open[0].ID, opened.out.Open[0].Pull
	idle := s.mustAdvance(t)
	if len(idle.out.Done) != 0 || len(idle.out.Open) != 1 {
		t.Errorf("with nothing due: %+v", idle.out)
	}
	r := s.countReads()
	if rest := s.mustAdvance(t, "--installation-id", fmt.Sprint(demoInstallation)); r.sum() > 3 || len(r.wrote) > 1 || len(rest.out.Open) != 1 || rest.out.Open[0].Headline != idle.out.Open[0].Headline {
		t.Errorf("after a run with nothing due it reads %v, writes %v and says %+v", r.calls, r.wrote, rest.out)
	}
	if err := s.world.review(t.Context(), "alice", pull, "/approve rollback"); err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	runs := make([]advanced, 2)
	for i, args := range [][]string{{"--incident", string(id)}, {}} {
		both.Add(1)
		go func() { defer both.Done(); runs[i] = s.advance(t, args...) }()
	}
	both.Wait()
	for _, run := range runs {
		if run.status != 0 {
			t.Errorf("of two runs at once one ended with status %d:\n%s", run.status, run.log)
		}
	}
	if n := s.effect.Load(); n != 1 {
		t.Errorf("the service was rolled back %d times", n)
	}
	if err := s.world.comment(t.Context(), "bob", pull, "/done confirm"); err != nil {
		t.Fatal(err)
	}
	if last := s.mustAdvance(t); len(last.out.Open) != 0 || !last.did("resolved") {
		t.Errorf("after the last thing: %+v", last.out)
	}
	s.verify(t, 1)
	if branches := s.branches(t); len(branches) != 1 {
		t.Errorf("branches that are left: %v", branches)
	}
}

// TestAdvanceBesideAServer lets a run come while a server has the ledger: it waits, does nothing, and says who has it. When
// the server has stopped, a run goes on at once.
func TestAdvanceBesideAServer(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	t.Parallel()
	s := newScene(t, stage{})
	s.startToy(t)
	s.serve(t)
	got := s.advance(t, "--alert", s.checkoutAlert(t), "--within", "3s")
	if got.status != 1 || !strings.Contains(got.log, "another engine serves this ledger") {
		t.Errorf("beside a server: status %d, %s", got.status, got.log)
	}
	if branches := s.branches(t); len(branches) != 1 {
		t.Errorf("it opened %v", branches)
	}
}

// TestAdvanceSaysWhatItNeeds tries command lines and inputs that cannot work.
func TestAdvanceSaysWhatItNeeds(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{})
	bad := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(bad, []byte(`{"name": 3}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args   []string
		status int
		says   string
	}{
		"a lost key":     {[]string{"--signing-key", bad + ".not"}, 2, "read the signing key"},
		"an empty key":   {[]string{"--app-key", os.DevNull}, 1, "is empty"},
		"no key":         {[]string{"--signing-key", ""}, 2, "--signing-key is needed"},
		"lost inputs":    {[]string{"--input", "a=b"}, 2, "--input needs --runbook"},
		"a bad alert":    {[]string{"--alert", bad}, 1, "bad.json"},
		"no such alert":  {[]string{"--alert", bad + ".not"}, 1, "no such file"},
		"a bad incident": {[]string{"--incident", "../main"}, 2, "--incident"},
		"a wrong input":  {[]string{"--runbook", "checkout", "--input", "region=eu"}, 1, "region"},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.advance(t, c.args...)
			if got.status != c.status || !strings.Contains(got.log, c.says) {
				t.Errorf("status %d, want %d; want %q in:\n%s", got.status, c.status, c.says, got.log)
			}
		})
	}
	gone := s.mustAdvance(t, "--incident", incident.BranchPrefix+"2026-11-22-nothing-0123456789")
	if len(gone.out.Done)+len(gone.out.Open) != 0 {
		t.Errorf("an incident that is not there: %+v", gone.out)
	}
}
