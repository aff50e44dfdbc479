package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// settle ends the trouble: clocks are right, nothing is refused, one engine is there.
func (w *World) settle() {
	w.calm, w.settled = true, later(w.settled, w.now.Add(w.ahead))
	for _, m := range w.machines[0].store.messages {
		m.failures = 0
	}
	for _, p := range w.forge.pulls {
		p.staleUntil = earlier(p.staleUntil, w.now)
	}
	if w.mishaps != nil {
		w.mishaps.none = w.now
	}
	w.tell("", "CALM: nothing goes wrong any more")
	for _, m := range w.machines {
		m.skew = 0
	}
	for _, m := range w.machines[1:] {
		m.store.epoch = -1
		w.chronicle.lost(m.store)
	}
	for _, p := range w.procs {
		if p.machine != w.machines[0] || p.epoch != p.machine.store.epoch {
			p.kill()
		} else {
			p.goOn()
			p.sweep(calmSweep)
			p.poke(0)
		}
	}
	if w.active() == nil {
		w.boot(w.machines[0])
	}
}

// rest checks I8: every incident is terminal, or waits for a person or for a timer that is not due. What is on its way at this
// moment has its minute: the time of a gate may have ended a second ago, and a step runs that follows from it. Nobody promised
// that nothing runs at an instant; what is lost is still lost after the minute.
func (w *World) rest() {
	for i := 0; i < len(w.chronicle.records) && w.broken == nil; i++ {
		r := w.chronicle.records[i]
		why := w.restless(r)
		for until := w.now.Add(atRestWithin); why != "" && w.now.Before(until) && w.broken == nil; why = w.restless(r) {
			w.run(w.now.Add(time.Second))
		}
		if why != "" {
			w.fail("I8", "%s has not come to rest: %s", r.id, why)
		}
	}
}

// restless says why an incident is not at rest, or nothing.
func (w *World) restless(r *record) string {
	p := w.forge.of(r.branch)
	switch {
	case r.void && w.remote.heads[r.branch] == "":
		return ""
	case r.void:
		return "it was opened after an incident of its name had been merged, and its branch is still there"
	case r.disturbed:
		if r.begged >= hope && !w.forgotten && w.machines[0].store.marks[r.branch] != "" && !w.forge.of(r.branch).merged {
			return "people who may have given its branch back, again and again"
		}
		return w.undone(r) // frozen until a person looks into it
	}
	if w.chronicle.branches[r.branch] != r && !r.merged {
		return "another incident has taken its branch"
	}
	if r.state.End != "" {
		switch {
		case !r.merged:
			return "it has ended and is not merged"
		case w.remote.heads[r.branch] != "":
			return "it is merged and its branch is still there"
		}
		return w.left(r)
	}
	if p == nil || !p.open {
		return "its pull request is not open"
	}
	if why := w.unasked(r, p); why != "" {
		return why
	}
	if why := w.unanswered(r); why != "" {
		return why
	}
	waits, text := r.waits(w.now)
	held := r.state.Paused != nil || r.state.Reopened != nil // somebody has to say /resume, or /resolve
	if !waits && !held && !w.waitsForOthers(r) {
		return "nobody is asked and no timer runs: " + text
	}
	return w.undone(r)
}

// undone says what the inbox still has to do for an incident, or nothing.
func (w *World) undone(r *record) string {
	s := w.machines[0].store
	for _, row := range s.steps {
		if r.state.Step(row.job.Step).Repeats.Running {
			continue // it goes on beside everything else until the incident is mitigated
		}
		if row.job.Branch == r.branch && (row.state == stepQueued || row.state == stepRunning) {
			return row.job.Key + " is " + row.state
		}
	}
	for _, m := range s.messages {
		if (m.Key == r.branch || m.Key == r.state.Opened.Group) && w.now.Sub(m.retry) > time.Second {
			return fmt.Sprintf("its message %s is not handled", m.Kind)
		}
		if m.Key == r.branch && m.failures >= inVain && (m.Kind != engine.KindChild || !r.disturbed) { // who opens it waits for people
			return fmt.Sprintf("its message %s fails again and again", m.Kind)
		}
	}
	return ""
}

// inVain is how often a message may fail in the calm, and the hub refuse the same thing.
const inVain = 8

// left says what the inbox still has of an incident that is over and gone, or nothing. Of one that another machine has brought to
// its end, records stay that nobody asks for; nothing of it runs.
func (w *World) left(r *record) string {
	for _, row := range w.machines[0].store.steps {
		switch {
		case row.job.Branch != r.branch:
		case row.state == stepQueued, row.state == stepRunning:
			return row.job.Key + " is " + row.state + ", and everything is over"
		case len(w.machines) == 1:
			return "the record of " + row.job.Key + " stays for ever"
		}
	}
	return ""
}

