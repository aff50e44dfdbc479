package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
	"github.com/pullbook/pullbook/runbooks"
)

// TestPostgresFailover plays the runbook that comes along against a primary and a replica of the host's PostgreSQL. The
// primary crashes: the replica takes over, a person is not content, and all is taken back. Then it is opened with both well:
// the replica takes over for good, and the old primary follows it.
func TestPostgresFailover(t *testing.T) {
	t.Parallel()
	pair := newPostgres(t)
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(hook.Close)
	library := runbooks.Library()
	files := map[string]string{"pullbook.cue": swap(t, string(runbooks.Organisation()),
		`{url: "https://chat.acme.example/hooks/$ONCALL_HOOK", secrets: ["ONCALL_HOOK"]}`, fmt.Sprintf(`url: %q`, hook.URL))}
	files["pullbook.cue"] = swap(t, files["pullbook.cue"], `command: ["sre"]`, `command: ["sre", "carol"]`)
	for _, name := range []string{"runbooks/postgres_failover.cue", "scripts/postgres", "scripts/look-postgres"} {
		files[name] = string(library[name])
	}
	const failover = "runbooks/postgres_failover.cue"
	for _, fact := range [][2]string{{"db-1.acme.example:5432", pair.address("a")}, {"db-2.acme.example:5432", pair.address("b")},
		{`primary_data: string | *"/var/lib/postgresql/15/main"`, fmt.Sprintf(`primary_data: string | *%q`, pair.data("a"))},
		{`replica_data: string | *"/var/lib/postgresql/15/main"`, fmt.Sprintf(`replica_data: string | *%q`, pair.data("b"))},
		{"/usr/lib/postgresql/15/bin", pair.bin},
		// Who confirms does not approve what follows, and the team has but two people.
		{"to go back to \\(inputs.primary).\"\n\t\t\towner: \"acme/sre\"", "to go back.\"\n\t\t\towner: \"carol\""}} {
		files[failover] = swap(t, files[failover], fact[0], fact[1])
	}
	s := newScene(t, stage{files: files})
	s.env = []string{"PATH=" + pair.ssh + string(os.PathListSeparator) + os.Getenv("PATH")}
	s.serve(t)

	pair.sql(t, "a", "create table orders (n int); insert into orders values (1)")
	waitFor(t, "the replica has it", func() bool { return pair.sql(t, "b", "select to_regclass('orders') is not null") == "t" })
	pair.run(t, "pg_ctl", "-D", pair.data("a"), "-m", "immediate", "stop")
	group := s.raise(t, alarm{Name: "PostgresPrimaryDown", Labels: map[string]string{"alertname": "PostgresPrimaryDown"}})
	s.approveInTurn(t, group, "fence", "promote")
	seen := s.await(t, group, "a person is asked", func(v sight) bool { return v.started("confirm") })
	if got := pair.sql(t, "b", "insert into orders values (2); select count(*) from orders"); got != "2" {
		t.Errorf("the promoted server has %s orders, want 2", got)
	}
	if err := s.world.comment(t.Context(), "alice", seen.pull.GetNumber(), "/cancel the applications do not find it"); err != nil {
		t.Fatal(err)
	}
	s.approveInTurn(t, group, "promote_undo", "fence_undo")
	seen = s.await(t, group, "it is merged", sight.merged)
	if end, _ := find[incident.Ended](seen); end.End != incident.EndCancelled {
		t.Errorf("the first ended %q, want %q", end.End, incident.EndCancelled)
	}
	if got := pair.sql(t, "a", "insert into orders values (3); select count(*) from orders"); got != "2" {
		t.Errorf("the primary has %s orders, want 2: its own of before and after", got)
	}
	if got := pair.sql(t, "b", "select pg_is_in_recovery()"); got != "t" {
		t.Errorf("the replica is in recovery: %s, want t", got)
	}
	pair.forward(t, s)
	s.verify(t, 2)
}

// forward fails over for good.
func (p *postgres) forward(t *testing.T, s *scene) {
	t.Helper()
	opened := s.open(t, "postgres_failover")
	group := opened.Alert.Group
	s.approveInTurn(t, group, "fence", "promote")
	seen := s.await(t, group, "a person is asked", func(v sight) bool { return v.started("confirm") })
	if err := s.world.comment(t.Context(), "carol", seen.pull.GetNumber(), "/done confirm"); err != nil {
		t.Fatal(err)
	}
	s.approveInTurn(t, group, "rejoin")
	seen = s.await(t, group, "it is merged", sight.merged)
	if end, _ := find[incident.Ended](seen); end.End != incident.EndResolved {
		t.Errorf("the second ended %q, want %q", end.End, incident.EndResolved)
	}
	for step, want := range map[string]runbook.Conclusion{"writable": runbook.Succeeded, "rejoin": runbook.Succeeded} {
		if got, _ := seen.ended(step); got.Conclusion != want {
			t.Errorf("%s ended %q, want %q (%s)", step, got.Conclusion, want, got.Error)
		}
	}
	if seen.started("nowhere") || seen.started("copy") {
		t.Error("a step for the case that there is no good replica was started")
	}
	var writable struct{ Server string }
	step, _ := seen.ended("writable")
	if err := json.Unmarshal(step.Output, &writable); err != nil || writable.Server != p.address("b") {
		t.Errorf("clients write to %s (%v), want %s", step.Output, err, p.address("b"))
	}
	if got := p.sql(t, "b", "select count(*) from pg_stat_replication where state = 'streaming'"); got != "1" {
		t.Errorf("%s servers follow the new primary, want 1", got)
	}
}

