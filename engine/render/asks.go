package render

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// asks says for each open question exactly what a person has to do, and for a halted incident what there is to choose.
func (b board) asks() string {
	var asked []row
	if b.live() {
		asked = b.pick(func(r row) bool { return r.open() || r.halts })
	}
	var out strings.Builder
	if b.state.End == "" {
		out.WriteString(b.askDebts())
	}
	if len(asked) == 0 && out.Len() == 0 {
		return ""
	}
	for i, r := range asked {
		item := b.ask(r) // asked for one by one, since a verdict on each of a thousand gates takes long and is not shown
		if out.Len()+len(item) > askBudget {
			out.WriteString(plural(len(asked)-i, "more question is", "more questions are") + " open and not shown here.\n\n")
			break
		}
		out.WriteString(item + "\n")
	}
	return "### What to do now\n\n" + strings.TrimRight(out.String(), "\n") + "\n"
}

func (b board) ask(r row) string {
	switch {
	case r.st.Phase == incident.PhaseGate:
		return b.askApproval(r)
	case r.st.Phase == incident.PhaseUnknown:
		return b.askHappened(r)
	case r.open() && r.st.Kind == runbook.KindChoose:
		return askChoice(r)
	case r.open():
		return askDone(r)
	}
	return b.askDecision(r)
}

// stopHere says what /cancel does in the stage that the incident is in.
func (b board) stopHere() string {
	switch b.state.Stage() {
	case runbook.StageUndo:
		return "- `/cancel <reason>`: undo no more, and stop here.\n"
	case runbook.StageFinally:
		return "- `/cancel <reason>`: end without it.\n"
	}
	return "- `/cancel <reason>`: stop here.\n"
}

func askChoice(r row) string {
	var out strings.Builder
	fmt.Fprintf(&out, "#### Choose %s\n\n%s", code(r.step.Name), below(r))
	if c := r.step.Now.Work.Choose; c != nil {
		if c.Owner != "" {
			out.WriteString("For " + inline(c.Owner, 100) + ":\n\n")
		}
		out.WriteString(options(r, *c))
	}
	return out.String() + timeOf(r)
}

// timeOf says until when people can answer what they are asked.
func timeOf(r row) string {
	return "\nThere is time until " + stamp(r.st.Deadline) + "; then " + code(r.step.Name) + " has failed.\n"
}

// options are a question and its answers, each as the comment that gives it.
func options(r row, c runbook.Choose) string {
	items := make([]string, len(c.Options))
	for i, o := range c.Options {
		items[i] = "- " + code("/choose "+r.step.Name+" "+o.Name)
		if o.Title != "" {
			items[i] += ": " + inline(o.Title, 200)
		}
		items[i] += "\n"
	}
	return block("text", c.Question, 3_000) + "\n" + bounded(items, "", 4_000)
}

func (b board) askApproval(r row) string {
	name := code(r.step.Name)
	path := gatePath(b.state.Opened.ID, r.index, r.step.Name)
	var out strings.Builder
	fmt.Fprintf(&out, "#### Approve or reject %s\n\n%s", name, below(r))
	fmt.Fprintf(&out, "1. Read what will run: %s (%s), SHA-256 %s.\n", code(path), b.filesLink(path), code(short(r.st.Gate.Page)))
	fmt.Fprintf(&out, "2. In **Files changed**, submit a review: **Approve** with the line %s, or any review with the line %s.\n\n",
		code("/approve "+r.step.Name), code("/reject "+r.step.Name+" <why>"))
	out.WriteString(b.glassHint(r))
	out.WriteString(b.verdict(r))
	return out.String()
}

// explain lists what a verdict rests on.
func explain(children []approval.Verdict) string {
	return bounded(explained(children, ""), "", 3_000)
}

func explained(children []approval.Verdict, indent string) (items []string) {
	for _, c := range children {
		items = append(items, indent+"- "+Safe(c.Sentence)+"\n")
		items = append(items, explained(c.Children, indent+"  ")...)
	}
	return items
}

