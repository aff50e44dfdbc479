package sim

import (
	"maps"
	"slices"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// intent is what the journal says before an attempt of a step, or a repetition of it.
type intent struct {
	step, page string // page: SHA-256 of the gate page that it names
	at         time.Time
}

// judge counts the votes for an intent once more, with rules of its own: what the engine saw of the reviews when it asked
// last, just before the push, must hold enough distinct people who may approve, whose latest vote approves these bytes. What the
// calendar demands at that time is a part of the rule.
func (c *chronicle) judge(p *process, r *record, d intent) {
	step, ok := r.step(d.step)
	if !ok {
		c.w.fail("I4", "%s: an intent of %s, which the plan does not have", r.id, d.step)
		return
	}
	rule := step.Approval
	if step.Risk != runbook.RiskRead {
		rule = runbook.Under(rule, r.plan.Calendar.InForce(d.at))
	}
	if rule == nil {
		return
	}
	c.stillSo(r, d)
	page, name := d.page, d.step
	if r.state.Step(name).Gate.Page != page {
		name = template(name) // an element passes the gate of its template, until a person has it tried again
	}
	if step.Approval != nil {
		now := rule.At(r.reckoned.level[name])
		rule = &now
	}
	said := p.looked[r.branch]
	if said == nil {
		c.w.fail("I5", "%s: the intent of %s was pushed without asking for the reviews again", r.id, d.step)
		return
	}
	reviews := slices.Clone(said.reviews)
	slices.SortFunc(reviews, func(a, b approval.Review) int { return int(a.ID - b.ID) })
	votes, counted := c.votes(r, question{name, page, rule.People()}, reviews)
	for _, deed := range r.state.Step(name).Asked {
		delete(votes, deed.By.ID)
	}
	if c.glassBroken(r, name, page, reviews) {
		return
	}
	if !c.inTime(r, name, counted) {
		c.w.fail("I5", "%s: the intent of %s rests on approvals that came after the time of its gate", r.id, d.step)
	}
	for _, way := range rule.Ways() {
		if filled(way, slices.Collect(maps.Values(votes))) {
			return
		}
	}
	c.w.fail("I5", "%s: the intent of %s has %d valid approvals, which is not %s", r.id, d.step, len(votes), rule)
}

// question is a gate as the simulation counts its votes.
type question struct {
	step, page string
	people     []string
}

// votes are the people whose latest vote approves these bytes, and the reviews that said so. Reviews are in order.
func (c *chronicle) votes(r *record, q question, reviews []approval.Review) (votes map[int64]approval.Person, counted []approval.Review) {
	votes = map[int64]approval.Person{}
	for _, v := range reviews {
		if v.By.Bot || !v.By.Write || !approval.Named(v.By, q.people) || r.wrote(q.step, v.By.ID) {
			continue
		}
		switch v.State {
		case approval.Dismissed:
			delete(votes, v.By.ID)
		case approval.ChangesRequested:
			if c.about(v, q.step) {
				delete(votes, v.By.ID)
			}
		case approval.Commented:
			if overrides(v, q.step) {
				delete(votes, v.By.ID)
			}
		case approval.Approved:
			if overrides(v, q.step) {
				delete(votes, v.By.ID)
				continue
			}
			if c.pageAt(r, v.Commit, q.step) == q.page && !v.Edited && c.about(v, q.step) {
				votes[v.By.ID], counted = v.By, append(counted, v)
			}
		}
	}
	return votes, counted
}

// template is the step of the plan that a step is, or is an element of.
func template(step string) string {
	name, _, _ := runbook.SplitName(step)
	return name
}

// filled reports whether different people can fill every leaf of a way to meet a rule.
func filled(way []runbook.Leaf, people []approval.Person) bool {
	for len(way) > 0 && way[0].Count == 0 {
		way = way[1:]
	}
	if len(way) == 0 {
		return true
	}
	less := slices.Clone(way)
	less[0].Count--
	for i, p := range people {
		if approval.Named(p, way[0].From) && filled(less, slices.Delete(slices.Clone(people), i, i+1)) {
			return true
		}
	}
	return false
}

// pageAt is the digest of the page of a gate in the tree of a commit of the engine's, empty where there is none.
func (c *chronicle) pageAt(r *record, commit, step string) string {
	if r.commits[commit] == 0 {
		return ""
	}
	path := r.gatePath(step)
	for id := commit; r.commits[id] > 0; id = c.w.remote.commits[id].before() {
		if page, ok := c.w.remote.commits[id].files[path]; ok {
			return runbook.PageDigest(page)
		}
	}
	return ""
}

// overrides reports whether a review wants something else of a step than that it runs.
func overrides(v approval.Review, step string) bool {
	return !v.Edited && slices.ContainsFunc(approval.Commands(v.Body), func(s approval.Said) bool { return s.Step == step && s.Verb != "" })
}

// about reports whether a review is about a step: it names it, or it names none.
func (c *chronicle) about(v approval.Review, step string) bool {
	said := approval.Commands(v.Body)
	return len(said) == 0 || slices.ContainsFunc(said, func(s approval.Said) bool { return s.Step == step })
}
