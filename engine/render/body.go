package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// detail is how much of a body is shown. A body that is too long is rendered again with less.
type detail int

const (
	everything    detail = iota
	overCollapsed        // steps that are over share one line
	noGraph              // but one that is small all the same
	noTitles             // the last: every part has a bound of its own, and their sum is below the limit
)

// Bounds of the parts of a body in bytes. Together they stay below textLimit.
const (
	askBudget   = 18_000
	stepBudget  = 18_000 // at noTitles
	alertBudget = 8_000

	layersBudget = 6_000 // of a graph, from noGraph on
)

// Body is the pull request's body, at most 65,000 bytes of Markdown: what is waiting for whom, exactly what to do about it, the
// steps as a checklist and as a graph, the alert, and where everything came from. With the view's reviews and commits it also
// says who has approved and why a review does not count.
func Body(p runbook.Plan, s incident.State, v incident.View) string { return newBoard(p, s, v).whole() }

func (b board) whole() string {
	top := b.headline() + "\n" + b.asks()
	for d := everything; ; d++ {
		if text := b.body(top, d); len(text) <= textLimit || d == noTitles {
			return text
		}
	}
}

func (b board) body(top string, d detail) string {
	parts := []string{strings.TrimRight(top, "\n") + "\n", b.checklist(d)}
	graphRoom := graphBudget
	if d >= noGraph {
		graphRoom = layersBudget
	}
	if graph := b.graph(); len(b.rows) > 1 && len(graph) <= graphRoom {
		parts = append(parts, "### Graph\n\n```mermaid\n"+graph+"```\n")
	}
	if d < noTitles {
		parts = append(parts, b.byHand())
	}
	parts = append(parts, titled("### About", b.about()), b.alert(), titled("### Inputs", b.inputs()), b.roles(), details("Commands", incident.HelpText()), b.provenance())
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	return strings.Join(parts, "\n")
}

// details folds text away behind a fixed word of ours.
func details(word, text string) string {
	return "<details>\n<summary>" + word + "</summary>\n\n" + text + "\n</details>\n"
}

// item is one step of the checklist.
func (b board) item(r row, d detail) string {
	box := "[ ]"
	if r.settled {
		box = "[x]"
	}
	title := inline(r.step.Title, 120) + " (" + code(r.step.Name) + ")"
	if d >= noTitles || r.step.Title == "" || r.step.Title == r.step.Name {
		title = code(r.step.Name)
	}
	switch r.step.Stage {
	case runbook.StageUndo:
		title = "Undo " + code(r.step.Undoes) + ": " + title
	case runbook.StageFinally:
		title = "Finally: " + title
	}
	word := r.word
	if r.open() || r.class == classFailed || r.class == classRunning || r.drawn() == classFailed {
		word = "**" + word + "**"
	}
	line := fmt.Sprintf("- %s %s: %s", box, title, word)
	switch at := r.when(); {
	case at.IsZero():
	case r.st.Over():
		line += " " + b.clock(r)
	case r.timed():
	default:
		line += " since " + b.clock(r)
	}
	if r.st.Phase == incident.PhaseEnded && !r.step.Kind.AsksPeople() {
		line += " after " + lasted(r.st.Ended.Sub(r.st.Started))
	}
	if r.st.Attempt > 1 {
		line += fmt.Sprintf(", attempt %d", r.st.Attempt)
	}
	line += b.repeats(r)
	if r.st.Child != "" && r.st.Over() {
		line += ", " + link(r.st.Child, 0, r.st.ChildURL)
	}
	if d < noTitles && r.class == classFailed && r.st.Why != "" {
		line += ": " + inline(r.st.Why, 160)
	}
	return line + "\n"
}

// clock is the time of a row, without the date on the day of the opening.
func (b board) clock(r row) string {
	at := r.when().UTC()
	if at.Format("20060102") == b.state.OpenedAt.UTC().Format("20060102") {
		return at.Format("15:04:05")
	}
	return at.Format("2006-01-02 15:04:05")
}

func (b board) alert() string { return "### Alert\n\n" + b.lastAlert() }

