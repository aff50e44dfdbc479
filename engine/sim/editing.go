package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// editing is the people who edit plans while incidents follow them, and those who approve that. Not all of them may.
type editing struct {
	w      *World
	made   int          // so many edits and words: each has a number of its own
	helped map[int]bool // pull requests that people were asked about in the calm
	still  bool         // nobody does anything of their own accord
}

// mostEdited bounds the edits of one incident that are open: the engine reads five.
const mostEdited = 4

// rule draws who approves edits. Two of the team, and grace, write none.
func (e *editing) rule() *runbook.Approval {
	return &runbook.Approval{From: []string{sreTeam, "grace"}, Count: 1 + e.w.dice.edits.IntN(2)}
}

// plan puts what they do on the agenda.
func (e *editing) plan(until time.Duration) {
	if e == nil {
		return
	}
	r := e.w.dice.edits
	if e.helped = map[int]bool{}; e.still {
		return
	}
	for range 6 + r.IntN(20) {
		e.w.in(between(r, 0, until), "", func() {
			if !e.w.calm {
				e.act()
			}
		})
	}
}

// act lets somebody write an edit, or do something about one.
func (e *editing) act() {
	r := e.w.dice.edits
	var incidents, edits []*pull
	for _, p := range e.w.forge.pulls {
		switch {
		case p.by != nil && !p.merged:
			edits = append(edits, p)
		case p.by == nil && e.w.remote.heads[p.branch] != "" && e.w.chronicle.branches[p.branch] != nil && len(e.open(p.branch)) < mostEdited:
			incidents = append(incidents, p)
		}
	}
	switch {
	case len(edits) > 0 && oneIn(r, 2):
		e.about(edits[r.IntN(len(edits))])
	case len(incidents) > 0:
		e.write(incidents[r.IntN(len(incidents))])
	}
}

// open are the open edits against a branch.
func (e *editing) open(branch string) (out []*pull) {
	for _, p := range e.w.forge.pulls {
		if p.by != nil && p.open && p.base == branch {
			out = append(out, p)
		}
	}
	return out
}

// write lets somebody propose an edit of an incident's plan, and people look at it.
func (e *editing) write(of *pull) {
	r, w := e.w.dice.edits, e.w
	rec, head := w.chronicle.branches[of.branch], w.remote.heads[of.branch]
	by := w.forge.person(pick(r, "alice", "alice", "bob", "bob", "carol", "dora", "mallory"))
	e.made++
	branch := fmt.Sprintf("%s%d", pick(r, "fix/", incident.EditPrefix, incident.EditPrefix, incident.EditPrefix, incident.EditPrefix, incident.EditPrefix), e.made)
	files, what := e.draw(rec, head)
	if files == nil {
		return
	}
	author := by.Login
	if oneIn(r, 15) {
		author = unknown
	}
	made := (&commit{parent: head, files: files, message: what, by: author, at: w.now}).named()
	p := w.forge.propose(by, branch, of.branch, made)
	w.tell(by.Login, "proposes by pull request %d from %s (fork: %t) an edit of %s at %s: %s", p.number, branch, p.fork, of.branch, short(made.id), what)
	w.hook(p, engine.KindProposals)
	for range r.IntN(8) {
		w.in(between(r, time.Second, 90*time.Second), "", func() {
			if !w.calm && p.open {
				e.review(p)
			}
		})
	}
}

// about lets somebody do something about an edit that was proposed.
func (e *editing) about(p *pull) {
	r, w := e.w.dice.edits, e.w
	rec := w.chronicle.branches[p.base]
	switch n := r.IntN(8); {
	case n == 0 && p.open && rec != nil:
		if files, what := e.draw(rec, p.head); files != nil {
			by := pick(r, p.by.Login, "alice", "carol")
			e.push(p, &commit{parent: p.head, files: files, message: what, by: by, at: w.now})
		}
	case n == 1 && w.forge.setState(p, !p.open) == nil:
		w.tell(p.by.Login, "has pull request %d open: %t", p.number, p.open)
		w.hook(p, engine.KindProposals)
	case n <= 3 && p.open && rec != nil:
		e.merge(p, rec)
	case n == 4 && len(p.reviews) > 0:
		if v := p.reviews[r.IntN(len(p.reviews))]; w.forge.dismiss(v) == nil {
			w.tell("carol", "dismisses review %d by %s", v.id, v.by.Login)
			w.hook(p, engine.KindPull)
		}
	case p.open:
		e.review(p)
	}
}

func (e *editing) push(p *pull, made *commit) {
	e.w.forge.push(p, made.named())
	e.w.tell(made.by, "pushes %s to pull request %d: %s", short(made.id), p.number, made.message)
	e.w.hook(p, engine.KindProposals)
}

// merge brings an edit up to date with the incident's branch: its own changes are made to the plan as it is now.
func (e *editing) merge(p *pull, rec *record) {
	w := e.w
	head := w.remote.heads[p.base]
	path, was := e.book(rec, p.head)
	_, now := e.book(rec, head)
	if head == "" || was == nil || now == nil || w.forge.reach(p.base)[p.head] {
		return
	}
	for i, s := range was.Steps { // what is new, and what has another word
		switch old := now.step(s.Name); {
		case old == nil:
			now.Steps = append(now.Steps, was.Steps[i])
		case old.Said != s.Said && old.Said == "":
			old.Said = s.Said
		}
	}
	e.push(p, &commit{parent: p.head, merged: head, tree: head, files: map[string][]byte{path: now.text()}, message: "merge " + p.base, by: p.by.Login, at: w.now})
}

