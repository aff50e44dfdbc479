package incident

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// rollupID is the external id of the check `pullbook` with a status that holds since an event.
func (d *decider) rollupID(status RollupStatus, since int) string {
	return fmt.Sprintf("%s/%s/%s/%d", d.state.Opened.ID, RollupName, status, since)
}

// askForReviews asks those who can still help with each gate that no rollup check has shown yet: the check comes after
// the request, so a request that a crash has cut off is made at the next look, and one that the hub shows is not repeated.
func (d *decider) askForReviews() {
	asked := slices.Clone(d.view.Pull.Asked)
	for _, step := range d.plan.Steps {
		st := d.state.Step(step.Name)
		if st.Phase != PhaseGate || d.shownSince(st.since) {
			continue
		}
		if from := d.helpers(step); !allOf(asked, from) {
			d.actions = append(d.actions, RequestReview{Step: step.Name, From: from})
			asked = append(asked, from...)
		}
	}
	d.askForDebts(asked)
}

// shownSince reports whether a rollup check that was published at an event or later says that people are waited for.
func (d *decider) shownSince(seq int) bool {
	for ; seq <= d.state.Seq; seq++ {
		if d.view.Checks[d.rollupID(RollupWaiting, seq)] {
			return true
		}
	}
	return false
}

// allOf reports whether every one of some users and teams is asked.
func allOf(asked, from []string) bool {
	return !slices.ContainsFunc(from, func(who string) bool {
		return !slices.ContainsFunc(asked, func(a string) bool { return strings.EqualFold(a, who) })
	})
}

// react marks the comments that were obeyed and bear no mark yet.
func (d *decider) react() {
	for _, c := range d.view.Comments {
		if !c.Own && !c.Seen && d.state.Heard[c.ID] {
			d.actions = append(d.actions, React{c.ID})
		}
	}
}

// PlainLogin reports whether a text can be a login of the hub: letters, digits and single hyphens, and behind an underscore
// the short name of an enterprise that manages its users. Letters of other alphabets, which look alike, are in none.
func PlainLogin(login string) bool {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return login != "" && len(login) <= 39 && strings.Trim(login, plain+"-_") == "" && strings.ContainsAny(login[:1], plain)
}

// helpers are the users and teams whose approval would bring the gate of a step nearer.
func (d *decider) helpers(step runbook.Step) []string {
	st := d.state.Step(step.Name)
	barred := d.state.Barred(d.base, step.Name)
	mayNot := func(who string) bool {
		return slices.ContainsFunc(barred, func(b Barred) bool {
			may := b.Wrote && approval.Named(approval.Person{Login: who}, d.base.SelfApproval)
			return strings.EqualFold(b.Login, who) && !may
		})
	}
	return slices.DeleteFunc(d.answer(d.approvalGate(step, st)).Helpers, mayNot)
}

// votesMark is what tells a check about open gates from one before the latest review: the check explains the verdicts. It is
// empty while nobody has said anything of them.
func (d *decider) votesMark() string {
	said := ""
	for _, step := range d.plan.Steps {
		st := d.state.Step(step.Name)
		if st.Phase != PhaseGate || len(d.view.Reviews) == 0 {
			continue
		}
		if v := d.answer(d.approvalGate(step, st)).Verdict; len(v.Children) > 0 {
			said += fmt.Sprintln(step.Name, v)
		}
	}
	if said == "" {
		return ""
	}
	return "/" + runbook.PageDigest([]byte(said))[:16]
}
