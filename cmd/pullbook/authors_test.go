package main

import (
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
)

// written is a runbook of carol's, who made the first commit of the ledger.
const written = `title: "Carol wrote it"
match: labels: service: "written"
alert: _
steps: change: {
	approval: {from: ["carol", "code:owners"], count: 1}
	exec: command: ["true"]
}
`

// ownedCode says who owns that runbook: the last line that matches.
const ownedCode = "* @carol\n/runbooks/ @alice ops@acme.example\n"

// TestAuthorsDoNotApprove: the hub says who wrote the runbook's lines. They stand on the gate page and in the journal, and
// their approval does not count. That of a code owner does, whom CODEOWNERS of the frozen commit names, and the page.
func TestAuthorsDoNotApprove(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{files: map[string]string{"runbooks/written.cue": written, ".github/CODEOWNERS": ownedCode}})
	w := newWatch(s)
	s.serve(t)
	group := s.raise(t, alarm{Name: "Written", Labels: map[string]string{"service": "written"}})
	seen := s.await(t, group, "the gate opens", func(v sight) bool { return has[incident.GateOpened](v) })
	opened, _ := find[incident.GateOpened](seen)
	if a := opened.Authors; a == nil || len(a.People) != 1 || a.People[0].Login != "carol" || a.People[0].ID == 0 || a.Unmapped != 0 {
		t.Fatalf("the gate was opened with the authors %+v", opened.Authors)
	}
	page := ""
	for path, data := range s.ledgerFiles(t, seen, group) {
		if strings.Contains(path, "/gates/") {
			page = string(data)
		}
	}
	if !strings.Contains(page, "## Who wrote it") || !strings.Contains(page, "carol (103), by commit ") {
		t.Errorf("the page does not say who wrote the step:\n%s", page)
	}
	if !strings.Contains(page, "- Approval: 1 of carol, alice (code owner)\n") {
		t.Errorf("the page does not say who owns the code:\n%s", page)
	}
	if err := s.world.review(t.Context(), "carol", seen.pull.GetNumber(), "/approve change"); err != nil {
		t.Fatal(err)
	}
	s.await(t, group, "the pull request says why", func(v sight) bool { return strings.Contains(v.pull.GetBody(), "wrote this step") })
	w.awaitLooks(t, seen.pull.GetNumber())
	if has[incident.GateApproved](s.see(t, group)) {
		t.Fatal("the author approved")
	}
	if err := s.world.review(t.Context(), "alice", seen.pull.GetNumber(), "/approve change"); err != nil {
		t.Fatal(err)
	}
	s.await(t, group, "it is merged", sight.merged)
	s.verify(t, 1)
}
