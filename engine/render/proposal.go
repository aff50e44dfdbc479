package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/proposal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Proposal writes the check of a person's pull request.
func Proposal(p proposal.Pull, s proposal.Scope, f proposal.Findings) proposal.Check {
	c := proposal.Check{Pull: p, Conclusion: "success", Title: "Nothing to vet"}
	problems := slices.Concat(f.History, f.Problems)
	switch mistakes := len(problems); {
	case mistakes > 0 && len(f.Problems) == 0:
		c.Conclusion, c.Title = "failure", "The recorded history may not be changed"
	case mistakes > 0:
		c.Conclusion, c.Title = "failure", plural(mistakes, "mistake", "mistakes")
	case !s.Nothing():
		c.Title = plural(f.Runbooks, "runbook", "runbooks") + " vetted, no mistakes"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Vetted as it would be merged: %s.\n", Safe(s.Why))
	if n := len(problems) - proposal.MostAnnotations; n > 0 {
		fmt.Fprintf(&b, "\nThe first %d are shown; there are %d more.\n", proposal.MostAnnotations, n)
	}
	if len(problems) > 0 {
		b.WriteString("\n" + problemTable(problems))
	}
	if len(f.History) > 0 {
		b.WriteString("\nMerged, the changed history would be a finding of `pullbook audit verify` from then on.\n")
	}
	if len(f.Problems) > 0 {
		b.WriteString("\n`pullbook vet` says the same of runbooks on a clone.\n")
	}
	for i, remark := range f.Remarks {
		if i == mostRemarks {
			fmt.Fprintf(&b, "\nThere are %d more remarks.\n", len(f.Remarks)-i)
			break
		}
		fmt.Fprintf(&b, "\nRemark, which fails nothing: %s: %s.\n", code(fmt.Sprintf("%s:%d", remark.File, remark.Line)), Safe(remark.Text))
	}
	c.Summary = b.String()
	for _, problem := range problems[:min(len(problems), proposal.MostAnnotations)] {
		c.Annotations = append(c.Annotations, annotation(problem))
	}
	return c
}

// mostRemarks bounds what the summary says of what is no mistake.
const mostRemarks = 20

// Unvetted writes the check of a pull request that cannot be vetted, and says why.
func Unvetted(p proposal.Pull, why string) proposal.Check {
	return proposal.Check{Pull: p, Conclusion: "failure", Title: "Cannot be vetted", Summary: Safe(why) + "\n"}
}

// problemTable lists the problems that fit.
func problemTable(ps []runbook.Problem) string {
	var rows []string
	for _, p := range ps {
		place := p.File
		if p.Line > 0 {
			place = fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
		}
		text := p.Text
		if p.Path != "" {
			text = p.Path + ": " + text
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s |\n", code(place), Safe(text), Safe(p.Advice())))
	}
	return "| where | what | hint |\n|---|---|---|\n" + bounded(rows, "", 30_000)
}

// annotation is a problem as a remark on its line. The hub shows it as plain text.
func annotation(p runbook.Problem) proposal.Annotation {
	text := p.Text
	if advice := p.Advice(); advice != "" {
		text += "\n" + advice
	}
	a := proposal.Annotation{Path: p.File, Line: max(1, p.Line), Title: plain(p.Path, 200)}
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, plain(line, 1_000))
	}
	a.Text = strings.Join(lines, "\n")
	return a
}
