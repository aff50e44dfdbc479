package render

import (
	"fmt"
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// textLimit bounds bodies, summaries and texts in bytes. GitHub takes 65,536 characters in a pull request's body and 65,535
// in a check run's summary and text.
const textLimit = 65_000

// CheckText is what a check run says about one step.
type CheckText struct {
	Name       string // "step: rollback"
	Title      string // one line, at most 120 characters
	Summary    string // Markdown, at most 65,000 bytes
	Text       string // Markdown, at most 65,000 bytes: the end of the log; empty where there is none
	Conclusion string // GitHub's word: success, failure, skipped, neutral, timed_out or cancelled
}

// Check describes the latest attempt of a step. log is its log as the evidence has it, empty where it is not to be shown; what does
// not fit loses its beginning.
func Check(p runbook.Plan, s incident.State, step, log string) CheckText {
	b := blank(p, s, incident.View{})
	c := CheckText{Name: "step: " + plain(step, 100), Title: "not a step of this plan", Conclusion: "neutral"}
	if r, ok := b.only(step); ok {
		c.Title, c.Conclusion = checkTitle(r), conclusion(r.st)
		c.Summary = b.checkSummary(r)
	}
	if log != "" {
		c.Text = "The end of the log:\n\n" + block("text", log, textLimit-100)
	}
	return c
}

// Rollup gives GitHub's status and conclusion of the check that stands for the whole incident. The conclusion is empty
// while the check is in progress.
func Rollup(status incident.RollupStatus) (state, conclusion string) {
	switch status {
	case incident.RollupRunning:
		return "in_progress", ""
	case incident.RollupWaiting:
		return "completed", "action_required"
	case incident.RollupDone:
		return "completed", "success"
	}
	return "completed", "failure"
}

// conclusion is GitHub's word for the end of a step. Only a recorded success is a success.
func conclusion(st incident.StepState) string {
	switch st.Phase {
	case incident.PhaseSkipped:
		return "skipped"
	case incident.PhaseBroken, incident.PhaseRefused:
		return "failure"
	case incident.PhaseEnded:
		switch st.Conclusion {
		case runbook.Succeeded:
			return "success"
		case runbook.TimedOut:
			return "timed_out"
		case runbook.Cancelled:
			return "cancelled"
		case runbook.Failed:
			return "failure"
		}
	}
	return "neutral"
}

func checkTitle(r row) string {
	switch r.st.Phase {
	case incident.PhaseEnded:
		if r.word == wouldRun {
			return "would run: this is a rehearsal"
		}
		return fmt.Sprintf("%s (attempt %d, %s)", ended(r.st.Conclusion), r.st.Attempt, lasted(r.st.Ended.Sub(r.st.Started)))
	case incident.PhaseIdle:
		return "has not begun"
	case incident.PhaseRefused:
		return plain("refused: "+r.st.Why, 120)
	}
	return r.word
}

func (b board) checkSummary(r row) string {
	var out strings.Builder
	if line := b.rehearsal(); line != "" {
		out.WriteString(line + "\n\n")
	}
	fmt.Fprintf(&out, "**%s**\n\n- Step: %s, %s, risk %s\n", lead(r), code(r.step.Name), r.step.Kind, r.step.Risk)
	if !r.st.Started.IsZero() {
		fmt.Fprintf(&out, "- Started: %s\n", stamp(r.st.Started))
	}
	if r.st.Over() {
		fmt.Fprintf(&out, "- Ended: %s\n", stamp(r.st.Ended))
	}
	if r.st.Attempt > 0 {
		fmt.Fprintf(&out, "- Attempt: %d\n", r.st.Attempt)
	}
	if r.step.Undoes != "" {
		fmt.Fprintf(&out, "- Undoes: %s\n", code(r.step.Undoes))
	}
	if r.st.Kind == runbook.KindWait {
		fmt.Fprintf(&out, "- Waits until: %s\n", stamp(r.st.Deadline))
	}
	if r.st.Child != "" {
		fmt.Fprintf(&out, "- Followed by: %s\n", link(r.st.Child, 0, r.st.ChildURL))
	}
	if r.st.Phase == incident.PhaseEnded && !r.step.Each && (r.step.Kind.NeedsRunner() || r.step.Kind == runbook.KindChoose) {
		fmt.Fprintf(&out, "- Evidence: %s\n", code(evidencePath(b.state.Opened.ID, r.index, r.step.Name, r.st.Attempt)))
	}
	var votes []string
	for _, v := range r.st.Gate.Votes {
		votes = append(votes, fmt.Sprintf("- Approved by: %s, review %d at %s\n", Safe(v.By.Login), v.Review, code(short(v.Commit))))
	}
	out.WriteString(bounded(votes, "", 8_000))
	if question := r.step.Now.Work.Choose; question != nil {
		out.WriteString("\n" + options(r, *question))
	}
	if r.st.Why != "" {
		out.WriteString("\nWhy:\n\n" + block("text", r.st.Why, 8_000))
	}
	if len(r.st.Output) > 0 {
		out.WriteString("\nOutput:\n\n" + block("json", string(r.st.Output), 16_000))
	}
	return out.String()
}

// short is the beginning of a commit id or digest.
func short(id string) string { return id[:min(len(id), 12)] }
