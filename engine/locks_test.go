package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

func by(id string) incident.Holder { return incident.Holder{Incident: incident.ID(id), Step: "s"} }

func table(pairs ...string) map[string]incident.Holder {
	out := map[string]incident.Holder{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = by(pairs[i+1])
	}
	return out
}

func TestLockTable(t *testing.T) {
	l := newLocks()
	if err := l.reserve("a", table("x", "A"), nil); !errors.Is(err, errLocked) {
		t.Errorf("a lock was given before every open incident was known: %v", err)
	}
	if err := l.reserve("a", nil, nil); err != nil {
		t.Errorf("nothing was refused: %v", err)
	}
	l.makeWhole()
	if err := l.reserve("a", table("x", "A", "y", "A"), nil); err != nil {
		t.Fatal(err)
	}
	if err := l.reserve("b", table("z", "B", "y", "B"), nil); !errors.Is(err, errLocked) {
		t.Errorf("a lock was given twice: %v", err)
	}
	if d := cmp.Diff(table("x", "A", "y", "A"), l.others("b")); d != "" {
		t.Errorf("b got a part of what it asked for, or a lost something: %s", d)
	}
	if err := l.reserve("a", table("x", "A", "y", "A", "z", "A"), nil); err != nil {
		t.Errorf("who holds a lock cannot keep it: %v", err)
	}
	if err := l.reserve("b", table("y", "B"), table("y", "B")); err != nil {
		t.Errorf("what a branch has by its journal is refused, since another one counts as its holder: %v", err)
	}
	l.set("b", nil)
	if l.wait("b", waiting("B", 1, "y")) || !l.wait("c", waiting("C", 2, "free")) {
		t.Error("what is free was not told from what is taken")
	}
	l.wait("c", waiting("C", 2, "x"))
	l.set("a", table("x", "A"))
	if d := cmp.Diff([]string{"b"}, l.sleepers()); d != "" {
		t.Errorf("woken: %s", d)
	}
	l.woken("b")
	l.quit("c") // it looked, and waits for nothing any more
	if l.forget("a"); len(l.sleepers()) > 0 || l.keeps("a") || len(l.others("d")) > 0 {
		t.Errorf("%v are woken, and a keeps %v", l.sleepers(), l.others("d"))
	}
}

// waiting is what a step of an incident waits for, since a number of minutes.
func waiting(id string, since int, locks ...string) incident.AwaitLocks {
	who := incident.Holder{Incident: incident.ID(id), Step: "s", Since: time.Date(2026, 11, 22, 3, since, 0, 0, time.UTC), Waits: true}
	return incident.AwaitLocks{Names: locks, Steps: []incident.Waiting{{Holder: who, Locks: locks}}}
}

// TestLockQueue: who waits for two locks is not overtaken by those who came later and need one, is seen by them, and keeps
// nothing from anybody once it does not wait any more.
func TestLockQueue(t *testing.T) {
	l := newLocks()
	l.makeWhole()
	if err := l.reserve("a", table("x", "A"), nil); err != nil {
		t.Fatal(err)
	}
	if l.wait("both", waiting("B", 1, "x", "y")) {
		t.Error("a step may start without one of its locks")
	}
	if l.wait("late", waiting("C", 2, "y")) {
		t.Error("who came later overtakes")
	}
	if !l.wait("early", waiting("D", 0, "y")) {
		t.Error("who came first waits for who came later")
	}
	l.quit("early")
	if q := l.queue("late"); len(q) != 1 || q[0].Incident != "B" {
		t.Errorf("the queue before the last one: %+v", q)
	}
	l.woken("late")
	l.set("a", nil)
	if d := cmp.Diff([]string{"both"}, l.sleepers()); d != "" {
		t.Errorf("woken when the lock is free: %s", d)
	}
	l.woken("both")
	if l.quit("both"); !l.wait("late", waiting("C", 2, "y")) {
		t.Error("who has left the queue keeps a lock from others")
	}
	if d := cmp.Diff([]string{"late"}, l.sleepers()); d != "" {
		t.Errorf("woken when the first one leaves: %s", d)
	}
	l.woken("late")
	l.wait("both", waiting("B", 1, "x", "y"))
	if l.wait("both", waiting("B", 1, "x", "y")); len(l.sleepers()) > 0 {
		t.Errorf("woken by one who still waits: %v", l.sleepers())
	}
	l.wait("both", waiting("B", 3, "x", "y"))
	if d := cmp.Diff([]string{"late"}, l.sleepers()); d != "" {
		t.Errorf("woken when another step of the first one waits in its place: %s", d)
	}
}

