package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/incident"
)

const (
	glassRules = `name: "acme"
command: ["acme/sre"]
breakGlass: {by: ["alice"], review: from: ["bob"], notify: ["carol"]}
`
	glassBook = `title: "An emergency"
match: labels: service: "glass"
alert: _
steps: failover: {
	approval: {from: ["acme/sre"], count: 2, within: "2h"}
	exec: command: ["true"]
}
`
)

// TestBrokenGlass: one person lets a step run; it shouts, pullbook debt lists it, and the incident is merged only after
// somebody else has reviewed it. Before, pullbook why says what the gate waits for.
func TestBrokenGlass(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{files: map[string]string{"pullbook.cue": glassRules, "runbooks/glass.cue": glassBook}})
	s.serve(t)
	group := s.raise(t, alarm{Name: "Glass", Labels: map[string]string{"service": "glass"}})
	seen := s.await(t, group, "the gate opens", func(v sight) bool { return has[incident.GateOpened](v) && v.pull.GetNumber() > 0 })
	opened, _ := find[incident.Opened](seen)
	why, status := said(t, "why", string(opened.ID), "failover", "--server", s.address())
	for _, want := range []string{"waits for 2 of 2 from acme/sre", "is refused at", "Can still help: acme/sre"} {
		if status != 0 || !strings.Contains(why, want) {
			t.Errorf("why ends with status %d and does not say %q:\n%s", status, want, why)
		}
	}
	if _, status := said(t, "why", string(opened.ID), "nothing", "--server", s.address()); status != 1 {
		t.Errorf("why of a step that is not there ends with status %d", status)
	}
	if err := s.world.review(t.Context(), "alice", seen.pull.GetNumber(), "/break-glass failover the database is on fire"); err != nil {
		t.Fatal(err)
	}
	seen = s.await(t, group, "it runs, and shouts", func(v sight) bool {
		broken := slices.ContainsFunc(v.pull.Labels, func(l *github.Label) bool { return l.GetName() == "glass:broken" })
		return has[incident.StepEnded](v) && broken && strings.Contains(v.pull.GetBody(), "cannot be merged before that was reviewed")
	})
	owed, status := said(t, "debt", s.world.bareRepo())
	if status != 1 || !strings.Contains(owed, "failover: alice broke the glass: \"the database is on fire\"; owed: 1 of bob") {
		t.Errorf("debt ends with status %d:\n%s", status, owed)
	}
	if has[incident.Ended](seen) {
		t.Fatal("it ended without a review")
	}
	if err := s.world.review(t.Context(), "bob", seen.pull.GetNumber(), "/approve failover"); err != nil {
		t.Fatal(err)
	}
	seen = s.await(t, group, "it is merged", sight.merged)
	if reviewed, ok := find[incident.GlassReviewed](seen); !ok || reviewed.Votes[0].By.Login != "bob" {
		t.Errorf("it was merged with the review %+v", reviewed)
	}
	if owed, status := said(t, "debt", s.world.bareRepo()); status != 0 || owed != "nothing is owed\n" {
		t.Errorf("debt ends with status %d:\n%s", status, owed)
	}
	s.verify(t, 1)
}

// said runs a subcommand in this process.
func said(t *testing.T, args ...string) (stdout string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	root := rootCommand()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&errs)
	status = execute(t.Context(), root, &errs)
	return out.String(), status
}