// waits reports whether a person is asked, or a timer runs.
func (r *record) waits(now time.Time) (bool, string) {
	s := r.state
	var phases []string
	for _, step := range r.state.Expand(r.plan).Steps {
		st := s.Step(step.Name)
		phases = append(phases, fmt.Sprintf("%s %s %s", step.Name, st.Phase, st.Conclusion))
		switch {
		case st.Phase == incident.PhaseGate, st.Phase == incident.PhaseUnknown && !st.Closed,
			st.Phase == incident.PhaseStarted && st.Kind.AsksPeople():
			return true, ""
		case step.Stage == s.Stage() && r.failed(step):
			return true, ""
		}
	}
	return len(s.Owed()) > 0 || s.Due(s.Expand(r.plan)).After(now), strings.Join(phases, ", ")
}

// waitsForOthers reports whether a step waits for the incident that it opened, or for a lock that another incident holds.
func (w *World) waitsForOthers(r *record) bool {
	for _, step := range r.state.Expand(r.plan).Steps {
		st := r.state.Step(step.Name)
		if st.Phase == incident.PhaseStarted && st.Kind == runbook.KindRunbook {
			child := w.chronicle.childOf(r, step.Name, st.Attempt)
			if child != nil && !child.merged {
				return true
			}
		}
		if b := w.bookOf(r); r.goesOn(step) && b != nil && w.lockedOut(r, b.step(template(step.Name)).Locks) {
			return true
		}
	}
	return false
}

// excused reports whether an incident cannot end: somebody wrote to its branch or deleted it, or did so to the incident that
// it waits for, or to one that keeps a lock.
func (w *World) excused(r *record) bool {
	if r.disturbed {
		return !w.hopes(r)
	}
	if r.void {
		return true
	}
	for _, other := range w.chronicle.records {
		if !other.disturbed {
			continue
		}
		if p := other.state.Opened.Parent; p != nil && p.Incident == r.id || len(other.state.Locks()) > 0 {
			return true
		}
	}
	return false
}

// childOf is the incident that an attempt of a step has opened; nil while there is none.
func (c *chronicle) childOf(r *record, step string, attempt int) *record {
	return c.branches[incident.BranchPrefix+incident.ChildSlot(runbook.AttemptKey(string(r.id), step, attempt))]
}

// lockedOut reports whether another incident holds one of some locks, or waits for one of them and is locked out itself: nobody
// overtakes it.
func (w *World) lockedOut(r *record, locks []string, behind ...*record) bool {
	behind = append(behind, r)
	for _, other := range w.chronicle.records {
		if other.merged || other.void || len(locks) == 0 || slices.Contains(behind, other) {
			continue
		}
		held := other.state.Locks()
		if slices.ContainsFunc(locks, func(l string) bool { _, is := held[l]; return is }) {
			return true
		}
		for _, step := range other.state.Expand(other.plan).Steps {
			b := w.bookOf(other)
			if b == nil || !other.goesOn(step) {
				continue
			}
			wants := b.step(template(step.Name)).Locks
			if slices.ContainsFunc(locks, func(l string) bool { return slices.Contains(wants, l) }) && w.lockedOut(other, wants, behind...) {
				return true
			}
		}
	}
	return false
}

// goesOn reports whether a step is to run, runs, or is tried again by itself.
func (r *record) goesOn(step runbook.Step) bool {
	return !r.state.Step(step.Name).Over() || !r.state.RetryAt(step).IsZero()
}

// failed reports whether a step has ended badly for good, and the incident halts for it.
func (r *record) failed(step runbook.Step) bool {
	st := r.state.Step(step.Name)
	return st.Over() && !st.Good() && step.OnFailure != runbook.FailureContinues && r.state.RetryAt(step).IsZero()
}

// unasked says who is waited for and was not asked, or nothing.
func (w *World) unasked(r *record, p *pull) string {
	for _, step := range r.state.Expand(r.plan).Steps {
		st := r.state.Step(step.Name)
		if st.Phase != incident.PhaseGate {
			continue
		}
		if w.approved(r, p, step) || w.met(r, p, step) {
			continue // by people who were not asked, while the incident halted; or somebody requests changes, who knows it
		}
		asked := func(who string) bool { return p.requested[who] || !p.asked[who].Before(r.gates[step.Name]) }
		if people := st.Gate.Rule.People(); !slices.ContainsFunc(people, asked) && !w.stranded(r, p, step) {
			return fmt.Sprintf("the gate of %s waits for %v, of whom nobody was asked", step.Name, people)
		}
	}
	return ""
}

