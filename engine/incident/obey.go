package incident

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// recordCommands obeys the comments of people who may command. A comment is obeyed wholly or not at all.
func (d *decider) recordCommands() {
	for _, c := range d.view.Comments {
		if c.Own || c.By.Bot || d.state.done(c) || !commands(c.Body) {
			continue
		}
		if newest := d.fromBefore(c.By); c.By.Write && c.ID <= newest {
			if c.ID == newest {
				d.refuse(c, spokeTooEarly, true)
			}
			continue
		}
		cmds, problem := ParseCommands(c.Body)
		switch {
		case c.Edited:
			problem = "commands in an edited comment count for nothing; write a new one"
		case problem == "" && !d.mayCommand(c.By):
			problem = mayNotCommand
		case problem == "" && d.answered(CommentKey(c.ID)) && !asksHelp(cmds):
			problem = "its answer says so"
		}
		if problem == "" {
			problem = d.obey(cmds, d.deed(c))
		}
		if problem != "" {
			d.refuse(c, problem, false)
		}
	}
	d.recordRefused()
	d.recordPresses()
}

// commands reports whether a comment has lines that are commands, or were meant as such.
func commands(body string) bool {
	return len(approval.Lines(body)) > 0 || approval.SwallowedVerb(body, verbNames()) != ""
}

// mayAnswer reports whether a comment with commands may be answered. Of somebody who may not write only the first one is: each
// answer is one write of the hub's hour, and on a public ledger anybody can comment.
func (d *decider) mayAnswer(c Comment) bool {
	return c.By.Write || !slices.ContainsFunc(d.view.Comments, func(o Comment) bool {
		return o.By.ID == c.By.ID && o.ID < c.ID && commands(o.Body)
	})
}

const mayNotCommand = "only people with write permission who are named in `command` of pullbook.cue may command"

// CommentKey is the key of the answer to a comment.
func CommentKey(id int64) string { return fmt.Sprintf("comment-%d", id) }

// nothingDone is the answer to what was not obeyed. A problem may end in a block of code, a question or in no mark at all.
func nothingDone(what, problem string) string {
	return "Nothing of this " + what + " was done: " + ended(problem)
}

// ended puts a full stop behind a sentence that has no end.
func ended(sentence string) string {
	if strings.HasSuffix(sentence, "?") || strings.HasSuffix(sentence, "\n") {
		return sentence
	}
	return sentence + "."
}

// headSeen is the head of the pull request at this look.
func (d *decider) headSeen() string {
	if d.view.Pull == nil {
		return ""
	}
	return d.view.Pull.Head
}

func (d *decider) mayCommand(p approval.Person) bool {
	return p.Write && !p.Bot && (len(d.plan.Command) == 0 || approval.Named(p, d.plan.Command))
}

// obey turns the commands of one comment into events, all or none.
func (d *decider) obey(commands []Command, deed Deed) (problem string) {
	before := *d
	d.owned = false // before keeps the state as it is
	before.commit.Events = slices.Clip(before.commit.Events)
	before.commit.Evidence = slices.Clip(before.commit.Evidence)
	before.people = slices.Clip(before.people)
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
	switch {
	case cmd.Verb == "/help":
		d.reply(CommentKey(deed.ID), HelpText())
		return ""
	case d.state.End != "" && cmd.Verb != "/reopen":
		return fmt.Sprintf("the incident has ended as %s; until its pull request is merged, `/reopen` takes that back", d.state.End)
	case cmd.Step == "":
		return d.obeyIncident(cmd, deed)
	}
	step, ok := d.plan.Step(cmd.Step)
	if !ok {
		return d.noStep(cmd.Step)
	}
	st := d.state.Step(cmd.Step)
	return firstProblem(
		func() string { return d.misplaced(step) },
		func() string { return d.misdirected(step, st) },
		func() string { return d.approvedIt(cmd, st, deed.By.ID) },
		func() string { return d.obeyStep(cmd, step, deed) })
}

func firstProblem(all ...func() string) string {
	for _, f := range all {
		if problem := f(); problem != "" {
			return problem
		}
	}
	return ""
}