// approveInTurn gives the two approvals of each gate as it opens.
func (s *scene) approveInTurn(t *testing.T, group string, steps ...string) {
	t.Helper()
	for _, step := range steps {
		seen := s.await(t, group, "the gate of "+step+" opens", func(v sight) bool { return v.gate(step) })
		for _, who := range []string{"alice", "bob"} {
			if err := s.world.review(t.Context(), who, seen.pull.GetNumber(), "/approve "+step); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// gate reports whether the gate of a step has been opened.
func (v sight) gate(step string) bool {
	for _, e := range v.events {
		if g, ok := e.Data.(incident.GateOpened); ok && g.Step == step {
			return true
		}
	}
	return false
}

// swap replaces a part of a text, which has to be there.
func swap(t *testing.T, text, old, with string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("there is no %s to replace", old)
	}
	return strings.ReplaceAll(text, old, with)
}

// postgres is a primary a and a replica b on loopback. Nothing of the host's own clusters is touched.
type postgres struct {
	bin, dir string
	ssh      string // directory of a program ssh that runs its words on this machine
	as       []string
	ports    map[string]int
}

// newPostgres starts both. As root it runs them as the user postgres, since they refuse root.
func newPostgres(t *testing.T) *postgres {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if _, noClient := exec.LookPath("psql"); err != nil || len(found) == 0 || noClient != nil {
		t.Skip("PostgreSQL is not installed")
	}
	p := &postgres{bin: filepath.Dir(found[len(found)-1]), ports: map[string]int{}}
	if os.Geteuid() == 0 {
		p.as = []string{"runuser", "-u", "postgres", "--"}
	}
	if p.dir, err = os.MkdirTemp("/tmp", "pullbook-postgres-"); err != nil { // the user postgres may not enter the test's own
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for name := range p.ports {
			_ = p.command("pg_ctl", "-D", p.data(name), "-m", "immediate", "stop").Run() // it may be stopped already
		}
		if err := os.RemoveAll(p.dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(p.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	p.ssh = filepath.Join(p.dir, "path")
	// As on another machine, what it starts has neither the environment of the step nor its session: the engine leaves it alone.
	script := fmt.Sprintf("#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\nshift 2\ncd / && exec env -i PATH=\"$PATH\" setsid -w %s sh -c \"$*\"\n", strings.Join(p.as, " "))
	if err := os.Mkdir(p.ssh, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.ssh, "ssh"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	p.start(t)
	return p
}

// start makes the primary, copies it, and starts both. What tells the two apart lies beside their data, since rewinding
// copies everything within.
func (p *postgres) start(t *testing.T) {
	t.Helper()
	var held []net.Listener
	for _, name := range []string{"a", "b"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, l)
		p.ports[name] = l.Addr().(*net.TCPAddr).Port
		p.shell(t, fmt.Sprintf("mkdir %[1]s && echo port = %[2]d >%[1]s/server.conf", filepath.Join(p.dir, name), p.ports[name]))
	}
	for _, l := range held {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	p.run(t, "initdb", "-k", "-N", "-A", "trust", "-U", "postgres", "-D", p.data("a"))
	p.shell(t, fmt.Sprintf(`printf '%%s\n' "include '../server.conf'" "listen_addresses = '127.0.0.1'" "unix_socket_directories = ''" 'wal_keep_size = 64' >>%s/postgresql.conf`, p.data("a")))
	p.run(t, "pg_ctl", "-D", p.data("a"), "-w", "-l", filepath.Join(p.dir, "a", "log"), "start")
	p.run(t, "pg_basebackup", "-c", "fast", "-R", "-D", p.data("b"), "-d", fmt.Sprintf("host=127.0.0.1 port=%d user=postgres", p.ports["a"]))
	p.run(t, "pg_ctl", "-D", p.data("b"), "-w", "-l", filepath.Join(p.dir, "b", "log"), "start")
}

func (p *postgres) data(name string) string { return filepath.Join(p.dir, name, "data") }

func (p *postgres) address(name string) string { return fmt.Sprintf("127.0.0.1:%d", p.ports[name]) }

// command is a program of PostgreSQL, as the user of the servers.
func (p *postgres) command(name string, args ...string) *exec.Cmd {
	words := append(append(append([]string{}, p.as...), filepath.Join(p.bin, name)), args...)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = "/"
	return cmd
}

// run runs a program of PostgreSQL. Its output goes to a file: a server that it starts keeps it open.
func (p *postgres) run(t *testing.T, name string, args ...string) {
	t.Helper()
	log, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := p.command(name, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(log.Name())
		t.Fatalf("%s %v: %v: %s", name, args, err, text)
	}
}

func (p *postgres) shell(t *testing.T, script string) {
	t.Helper()
	words := append(append([]string{}, p.as...), "sh", "-c", script)
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", script, err, out)
	}
}

// sql runs statements on a server and returns the last answer.
func (p *postgres) sql(t *testing.T, name, statements string) string {
	t.Helper()
	cmd := exec.Command("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", fmt.Sprint(p.ports[name]), "-U", "postgres", "-c", statements)
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("%s on %s: %v: %s", statements, name, err, exit.Stderr)
	}
	if err != nil {
		t.Fatalf("%s on %s: %v", statements, name, err)
	}
	return strings.TrimSpace(string(out))
}
