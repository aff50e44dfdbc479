package incident

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// recordPull notes the pull request's number, as soon as there is one.
func (d *decider) recordPull() {
	if d.state.Pull == 0 && d.view.Pull != nil {
		d.record(PullOpened{Number: d.view.Pull.Number, URL: d.view.Pull.URL})
	}
}

// recordAlerts writes down further notifications of the group. Each is acknowledged to its sender only when it is on the
// remote branch; an exact repeat says nothing new.
func (d *decider) recordAlerts() {
	for _, a := range d.view.Alerts {
		if d.state.Known[a.Digest()] {
			if d.view.Branch.Pushed < d.state.Seq {
				d.flushFor("an alert is recorded")
			}
			continue
		}
		if d.record(AlertUpdated{a}) {
			d.flushFor("an alert is recorded")
		}
	}
}

// recordOutcomes writes down what runners said, in plan order.
func (d *decider) recordOutcomes() {
	for _, step := range d.plan.Steps {
		st := d.state.Step(step.Name)
		expected := st.Attempt + 1
		if st.Phase == PhaseStarted {
			expected = st.Attempt
		}
		a, known := d.attempt(step.Name, expected)
		switch {
		case known && a.State == AttemptEnded && a.Outcome != nil && a.Outcome.Conclusion != runbook.Unknown:
			d.recordOutcome(*a.Outcome)
		case known && (a.State == AttemptLost || a.State == AttemptEnded):
			d.recordLoss(step, st, a)
		case !known && st.Phase == PhaseStarted && st.Kind.NeedsRunner() && !step.Repeatable():
			d.recordLoss(step, st, Attempt{Number: st.Attempt})
		}
	}
}

func (d *decider) attempt(step string, number int) (Attempt, bool) {
	a, known := d.attempts[attemptName{step, number}]
	return a, known
}

func (d *decider) recordOutcome(o runbook.Outcome) { d.recordEnd(o, nil) }

// recordEnd records an outcome, and on whose words it rests that were said on another incident.
func (d *decider) recordEnd(o runbook.Outcome, spoke []Barred) {
	ended := StepEnded{Step: o.Step, Attempt: o.Attempt, Conclusion: o.Conclusion, Started: o.Started.UTC(), Ended: o.Ended.UTC(),
		Output: o.Output, Cut: o.Cut, Facts: o.Facts, Error: o.Error, Spoke: spoke}
	if o.Log != "" {
		ended.Evidence = runbook.PageDigest([]byte(o.Log))
	}
	if d.record(ended) {
		d.commit.Evidence = append(d.commit.Evidence, Evidence{Step: o.Step, Attempt: o.Attempt, Log: o.Log, Output: o.Output})
		d.stale = true
	}
}

// recordLoss handles an attempt whose outcome nobody has: what cannot be repeated is asked of a person.
func (d *decider) recordLoss(step runbook.Step, st StepState, a Attempt) {
	if !step.Repeatable() && st.Phase == PhaseStarted {
		if d.record(StepUnknown{Step: step.Name, Attempt: a.Number}) {
			d.flushFor("people are asked whether " + step.Name + " happened")
			d.stale = true
		}
		return
	}
	if a.Outcome != nil { // nobody knows whether it happened, and doing it again does no harm: what is known is that it did not succeed
		o := *a.Outcome
		o.Conclusion = runbook.Failed
		d.recordOutcome(o)
		return
	}
	if a.State != "" {
		d.recordOutcome(runbook.Outcome{Key: a.Key, Step: step.Name, Attempt: a.Number, Conclusion: runbook.Failed,
			Started: d.now, Ended: d.now, Error: "the runner was lost"})
	}
}

// recordMitigation notes when every probe of the main stage that ran has passed.
func (d *decider) recordMitigation() {
	if !d.state.MitigatedAt.IsZero() || d.state.Stage() != runbook.StageMain {
		return
	}
	passed := 0
	for step := range d.plan.In(runbook.StageMain) {
		if step.Kind != runbook.KindProbe {
			continue
		}
		st := d.state.Step(step.Name)
		if !st.Over() || !st.Good() {
			return
		}
		if st.Phase == PhaseEnded && !step.Each {
			passed++
		}
	}
	if passed > 0 {
		d.record(Mitigated{How: "every probe of the plan has passed"})
	}
}

// recordCommands obeys the comments of people who may command. A comment is obeyed wholly or not at all.
func (d *decider) recordCommands() {
	for _, c := range d.view.Comments {
		if c.Own || c.By.Bot || d.state.Heard[c.ID] || len(approval.Lines(c.Body)) == 0 {
			continue
		}
		key := fmt.Sprintf("comment-%d", c.ID)
		if d.answered(key) {
			continue // its answer said that nothing of it was done: that stays so, even where it would fit by now
		}
		commands, problem := ParseCommands(c.Body)
		switch {
		case c.Edited:
			problem = "commands in an edited comment count for nothing; write a new one"
		case problem == "" && !d.mayCommand(c.By):
			problem = "only people with write permission who are named in `command` of pullbook.cue may command"
		}
		if problem == "" {
			problem = d.obey(commands, c)
		}
		if problem != "" {
			d.reply(key, "Nothing of this comment was done: "+problem+".")
		}
	}
}

func (d *decider) mayCommand(p approval.Person) bool {
	return p.Write && !p.Bot && (len(d.plan.Command) == 0 || approval.Named(p, d.plan.Command))
}

