package sim

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/approval"
)

// crowd is the people during the trouble. Some do what they should, some do not know what they do, some mean harm.
type crowd struct {
	w     *World
	rough bool // some write to branches, close pull requests, leave teams
}

// plan puts what people do on the agenda.
func (c crowd) plan(until time.Duration) {
	r := c.w.dice.people
	for range 10 + r.IntN(60) {
		c.w.in(between(r, 0, until), "", func() {
			if !c.w.calm {
				c.act()
			}
		})
	}
}

// act lets somebody do something about an open pull request.
func (c crowd) act() {
	r := c.w.dice.people
	var open []*pull
	for _, p := range c.w.forge.pulls {
		if !p.merged && p.by == nil {
			open = append(open, p)
		}
	}
	if len(open) == 0 {
		return
	}
	p := open[r.IntN(len(open))]
	by := c.w.forge.person(pick(r, "alice", "alice", "bob", "carol", "mallory", "robot"))
	switch n := r.IntN(20); {
	case n < 8:
		c.review(p, by)
	case n < 14:
		c.speak(p, by)
	case n < 16:
		c.takeBack(p)
	case n < 17 && len(p.comments) > 0:
		if m := p.comments[r.IntN(len(p.comments))]; m.by != nil {
			m.body, m.edited = m.body+"\n/cancel edited", true
		}
	case n < 19:
		c.w.answer(p)
	case c.rough:
		c.misbehave(p, by)
	}
}

// review is given on what somebody had in front of them, which need not be the head.
func (c crowd) review(p *pull, by *person) {
	r := c.w.dice.people
	commit := p.head
	if rec := c.w.chronicle.branches[p.branch]; rec != nil && oneIn(r, 4) {
		commit = pick(r, slices.Sorted(maps.Keys(rec.commits))...)
	}
	step := c.step(p)
	body := pick(r, "", "", "/approve "+step, "/approve "+step, "looks good\n\n/approve "+step, "/reject "+step+" no", "/skip "+step+" so",
		"/did-it-by-hand "+step+" so", "/break-glass "+step+" so", "/break-glass "+step+" so", "/break-glass "+step, "```\n/approve "+step+"\n```", "> /approve "+step, "/thaw so", "/thaw")
	state := pick(r, approval.Approved, approval.Approved, approval.Approved, approval.ChangesRequested, approval.Commented)
	v := c.w.forge.review(p, by, state, commit, body)
	v.edited = body != "" && oneIn(r, 15)
	c.w.tell(by.Login, "reviews pull request %d at %s: %s %q (review %d)", p.number, short(commit), state, body, v.id)
	c.w.hook(p, engine.KindHub)
}

// step is the name of some step of the plan that a pull request is about.
func (c crowd) step(p *pull) string {
	rec := c.w.chronicle.branches[p.branch]
	if rec == nil || oneIn(c.w.dice.people, 20) {
		return "nonsense"
	}
	return pick(c.w.dice.people, rec.plan.Steps...).Name
}

func (c crowd) speak(p *pull, by *person) {
	r, step := c.w.dice.people, c.step(p)
	said := pick(r, "/ack", "/resolve", "/retry "+step, "/retry "+step, "/retry "+step, "/did-it-by-hand "+step+" so", "/done "+step, "/done "+step,
		"/choose "+step+" x", "/choose "+step+" y", "/choose "+step+" z", "/nonsense", "/help", "hello", "/ack\n/retry "+step,
		"/pause so", "/resume", "/resume", "/skip "+step+" so", "/skip "+step+" so", "/note so", "/assign "+step+" @bob", "/reopen", "/severity sev1", "<!--\n/cancel\n-->")
	if oneIn(r, 12) {
		said = "/cancel so"
	}
	c.w.say(p, by, said)
}

// say comments, and the hub tells the engine.
func (w *World) say(p *pull, by *person, text string) {
	m := w.forge.comment(p, by, text)
	w.tell(by.Login, "comments on pull request %d: %q (comment %d)", p.number, text, m.id)
	w.hook(p, engine.KindPull)
}

