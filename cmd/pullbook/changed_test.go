package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/incident"
)

// TestChangedWorkflowOnTheBranch lets somebody change both workflows on an incident's branch. The one that a review starts runs as the
// branch has it, as on GitHub, and finds no secret; the other one never does, the incident is frozen, and that is said.
func TestChangedWorkflowOnTheBranch(t *testing.T) {
	t.Parallel()
	s, f := noServer(t, stage{open: true})
	s.startToy(t)
	alert, err := os.ReadFile(s.checkoutAlert(t))
	if err != nil {
		t.Fatal(err)
	}
	f.open(alert)
	carol, err := s.world.client("carol")
	if err != nil {
		t.Fatal(err)
	}
	branch := s.pullBranches(t)[0]
	for name, file := range map[string]string{"review": "on: {pull_request_review: {types: [submitted]}}", "advance": "on: {issue_comment: {}, workflow_run: {workflows: [pullbook-review]}, pull_request_review: {}}"} {
		path := ".github/workflows/pullbook-" + name + ".yml"
		old, _, _, err := carol.Repositories.GetContents(t.Context(), demoOwner, demoName, path, &github.RepositoryContentGetOptions{Ref: branch})
		if err != nil {
			t.Fatal(err)
		}
		text := "name: pullbook-" + name + "\n" + file + "\njobs: {x: {runs-on: ubuntu-latest, steps: [{run: 'echo \"$KEY<${{ github.event_name }}>\" >>" + f.path("taken/"+name) +
			"', env: {KEY: '${{ secrets.PULLBOOK_APP_KEY }}${{ secrets.PULLBOOK_SIGNING_KEY }}'}}]}}\n"
		if _, _, err := carol.Repositories.UpdateFile(t.Context(), demoOwner, demoName, path,
			&github.RepositoryContentFileOptions{Message: github.String("Change it"), Content: []byte(text), SHA: old.SHA, Branch: &branch}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.world.review(t.Context(), "alice", 1, "/approve rollback"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "what the branch says of reviews has run", func() bool { // the hub tells of a review after it has answered
		_, review := os.Stat(f.path("taken/review"))
		_, advance := os.Stat(f.path("taken/advance"))
		return review == nil && advance == nil
	})
	f.idle()
	if err := s.world.comment(t.Context(), "bob", 1, "/done confirm"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "it is said", func() bool { return strings.Contains(s.said(t, 1), "**Frozen.** Commit ") })
	f.idle()
	for name, want := range map[string]string{"review": "<pull_request_review>\n", "advance": "<pull_request_review>\n"} { // for a comment and for the end of a workflow the default branch's runs
		if got, err := os.ReadFile(f.path("taken/" + name)); err != nil || string(got) != want {
			t.Errorf("%s of the branch took %q, %v", name, got, err)
		}
	}
	pull, _, err := carol.PullRequests.Get(t.Context(), demoOwner, demoName, 1)
	if err != nil || !strings.Contains(pull.GetBody(), "/thaw") && !strings.Contains(s.said(t, 1), "**Frozen.** Commit ") {
		t.Errorf("it is not said: %s, %v\n%s", pull.GetBody(), err, s.said(t, 1))
	}
	if got := s.seeSlot(t, strings.TrimPrefix(branch, incident.BranchPrefix)); s.effect.Load() != 0 || has[incident.GateApproved](got) {
		t.Errorf("%d effects, and the gate has opened: %v", s.effect.Load(), has[incident.GateApproved](got))
	}
}

// said are the comments on a pull request.
func (s *scene) said(t *testing.T, pull int) string {
	t.Helper()
	carol, err := s.world.client("carol")
	if err != nil {
		t.Fatal(err)
	}
	comments, _, err := carol.Issues.ListComments(t.Context(), demoOwner, demoName, pull, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, c := range comments {
		b.WriteString(c.GetBody() + "\n")
	}
	return b.String()
}
