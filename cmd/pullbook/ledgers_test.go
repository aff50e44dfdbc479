package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/inbox/postgrestest"
)

// spreadRunbook writes down each time that one of its steps runs, in the file LOG; a person stands between the two.
const spreadRunbook = `title: "Write it down"
match: labels: service: "spread"
alert: _
steps: {
	before: exec: {command: ["sh", "-c", "echo before $LEDGER >> LOG"], env: LEDGER: "\(alert.labels.ledger)"}
	look: {needs: ["before"], manual: task: "Look at it"}
	after: {needs: ["look"], exec: {command: ["sh", "-c", "echo after $LEDGER >> LOG"], env: LEDGER: "\(alert.labels.ledger)"}}
}
`

// TestLedgersOnTwoMachines spreads three ledgers over two machines, an engine a ledger on each, which share nothing but the hub and a
// database: one machine is active for two ledgers and stands by for the third, the other one the other way round. The first
// is killed as a whole while an incident of each ledger waits for a person. The second takes its ledgers, and the third goes on:
// every incident ends there, and no step has run twice.
func TestLedgersOnTwoMachines(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	log := filepath.Join(t.TempDir(), "log")
	s := newScene(t, stage{more: []string{"ops-b", "ops-c"}, files: map[string]string{
		"runbooks/spread.cue": strings.ReplaceAll(spreadRunbook, "LOG", log), "pullbook.cue": "name: \"acme\"\ncommand: [\"acme/sre\"]\n"}})
	s.inbox = server.URL
	two := spread{scene: s, addresses: map[string]string{}}
	for _, ledger := range []string{demoName, "ops-b", "ops-c"} {
		two.addresses[ledger] = freeAddress(t)
	}
	first, second := two.machine(t, "first"), two.machine(t, "second")
	first.begin(demoName, "ops-b")
	second.begin("ops-c")
	for ledger := range two.addresses {
		two.awaitActive(t, ledger)
	}
	first.begin("ops-c")
	second.begin(demoName, "ops-b")
	for ledger := range two.addresses {
		two.raise(t, ledger)
	}
	for ledger := range two.addresses {
		two.awaitPerson(t, ledger)
	}
	killed := time.Now()
	first.kill()
	for ledger := range two.addresses {
		two.awaitActive(t, ledger)
	}
	t.Logf("the other machine had all three ledgers %s after the kill", time.Since(killed).Round(time.Millisecond))
	for ledger := range two.addresses {
		two.finish(t, ledger)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(text))
	if len(lines) != 12 { // two words a line
		t.Errorf("steps that change something ran twice, or never:\n%s", text)
	}
	for ledger := range two.addresses {
		s.verifyRepo(t, two.bare(ledger), 1)
	}
}

// spread is an organisation with several ledgers.
type spread struct {
	*scene
	addresses map[string]string // where the engine that is active for a ledger listens, by ledger
}

// machine is where an engine for each of several ledgers runs. All of them end at once.
type machine struct {
	spread
	name    string
	engines []*exec.Cmd
	exited  []chan struct{}
	logs    []*bytes.Buffer // of the engines; read only when they have exited
}

func (s spread) machine(t *testing.T, name string) *machine {
	m := &machine{spread: s, name: name}
	t.Cleanup(func() {
		for i, engine := range m.engines {
			_ = engine.Process.Signal(syscall.SIGTERM) // it may be gone already
			<-m.exited[i]
		}
		if t.Failed() {
			for _, log := range m.logs {
				t.Logf("a log of the %s machine:\n%s", name, log)
			}
		}
	})
	return m
}

// begin starts the machine's engines for some ledgers.
func (m *machine) begin(ledgers ...string) {
	for _, ledger := range ledgers {
		log := &bytes.Buffer{}
		engine, exited := m.launchFor(ledger, m.addresses[ledger], filepath.Join(m.name, ledger), log)
		m.engines, m.exited, m.logs = append(m.engines, engine), append(m.exited, exited), append(m.logs, log)
	}
}

func (m *machine) kill() {
	for _, engine := range m.engines {
		_ = engine.Process.Kill()
	}
	for _, exited := range m.exited {
		<-exited
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (s spread) awaitActive(t *testing.T, ledger string) {
	t.Helper()
	waitFor(t, "an engine serves "+ledger, func() bool {
		resp, err := http.Get("http://" + s.addresses[ledger] + "/healthz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// raise sends the alert that opens the ledger's one incident.
func (s spread) raise(t *testing.T, ledger string) {
	t.Helper()
	body := fmt.Sprintf(`{"name": "Spread", "labels": {"service": "spread", "ledger": %q}}`, ledger)
	resp, err := http.Post("http://"+s.addresses[ledger]+"/alerts/generic", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("the alert was answered %s", resp.Status)
	}
}

// awaitPerson waits until the ledger has recorded that its incident waits for a person.
func (s spread) awaitPerson(t *testing.T, ledger string) {
	t.Helper()
	waitFor(t, "the incident of "+ledger+" waits for a person", func() bool {
		out, err := exec.CommandContext(t.Context(), "git", "-C", s.bare(ledger), "log", "--all", "--format=%s").Output()
		return err == nil && strings.Contains("\n"+string(out), "\nlook: ")
	})
}

func (s spread) bare(ledger string) string {
	return filepath.Join(s.world.dir, "hub", demoOwner, ledger+".git")
}

// finish answers the person's step of the ledger's one incident, and waits for its end.
func (s spread) finish(t *testing.T, ledger string) {
	t.Helper()
	c, err := s.world.client("bob")
	if err != nil {
		t.Fatal(err)
	}
	said := false
	waitFor(t, "the incident of "+ledger+" is merged", func() bool {
		pulls, _, err := c.PullRequests.List(t.Context(), demoOwner, ledger, &github.PullRequestListOptions{State: "all"})
		if err != nil {
			t.Fatal(err)
		}
		if len(pulls) == 0 {
			return false
		}
		if !said {
			said = true
			text := "/done look"
			if _, _, err := c.Issues.CreateComment(t.Context(), demoOwner, ledger, pulls[0].GetNumber(), &github.IssueComment{Body: &text}); err != nil {
				t.Fatal(fmt.Errorf("comment: %w", err))
			}
		}
		return len(pulls) == 1 && pulls[0].MergedAt != nil
	})
}
