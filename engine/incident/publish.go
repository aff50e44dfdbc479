package incident

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pullbook/pullbook/engine/runbook"
)

// RollupName is the name of the check run that stands for the whole incident.
const RollupName = "pullbook"

// publish brings what people see up to date with what is on the remote branch.
func (d *decider) publish() {
	switch {
	case d.view.Branch.Pushed == 0:
		return
	case d.view.Pull == nil:
		d.actions = append(d.actions, OpenPull{})
		return
	case !d.view.Pull.Open:
		d.actions = append(d.actions, ReopenPull{})
		d.reply("reopened-"+d.view.Pull.Head, "An incident is not closed by closing its pull request: `/cancel <reason>` is the way.")
		d.actions = append(d.actions, d.people...)
		return
	}
	d.publishSteps()
	d.publishRollup()
	d.remind()
	d.ranOut()
	d.sayAgain()
	d.shout()
	d.showEdits()
	d.actions = append(d.actions, PublishBody{Urgent: d.asking || d.halted || d.state.Paused != nil || len(d.locked) > 0})
	d.react()
	d.withdrawReviews()
}

// publishSteps gives each step that is over one check run, on the commit that records it.
func (d *decider) publishSteps() {
	for i := range d.plan.Steps {
		name := d.plan.Steps[i].Name
		st := d.state.Step(name)
		if !st.Over() || st.Seq > d.view.Branch.Pushed {
			continue
		}
		if id := CheckID(d.state.Opened.ID, name, st); !d.view.Checks[id] {
			d.actions = append(d.actions, PublishCheck{ExternalID: id, Step: name, Seq: st.Seq})
		}
	}
}

// CheckID is the external id of the check run of a step that is over.
func CheckID(id ID, step string, st StepState) string {
	return runbook.AttemptKey(string(id), step, st.Attempt) + "/" + strconv.Itoa(st.Seq)
}

// rollup is what the check run of the incident says.
type rollup struct {
	status  RollupStatus
	since   int // the event that made it so
	summary string
	taken   int // the latest event that took a lock
}

// atNow says what the steps of the incident wait for. A step that failed is graver than one that people do, and less urgent than
// what they have to decide.
func (d *decider) atNow() rollup {
	r := rollup{status: RollupRunning, since: max(1, d.state.stageSince, d.state.thawedAt), summary: d.stageNow()}
	var waits []string
	questions, halted, decide, ended := "", "", false, 0
	for _, step := range d.plan.Steps {
		st := d.state.Step(step.Name)
		if len(st.Locks) > 0 {
			r.taken = max(r.taken, st.since)
		}
		if st.Over() {
			ended = max(ended, st.Seq)
		}
		switch {
		case d.lockedOut(step.Name): // whatever else it waited for is there
		case st.asksPeople() && st.Phase != PhaseStarted || asksNow(step, st):
			if waits = append(waits, step.Name); len(waits) <= mostNamed {
				questions += questionText(step)
			}
			decide = decide || st.Phase != PhaseStarted || st.Kind == runbook.KindChoose
			r.since = max(r.since, st.since)
		case d.halted && step.Stage == d.state.Stage() && st.Over() && !d.state.settled(step):
			r.since, halted = max(r.since, st.Seq), "Halted: "+step.Name+" "+howEnded(st)+"."
		}
	}
	asked := "Waits for people: " + someOf(waits) + "." + questions
	switch {
	case halted != "" && !decide && len(waits) > 0:
		r.status, r.summary = RollupFailed, halted+" "+asked
	case halted != "" && !decide:
		r.status, r.summary = RollupFailed, halted
	case len(waits) > 0:
		if r.status, r.summary = RollupWaiting, strings.TrimSpace(halted+" "+asked); !decide && !d.busy() {
			r.since = max(r.since, ended) // nothing but people is waited for: the head says so, with the buttons for it
		}
	}
	return r
}