// filesLink leads to the page in the pull request's diff. GitHub's anchor of a file is the SHA-256 of its path.
func (b board) filesLink(path string) string {
	address := b.state.PullURL
	if address == "" && b.view.Pull != nil {
		address = b.view.Pull.URL
	}
	if !plainAddress(address) {
		return "tab **Files changed**"
	}
	sum := sha256.Sum256([]byte(path))
	return "[Files changed](" + strings.TrimRight(address, "/") + "/files#diff-" + hex.EncodeToString(sum[:]) + ")"
}

// plainAddress accepts only what the hub itself would call a pull request: nothing in it can leave a Markdown link.
func plainAddress(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || len(address) > inlineLimit {
		return false
	}
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/:[]"
	return strings.Trim(address, allowed) == "" && !strings.ContainsAny(u.Path, "[]")
}

func (b board) askHappened(r row) string {
	otherwise := "it did not happen; start it again."
	if b.state.Stage() == runbook.StageUndo && r.step.Stage == runbook.StageMain {
		otherwise = "it did not happen. While the incident is undone, it is not started again."
	}
	return fmt.Sprintf("#### Did %s happen?\n\n%sAttempt %d was about to run, or running, when the engine stopped (intent written %s). It is not idempotent, so it is not started again by itself.\n\n"+
		"%s- %s: it happened; go on.\n- %s: %s\n%s",
		code(r.step.Name), below(r), r.st.Attempt, stamp(r.st.Started), unfolded(r.step),
		code("/did-it-by-hand "+r.step.Name+" <what you found or did>"), code("/retry "+r.step.Name), otherwise, b.stopHere())
}

func askDone(r row) string {
	var out strings.Builder
	fmt.Fprintf(&out, "#### Do %s\n\n%s", code(r.step.Name), below(r))
	owner := ""
	if m := r.step.Now.Work.Manual; m != nil {
		owner = m.Owner
	}
	if r.st.Owner != nil {
		owner = r.st.Owner.Login
	}
	if owner != "" {
		out.WriteString("For " + inline(owner, 100) + ":\n\n")
	}
	if m := r.step.Now.Work.Manual; m != nil {
		out.WriteString(block("text", m.Task, 3_000) + "\n")
	}
	done := "/done " + r.step.Name
	if r.step.HasOutput {
		done += " <key=value ...>" // which ones, the answer to /done without any says
	}
	fmt.Fprintf(&out, "When it is done, comment %s.\n", code(done))
	return out.String() + timeOf(r)
}

func (b board) askDecision(r row) string {
	var out strings.Builder
	fmt.Fprintf(&out, "#### Decide about %s\n\n%sRecorded at %s: **%s**.\n\n", code(r.step.Name), below(r), stamp(r.st.Ended), r.word)
	if r.st.Why != "" {
		out.WriteString(block("text", r.st.Why, 2_000) + "\n")
	}
	out.WriteString(unfolded(r.step))
	fmt.Fprintf(&out, "- %s: try it again.\n", code("/retry "+r.step.Name))
	if r.step.Approval == nil || b.state.Passed(r.step) {
		fmt.Fprintf(&out, "- %s: you did it; go on.\n", code("/did-it-by-hand "+r.step.Name+" <what you did>"))
	}
	where := ""
	if r.step.Approval != nil {
		where = ", in a review by those who may approve it"
	}
	fmt.Fprintf(&out, "- %s: go on without it%s.\n", code("/skip "+r.step.Name+" <reason>"), where)
	out.WriteString(b.stopHere())
	return out.String()
}

// below is the title of a step below a heading that names the step: nothing, where it has no other title.
func below(r row) string {
	if r.step.Title == "" || r.step.Title == r.step.Name {
		return ""
	}
	return Safe(r.step.Title) + "\n\n"
}

// lead is the title of a step as a sentence of its own.
func lead(r row) string {
	if r.step.Title == "" {
		return code(r.step.Name)
	}
	return Safe(r.step.Title)
}