// review lets somebody say what they think of an edit, perhaps of what it was before.
func (e *editing) review(p *pull) {
	r, w := e.w.dice.edits, e.w
	by := w.forge.person(pick(r, "alice", "bob", "carol", "erin", "erin", "erin", "frank", "frank", "frank", "grace", "grace", "grace", "heidi", "mallory", "robot", p.by.Login))
	commit := p.head
	if oneIn(r, 8) {
		commit = w.remote.commits[p.head].parent
	}
	state := pick(r, approval.Approved, approval.Approved, approval.Approved, approval.Approved, approval.Approved, approval.ChangesRequested, approval.Commented)
	body := pick(r, "", "", "", "/approve edit", "fine", "/approve s0")
	v := w.forge.review(p, by, state, commit, body)
	v.edited = body != "" && oneIn(r, 15)
	w.tell(by.Login, "reviews pull request %d at %s: %s %q (review %d)", p.number, short(commit), state, body, v.id)
	w.hook(p, engine.KindPull)
}

// book is the runbook of an incident's plan at a commit, and where it lies; nil where it is none.
func (e *editing) book(rec *record, at string) (path string, b *book) {
	dir := journal.PlanDir(rec.id.Dir())
	files, err := e.w.remote.files(at, []string{dir + "runbooks"})
	if err != nil || len(files) != 1 {
		return "", nil
	}
	for p, f := range files {
		path, b = p, &book{}
		if json.Unmarshal(f.Data, b) != nil {
			return path, nil
		}
	}
	return path, b
}

// help lets people approve in the calm what is proposed, each edit once, and some of them never.
func (e *editing) help() (asked bool) {
	if e == nil {
		return false
	}
	for _, p := range e.w.forge.pulls {
		if p.by == nil || !p.open || p.base == "" || e.helped[p.number] {
			continue
		}
		e.helped[p.number] = true
		if oneIn(e.w.dice.edits, 2) {
			continue
		}
		for _, login := range []string{"erin", "frank", "grace"} {
			e.w.forge.review(p, e.w.forge.person(login), approval.Approved, p.head, "")
		}
		e.w.tell("people", "approve the edit of pull request %d at %s", p.number, short(p.head))
		e.w.hook(p, engine.KindPull)
		asked = true
	}
	return asked
}

// insist lets those who wrote an edit approve what they wrote, a little later.
func (e *editing) insist(r *record, authors []string, steps []string) {
	w := e.w
	w.in(between(w.dice.edits, time.Second, time.Minute), "", func() {
		p := w.forge.of(r.branch)
		if w.calm || p == nil || !p.open {
			return
		}
		for _, login := range authors {
			for _, step := range steps {
				w.forge.review(p, w.forge.person(login), approval.Approved, p.head, "/approve "+step)
			}
		}
		w.tell("people", "%s approve %s on pull request %d, which they have edited", strings.Join(authors, ", "), strings.Join(steps, ", "), p.number)
		w.hook(p, engine.KindHub)
	})
}

// strange is what a stranger writes to an incident's branch. Where people edit plans, so do strangers.
func (e *editing) strange(branch, head string) map[string][]byte {
	files := map[string][]byte{"README.md": []byte("mine")}
	if e == nil || e.w.chronicle.branches[branch] == nil {
		return files
	}
	if path, b := e.book(e.w.chronicle.branches[branch], head); b != nil && b.Edit != nil && len(b.Steps) > 0 {
		b.Steps[e.w.dice.edits.IntN(len(b.Steps))].Said = "w000"
		files[path] = b.text()
	}
	return files
}

// forget drops what was seen of the edits of a branch: what a push rests on is asked anew.
func (e *editing) forget(p *process, branch string) {
	if e == nil {
		return
	}
	for _, edit := range e.open(branch) {
		delete(p.looked, edit.branch)
	}
}

// draw is a change of the plan as it is at a commit, as files and in words; nil where there is no plan.
func (e *editing) draw(rec *record, at string) (files map[string][]byte, what string) {
	r := e.w.dice.edits
	path, b := e.book(rec, at)
	if b == nil || b.Edit == nil || len(b.Steps) == 0 {
		return nil, ""
	}
	dir := journal.PlanDir(rec.id.Dir())
	switch r.IntN(24) {
	case 0:
		return map[string][]byte{path: []byte("{")}, "a mistake"
	case 1:
		return map[string][]byte{path: b.text(), "README.md": []byte("mine")}, "another file"
	case 2:
		return map[string][]byte{dir + journal.PlanFile: []byte("{}")}, "the plan's own file"
	case 3:
		b.Command, what = slices.Concat(b.Command, []string{"mallory"}), "who commands"
	}
	for range 1 + r.IntN(2) {
		what = strings.TrimPrefix(what+", "+e.change(b, rec), ", ")
	}
	return map[string][]byte{path: b.text()}, what
}
