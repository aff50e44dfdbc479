package localhub_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/localhub/openapitest"
)

// TestEveryWebhookIsAsDescribed causes every kind of event once; the receiver holds each against GitHub's description.
func TestEveryWebhookIsAsDescribed(t *testing.T) {
	openapitest.Require(t)
	url, got := receiver(t)
	w := newWorld(t, url)
	dir := w.clone()
	w.commit(dir, "incident/1", "one.txt", "1\n")
	w.openPull("incident/1")
	head := w.commit(dir, "incident/1", "two.txt", "2\n")
	discuss(t, w)
	decorate(t, w)
	settleChecks(t, w, head)
	installation(t, w)
	want := []string{
		"check_run completed", "check_run created", "check_suite completed", "check_suite requested", "create", "delete",
		"installation suspend", "installation unsuspend", "installation_repositories added", "installation_repositories removed",
		"issue_comment created", "issue_comment deleted", "issue_comment edited", "label created", "pull_request assigned",
		"pull_request closed", "pull_request edited", "pull_request labeled", "pull_request opened", "pull_request reopened",
		"pull_request review_request_removed", "pull_request review_requested", "pull_request synchronize", "pull_request unlabeled",
		"pull_request_review dismissed", "pull_request_review edited", "pull_request_review submitted", "push", "repository_dispatch alert", "status",
	}
	seen := map[string]bool{}
	for !seen["installation unsuspend"] {
		r := next(t, got, 1)[0]
		seen[strings.TrimSuffix(r.name+" "+r.action, " ")] = true
	}
	for _, name := range want {
		if !seen[name] {
			t.Errorf("no %s was sent", name)
		}
		delete(seen, name)
	}
	if len(seen) > 0 {
		t.Errorf("besides: %v", seen)
	}
}

func discuss(t *testing.T, w *world) {
	t.Helper()
	ctx, bob, alice := t.Context(), w.user("bob"), w.user("alice")
	c, _, err := bob.Issues.CreateComment(ctx, "acme", "ops", 1, &github.IssueComment{Body: github.String("hello")})
	noError(t, err)
	_, _, err = bob.Issues.EditComment(ctx, "acme", "ops", c.GetID(), &github.IssueComment{Body: github.String("hi")})
	noError(t, err)
	_, err = bob.Issues.DeleteComment(ctx, "acme", "ops", c.GetID())
	noError(t, err)
	v, _, err := bob.PullRequests.CreateReview(ctx, "acme", "ops", 1, &github.PullRequestReviewRequest{Event: github.String("APPROVE")})
	noError(t, err)
	_, _, err = bob.PullRequests.UpdateReview(ctx, "acme", "ops", 1, v.GetID(), "looks right")
	noError(t, err)
	_, _, err = alice.PullRequests.DismissReview(ctx, "acme", "ops", 1, v.GetID(), &github.PullRequestReviewDismissalRequest{Message: github.String("too early")})
	noError(t, err)
}

func decorate(t *testing.T, w *world) {
	t.Helper()
	ctx, alice := t.Context(), w.user("alice")
	_, _, err := alice.Issues.AddLabelsToIssue(ctx, "acme", "ops", 1, []string{"incident"})
	noError(t, err)
	_, err = alice.Issues.RemoveLabelForIssue(ctx, "acme", "ops", 1, "incident")
	noError(t, err)
	_, _, err = alice.Issues.AddAssignees(ctx, "acme", "ops", 1, []string{"bob"})
	noError(t, err)
	asked := github.ReviewersRequest{Reviewers: []string{"bob"}, TeamReviewers: []string{"sre"}}
	_, _, err = alice.PullRequests.RequestReviewers(ctx, "acme", "ops", 1, asked)
	noError(t, err)
	_, err = alice.PullRequests.RemoveReviewers(ctx, "acme", "ops", 1, asked)
	noError(t, err)
	for _, p := range []*github.PullRequest{{Title: github.String("New")}, {State: github.String("closed")}, {State: github.String("open")}} {
		_, _, err = alice.PullRequests.Edit(ctx, "acme", "ops", 1, p)
		noError(t, err)
	}
}

func settleChecks(t *testing.T, w *world, head string) {
	t.Helper()
	ctx := t.Context()
	_, _, err := w.app().Repositories.CreateStatus(ctx, "acme", "ops", head, &github.RepoStatus{State: github.String("success"), Context: github.String("ci")})
	noError(t, err)
	w.check(head, "pullbook", "success")
	_, err = w.app().Git.DeleteRef(ctx, "acme", "ops", "heads/incident/1")
	noError(t, err)
	_, _, err = w.app().Repositories.Dispatch(ctx, "acme", "ops", github.DispatchRequestOptions{EventType: "alert"})
	noError(t, err)
}

func installation(t *testing.T, w *world) {
	t.Helper()
	ctx, carol, app := t.Context(), w.user("carol"), w.jwt(appID).Apps
	secretRepo, _, err := carol.Repositories.Get(ctx, "acme", "secret")
	noError(t, err)
	_, _, err = carol.Apps.AddRepository(ctx, instID, secretRepo.GetID())
	noError(t, err)
	_, err = carol.Apps.RemoveRepository(ctx, instID, secretRepo.GetID())
	noError(t, err)
	_, err = app.SuspendInstallation(ctx, instID)
	noError(t, err)
	if _, _, err := app.CreateInstallationToken(ctx, instID, nil); err == nil {
		t.Error("a suspended installation got a token")
	}
	_, err = app.UnsuspendInstallation(ctx, instID)
	noError(t, err)
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestDeletedInstallationEndsItsTokens(t *testing.T) {
	url, got := receiver(t)
	w := newWorld(t, url)
	ctx, app := t.Context(), w.app()
	if _, _, err := app.Apps.ListRepos(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.jwt(appID).Apps.DeleteInstallation(ctx, instID); err != nil {
		t.Fatal(err)
	}
	if _, resp, err := app.Apps.ListRepos(ctx, nil); err == nil || resp.StatusCode != 401 {
		t.Fatalf("with a token of the deleted installation: %v", err)
	}
	if list := next(t, got, 1); !slices.Equal(names(list), []string{"installation deleted"}) {
		t.Fatalf("events: %v", names(list))
	}
}
