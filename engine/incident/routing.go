package incident

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Review requests go to exactly those who can still help: who is needed by an open gate or a debt is asked, and who is needed by
// none any more is asked no more. The hub itself takes a request back when the person, or a member of the team, reviews. A team of
// which others can still help is asked again then: once for each such review, so that nobody who withdraws a request is fought with.

// need is what people are asked about, and since which event.
type need struct {
	step  string
	since int
	at    time.Time // of that event
	from  []string  // users and teams who can still help
}

// needs lists the open gates, and then the debts.
func (d *decider) needs() (all []need) {
	for step, st := range d.astir() {
		if st.Phase == PhaseGate {
			all = append(all, need{step.Name, st.since, st.Gate.Opened, d.helpers(step)})
		}
	}
	for _, b := range d.state.Owed() {
		all = append(all, need{b.Step, b.Event, b.At, d.answer(d.debtGate(b)).Helpers})
	}
	return all
}

// askForReviews asks those who can still help. It is called with a new rollup check, which comes after the request: so a request
// that a crash has cut off is made at the next look, and one that the hub shows is not repeated. Where people were asked before,
// only those are asked anew whose request was withdrawn meanwhile, since the vote of another is gone.
func (d *decider) askForReviews() {
	asked := slices.Clone(d.view.Pull.Asked)
	for _, n := range d.needs() {
		from := n.from
		if d.shownSince(n.since) {
			from = slices.DeleteFunc(slices.Clone(from), func(who string) bool { return !isTeam(who) && d.reviewed(who, n.at) || named(asked, who) })
		}
		if !allOf(asked, from) {
			d.actions = append(d.actions, RequestReview{Step: n.step, From: from})
			asked = append(asked, from...)
		}
	}
}

// reviewed reports whether a user, or a member of a team, has reviewed since a time: then their request is gone because of that.
// A review whose time is not known counts.
func (d *decider) reviewed(who string, since time.Time) bool {
	return slices.ContainsFunc(d.view.Reviews, func(r approval.Review) bool {
		return approval.Named(r.By, []string{who}) && (r.At.IsZero() || !r.At.Before(since))
	})
}

// isTeam reports whether a name is that of a team, not of a user.
func isTeam(who string) bool { return strings.Contains(who, "/") }

// overlooked lists whom a gate or a debt waits for without a request, since a review had used it up: one from before, of which nobody
// knew when they were needed, or a remark of a member of a team that can still help. The next rollup check asks them.
func (d *decider) overlooked() (who []string) {
	if len(d.view.Reviews) == 0 {
		return nil
	}
	for _, n := range d.needs() {
		for _, w := range n.from {
			before := d.reviewed(w, time.Time{}) && !d.reviewed(w, n.at)
			used := before || isTeam(w) && len(d.remarks(w)) > 0
			if used && !named(d.view.Pull.Asked, w) && !named(who, w) && d.shownSince(n.since) {
				who = append(who, w)
			}
		}
	}
	return who
}

// mostRemarks is how many remarks of its members have a team asked again: each costs two writes of the hub's hour.
const mostRemarks = 10

// remarks are the first reviews by members of a team that neither approve nor object: what does makes a check of its own.
func (d *decider) remarks(team string) (ids []int64) {
	for _, r := range d.view.Reviews {
		if r.State == approval.Commented && len(ids) < mostRemarks && approval.Named(r.By, []string{team}) {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// overlookedMark makes a check of its own of whom was overlooked, and of the remarks because of which they were.
func (d *decider) overlookedMark() string {
	who := d.overlooked()
	if len(who) == 0 {
		return ""
	}
	said := ""
	for _, w := range who {
		said += fmt.Sprintln(w, d.remarks(w))
	}
	return "/ask-" + runbook.PageDigest([]byte(said))[:16]
}

// withdrawReviews takes back the requests that nobody can answer usefully any more: of gates that were answered, ran out or are
// not needed. Only those are touched whom gates of this incident have asked: people may ask others.
func (d *decider) withdrawReviews() {
	if len(d.view.Pull.Asked) == 0 {
		return
	}
	ours := d.everAsked()
	var needed, from []string
	for _, n := range d.needs() {
		needed = append(needed, n.from...)
	}
	for _, who := range d.view.Pull.Asked {
		if named(ours, who) && !named(needed, who) && !named(from, who) {
			from = append(from, who)
		}
	}
	if len(from) > 0 {
		d.actions = append(d.actions, WithdrawReviews{From: from})
	}
}

// everAsked lists whom the gates that were opened so far, and the debts, may have asked.
func (d *decider) everAsked() (who []string) {
	opened := map[string]bool{}
	for _, span := range d.state.spans {
		opened[span.step] = true
	}
	for _, step := range d.plan.Steps {
		if !opened[step.Name] {
			continue
		}
		who = append(who, slices.Concat(step.CodeOwners, d.state.Step(step.Name).Gate.Rule.People())...)
		if step.Approval != nil {
			who = append(who, step.Approval.Everybody()...)
		}
	}
	if len(opened) > 0 {
		who = append(who, d.base.Calendar.People()...)
	}
	if len(d.state.Debts) > 0 && d.base.BreakGlass != nil {
		who = append(who, d.base.BreakGlass.Review.People()...)
	}
	return who
}

// helpers are the users and teams whose approval would bring the gate of a step nearer.
func (d *decider) helpers(step runbook.Step) []string {
	st := d.state.Step(step.Name)
	barred := d.state.Barred(d.base, step.Name)
	mayNot := func(who string) bool {
		return slices.ContainsFunc(barred, func(b Barred) bool {
			may := b.Wrote && approval.Named(approval.Person{Login: who}, d.base.SelfApproval)
			return approval.SameName(b.Login, who) && !may
		})
	}
	return slices.DeleteFunc(d.answer(d.approvalGate(step, st)).Helpers, mayNot)
}

// allOf reports whether every one of some users and teams is asked.
func allOf(asked, from []string) bool {
	return !slices.ContainsFunc(from, func(who string) bool { return !named(asked, who) })
}

// named reports whether a user or team is among some; their names count in any case of letters.
func named(among []string, who string) bool {
	return slices.ContainsFunc(among, func(a string) bool { return approval.SameName(a, who) })
}
