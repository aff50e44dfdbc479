package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
)

// forge is the simulated hub: pull requests, reviews, comments, check runs and people, with GitHub's rules where the engine
// relies on them.
type forge struct {
	w      *World
	people []*person
	pulls  []*pull // by number, from 1
	checks []check
	ids    int64 // of reviews and comments
}

// person is an account.
type person struct {
	approval.Person
	teams []string
}

// pull is a pull request from a branch to the default branch.
type pull struct {
	number       int
	branch       string
	title, body  string
	labels       []string
	assignees    []string
	open, merged bool
	refused      int // how often it could not be reopened
	head         string
	made         time.Time
	stale        string    // the head that readers still see
	staleUntil   time.Time // until then
	hiddenUntil  time.Time // readers do not find it yet
	reviews      []*review
	comments     []*comment
	asked        map[string]time.Time // for a review: when last
	requested    map[string]bool      // and who has not given one since

	by   *person // who opened it, of an edit; nil: it is an incident's
	base string  // the incident's branch that an edit is against; empty: the default branch
	fork bool    // its branch is another repository's
}

type review struct {
	id     int64
	by     *person
	state  approval.ReviewState
	commit string
	body   string
	edited bool
	at     time.Time
}

type comment struct {
	id     int64
	by     *person // nil: the engine's App
	body   string
	edited bool
	at     time.Time
	heard  bool
}

// check is a check run of the engine's App.
type check struct {
	incident.CheckRun
	made int // in the order in which they were made
}

// What the forge answers.
var (
	errNoPull       = errors.New("404 there is no such pull request")
	errHeadMoved    = errors.New("409 the head has moved")
	errNotMergeable = errors.New("405 it cannot be merged")
	errInvalid      = errors.New("422 it is not valid")
)

func newForge(w *World) *forge {
	f := &forge{w: w, ids: 1000}
	add := func(login string, write, bot bool, teams ...string) {
		f.people = append(f.people, &person{Person: approval.Person{ID: int64(101 + len(f.people)), Login: login, Write: write, Bot: bot}, teams: teams})
	}
	add("alice", true, false, sreTeam)
	add("bob", true, false, sreTeam)
	add("carol", true, false)
	add("dora", true, false) // may command, and approves nothing
	add("erin", true, false, sreTeam)
	add("frank", true, false, sreTeam)
	add("grace", true, false)
	add("mallory", false, false)
	add("robot", true, true, sreTeam)
	add("heidi", true, false)
	return f
}

const sreTeam = "acme/sre"

// commanders may command by comments.
func commanders() []string { return []string{sreTeam, "carol", "dora"} }

func (f *forge) person(login string) *person {
	i := slices.IndexFunc(f.people, func(p *person) bool { return p.Login == login })
	return f.people[i]
}

// as is how the hub describes a person to somebody who asks about some teams.
func (p *person) as(teams []string) approval.Person {
	out := p.Person
	for _, t := range teams {
		if slices.Contains(p.teams, t) {
			out.Teams = append(out.Teams, t)
		}
	}
	return out
}

func (f *forge) pull(number int) (*pull, error) {
	if number < 1 || number > len(f.pulls) {
		return nil, fmt.Errorf("pull request %d: %w", number, errNoPull)
	}
	return f.pulls[number-1], nil
}

// of is the pull request of a branch: the open one, else the newest; nil where there is none.
func (f *forge) of(branch string) *pull {
	var found *pull
	for _, p := range f.pulls {
		if p.branch == branch && (found == nil || p.open || !found.open) {
			found = p
		}
	}
	return found
}

// openPull opens a pull request. A branch has at most one that is open, and needs a commit that the base has not.
func (f *forge) openPull(branch, title, body string) (*pull, error) {
	head := f.w.remote.heads[branch]
	if p := f.of(branch); p != nil && p.open {
		return nil, fmt.Errorf("there is one open already: %w", errInvalid)
	}
	if head == "" || f.w.remote.merged[f.w.remote.heads[mainBranch]][head] {
		return nil, fmt.Errorf("open a pull request of %s: nothing to merge: %w", branch, errInvalid)
	}
	p := &pull{number: len(f.pulls) + 1, branch: branch, title: title, body: body, open: true, head: head, made: f.w.now, asked: map[string]time.Time{},
		requested: map[string]bool{}}
	f.pulls = append(f.pulls, p)
	return p, nil
}