// lastAlert shows what the monitoring tool last said. All of it is foreign, and bodies travel by mail: besides the fence, what would
// be a mention is parted.
func (b board) lastAlert() string {
	a := b.state.Alert
	var out strings.Builder
	fmt.Fprintf(&out, "%s, %s, from %s", Safe(a.Name), inline(string(a.Status), 20), inline(a.Source, 40))
	if !a.StartsAt.IsZero() {
		fmt.Fprintf(&out, ", since %s", stamp(a.StartsAt))
	}
	if n := len(a.Alerts) + a.Cut; n > 1 {
		fmt.Fprintf(&out, ", %d alerts in the group", n)
	}
	out.WriteString("\n")
	lines := pairs("", a.Labels)
	lines = append(lines, pairs("annotation ", a.Annotations)...)
	if a.URL != "" {
		lines = append(lines, "look at "+neutral(plain(a.URL, inlineLimit), inBlock))
	}
	if len(lines) > 0 {
		out.WriteString("\n" + runbook.Fence("text", bounded(lines, "\n", alertBudget/3)))
	}
	return out.String()
}

func pairs(prefix string, of map[string]string) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(of)) {
		out = append(out, prefix+neutral(plain(k, 80), inBlock)+" = "+neutral(plain(of[k], inlineLimit), inBlock))
	}
	return out
}

func (b board) roles() string {
	var items []string
	command := "everybody with write permission"
	if len(b.plan.Command) > 0 {
		command = people(b.plan.Command)
	}
	items = append(items, "- May command: "+command+"\n")
	if len(b.state.Ackers) > 0 {
		var who []string
		for _, p := range b.state.Ackers {
			who = append(who, p.Login)
		}
		items = append(items, "- Took notice: "+people(who)+"\n")
	}
	for _, r := range b.rows {
		if r.step.Of != "" && r.st.Gate.Opened.IsZero() {
			continue // the gate of its template covers it
		}
		if v := r.st.Gate.Broken; v != nil {
			items = append(items, fmt.Sprintf("- Broke the glass of %s: %s\n", code(r.step.Name), Safe(v.By.Login)))
		} else if len(r.st.Gate.Votes) > 0 {
			items = append(items, fmt.Sprintf("- Approved %s: %s\n", code(r.step.Name), Safe(logins(r.st.Gate.Votes))))
		} else if r.step.Approval != nil {
			items = append(items, fmt.Sprintf("- May approve %s: %s\n", code(r.step.Name), ruleWords(*r.step.Approval)))
		}
	}
	return "### People\n\n" + strings.TrimRight(bounded(items, "", 3_000), "\n") + "\n"
}

// people lists users and teams.
func people(who []string) string {
	items := make([]string, len(who))
	for i, w := range who {
		items[i] = inline(w, 100)
	}
	return bounded(items, ", ", 500)
}

func (b board) provenance() string {
	return "### Where this comes from\n\n" + bounded(b.sources(), "", 3_000) +
		"\nThis text is a view of the branch; editing it changes nothing.\n"
}

// sources lists what the incident was opened from.
func (b board) sources() []string {
	o := b.state.Opened
	items := []string{
		"- Incident: " + code(string(o.ID)) + "\n",
		"- Runbook: " + code(o.Runbook) + " at commit " + code(o.Commit) + "\n",
		"- Chosen because: " + Safe(o.Why) + "\n",
		"- Plan SHA-256: " + code(o.Plan) + "\n",
	}
	items = append(items, b.edited()...)
	if files := b.files(); files != "" {
		items = append(items, "- Everything written down: "+files+"\n")
	}
	if p := o.Parent; p != nil {
		items = append(items, "- Opened by: step "+code(p.Step)+" (attempt "+fmt.Sprint(p.Attempt)+") of "+link(p.Incident, 0, p.Pull)+
			", which follows "+code(last(p.Runbooks))+"; further notifications of the alert go there\n")
	}
	if o.Previous != "" {
		items = append(items, "- Earlier incident of this alert: "+code(string(o.Previous))+"\n")
	}
	for _, problem := range o.Problems {
		items = append(items, "- A runbook could not be used: "+Safe(problem)+"\n")
	}
	return items
}

// files leads to the incident's directory on its branch, where the hub's address of its pull request is known.
func (b board) files() string {
	address := b.state.PullURL
	if address == "" && b.view.Pull != nil {
		address = b.view.Pull.URL
	}
	repository, _, ok := strings.Cut(address, "/pull/")
	if !ok || !plainAddress(address) {
		return ""
	}
	id := b.state.Opened.ID
	at := repository + "/tree/" + id.Branch() + "/" + id.Dir()
	return "[journal](" + at + "/journal), [plan](" + at + "/plan), [pages of gates](" + at + "/gates), [evidence](" + at + "/evidence)"
}