// noStep says that the plan has no step of a name, and which one is near.
func (d *decider) noStep(name string) string {
	names := make([]string, len(d.plan.Steps))
	for i, s := range d.plan.Steps {
		names[i] = s.Name
	}
	if near := nearestName(name, names); near != "" {
		return "this plan has no step of that name; did you mean `" + near + "`?"
	}
	return "this plan has no step of that name"
}

// obeyIncident obeys a command that is about the incident.
func (d *decider) obeyIncident(cmd Command, deed Deed) (problem string) {
	var fact Data
	switch s := d.state; cmd.Verb {
	case "/ack":
		fact = Acknowledged{deed}
	case "/note":
		fact = Noted{Text: cmd.Rest, Deed: deed}
	case "/pause":
		if s.Paused != nil {
			return "it is paused already, by " + s.Paused.Deed.By.Login
		}
		fact = Paused{Why: cmd.Rest, Deed: deed}
		d.flushFor("a person holds the incident")
	case "/resume":
		if s.Paused == nil {
			return "the incident is not paused"
		}
		fact = Resumed{deed}
		d.flushFor("a person lets the incident go on")
	case "/severity":
		if !slices.Contains(Severities(), cmd.Rest) {
			return "a severity is one of `" + strings.Join(Severities(), "`, `") + "`"
		}
		if s.SeverityOf(d.plan) == cmd.Rest {
			return "its severity is `" + cmd.Rest + "` already"
		}
		fact = SeveritySet{Severity: cmd.Rest, Deed: deed}
	case "/resolve":
		if !s.MitigatedAt.IsZero() {
			return "the problem is known to be over since " + s.MitigatedAt.Format("2006-01-02 15:04:05") + " UTC"
		}
		fact = Mitigated{How: "said by " + deed.By.Login, Deed: &deed}
	case "/reopen":
		if why := s.reopenProblem(); why != "" {
			return why
		}
		if d.view.Later != "" {
			return "the problem came back, and incident " + string(d.view.Later) + " is about it"
		}
		fact = Reopened{deed}
		d.flushFor("a person has reopened the incident")
	case "/cancel":
		if s.Stopped() {
			return "it is being stopped already"
		}
		fact = CancelAsked{Why: cmd.Rest, Deed: deed, During: s.Stage()}
	}
	if fact == nil || !d.record(fact) {
		return "`" + cmd.Verb + "` does not fit what the incident is at now"
	}
	return ""
}

// obeyStep obeys a command that is about a step.
func (d *decider) obeyStep(cmd Command, step runbook.Step, deed Deed) (problem string) {
	st := d.state.Step(step.Name)
	ok := true
	switch cmd.Verb {
	case "/assign":
		return d.assign(cmd, step, st, deed)
	case "/done":
		return d.done(cmd, step, st, deed)
	case "/choose":
		return d.choose(cmd, step, st, deed)
	case "/skip":
		return d.skip(cmd, step, st, deed)
	case "/did-it-by-hand":
		return d.byHand(cmd, step, st, deed)
	case "/retry":
		if d.restedOn(step.Name) {
			return restedProblem(step.Name)
		}
		if r, rehearsed := d.base.Rehearsal(step.Name); rehearsed && d.state.Step(r.Name).Over() {
			ok = d.record(RetryAsked{Step: r.Name, Round: d.state.Step(r.Name).Round + 1, For: step.Name, Deed: deed})
		}
		ok = ok && d.record(RetryAsked{Step: step.Name, Round: st.Round + 1, Deed: deed})
	}
	if !ok {
		return "`" + cmd.Verb + "` does not fit: " + d.stands(step, st)
	}
	return ""
}

func restedProblem(step string) string {
	return "the plan went on without `" + step + "`, and a step that rests on it is under way"
}