// moved brings pull requests up to date with a branch. One that lost its branch is closed.
func (f *forge) moved(branch, head string) {
	for _, p := range f.pulls {
		if p.branch != branch || !p.open {
			continue
		}
		if head == "" {
			p.open = false
			continue
		}
		if r := f.w.dice.trouble; !f.w.calm && oneIn(r, f.w.bent.lags) {
			p.stale, p.staleUntil = p.head, f.w.now.Add(between(r, 0, f.w.bent.lag))
		}
		p.head = head
	}
}

// review adds a review on a commit of the pull request.
func (f *forge) review(p *pull, by *person, state approval.ReviewState, commit, body string) *review {
	f.ids++
	r := &review{id: f.ids, by: by, state: state, commit: commit, body: body, at: f.w.now}
	p.reviews = append(p.reviews, r)
	delete(p.requested, by.Login)
	for _, team := range by.teams {
		delete(p.requested, team)
	}
	return r
}

// stillAsked notes that a request which is not answered yet stands for what is asked now as well.
func (f *forge) stillAsked(branch string) {
	if p := f.of(branch); p != nil {
		for who := range p.requested {
			p.asked[who] = f.w.now
		}
	}
}

// dismiss takes back a review that approves or asks for changes.
func (f *forge) dismiss(r *review) error {
	if r.state != approval.Approved && r.state != approval.ChangesRequested {
		return fmt.Errorf("dismiss review %d: %w", r.id, errInvalid)
	}
	r.state = approval.Dismissed
	return nil
}

// comment adds a comment. by is nil for the engine's App.
func (f *forge) comment(p *pull, by *person, body string) *comment {
	f.ids++
	c := &comment{id: f.ids, by: by, body: body, at: f.w.now}
	p.comments = append(p.comments, c)
	return c
}

// setState closes or opens a pull request. One that was merged, or lost its branch, or whose branch has another one that is
// open, stays as it is.
func (f *forge) setState(p *pull, open bool) error {
	if other := f.of(p.branch); p.merged || open && (f.w.remote.heads[p.branch] == "" || other != p && other.open) {
		return fmt.Errorf("change the state of pull request %d: %w", p.number, errInvalid)
	}
	p.open = open
	if head := f.w.remote.heads[p.branch]; open {
		p.head = head
	}
	return nil
}

// addCheck adds a check run to a commit that the hub has.
func (f *forge) addCheck(c incident.CheckRun) error {
	if f.w.remote.commits[c.Commit] == nil {
		return fmt.Errorf("check run on %q: %w", c.Commit, errInvalid)
	}
	f.checks = append(f.checks, check{CheckRun: c, made: len(f.checks)})
	return nil
}

// latest is the newest check run of a name on a commit.
func (f *forge) latest(name, commit string) (check, bool) {
	for _, c := range slices.Backward(f.checks) {
		if c.Name == name && c.Commit == commit {
			return c, true
		}
	}
	return check{}, false
}

// merge merges an open pull request at its head, if the required check has passed there.
func (f *forge) merge(p *pull, head, title, message string) error {
	required, ok := f.latest(incident.RollupName, head)
	switch {
	case p.merged || !p.open:
		return fmt.Errorf("merge pull request %d, which is not open: %w", p.number, errNotMergeable)
	case p.head != head:
		return fmt.Errorf("merge pull request %d: %w", p.number, errHeadMoved)
	case !ok || required.Conclusion != "success":
		return fmt.Errorf("merge pull request %d: the required check has not passed: %w", p.number, errNotMergeable)
	}
	f.w.remote.merge(head, title, message, f.w.now)
	p.merged, p.open = true, false
	return nil
}

// deleteBranch deletes a branch.
func (f *forge) deleteBranch(branch string) error {
	if f.w.remote.heads[branch] == "" {
		return fmt.Errorf("delete %s: %w", branch, errInvalid)
	}
	delete(f.w.remote.heads, branch)
	f.moved(branch, "")
	f.unbased(branch)
	return nil
}