// approved reports whether a gate has what it needs.
func (w *World) approved(r *record, p *pull, step runbook.Step) bool {
	view, err := w.forge.look(incident.HubQuery{Branch: p.branch, Teams: []string{sreTeam}})
	seen := incident.View{Reviews: view.Reviews, Teams: view.Teams, Branch: incident.Branch{Commits: r.commits}}
	return err == nil && r.state.Verdict(r.plan, step.Name, seen).Verdict.Status == approval.StatusApproved
}

// stranded reports whether nobody is left who could approve a gate: all whom its rule names wrote the step, and the pull request says so.
func (w *World) stranded(r *record, p *pull, step runbook.Step) bool {
	st := r.state.Step(step.Name)
	for _, login := range st.Gate.Rule.People() {
		if strings.Contains(login, "/") || !r.wrote(step.Name, w.forge.person(login).ID) {
			return false
		}
	}
	return st.Phase == incident.PhaseGate && r.state.Verdict(r.plan, step.Name, incident.View{Branch: incident.Branch{Commits: r.commits}}).Stranded != ""
}

// met reports whether enough people approve a gate, by the simulation's own count: then only an objection keeps it closed.
func (w *World) met(r *record, p *pull, step runbook.Step) bool {
	view, err := w.forge.look(incident.HubQuery{Branch: p.branch, Teams: []string{sreTeam}})
	gate := r.state.Step(step.Name).Gate
	votes, _ := w.chronicle.votes(r, question{step.Name, gate.Page, gate.Rule.People()}, view.Reviews)
	people := slices.Collect(maps.Values(votes))
	return err == nil && slices.ContainsFunc(gate.Rule.Ways(), func(way []runbook.Leaf) bool { return filled(way, people) })
}

// help lets people do what they are asked on every open incident. It is false if nobody is asked anything.
func (w *World) help() bool {
	asked := w.editing.help()
	for _, p := range w.forge.pulls {
		r := w.chronicle.branches[p.branch]
		switch {
		case r == nil || r.void:
		case r.disturbed:
			asked = w.giveBack(p, r) || asked
		case p.open && w.answer(p):
			asked = true
		}
	}
	return asked
}

// answer does what people are asked on one pull request.
func (w *World) answer(p *pull) (asked bool) {
	r := w.chronicle.branches[p.branch]
	if r == nil {
		return false
	}
	approvers := []string{"alice", "bob", "carol"}
	if w.calm {
		approvers = append(approvers, "erin", "frank", "grace", "heidi") // they have asked for nothing yet, so nothing bars them
	}
	asked = w.release(p, r.state)
	for _, debt := range r.state.Owed() {
		for _, login := range approvers {
			w.forge.review(p, w.forge.person(login), approval.Approved, p.head, "/approve "+debt.Step)
		}
		w.tell("people", "review the glass of %s on pull request %d at %s", debt.Step, p.number, short(p.head))
		w.hook(p, engine.KindHub)
		asked = true
	}
	for _, step := range r.state.Expand(r.plan).Steps {
		st, said := r.state.Step(step.Name), ""
		switch {
		case r.state.Stopped() && st.Phase != incident.PhaseUnknown: // nothing is asked any more, whatever stands open
		case st.Phase == incident.PhaseGate && w.calm && w.approved(r, p, step): // it waits for a lock
		case w.calm && w.stranded(r, p, step):
			said = "/cancel nobody is left who may approve it"
		case st.Phase == incident.PhaseGate:
			for _, login := range approvers {
				w.forge.review(p, w.forge.person(login), approval.Approved, p.head, "/approve "+step.Name)
			}
			w.tell("people", "approve %s on pull request %d at %s", step.Name, p.number, short(p.head))
			w.hook(p, engine.KindHub)
			asked = true
		case st.Phase == incident.PhaseStarted && st.Kind == runbook.KindManual:
			said = "/done " + step.Name
		case st.Phase == incident.PhaseStarted && st.Kind == runbook.KindChoose:
			said = "/choose " + step.Name + " " + pick(w.dice.people, "x", "y")
		case st.Phase == incident.PhaseBroken && step.Stage == r.state.Stage() && r.failed(step):
			said = "/cancel it cannot be worked out"
		case st.Kind == runbook.KindRunbook && st.Round > 3 && step.Stage == r.state.Stage() && r.failed(step):
			said = "/cancel no incident of it ends well"
		case st.Phase == incident.PhaseUnknown && !st.Closed, step.Stage == r.state.Stage() && r.failed(step):
			said = "/retry " + step.Name
		}
		if said != "" {
			w.say(p, w.forge.person("dora"), said)
			asked = true
		}
	}
	return asked
}

// release lets an incident go on that somebody holds.
func (w *World) release(p *pull, s incident.State) (asked bool) {
	said := ""
	switch {
	case s.Paused != nil:
		said = "/resume"
	case s.Reopened != nil:
		said = "/resolve"
	default:
		return false
	}
	w.say(p, w.forge.person("dora"), said)
	return true
}
