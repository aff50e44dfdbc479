package render

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// tableBudget bounds one table of a report in bytes, so that the whole stays below the 1 MB that GitHub recommends for an
// object. The journal has what a table leaves out.
const tableBudget = 200_000

// Report is report.md, written once at the end: what happened, numbers, timeline, steps, approvals, evidence, follow-ups.
func Report(p runbook.Plan, s incident.State, events []incident.Event) []byte {
	b := newBoard(p, s, incident.View{})
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Incident %s: %s\n\n", s.Opened.ID, inline(orName(p.Title, p.Name), 200))
	if line := b.rehearsal(); line != "" {
		out.WriteString(line + "\n\n")
	}
	for _, section := range []struct{ title, text string }{
		{"What happened", b.story(events)},
		{"Follow-ups", b.followUps(events)},
		{"Numbers", numbersTable(Measure(p, s, events))},
		{"Timeline", timelineTable(events)},
		{"Steps", b.stepTable()},
		{"Approvals", approvalTable(events)},
		{"Evidence", b.evidenceTable(events)},
		{"Alert", b.lastAlert()},
		{"Inputs", b.inputs()},
		{"Where this comes from", bounded(b.sources(), "", tableBudget)},
	} {
		if section.text != "" {
			fmt.Fprintf(&out, "## %s\n\n%s\n", section.title, strings.TrimRight(section.text, "\n")+"\n")
		}
	}
	return append(bytes.TrimRight(out.Bytes(), "\n"), '\n')
}

func orName(title, name string) string {
	if title == "" {
		return name
	}
	return title
}

// story tells the incident in a few sentences.
func (b board) story(events []incident.Event) string {
	s := b.state
	var out strings.Builder
	fmt.Fprintf(&out, "The alert %s was answered with the runbook %s, opened at %s.", Safe(s.Opened.Alert.Name), code(s.Opened.Runbook), stamp(s.OpenedAt))
	if !s.AckedAt.IsZero() {
		fmt.Fprintf(&out, " A person first acted at %s.", stamp(s.AckedAt))
	}
	if !s.MitigatedAt.IsZero() {
		fmt.Fprintf(&out, " The problem was over at %s%s.", stamp(s.MitigatedAt), how(events))
	}
	if s.Pull != 0 {
		fmt.Fprintf(&out, " It was pull request number %d.", s.Pull)
	}
	if c := s.Cancelled; c != nil {
		fmt.Fprintf(&out, " %s cancelled the incident: %s.", Safe(c.Deed.By.Login), Safe(c.Why))
	}
	if r := s.Recalled; r != nil {
		fmt.Fprintf(&out, " The incident that had opened it did not want it to go on: %s.", Safe(r.Why))
	}
	if a := s.Aborted; a != nil {
		fmt.Fprintf(&out, " It was aborted, since nobody approved %s in time.", code(a.Step))
	}
	if s.Undo != nil {
		fmt.Fprintf(&out, " From then on, what had succeeded was to be undone: %s.", Safe(s.Undo.Why))
	}
	if s.End != "" {
		fmt.Fprintf(&out, " It ended as **%s** at %s.", inline(string(s.End), 40), stamp(s.EndedAt))
	} else {
		out.WriteString(" It has not ended.")
	}
	if about := b.about(); about != "" {
		out.WriteString("\n\n" + about)
	}
	return out.String()
}

// how says in brackets why the problem counts as over, where the journal has a reason of its own.
func how(events []incident.Event) string {
	for _, e := range events {
		if m, ok := e.Data.(incident.Mitigated); ok && m.How != "" {
			return " (" + Safe(m.How) + ")"
		}
	}
	return ""
}

func numbersTable(n Numbers) string {
	var rows []string
	for _, f := range n.figures() {
		rows = append(rows, fmt.Sprintf("| %s | %s |\n", f.name, f.value))
	}
	return table("| what | figure |\n| --- | ---: |\n", rows)
}

