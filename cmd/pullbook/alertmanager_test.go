package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
)

// TestAlertmanager puts the real Prometheus Alertmanager in front of `pullbook serve`. It fires, the engine opens, a
// person approves, it resolves, which the same incident records, and it fires again, which opens the next one.
func TestAlertmanager(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{})
	s.startToy(t)
	s.setToken(t, "alertmanager-may-send")
	s.serve(t)
	am := startAlertmanager(t, s)
	began := time.Now().UTC().Add(-time.Minute)

	am.send(t, s, began, time.Time{})
	first := s.awaitOpen(t, 1)
	s.awaitSlot(t, first, "the gate opens", func(v sight) bool { return has[incident.GateOpened](v) })
	if err := s.world.review(t.Context(), "alice", s.seeSlot(t, first).pull.GetNumber(), "/approve rollback"); err != nil {
		t.Fatal(err)
	}
	s.awaitSlot(t, first, "the problem is over and a person is asked", func(v sight) bool {
		return has[incident.Mitigated](v) && v.started("confirm")
	})

	am.send(t, s, began, time.Now().UTC())
	seen := s.awaitSlot(t, first, "the resolution is recorded", func(v sight) bool { return has[incident.AlertUpdated](v) })
	if update, _ := find[incident.AlertUpdated](seen); update.Alert.Status != incident.ResolvedNow {
		t.Errorf("the recorded notification is %q, want resolved", update.Alert.Status)
	}
	if err := s.world.comment(t.Context(), "bob", seen.pull.GetNumber(), "/done confirm"); err != nil {
		t.Fatal(err)
	}
	s.awaitSlot(t, first, "the incident is merged", sight.merged)
	s.verify(t, 1)

	am.send(t, s, time.Now().UTC(), time.Time{})
	second := s.awaitOpen(t, 2)
	opened, _ := find[incident.Opened](s.awaitSlot(t, second, "the next incident opens", func(v sight) bool { return has[incident.Opened](v) }))
	if before, _ := find[incident.Opened](seen); opened.Previous != before.ID || opened.Group != before.Group {
		t.Errorf("the next incident names %q of group %q, want %q of %q", opened.Previous, opened.Group, before.ID, before.Group)
	}
}

// awaitOpen waits for the nth pull request and returns its incident's slot.
func (s *scene) awaitOpen(t *testing.T, n int) (slot string) {
	t.Helper()
	waitFor(t, fmt.Sprintf("pull request %d opens", n), func() bool {
		branches := s.pullBranches(t)
		if len(branches) > n {
			t.Fatalf("there are pull requests of %v, want %d", branches, n)
		}
		if len(branches) == n {
			slot = branches[0][len(incident.BranchPrefix):] // the newest comes first
		}
		return len(branches) == n
	})
	return slot
}

// alertmanager is a running Alertmanager.
type alertmanager struct{ url string }

// startAlertmanager runs Alertmanager with one receiver, the engine, until the test ends.
func startAlertmanager(t *testing.T, s *scene) alertmanager {
	t.Helper()
	exe, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		t.Skip("prometheus-alertmanager is not installed")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "alertmanager.yml")
	text := fmt.Sprintf(`route: {receiver: pullbook, group_by: [alertname], group_wait: 10ms, group_interval: 100ms, repeat_interval: 1h}
receivers:
- name: pullbook
  webhook_configs:
  - url: %s/alerts/alertmanager
    send_resolved: true
    http_config: {authorization: {type: Bearer, credentials: %s}}
`, s.address(), s.token)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "--config.file", config, "--storage.path", filepath.Join(dir, "data"),
		"--web.listen-address", "127.0.0.1:0", "--cluster.listen-address=")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(stderr); in.Scan(); {
			lines <- in.Text()
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		for range lines { // the pipe is read to its end before Wait closes it
		}
		_ = cmd.Wait() // it was killed
	})
	return alertmanager{"http://" + listening(t, lines)}
}

// listening reads Alertmanager's log until it says where it listens.
func listening(t *testing.T, lines <-chan string) (address string) {
	t.Helper()
	said := regexp.MustCompile(`msg="Listening on" address=(\S+)`)
	for line := range lines {
		if m := said.FindStringSubmatch(line); m != nil {
			return m[1]
		}
	}
	t.Fatal("Alertmanager ended before it listened")
	return ""
}

// send tells Alertmanager about the alert, as Prometheus does. An end that is not zero resolves it.
func (am alertmanager) send(t *testing.T, s *scene, began, ended time.Time) {
	t.Helper()
	alert := map[string]any{"startsAt": began,
		"labels":      map[string]string{"alertname": "CheckoutErrors", "service": "checkout", "severity": "critical"},
		"annotations": map[string]string{"summary": "checkout answers with errors", "base_url": s.toy.url}}
	if !ended.IsZero() {
		alert["endsAt"] = ended
	}
	am.tell(t, alert)
}

// tell sends alerts in the form of Alertmanager's API.
func (am alertmanager) tell(t *testing.T, alerts ...any) {
	t.Helper()
	body, err := json.Marshal(alerts)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "Alertmanager takes the alert", func() bool {
		resp, err := http.Post(am.url+"/api/v2/alerts", "application/json", bytes.NewReader(body))
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}