// obey turns the commands of one comment into events, all or none.
func (d *decider) obey(commands []Command, c Comment) (problem string) {
	before := *d
	d.owned = false // before keeps the state as it is
	before.commit.Events = slices.Clip(before.commit.Events)
	before.commit.Evidence = slices.Clip(before.commit.Evidence)
	deed := Deed{By: c.By, Via: "comment", ID: c.ID, At: c.At, Words: c.Body}
	heard := len(d.commit.Events)
	for _, cmd := range commands {
		if problem := d.obeyOne(cmd, deed); problem != "" {
			*d = before
			return problem
		}
	}
	if len(d.commit.Events) > heard {
		d.stale = true
	}
	return ""
}

func (d *decider) obeyOne(cmd Command, deed Deed) (problem string) {
	st := d.state.Step(cmd.Step)
	if cmd.Step != "" {
		step, ok := d.plan.Step(cmd.Step)
		if !ok {
			return "this plan has no step of that name"
		}
		if problem := d.misplaced(step); problem != "" {
			return problem
		}
		if problem := d.misdirected(step, st); problem != "" {
			return problem
		}
	}
	if problem := d.approvedIt(cmd, st, deed.By.ID); problem != "" {
		return problem
	}
	if (cmd.Verb == "/retry" || cmd.Verb == "/did-it-by-hand") && d.restedOn(cmd.Step) {
		return "the plan went on without `" + cmd.Step + "`, and a step that rests on it is under way"
	}
	ok := true
	switch cmd.Verb {
	case "/ack":
		ok = d.record(Acknowledged{deed})
	case "/done":
		if st.Phase != PhaseStarted || st.Kind != runbook.KindManual {
			return "`" + cmd.Step + "` is not a manual step that is asked for now"
		}
		ok = d.record(StepEnded{Step: cmd.Step, Attempt: st.Attempt, Conclusion: runbook.Succeeded, Started: st.Started, Ended: d.now, Deed: &deed})
	case "/choose":
		return d.choose(cmd, st, deed)
	case "/retry":
		if r, rehearsed := d.base.Rehearsal(cmd.Step); rehearsed && d.state.Step(r.Name).Over() {
			ok = d.record(RetryAsked{Step: r.Name, Round: d.state.Step(r.Name).Round + 1, For: cmd.Step, Deed: deed})
		}
		ok = ok && d.record(RetryAsked{Step: cmd.Step, Round: st.Round + 1, Deed: deed})
	case "/did-it-by-hand":
		return d.byHand(cmd, st, deed)
	case "/resolve":
		ok = d.record(Mitigated{How: "said by " + deed.By.Login, Deed: &deed})
	case "/cancel":
		ok = !d.state.Stopped() && d.record(CancelAsked{Why: cmd.Rest, Deed: deed, During: d.state.Stage()})
	case "/help":
		d.reply(fmt.Sprintf("comment-%d", deed.ID), HelpText())
	}
	if !ok {
		return "`" + cmd.Verb + "` does not fit what the step or the incident is at now"
	}
	return ""
}

// choose takes a person's answer to a question of the plan.
func (d *decider) choose(cmd Command, st StepState, deed Deed) (problem string) {
	step, _ := d.plan.Step(cmd.Step)
	question := step.Now.Work.Choose
	if st.Phase != PhaseStarted || st.Kind != runbook.KindChoose || question == nil {
		return "`" + cmd.Step + "` is not a question that is asked now"
	}
	var names []string
	for _, o := range question.Options {
		names = append(names, o.Name)
	}
	if !slices.Contains(names, cmd.Rest) {
		return "the options of `" + cmd.Step + "` are `" + strings.Join(names, "`, `") + "`"
	}
	output, err := json.Marshal(map[string]string{"choice": cmd.Rest})
	if err != nil {
		return "the answer cannot be written down" // unreachable: a string is always JSON
	}
	if !d.record(StepEnded{Step: cmd.Step, Attempt: st.Attempt, Conclusion: runbook.Succeeded, Started: st.Started, Ended: d.now,
		Output: output, Deed: &deed}) {
		return "`" + cmd.Step + "` is over already"
	}
	d.commit.Evidence = append(d.commit.Evidence, Evidence{Step: cmd.Step, Attempt: st.Attempt, Output: output})
	return ""
}

// restedOn reports whether a step downstream of the named one has started and not ended. What it rests on does not change
// under its feet.
func (d *decider) restedOn(name string) bool {
	name, _, _ = runbook.SplitName(name)
	return slices.ContainsFunc(d.base.Steps, func(s runbook.Step) bool {
		st := d.state.Step(s.Name)
		busy := st.Phase == PhaseStarted || st.settledList() && !st.Over()
		return busy && slices.Contains(d.base.UpstreamOf(s.Name), name)
	})
}

// byHand accepts that a person did a step. A step whose gate is still to be passed is not overridden by a comment.
func (d *decider) byHand(cmd Command, st StepState, deed Deed) (problem string) {
	step, _ := d.plan.Step(cmd.Step)
	passed := d.state.Passed(step) || st.Phase == PhaseUnknown
	switch {
	case step.Approval != nil && !passed:
		return "`" + cmd.Step + "` has a gate that nobody has passed; a comment does not override it"
	case st.Phase == PhaseStarted && st.Kind == runbook.KindWait:
		return "`" + cmd.Step + "` waits for its time"
	case st.Phase == PhaseStarted && st.Kind == runbook.KindChoose:
		return "`" + cmd.Step + "` is answered by `/choose " + cmd.Step + " <option>`"
	case st.hasChild():
		return "`" + cmd.Step + "` waits for its own incident"
	case st.Phase == PhaseStarted && st.Kind != runbook.KindManual:
		return "`" + cmd.Step + "` is running"
	case !d.record(StepByHand{Step: cmd.Step, What: cmd.Rest, Deed: deed}):
		return "`" + cmd.Step + "` is over already"
	}
	return ""
}
