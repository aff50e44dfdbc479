package incident

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// All interleavings up to length five, and a sample of what happens several at a time, run always; -long adds the rest.
var long = flag.Bool("long", false, "try all interleavings up to length six, and many more walks")

// deedOf is what a person did in the model, and what was in front of them.
type deedOf struct {
	who     string
	approve bool              // otherwise: requests changes
	steps   []string          // that an approval names; an objection is about every open gate
	pages   map[string]string // of the gates that were open at the commit, by step
	gone    bool              // dismissed
	edited  bool              // the words of an approval: it names its steps in them
}

// model is two gates, the people, and what the rules say of them, worked out without the code that is tested.
type model struct {
	*stage
	deeds []deedOf
	left  map[string]bool // people who are not in the team any more
	next  []string        // what happens during the next confirmations
	n     int
	seen  map[string]bool // situations that were explored, shared by all copies
}

func newModel(t *testing.T) *model {
	t.Helper()
	m := &model{stage: newStage(), left: map[string]bool{}, seen: map[string]bool{}}
	if got := m.makePlan(t, "a exec change approve=2 within=15m\nb exec destructive approve=1 within=15m\n"); got != "ok\n" {
		t.Fatal(got)
	}
	m.open(t)
	m.watch(t)
	m.look(t)
	return m
}

// copy is a model that goes on by itself.
func (m *model) copy(t *testing.T) *model {
	s := *m.stage
	s.says, s.view.Checks, s.view.Branch.Commits = maps.Clone(s.says), maps.Clone(s.view.Checks), maps.Clone(s.view.Branch.Commits)
	s.view.Reviews, s.view.Attempts, s.view.Comments = slices.Clone(s.view.Reviews), slices.Clone(s.view.Attempts), slices.Clone(s.view.Comments)
	pull := *s.view.Pull
	s.view.Pull = &pull
	out := &model{stage: &s, deeds: slices.Clone(m.deeds), left: maps.Clone(m.left), n: m.n, seen: m.seen}
	out.watch(t)
	return out
}

// watch checks each flush and each start against the rules.
func (m *model) watch(t *testing.T) {
	m.confirm = func() {
		if len(m.next) > 0 {
			m.happen(m.next[0])
			m.next = m.next[1:]
		}
	}
	m.flushed = func(events []Event) {
		for _, e := range events {
			started, ok := e.Data.(StepStarted)
			if ok && !m.valid(started.Step, started.Gate) {
				t.Fatalf("%s departs without a valid set of approvals: %+v", started.Step, m.deeds)
			}
			if ok && m.view.Branch.Foreign != nil {
				t.Fatalf("%s departs from a branch that is not the engine's", started.Step)
			}
		}
	}
	m.started = func(a Start) {
		if st := m.pushed.Step(a.Step); st.Phase != PhaseStarted || st.Attempt != a.Attempt {
			t.Fatalf("%s starts without its intent on the remote branch", a.Step)
		}
	}
}

// valid reports whether the page of a step is approved by enough people, and held by nobody.
func (m *model) valid(step, page string) bool {
	said := map[string]bool{} // by person: approves or holds
	for _, d := range m.deeds {
		shown, open := d.pages[step]
		switch {
		case d.gone:
			delete(said, d.who) // it takes earlier votes with it
		case d.approve && d.edited: // as if it had never been said
		case !d.approve && open:
			said[d.who] = false
		case !d.approve:
			delete(said, d.who)
		case open && shown == page && slices.Contains(d.steps, step):
			said[d.who] = true
		}
	}
	have, want := 0, map[string]int{"a": 2, "b": 1}[step]
	for who, approves := range said {
		switch {
		case m.left[who]:
		case !approves:
			return false
		default:
			have++
		}
	}
	return have >= want
}

// happenings are the letters of which the interleavings are made.
func happenings() []string {
	return []string{"elsewhere", "alice approves a", "bob approves both", "dismiss", "alice objects", "edit", "bob leaves", "foreign push", "page", "expire"}
}

func (m *model) happen(what string) {
	m.n++
	switch what {
	case "elsewhere":
		m.view.Alerts = []Alert{{Name: "Alert", Fingerprint: fmt.Sprint(m.n)}}
	case "edit": // the latest review
		if n := len(m.deeds); n > 0 {
			m.deeds[n-1].edited, m.view.Reviews[n-1].Edited = true, true
		}
	case "foreign push":
		m.view.Pull.Head, m.view.Branch.Foreign = "f00", &Foreign{Commit: "f00", Why: "it is not signed"}
	case "alice approves a":
		m.vote("alice", "/approve a", deedOf{approve: true, steps: []string{"a"}})
	case "bob approves both":
		m.vote("bob", "/approve a\n/approve b", deedOf{approve: true, steps: []string{"a", "b"}})
	case "alice objects":
		m.vote("alice", "", deedOf{})
	case "dismiss":
		for i := len(m.deeds) - 1; i >= 0; i-- {
			if !m.deeds[i].gone {
				m.deeds[i].gone = true
				m.dismiss(int64(i + 1))
				return
			}
		}
	case "bob leaves":
		m.left["bob"] = true
		for i, r := range m.view.Reviews {
			if r.By.Login == "bob" {
				m.view.Reviews[i].By.Teams = nil
			}
		}
	case "page":
		m.says["a"] = runbook.Resolution{Status: runbook.StatusReady, Work: runbook.Work{Manual: &runbook.Manual{Task: fmt.Sprint(m.n)}}}
	case "expire":
		m.now = m.now.Add(15 * time.Minute)
	}
}

