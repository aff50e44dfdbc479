package sim

import (
	"fmt"
	"slices"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
)

// follows says why a commit of the engine's does not follow what it had written, or nothing. Commits of others may stand
// between only if somebody who may has looked at the last of them and said so.
func (c *chronicle) follows(r *record, made *commit, events []incident.Event) string {
	d, thaws := events[0].Data.(incident.Thawed)
	if !thaws && made.parent != r.head {
		return fmt.Sprintf("it follows %s and not the head %s", short(made.parent), short(r.head))
	}
	if !thaws {
		return ""
	}
	var between []string
	for id := made.parent; id != r.head; id = c.w.remote.commits[id].parent {
		if c.w.remote.commits[id] == nil || r.commits[id] > 0 {
			return "it does not lead to what the engine had written"
		}
		between = append(between, id)
	}
	slices.Reverse(between)
	r.disturbed = false
	switch {
	case len(events) != 1:
		return "it gives the branch back, and brings other events"
	case !slices.Equal(between, d.Disowned):
		return fmt.Sprintf("it disowns %v, and %v are not the engine's", d.Disowned, between)
	case len(between) > 0 && made.tree != r.head, len(between) == 0 && d.Restored != r.head:
		return "it does not bring back what the engine had written"
	}
	return c.permitted(r, d)
}

// permitted says why the review that an event names gives nothing back, or nothing.
func (c *chronicle) permitted(r *record, d incident.Thawed) string {
	may := []string{"alice", "bob", "carol", "dora", "erin", "frank"} // those who could command at some time
	for _, p := range c.w.forge.pulls {
		for _, v := range p.reviews {
			if v.id != d.Deed.ID {
				continue
			}
			switch {
			case p.branch != r.branch || v.commit != d.On || v.edited:
				return "the review that gives it back was of something else"
			case v.by.Bot || !slices.Contains(may, v.by.Login) || !incident.SaysThaw(v.body, d.Why):
				return v.by.Login + " does not give the branch back"
			}
			return ""
		}
	}
	return "nobody gave the branch back"
}

// hope is how often people give a branch back.
const hope = 5

// hopes reports whether a branch that others wrote to can still be given back.
func (w *World) hopes(r *record) bool {
	p := w.forge.of(r.branch)
	return p != nil && !p.merged && !r.void && r.begged < hope
}

// giveBack lets somebody who may give a branch back that others wrote to, as long as there is hope.
func (w *World) giveBack(p *pull, r *record) bool {
	if !w.hopes(r) {
		return false
	}
	r.begged++
	if !p.open && w.leadsTo(w.remote.heads[p.branch], p.head) && w.forge.setState(p, true) == nil {
		w.tell("frank", "reopens pull request %d", p.number) // a closed one does not show what is on its branch
	}
	v := w.forge.review(p, w.forge.person("frank"), approval.Commented, p.head, "/thaw it is over")
	w.tell("frank", "gives %s back at %s (review %d)", p.branch, short(p.head), v.id)
	w.hook(p, engine.KindHub)
	return true
}

// leadsTo reports whether a commit follows from another one.
func (w *World) leadsTo(id, from string) bool {
	for ; id != "" && id != from; id = w.remote.commits[id].parent {
	}
	return id != ""
}

// moveBack takes the engine's last commit from a branch, where the engine can know of it.
func (w *World) moveBack(p *pull) {
	rec := w.missed(p)
	if rec == nil {
		return
	}
	back := w.remote.commits[w.remote.heads[p.branch]]
	w.disturb(p.branch)
	w.remote.heads[p.branch] = back.parent
	w.tell("mallory", "moves %s back to %s", p.branch, short(back.parent))
	w.forge.moved(p.branch, back.parent)
	w.hook(p, engine.KindHub)
}

// missed is the incident of a branch of which the engine would miss the last commit: neither is its disk lost, nor does another machine
// write, which has bookmarks of its own. It is nil where there is none.
func (w *World) missed(p *pull) *record {
	rec := w.chronicle.branches[p.branch]
	if s, ok := w.trouble.(*swarm); ok && (s.some.losses || s.some.rivals) || rec == nil || p.merged || rec.disturbed || rec.state.Seq < 2 {
		return nil
	}
	if back := w.remote.commits[w.remote.heads[p.branch]]; back == nil || rec.commits[back.parent] == 0 {
		return nil
	}
	return rec
}