// publishRollup says on the head what the incident waits for: at opening, at gates and questions, when it halts.
func (d *decider) publishRollup() {
	r := d.atNow()
	status, since, summary := r.status, r.since, r.summary
	if text := d.heldText(); text != "" {
		if status != RollupWaiting {
			summary = ""
		}
		status, since, summary = RollupWaiting, max(since, d.state.heldSince), strings.TrimSpace(text+"\n\n"+summary)
	}
	if status == RollupWaiting {
		summary += d.demandText()
	}
	if owed, event := d.debtText(); event > 0 {
		if since = max(since, event); owed != "" && status == RollupRunning {
			status = RollupWaiting
		}
		summary = owed + summary
	}
	text := d.locksText()
	if status == RollupRunning {
		since = max(since, r.taken) // a step that waited for a lock has taken it
	}
	id := d.rollupID(status, since)
	if status == RollupRunning && text != "" {
		id, summary = id+"/"+runbook.PageDigest([]byte(text))[:16], "Waits for a lock."
	}
	if text != "" {
		summary += "\n\n" + text
	}
	if status == RollupWaiting {
		if id += d.votesMark(); d.view.Checks[id] {
			id += d.overlookedMark()
		}
	}
	if len(d.unwritten) > 0 && status == RollupRunning {
		id += "/authors/" + runbook.PageDigest([]byte(strings.Join(d.unwritten, " ")))[:16]
		summary += " The hub has not said yet who wrote " + someOf(d.unwritten) + ": the gate opens then."
	}
	if !d.view.Checks[id] {
		d.askForReviews()
		d.actions = append(d.actions, PublishRollup{ExternalID: id, Status: status, Summary: summary})
	}
}

func (d *decider) stageNow() string {
	switch d.state.Stage() {
	case runbook.StageUndo:
		return "What was done is being undone."
	case runbook.StageFinally:
		return "The finally steps run."
	}
	return "The incident is open."
}

// questionText is the question of a choice with its options, in a block that the author's words cannot leave.
func questionText(step runbook.Step) string {
	question := step.Now.Work.Choose
	if question == nil {
		return ""
	}
	text := question.Question + "\n"
	for _, o := range question.Options {
		text += "\n" + strings.TrimSpace("/choose "+step.Name+" "+o.Name+"  "+o.Title)
	}
	return "\n\n" + runbook.Fence("text", text)
}

// howEnded is the phase of a step that is over, or how its attempt ended.
func howEnded(st StepState) string {
	if st.Phase == PhaseEnded {
		return strings.ReplaceAll(string(st.Conclusion), "_", " ")
	}
	return string(st.Phase)
}

// finish brings an ended incident to its merge: flush, final checks, body, merge.
func (d *decider) finish() {
	if d.view.Branch.Pushed < d.state.Seq {
		d.actions = append(d.actions, Flush{Why: "the end"})
		return
	}
	d.recordCommands()
	d.recordOverrides()
	if len(d.commit.Events) > 0 { // it was reopened
		d.emit()
		return
	}
	d.actions = append(d.actions, d.people...)
	if d.view.Pull == nil || !d.view.Pull.Open {
		d.publish()
		return
	}
	d.publishSteps()
	if id := d.rollupID(RollupDone, d.state.Seq); !d.view.Checks[id] {
		d.actions = append(d.actions, PublishRollup{ExternalID: id, Status: RollupDone, Summary: "The incident has ended: " + string(d.state.End) + "."})
	}
	what := "Incident"
	if d.state.Opened.Rehearsal != nil {
		what = "Rehearsal"
	}
	title := fmt.Sprintf("%s %s: %s", what, d.state.Opened.ID, d.state.End)
	message := fmt.Sprintf("Runbook: %s\nIncident: %s\nEvents: %d\n", d.state.Opened.Runbook, d.state.Opened.ID, d.state.Seq)
	d.react()
	d.actions = append(d.actions, PublishBody{Urgent: true}, Merge{Head: d.view.Branch.Head, Title: title, Message: message})
}

// replyMark is what makes a reply findable: an HTML comment at its end.
func replyMark(key string) string { return "<!-- pullbook:reply:" + key + " -->" }

// MarkReply adds the key to the text of a reply.
func MarkReply(key, text string) string {
	return strings.TrimRight(text, "\n") + "\n\n" + replyMark(key) + "\n"
}

// Comment is the text of the comment that a reply is. Where it answers a comment or a review of the pull request it leads there: several
// are answered at once, by comments that stand below all of them.
func (a Reply) Comment(pullURL string) string {
	text := a.Text
	for _, to := range []struct{ key, anchor, what string }{{"comment-", "issuecomment-", "comment"}, {"stranger-", "issuecomment-", "comment"},
		{"review-", "pullrequestreview-", "review"}, {"thaw-", "pullrequestreview-", "review"}} {
		id, is := strings.CutPrefix(strings.TrimSuffix(a.Key, "-words"), to.key)
		if _, err := strconv.ParseUint(id, 10, 64); is && err == nil && pullURL != "" {
			text = fmt.Sprintf("%s\n\nIn answer to [this %s](%s#%s%s).", strings.TrimRight(text, "\n"), to.what, pullURL, to.anchor, id)
		}
	}
	return MarkReply(a.Key, text)
}

// HasReplyKey reports whether a comment is the reply with the given key. Only its end counts: before that it may quote.
func HasReplyKey(body, key string) bool {
	return strings.HasSuffix(strings.TrimSpace(body), replyMark(key))
}