// branches is a ledger of incidents' branches that can be read, or not, and an inbox that remembers what was put.
type branches struct {
	Ledger
	Inbox
	of       map[string]Branch
	broken   string
	reads    []string   // one by one
	together [][]string // and with others
	merged   []incident.ID
	puts     []string
	attempts []incident.Attempt
}

func (b *branches) Heads(context.Context) (map[string]string, error) {
	out := map[string]string{"main": "m", "topic": "t"}
	for name, branch := range b.of {
		out[name] = branch.Head
	}
	return out, nil
}

func (b *branches) Branch(_ context.Context, q BranchQuery) (Branch, error) {
	name := q.Name
	if b.reads = append(b.reads, name); name == b.broken {
		return Branch{}, errors.New("the remote does not answer")
	}
	return b.of[name], nil
}

// Branches leaves out what Branch cannot read.
func (b *branches) Branches(_ context.Context, q BranchesQuery, found func(string, Branch)) error {
	b.together = append(b.together, slices.Sorted(maps.Keys(q.At)))
	for name := range q.At {
		if name != b.broken {
			found(name, b.of[name])
		}
	}
	return nil
}

func (b *branches) Incidents(context.Context, string) ([]incident.ID, error) { return b.merged, nil }

func (b *branches) Put(_ context.Context, messages ...Message) error {
	for _, m := range messages {
		b.puts = append(b.puts, m.Kind+" "+m.Key)
	}
	return nil
}

func (b *branches) Attempts(context.Context, string, int64) ([]incident.Attempt, error) {
	return b.attempts, nil
}

// incidentBranch is the branch of an incident whose step holds locks.
func incidentBranch(t *testing.T, id incident.ID, locks ...string) Branch {
	t.Helper()
	plan, err := json.Marshal(runbook.Plan{Name: "x"})
	if err != nil {
		t.Fatal(err)
	}
	var empty incident.State
	frozen := map[string][]byte{journal.PlanFile: plan}
	opened := incident.Opened{ID: id, Plan: journal.PlanDigest(frozen)}
	start := incident.StepStarted{Step: "s", Attempt: 1, Work: runbook.KindExec, Locks: locks}
	events := empty.Next([]incident.Data{opened, start}, time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC))
	files, _, err := journal.Encode(id.Dir(), journal.Head{}, events)
	if err != nil {
		t.Fatal(err)
	}
	files[journal.IdentityPath(id.Dir())] = journal.Identity(opened)
	files[journal.PlanPath(id.Dir())] = plan
	return Branch{Head: "h", Commits: []BranchCommit{{ID: "h", Files: files}}}
}

