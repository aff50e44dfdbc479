package main

import (
	"bufio"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
)

// TestLostInbox takes the inbox away while the engine is down, and then damages it. An alert that was answered 202 and is in no
// incident yet comes back from the real Alertmanager, which believes that it has delivered it; what a person did meanwhile is found at
// the hub, whose webhooks nobody took; and what cannot come back is said.
func TestLostInbox(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{})
	h := newTroubledHub(s)
	s.startToy(t)
	s.setToken(t, "alertmanager-may-send")
	am := startAlertmanager(t, s)
	s.asks = am.url
	s.serve(t)
	began := time.Now().UTC().Add(-time.Minute)
	am.send(t, s, began, time.Time{})
	first := s.awaitOpen(t, 1)
	seen := s.awaitSlot(t, first, "the gate opens", func(v sight) bool { return has[incident.GateOpened](v) })

	h.down.Store(true)
	disk := func(instance string) any {
		return map[string]any{"startsAt": began, "labels": map[string]string{"alertname": "DiskFull", "instance": instance}}
	}
	am.tell(t, disk("a"))
	waitFor(t, "Alertmanager believes that it has delivered the alert", func() bool { return am.delivered(t) >= 2 })
	if s.storedAlerts(t) == 0 {
		t.Fatal("the alert is not in the inbox")
	}
	s.end(syscall.SIGKILL)
	s.loseInbox(t, func(path string) error { return os.Remove(path) })
	h.down.Store(false)
	if err := s.world.review(t.Context(), "alice", seen.pull.GetNumber(), "/approve rollback"); err != nil {
		t.Fatal(err)
	}
	s.begin(t)
	second := s.awaitOpen(t, 2)
	waitFor(t, "the hub is asked for the webhooks that nobody took", func() bool {
		return s.world.count.lines(func(call string) bool { return strings.HasPrefix(call, "POST /app/hook/deliveries/") }) != ""
	})
	seen = s.awaitSlot(t, first, "the approval is found", func(v sight) bool { return has[incident.Mitigated](v) && v.started("confirm") })

	s.end(syscall.SIGKILL)
	said := s.log.String()
	for _, want := range []string{"the inbox begins anew", "an engine had it open last at", "what was taken and had not reached the ledger is lost", "Alertmanager was asked what fires"} {
		if !strings.Contains(said, want) {
			t.Errorf("the engine did not say %q", want)
		}
	}
	s.loseInbox(t, func(path string) error {
		return os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600)
	})
	s.begin(t)
	am.tell(t, disk("b")) // Alertmanager's own notification of the group finds the incident that was opened by asking
	s.awaitSlot(t, second, "the group's next notification is recorded", func(v sight) bool {
		update, _ := find[incident.AlertUpdated](v)
		return len(update.Alert.Alerts) == 2
	})
	if err := s.world.comment(t.Context(), "bob", seen.pull.GetNumber(), "/done confirm"); err != nil {
		t.Fatal(err)
	}
	seen = s.awaitSlot(t, first, "the incident is merged", sight.merged)
	if n := count[incident.AlertUpdated](seen); n != 0 {
		t.Errorf("what the incident knew was recorded %d times more", n)
	}
	if n := len(s.pullBranches(t)); n != 2 {
		t.Errorf("there are %d pull requests, want 2", n)
	}
	if n := s.effect.Load(); n != 1 {
		t.Errorf("the service was rolled back %d times", n)
	}
}

// delivered counts the posts that were answered.
func (am alertmanager) delivered(t *testing.T) (n int) {
	t.Helper()
	resp, err := http.Get(am.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if text, is := strings.CutPrefix(lines.Text(), `alertmanager_notification_latency_seconds_count{integration="webhook"} `); is {
			if n, err = strconv.Atoi(text); err != nil {
				t.Fatal(err)
			}
		}
	}
	return n
}

// loseInbox does something to the inbox of an engine that is down.
func (s *scene) loseInbox(t *testing.T, spoil func(path string) error) {
	t.Helper()
	path := filepath.Join(s.world.dir, "engine", "inbox.sqlite")
	if err := spoil(path); err != nil {
		t.Fatal(err)
	}
	for _, beside := range []string{"-wal", "-shm"} {
		if err := os.Remove(path + beside); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}

// begin starts an engine that was ended.
func (s *scene) begin(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	s.start()
	s.mu.Unlock()
	s.awaitHealth(t)
}
