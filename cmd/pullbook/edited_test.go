package main

import (
	"testing"

	"github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/incident"
)

// TestEditedWords: what was written into a review or a comment after it was submitted neither approves nor commands, and
// a new review does.
func TestEditedWords(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{files: map[string]string{"runbooks/gated.cue": gated}})
	w := newWatch(s)
	s.serve(t)
	group, seen := s.openGate(t, "edited")
	number, ctx := seen.pull.GetNumber(), t.Context()
	if err := s.world.review(ctx, "alice", number, "/approve something-else"); err != nil {
		t.Fatal(err)
	}
	if err := s.world.comment(ctx, "bob", number, "hello"); err != nil {
		t.Fatal(err)
	}
	w.awaitLooks(t, number)
	if has[incident.GateApproved](s.see(t, group)) {
		t.Fatal("an approval of another step approved this one")
	}
	alice, err := s.world.client("alice")
	if err != nil {
		t.Fatal(err)
	}
	reviews, _, err := alice.PullRequests.ListReviews(ctx, demoOwner, demoName, number, nil)
	if err != nil || len(reviews) != 1 {
		t.Fatalf("%d reviews: %v", len(reviews), err)
	}
	for _, words := range []string{"/approve change", "LGTM"} { // an approval of another step is not one of this when its words are gone
		if _, _, err := alice.PullRequests.UpdateReview(ctx, demoOwner, demoName, number, reviews[0].GetID(), words); err != nil {
			t.Fatal(err)
		}
		w.awaitLooks(t, number)
		if has[incident.GateApproved](s.see(t, group)) {
			t.Fatalf("a review that was edited to %q approved the step", words)
		}
	}
	bob, err := s.world.client("bob")
	if err != nil {
		t.Fatal(err)
	}
	comments, _, err := bob.Issues.ListComments(ctx, demoOwner, demoName, number, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range comments {
		if c.GetUser().GetLogin() != "bob" {
			continue
		}
		if _, _, err := bob.Issues.EditComment(ctx, demoOwner, demoName, c.GetID(), &github.IssueComment{Body: github.String("/cancel now")}); err != nil {
			t.Fatal(err)
		}
	}
	s.awaitComment(t, number, "edited comment count for nothing")
	w.awaitLooks(t, number)
	now := s.see(t, group)
	if has[incident.GateApproved](now) || has[incident.CancelAsked](now) {
		t.Fatal("edited words counted")
	}
	if err := s.world.review(ctx, "alice", number, "/approve change"); err != nil {
		t.Fatal(err)
	}
	s.await(t, group, "it is merged", sight.merged)
	s.verify(t, 1)
}