// stands says what a step is at.
func (d *decider) stands(step runbook.Step, st StepState) string {
	text := "has not begun"
	switch st.Phase {
	case PhaseGate:
		text = "waits for approval"
	case PhaseCleared:
		text = "is approved and about to start"
	case PhaseEach:
		text = "goes on with its elements"
	case PhaseStarted:
		text = "is running"
		switch st.Kind {
		case runbook.KindManual:
			text = "waits for somebody to do it"
		case runbook.KindChoose:
			text = "waits for an answer"
		case runbook.KindWait:
			text = "waits for its time"
		case runbook.KindRunbook:
			text = "waits for its own incident"
		case runbook.KindActions:
			text = "waits for its workflow"
		}
	case PhaseUnknown:
		text = "has an outcome that nobody knows"
	case PhaseEnded:
		text = "has ended: " + howEnded(st)
	case PhaseByHand:
		text = "was done by hand"
	case PhaseSkipped:
		text = "was skipped"
	case PhaseBroken:
		text = "has values that could not be worked out"
	case PhaseRefused:
		text = "was refused at its gate"
	case PhaseIdle:
		if _, busy := d.busyWith(step, st); busy {
			text = "is running"
		}
	}
	return "`" + step.Name + "` " + text
}

// choose takes a person's answer to a question of the plan.
func (d *decider) choose(cmd Command, step runbook.Step, st StepState, deed Deed) (problem string) {
	if why := d.tooLate(step, st, deed); why != "" {
		return why
	}
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
	return d.finishByWord(step, st, output, deed)
}

// finishByWord ends a step that people were asked to do or to answer.
func (d *decider) finishByWord(step runbook.Step, st StepState, output []byte, deed Deed) (problem string) {
	if !d.record(StepEnded{Step: step.Name, Attempt: st.Attempt, Conclusion: runbook.Succeeded, Started: st.Started, Ended: d.now,
		Output: output, Deed: &deed}) {
		return "`" + step.Name + "` is over already"
	}
	if len(output) > 0 {
		d.commit.Evidence = append(d.commit.Evidence, Evidence{Step: step.Name, Attempt: st.Attempt, Output: output})
	}
	return ""
}

// done takes that a manual step is done, with the values that its type asks for.
func (d *decider) done(cmd Command, step runbook.Step, st StepState, deed Deed) (problem string) {
	if why := d.tooLate(step, st, deed); why != "" {
		return why
	}
	if st.Phase != PhaseStarted || st.Kind != runbook.KindManual {
		return "`" + cmd.Step + "` is not a manual step that is asked for now: " + d.stands(step, st)
	}
	if !step.HasOutput {
		return d.finishByWord(step, st, nil, deed)
	}
	result, checked := d.view.Results[cmd]
	switch {
	case !checked:
		return "the values of `" + cmd.Step + "` could not be checked; write the comment again"
	case result.Problem != "":
		return result.Problem
	}
	return d.finishByWord(step, st, result.Output, deed)
}

// assign says who does a manual step.
func (d *decider) assign(cmd Command, step runbook.Step, st StepState, deed Deed) (problem string) {
	login, given := strings.CutPrefix(cmd.Rest, "@")
	to, known := d.view.People[strings.ToLower(login)]
	switch {
	case !step.Kind.AsksPeople():
		return "`" + step.Name + "` is no step that a person does"
	case st.Over():
		return "`/assign` does not fit: " + d.stands(step, st)
	case !given || !PlainLogin(login):
		return "somebody is assigned by `@` and a login of letters, digits and hyphens, such as `/assign " + step.Name + " @octocat`"
	case !known || to.Bot || !to.Write || !strings.EqualFold(to.Login, login):
		return "nobody of that login may write to this repository"
	case st.Owner != nil && st.Owner.ID == to.ID:
		return "`" + step.Name + "` is assigned to " + to.Login + " already"
	}
	if problem := d.approvedBy(step, st, to.ID); problem {
		return to.Login + " approved `" + step.Name + "`, so somebody else has to do it"
	}
	if !d.record(Assigned{Step: step.Name, To: to, Deed: deed}) {
		return "`/assign` does not fit: " + d.stands(step, st)
	}
	return ""
}

// skip goes on without a step that has no gate.
func (d *decider) skip(cmd Command, step runbook.Step, st StepState, deed Deed) (problem string) {
	switch why := d.unskippable(step, st); {
	case why != "":
		return why
	case step.Approval != nil:
		return inReview(cmd, step, deed)
	case !d.record(StepSkipped{Step: step.Name, Why: cmd.Rest, Deed: &deed}):
		return "`/skip` does not fit: " + d.stands(step, st)
	}
	return ""
}

