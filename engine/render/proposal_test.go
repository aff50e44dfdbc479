package render

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/proposal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// TestProposal: what a stranger wrote stands in the check as text, and a long list says that it goes on.
func TestProposal(t *testing.T) {
	evil := runbook.Problem{File: "runbooks/@acme|`x`.cue", Path: "steps.<b>", Text: "\"@everyone\" | [x](http://evil) is\nwrong\x1b[31m", Hint: "#1"}
	c := Proposal(proposal.Pull{Number: 1}, proposal.Scope{Runbooks: []string{"runbooks/a.cue"}, Why: "@acme changed <it>"},
		proposal.Findings{Problems: []runbook.Problem{evil}, Runbooks: 1})
	if c.Conclusion != "failure" || c.Title != "1 mistake" || len(c.Annotations) != 1 || c.Annotations[0].Line != 1 {
		t.Errorf("%+v", c)
	}
	for _, bad := range []string{"@everyone", "@acme changed", "<b>", "<it>", "(http://evil)", "\x1b", " #1"} {
		if strings.Contains(c.Summary, bad) {
			t.Errorf("the summary has %q:\n%s", bad, c.Summary)
		}
	}
	if a := c.Annotations[0]; strings.ContainsAny(a.Text, "\x1b\r") || a.Text != "\"@everyone\" | [x](http://evil) is\nwrong\ufffd[31m\n#1" {
		t.Errorf("the annotation says %q", a.Text)
	}
	var many []runbook.Problem
	for i := range 5_000 {
		many = append(many, runbook.Problem{File: "runbooks/a.cue", Line: i + 1, Text: strings.Repeat("long ", 100)})
	}
	c = Proposal(proposal.Pull{}, proposal.Scope{Whole: true, Why: "x"}, proposal.Findings{Problems: many, Runbooks: 1})
	if len(c.Annotations) != proposal.MostAnnotations || len(c.Summary) > textLimit || !strings.Contains(c.Summary, fmt.Sprintf("there are %d more", 5_000-proposal.MostAnnotations)) {
		t.Errorf("%d annotations, %d bytes", len(c.Annotations), len(c.Summary))
	}
	past := []runbook.Problem{{File: "incidents/@x", Text: "it belongs to the past", Hint: "take it out"}}
	c = Proposal(proposal.Pull{}, proposal.Scope{Why: "x"}, proposal.Findings{History: past})
	if c.Conclusion != "failure" || c.Title != "The recorded history may not be changed" || len(c.Annotations) != 1 || strings.Contains(c.Summary, "pullbook vet") || !strings.Contains(c.Summary, "audit verify") {
		t.Errorf("%+v", c)
	}
	c = Proposal(proposal.Pull{}, proposal.Scope{Whole: true, Why: "x"}, proposal.Findings{History: past, Problems: many, Runbooks: 1})
	if c.Title != "5001 mistakes" || len(c.Annotations) != proposal.MostAnnotations || c.Annotations[0].Path != "incidents/@x" || !strings.Contains(c.Summary, "pullbook vet") {
		t.Errorf("%s with %d annotations: %s", c.Title, len(c.Annotations), c.Summary[:200])
	}
	if c = Proposal(proposal.Pull{}, proposal.Scope{Runbooks: []string{"a"}}, proposal.Findings{Runbooks: 2}); c.Conclusion != "success" || c.Title != "2 runbooks vetted, no mistakes" {
		t.Errorf("%+v", c)
	}
	odd := runbook.Problem{File: "runbooks/@a.cue", Line: 2, Text: "@x is odd"}
	c = Proposal(proposal.Pull{}, proposal.Scope{Runbooks: []string{"a"}}, proposal.Findings{Runbooks: 1, Remarks: slices.Repeat([]runbook.Problem{odd}, 25)})
	if c.Conclusion != "success" || len(c.Annotations) != 0 || strings.Count(c.Summary, "Remark, which fails nothing") != 20 || !strings.Contains(c.Summary, "5 more remarks") || strings.Contains(c.Summary, "@x is") {
		t.Errorf("%+v", c)
	}
	if c = Unvetted(proposal.Pull{}, "@x"); c.Conclusion != "failure" || strings.Contains(c.Summary, "@x") {
		t.Errorf("%+v", c)
	}
}