// TestReadLocks: what is held is read from every open branch before a step with locks may start, and from none that this
// engine knows already. A branch that cannot be read keeps every lock from everybody.
func TestReadLocks(t *testing.T) {
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	b := &branches{of: map[string]Branch{"incident/empty": {}}}
	var ids []incident.ID
	for i := range 3 {
		id := incident.NewID(incident.Slot(fmt.Sprint("group ", i), ""), now)
		ids = append(ids, id)
		b.of[id.Branch()] = incidentBranch(t, id, fmt.Sprintf("lock-%d", i))
	}
	e := New(Config{Ledger: b, Inbox: b, DefaultBranch: "main", Log: slog.New(slog.DiscardHandler)})
	e.locks.set(ids[0].Branch(), nil)
	b.broken = ids[2].Branch()
	if err := e.readLocks(t.Context()); err == nil || e.locks.isWhole() {
		t.Fatalf("a branch could not be read, and the table is taken for whole: %v", err)
	}
	if err := e.locks.reserve("incident/other", table("free", "B"), nil); !errors.Is(err, errLocked) {
		t.Errorf("a lock was given: %v", err)
	}
	b.broken = ""
	for range 2 {
		if err := e.readLocks(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	all := []string{"incident/empty", ids[1].Branch(), ids[2].Branch()}
	slices.Sort(all)
	if d := cmp.Diff([][]string{all}, b.together); d != "" {
		t.Errorf("read together: %s", d)
	}
	if d := cmp.Diff([]string{ids[2].Branch(), ids[2].Branch()}, b.reads); d != "" {
		t.Errorf("read one by one: %s", d)
	}
	want := map[string]incident.Holder{}
	for i, id := range ids[1:] {
		want[fmt.Sprintf("lock-%d", i+1)] = incident.Holder{Incident: id, Step: "s", Since: now}
	}
	if d := cmp.Diff(want, e.locks.others("incident/other")); d != "" {
		t.Error(d)
	}
}

// TestStandingIsWhatIsPushed: that an incident is mitigated counts for a new alert once it is on the remote branch. A push that
// never arrives would otherwise leave two open incidents of one group.
func TestStandingIsWhatIsPushed(t *testing.T) {
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	id := incident.NewID(incident.Slot("group", ""), now)
	b := &branches{of: map[string]Branch{id.Branch(): incidentBranch(t, id, "x")}}
	e := New(Config{Ledger: b, Inbox: b, DefaultBranch: "main", Log: slog.New(slog.DiscardHandler)})
	w := e.worker(id.Branch())
	if _, err := e.standing(t.Context(), w, ""); err != nil {
		t.Fatal(err)
	}
	local, err := w.ledger.state.With(w.ledger.state.Next([]incident.Data{incident.Mitigated{How: "so"}}, now)...)
	if err != nil {
		t.Fatal(err)
	}
	w.ledger.state = local
	if s, err := e.standing(t.Context(), w, w.ledger.remote); err != nil || !s.MitigatedAt.IsZero() {
		t.Errorf("mitigated at %v by what is local alone, %v", s.MitigatedAt, err)
	}
	w.tell(local) // it is pushed
	if s, err := e.standing(t.Context(), w, w.ledger.remote); err != nil || s.MitigatedAt.IsZero() {
		t.Errorf("not mitigated by what is on the remote: %v", err)
	}
}

// TestRelease: an incident whose branch is gone keeps its locks until nothing of it runs.
func TestRelease(t *testing.T) {
	b := &branches{attempts: []incident.Attempt{{Key: "k", State: incident.AttemptRunning}}}
	e := New(Config{Ledger: b, Inbox: b, Log: slog.New(slog.DiscardHandler)})
	e.locks.makeWhole()
	e.locks.set("incident/gone", table("x", "A"))
	e.locks.wait("incident/waits", waiting("W", 1, "x"))
	if err := e.lookAt(t.Context(), Message{Key: "incident/gone"}, false); err != nil || !e.locks.keeps("incident/gone") || len(b.puts) > 0 {
		t.Fatalf("what runs lost its lock: %v %v", err, b.puts)
	}
	b.attempts[0].State = incident.AttemptEnded
	if err := e.lookAt(t.Context(), Message{Key: "incident/gone"}, false); err != nil || e.locks.keeps("incident/gone") {
		t.Fatalf("what has ended keeps its lock: %v", err)
	}
	if d := cmp.Diff([]string{"look incident/waits"}, b.puts); d != "" {
		t.Error(d)
	}
}