// vote adds a review on the head that people see.
func (m *model) vote(who, body string, d deedOf) {
	d.who, d.pages = who, map[string]string{}
	for name, st := range m.pushed.Steps {
		if st.Phase == PhaseGate {
			d.pages[name] = st.Gate.Page
		}
	}
	by := person(map[string]string{"by": who})
	if m.left[who] {
		by.Teams = nil
	}
	state := approval.ChangesRequested
	if d.approve {
		state = approval.Approved
	}
	m.deeds = append(m.deeds, d)
	m.view.Reviews = append(m.view.Reviews, approval.Review{ID: int64(len(m.deeds)), By: by, State: state, Commit: m.view.Pull.Head, Body: body, At: m.now})
}

// settle looks, and checks that no valid set waits, unless the other gate has expired and halts the incident.
func (m *model) settle(t *testing.T, history []string) {
	t.Helper()
	m.look(t)
	halted := m.view.Branch.Foreign != nil || m.state.Step("a").Phase == PhaseRefused || m.state.Step("b").Phase == PhaseRefused
	for _, step := range m.plan.Steps {
		st := m.state.Step(step.Name)
		if st.Phase == PhaseGate && !halted && m.valid(step.Name, st.Gate.Page) {
			t.Fatalf("%v: %s is approved and does not start: %+v", history, step.Name, m.deeds)
		}
		if st.Phase == PhaseRefused && !slices.Contains(history, "expire") {
			t.Fatalf("%v: %s was refused by nobody", history, step.Name)
		}
	}
}

// situation is all on which the future of the model depends, with pages and commits by what they mean: two histories of one
// length that lead to the same one need not both be followed.
func (m *model) situation(depth int) string {
	var b strings.Builder
	pages := map[string]int{"": 0}
	page := func(p string) int {
		if _, known := pages[p]; !known {
			pages[p] = len(pages)
		}
		return pages[p]
	}
	fmt.Fprint(&b, depth, m.left, m.view.Branch.Foreign != nil, len(m.view.Alerts) > 0)
	for _, step := range m.plan.Steps {
		st := m.state.Step(step.Name)
		fmt.Fprint(&b, " ", st.Phase, st.Attempt, page(st.Gate.Page), m.now.Sub(st.Gate.Since) < st.Gate.Rule.Within, m.now.Sub(st.Gate.Since))
	}
	shown := m.state.Shown(m.view.Branch.Commits)
	for i, r := range m.view.Reviews {
		fmt.Fprint(&b, " ", r.By.Login, r.State, r.Body, r.Edited, m.now.Sub(r.At))
		for _, s := range shown[r.Commit] {
			fmt.Fprint(&b, s.Step, page(s.Page))
		}
		d := m.deeds[i]
		fmt.Fprint(&b, d.gone, d.edited, page(d.pages["a"]), page(d.pages["b"]))
	}
	return b.String()
}

func (m *model) explore(t *testing.T, depth int, history []string) {
	t.Helper()
	if depth == 0 {
		return
	}
	for _, what := range happenings() {
		far := append(history[:len(history):len(history)], what)
		then := m.copy(t)
		then.happen(what)
		then.settle(t, far)
		if now := then.situation(depth); !m.seen[now] {
			m.seen[now] = true
			then.explore(t, depth-1, far)
		}
	}
}

// TestGatesHoldInEveryInterleaving: whatever people do, in whatever order, an effect departs only with a valid set of
// approvals at that very moment, and a valid set does not wait.
func TestGatesHoldInEveryInterleaving(t *testing.T) {
	depth := 5
	if fewer > 1 {
		depth = 4
	}
	if *long {
		depth = 6
	}
	m := newModel(t)
	m.explore(t, depth, nil)
	t.Logf("%d things that can happen, up to length %d: %d situations that differ, each of them followed", len(happenings()), depth, len(m.seen))
}

// TestGatesHoldAtTheFlush: the same for what happens several at a time, and between a decision and its push.
func TestGatesHoldAtTheFlush(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	walks := 3_000 / fewer
	if *long {
		walks = 100_000
	}
	letters := happenings()
	for range walks {
		m := newModel(t)
		var history []string
		for len(history) < 6 {
			what := letters[random.IntN(len(letters))]
			history = append(history, what)
			switch random.IntN(3) {
			case 0:
				m.happen(what)
			case 1:
				m.next = append(m.next, what)
			default:
				m.happen(what)
				m.settle(t, history)
			}
		}
		m.settle(t, history)
	}
}