func timelineTable(events []incident.Event) string {
	lines := Timeline(events)
	rows := make([]string, 0, len(lines))
	for i, l := range lines {
		if !quiet(events[i].Data) {
			rows = append(rows, fmt.Sprintf("| %d | %s | %s | %s |\n", events[i].Seq, stamp(l.At), inline(l.Who, 200), inline(l.What, 500)))
		}
	}
	return table("| event | time | who | what |\n| ---: | --- | --- | --- |\n", rows)
}

func (b board) stepTable() string {
	var rows []string
	for _, r := range b.rows {
		took := ""
		if r.st.Phase == incident.PhaseEnded {
			took = lasted(r.st.Ended.Sub(r.st.Started))
		}
		at := ""
		if !r.when().IsZero() {
			at = stamp(r.when())
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s | %s | %d | %s | %s |\n", code(r.step.Name), inline(r.step.Title, 120),
			r.step.Kind, r.step.Risk, r.word, r.st.Attempt, at, took))
	}
	return table("| step | title | kind | risk | result | attempts | time | took |\n| --- | --- | --- | --- | --- | ---: | --- | --- |\n", rows)
}

// approvalTable lists every vote that opened or ended a gate, with the hub's numbers, so that the record stands alone.
func approvalTable(events []incident.Event) string {
	const line = "| %s | %s | %s (%d) | %d | %s | %s |\n"
	var rows []string
	for _, e := range events {
		switch d := e.Data.(type) {
		case incident.GateApproved:
			for _, v := range d.Votes {
				rows = append(rows, fmt.Sprintf(line, code(d.Step), "approved", Safe(v.By.Login), v.By.ID, v.Review, code(v.Commit), stamp(v.At)))
			}
		case incident.GateRejected:
			rows = append(rows, fmt.Sprintf(line, code(d.Step), "rejected", Safe(d.Vote.By.Login), d.Vote.By.ID, d.Vote.Review, code(d.Vote.Commit), stamp(d.Vote.At)))
		}
	}
	return table("| gate | vote | by (id) | review | on commit | time |\n| --- | --- | --- | ---: | --- | --- |\n", rows)
}

func (b board) evidenceTable(events []incident.Event) string {
	index, collects := map[string]int{}, map[string]bool{}
	for _, r := range b.rows {
		index[r.step.Name], collects[r.step.Name] = r.index, r.step.Each
	}
	var rows []string
	for _, e := range events {
		d, ok := e.Data.(incident.StepEnded)
		if again, repeated := e.Data.(incident.RepeatEnded); repeated {
			d, ok = incident.StepEnded{Step: again.Step, Attempt: again.Attempt, Evidence: again.Evidence, Cut: again.Cut}, true
		}
		if !ok || collects[d.Step] { // what a template collects its elements have left behind
			continue
		}
		dir := evidencePath(b.state.Opened.ID, index[d.Step], d.Step, d.Attempt)
		if d.Evidence != "" {
			rows = append(rows, fmt.Sprintf("| %s | %d | %s | %s |\n", code(d.Step), d.Attempt, code(dir+"/log.txt"), code(d.Evidence)))
		}
		if len(d.Output) > 0 {
			rows = append(rows, fmt.Sprintf("| %s | %d | %s | %s |\n", code(d.Step), d.Attempt, code(dir+"/output.json"), code(runbook.PageDigest(d.Output))))
		}
		for _, cut := range d.Cut {
			rows = append(rows, fmt.Sprintf("| %s | %d | %s, %d bytes, not kept whole | %s |\n", code(d.Step), d.Attempt, inline(cut.Name, 40), cut.Bytes, code(cut.SHA256)))
		}
	}
	return table("| step | attempt | what | SHA-256 |\n| --- | ---: | --- | --- |\n", rows)
}

// table puts rows under a head; nothing without rows.
func table(head string, rows []string) string {
	if len(rows) == 0 {
		return ""
	}
	return head + bounded(rows, "", tableBudget)
}