// inReview is the answer to a comment or a button that would override a gate.
func inReview(cmd Command, step runbook.Step, deed Deed) string {
	return fmt.Sprintf("`%s` has a gate, which a %s does not override; those who may approve it (%s) say `%s %s <reason>` in a review (Files changed, Review changes)",
		step.Name, deed.Via, step.Approval.String(), cmd.Verb, step.Name)
}

// unskippable says why a step cannot be skipped as it is now, or nothing.
func (d *decider) unskippable(step runbook.Step, st StepState) string {
	_, busy := d.busyWith(step, st)
	switch {
	case st.Phase == PhaseUnknown:
		return fmt.Sprintf("nobody knows whether `%s` happened: `/did-it-by-hand %s <what you found>` says that it did, `/retry %s` that it did not", step.Name, step.Name, step.Name)
	case st.Over() && st.Good(), busy, st.hasChild(), st.Phase == PhaseCleared, st.Phase == PhaseStarted && st.Kind.NeedsRunner():
		return "`/skip` does not fit: " + d.stands(step, st)
	case d.restedOn(step.Name):
		return restedProblem(step.Name)
	case d.releasedOthers(step, st):
		return "the plan went on without `" + step.Name + "` when it failed, and what follows only skipped steps is skipped with them: " +
			"say `/skip` of the step behind it that is not to run"
	}
	return ""
}

// releasedOthers reports whether a step has failed for good, and its author lets others go on. That it counts as skipped now would take
// back what its failure has released: steps that wait for a lock or for their turn, and gates at which people are asked, would be
// skipped with it. What an element has come to is nobody's concern before its template is over.
func (d *decider) releasedOthers(step runbook.Step, st StepState) bool {
	return st.Over() && d.state.settled(step) && (step.Of == "" || d.state.Step(step.Of).Over())
}

// restedOn reports whether a step that rests on the named one has started and not ended: what it rests on does not change under its
// feet. What a person did by hand, or skipped, is so whatever becomes of the steps before it, and what follows it rests on none of them.
func (d *decider) restedOn(name string) bool {
	name, _, _ = runbook.SplitName(name)
	rests := map[string]bool{name: true}
	for _, s := range d.base.Steps { // a step comes after all it needs: one pass reaches everything
		st := d.state.Step(s.Name)
		said := st.Phase == PhaseByHand || st.Phase == PhaseSkipped && st.Word != nil
		if said || !slices.ContainsFunc(s.Needs, func(need string) bool { return rests[need] }) {
			continue
		}
		if st.Phase == PhaseStarted || st.settledList() && !st.Over() {
			return true
		}
		rests[s.Name] = true
	}
	return false
}

// byHand accepts that a person did a step. A step whose gate is still to be passed is not overridden by a comment.
func (d *decider) byHand(cmd Command, step runbook.Step, st StepState, deed Deed) (problem string) {
	switch why := d.notByHand(step, st); {
	case why != "":
		return why
	case d.gateAhead(step, st):
		return inReview(cmd, step, deed)
	case !d.record(StepByHand{Step: step.Name, What: cmd.Rest, Deed: deed}):
		return "`/did-it-by-hand` does not fit: " + d.stands(step, st)
	}
	return ""
}

// gateAhead reports whether a step has a gate that nobody has passed.
func (d *decider) gateAhead(step runbook.Step, st StepState) bool {
	return step.Approval != nil && !d.state.Passed(step) && st.Phase != PhaseUnknown
}

// notByHand says why a step cannot have been done by hand as it is now, or nothing.
func (d *decider) notByHand(step runbook.Step, st StepState) string {
	switch {
	case d.restedOn(step.Name):
		return restedProblem(step.Name)
	case st.Phase == PhaseStarted && st.Kind == runbook.KindChoose:
		return "`" + step.Name + "` is answered by `/choose " + step.Name + " <option>`"
	case st.Phase == PhaseStarted && st.Kind == runbook.KindManual && step.HasOutput:
		return "`" + step.Name + "` asks for values: `/done " + step.Name + " <key=value ...>`"
	case st.Phase == PhaseStarted && st.Kind != runbook.KindManual, st.Over() && st.Good():
		return "`/did-it-by-hand` does not fit: " + d.stands(step, st)
	}
	return ""
}
