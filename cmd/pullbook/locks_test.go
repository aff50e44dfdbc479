package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
)

// locksRunbook holds a lock that the alert names until a file is there. Another file says that it runs.
const locksRunbook = `title: "Migrate \(alert.labels.service)"
match: labels: db: =~"."
alert: _
steps: {
	migrate: {
		title: "Migrate \(alert.labels.db)"
		approval: {from: ["acme/sre"], count: 1}
		locks: ["db/\(alert.labels.db)"]
		exec: command: ["sh", "-c", ": >$DIR/$SERVICE.runs; n=0; until [ -e $DIR/$SERVICE ]; do n=$((n+1)); [ $n -lt 1000 ] || exit 9; sleep 0.1; done"]
		exec: env: {DIR: %q, SERVICE: alert.labels.service}
	}
}
`

// TestLocks lets two incidents contend for one lock: the second waits and shows who holds it, also after the engine was
// killed and nobody knows what became of the first, until a person says so.
func TestLocks(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	t.Parallel()
	dir := t.TempDir()
	s := newScene(t, stage{files: map[string]string{"runbooks/locks.cue": fmt.Sprintf(locksRunbook, dir)}})
	s.serve(t)
	raise := func(service, db string) (group string) {
		group = s.raise(t, alarm{Name: "Slow " + service, Labels: map[string]string{"service": service, "db": db}})
		seen := s.await(t, group, "the gate of "+service+" opens", has[incident.GateOpened])
		if err := s.world.review(t.Context(), "alice", seen.pull.GetNumber(), "/approve migrate"); err != nil {
			t.Fatal(err)
		}
		return group
	}
	started := func(v sight) bool { return v.started("migrate") }
	first := raise("shop", "orders")
	holder := s.await(t, first, "the first holds the lock", started)
	second, other := raise("billing", "orders"), raise("search", "index")
	waits := func(v sight) bool {
		held := "**Waits for a lock:** `migrate` needs `db/orders`, held by `migrate` of [`"
		return strings.Contains(v.pull.GetBody(), held) && strings.Contains(v.pull.GetBody(), "]("+holder.pull.GetHTMLURL()+")")
	}
	seen := s.await(t, second, "the second shows who holds the lock", waits)
	s.picture(t, "lock", seen.pull.GetHTMLURL())
	s.await(t, other, "another lock is free", started)
	touch(t, dir, "search")
	s.await(t, other, "the third is merged", sight.merged)
	waitFor(t, "the first runs", func() bool { _, err := os.Stat(filepath.Join(dir, "shop.runs")); return err == nil })
	s.restart()
	s.await(t, first, "people are asked what became of the first", has[incident.StepUnknown])
	if seen := s.await(t, second, "the second waits all the same", waits); started(seen) {
		t.Fatal("two incidents hold one lock")
	}
	if err := s.world.comment(t.Context(), "bob", holder.pull.GetNumber(), "/did-it-by-hand migrate it is done"); err != nil {
		t.Fatal(err)
	}
	s.await(t, second, "the second has the lock", started)
	touch(t, dir, "billing")
	for _, group := range []string{first, second} {
		s.await(t, group, "it is merged", sight.merged)
	}
	s.verify(t, 3)
}

func touch(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// picture keeps a page for people to look at, where PULLBOOK_SCREENSHOTS says so.
func (s *scene) picture(t *testing.T, name, address string) {
	t.Helper()
	dir := os.Getenv("PULLBOOK_SCREENSHOTS")
	if dir == "" {
		return
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t, s.world.url)
	b.be("carol")
	for _, l := range []look{looks()[0], looks()[2]} {
		b.wear(l)
		b.open(strings.TrimPrefix(address, s.world.url))
		b.awaits("the graphs are drawn", "document.readyState === 'complete' && !document.querySelector('code.language-mermaid')")
		b.holds(name+" "+l.name, l)
		b.picture(filepath.Join(dir, name+"-"+l.name), l)
	}
}