func (c crowd) takeBack(p *pull) {
	if len(p.reviews) == 0 {
		return
	}
	r := c.w.dice.people
	v := p.reviews[r.IntN(len(p.reviews))]
	if err := c.w.forge.dismiss(v); err == nil {
		c.w.tell("carol", "dismisses review %d by %s", v.id, v.by.Login)
		c.w.hook(p, engine.KindHub)
	}
}

// misbehave is what rules of the hub should prevent, and cannot always.
func (c crowd) misbehave(p *pull, by *person) {
	r := c.w.dice.people
	switch r.IntN(6) {
	case 0:
		c.w.intrude(p.branch)
	case 1, 2:
		if err := c.w.forge.setState(p, false); err == nil {
			c.w.tell(by.Login, "closes pull request %d", p.number)
			c.w.hook(p, engine.KindHub)
		}
	case 3:
		by.teams = nil
		c.w.tell(by.Login, "leaves all teams")
	case 4:
		by.Write = !by.Write
		c.w.tell(by.Login, "may write: %t", by.Write)
	case 5:
		if by.Write && by.ID%2 == 1 {
			c.w.vandalise(p)
		} else {
			c.w.moveBack(p)
		}
	}
}

// intrude puts a commit of a person on a branch of the engine's.
func (w *World) intrude(branch string) {
	head := w.remote.heads[branch]
	if head == "" || w.remote.merged[w.remote.heads[mainBranch]][head] {
		return
	}
	m := (&commit{parent: head, files: w.editing.strange(branch, head), message: "mine", by: "mallory", at: w.now}).named()
	if err := w.remote.push(branch, head, []*commit{m}); err != nil {
		return // unreachable: the head was read just now
	}
	w.tell("mallory", "pushes %s to %s", short(m.id), branch)
	w.forge.moved(branch, m.id)
	w.disturb(branch)
}

// vandalise deletes a branch.
func (w *World) vandalise(p *pull) {
	head := w.remote.heads[p.branch]
	rec := w.chronicle.branches[p.branch]
	if head == "" || rec == nil || p.merged {
		return
	}
	w.disturb(p.branch)
	if err := w.forge.deleteBranch(p.branch); err == nil {
		w.tell("mallory", "deletes %s", p.branch)
	}
	w.hook(p, engine.KindHub)
}

// disturb notes that somebody else has written to a branch.
func (w *World) disturb(branch string) {
	if rec := w.chronicle.branches[branch]; rec != nil {
		rec.disturbed = true
	}
}

// hook lets the hub tell the engine that people did something. Telling may fail, or happen twice, or late, and the hub
// does not tell again by itself.
func (w *World) hook(p *pull, kind string) {
	key := p.branch
	switch kind {
	case engine.KindPull:
		key = fmt.Sprintf("pull/%d", p.number)
	case engine.KindProposals:
		key = engine.KindProposals
	}
	r := w.dice.trouble
	times, latest := 1, 300*time.Millisecond
	switch {
	case w.calm:
	case w.mishaps.late(engine.Message{Kind: kind, Key: key}):
		return
	case w.bent.deaf:
		return
	default:
		times, latest = pick(r, 0, 1, 1, 1, 1, 1, 2), pick(r, 100*time.Millisecond, 2*time.Second, 3*time.Minute)
	}
	w.order++
	id := fmt.Sprint(w.order)
	for range times {
		w.in(between(r, 10*time.Millisecond, latest), "", func() { w.deliver(id, engine.Message{Kind: kind, Key: key}) })
	}
}

// deliver is one webhook at the door.
func (w *World) deliver(id string, m engine.Message) {
	p := w.active()
	if p == nil || p.paused {
		return
	}
	s := p.machine.store
	if s.seen[id] {
		return
	}
	s.seen[id] = true
	s.add(p, m)
}
