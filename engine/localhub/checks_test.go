package localhub_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"
)

func TestCheckRuns(t *testing.T) {
	w := newWorld(t, "")
	ctx, app, dir := t.Context(), w.app(), w.clone()
	sha := w.commit(dir, "incident/1", "one.txt", "1\n")
	suites, _, err := app.Checks.ListCheckSuitesForRef(ctx, "acme", "ops", "incident/1", nil)
	if err != nil || suites.GetTotal() != 1 || suites.CheckSuites[0].GetStatus() != "queued" {
		t.Fatalf("suite of the push: %v %v", suites, err)
	}
	run, _, err := app.Checks.CreateCheckRun(ctx, "acme", "ops", github.CreateCheckRunOptions{
		Name: "logs", HeadSHA: sha, Status: github.String("in_progress"), ExternalID: github.String("key"),
	})
	if err != nil || run.GetStatus() != "in_progress" || run.GetExternalID() != "key" || run.GetApp().GetID() != appID {
		t.Fatalf("create: %v %v", run, err)
	}
	run, _, err = app.Checks.UpdateCheckRun(ctx, "acme", "ops", run.GetID(), github.UpdateCheckRunOptions{
		Name: "logs", Conclusion: github.String("failure"), Output: &github.CheckRunOutput{
			Title: github.String("t"), Summary: github.String("s"),
			Annotations: []*github.CheckRunAnnotation{{Path: github.String("a"), StartLine: github.Int(1), EndLine: github.Int(2), AnnotationLevel: github.String("warning"), Message: github.String("m")}},
		},
	})
	if err != nil || run.GetStatus() != "completed" || run.GetCompletedAt().IsZero() || run.GetOutput().GetAnnotationsCount() != 1 {
		t.Fatalf("update: %v %v", run, err)
	}
	w.check(sha, "logs", "success")
	latest, _, err := app.Checks.ListCheckRunsForRef(ctx, "acme", "ops", "incident/1", &github.ListCheckRunsOptions{CheckName: github.String("logs"), AppID: github.Int64(appID)})
	if err != nil || latest.GetTotal() != 1 || latest.CheckRuns[0].GetConclusion() != "success" {
		t.Fatalf("latest: %v %v", latest, err)
	}
	all, _, err := app.Checks.ListCheckRunsForRef(ctx, "acme", "ops", sha, &github.ListCheckRunsOptions{Filter: github.String("all")})
	if err != nil || all.GetTotal() != 2 {
		t.Fatalf("all: %v %v", all, err)
	}
}

func TestCheckRunRefusals(t *testing.T) {
	w := newWorld(t, "")
	ctx, app := t.Context(), w.app()
	sha := w.commit(w.clone(), "incident/1", "one.txt", "1\n")
	create := func(c *github.Client, o github.CreateCheckRunOptions) error {
		_, _, err := c.Checks.CreateCheckRun(ctx, "acme", "ops", o)
		return err
	}
	text := func(n int) *string { return github.String(strings.Repeat("x", n)) }
	out := func(n int) *github.CheckRunOutput {
		return &github.CheckRunOutput{Title: text(1), Summary: text(1), Text: text(n)}
	}
	wantRefusal(t, create(w.user("carol"), github.CreateCheckRunOptions{Name: "x", HeadSHA: sha}), 403, "You must authenticate via a GitHub App.")
	wantRefusal(t, create(app, github.CreateCheckRunOptions{Name: "x", HeadSHA: strings.Repeat("a", 40)}), 422, "No commit found for SHA")
	wantRefusal(t, create(app, github.CreateCheckRunOptions{Name: "x", HeadSHA: sha, Status: github.String("completed")}), 422, "conclusion missing_field")
	wantRefusal(t, create(app, github.CreateCheckRunOptions{Name: "x", HeadSHA: sha, Conclusion: github.String("great")}), 422, "conclusion invalid")
	wantRefusal(t, create(app, github.CreateCheckRunOptions{Name: "x", HeadSHA: sha, Output: out(65536)}), 422, "Only 65535 characters are allowed")
	many := out(1)
	for range 51 {
		many.Annotations = append(many.Annotations, &github.CheckRunAnnotation{Path: text(1), StartLine: github.Int(1), EndLine: github.Int(1), AnnotationLevel: github.String("notice"), Message: text(1)})
	}
	wantRefusal(t, create(app, github.CreateCheckRunOptions{Name: "x", HeadSHA: sha, Output: many}), 422, "No more than 50 items")
	if err := create(app, github.CreateCheckRunOptions{Name: "x", HeadSHA: sha, Output: out(65535)}); err != nil {
		t.Fatal(err)
	}
}

func TestStatuses(t *testing.T) {
	w := newWorld(t, "")
	ctx, app := t.Context(), w.app()
	sha := w.commit(w.clone(), "incident/1", "one.txt", "1\n")
	for _, s := range []string{"pending", "success"} {
		if _, _, err := app.Repositories.CreateStatus(ctx, "acme", "ops", sha, &github.RepoStatus{State: &s, Context: github.String("ci")}); err != nil {
			t.Fatal(err)
		}
	}
	c, _, err := app.Repositories.GetCombinedStatus(ctx, "acme", "ops", sha, nil)
	if err != nil || c.GetState() != "success" || len(c.Statuses) != 1 {
		t.Fatalf("combined: %v %v", c, err)
	}
	_, _, err = app.Repositories.CreateStatus(ctx, "acme", "ops", sha, &github.RepoStatus{State: github.String("fine")})
	wantRefusal(t, err, 422, "state")
}

func TestIssuesLabelsReactions(t *testing.T) {
	w := newWorld(t, "")
	ctx, app := t.Context(), w.app()
	w.commit(w.clone(), "incident/1", "one.txt", "1\n")
	w.openPull("incident/1")
	c, _, err := w.user("bob").Issues.CreateComment(ctx, "acme", "ops", 1, &github.IssueComment{Body: github.String("/done x")})
	if err != nil || c.GetUser().GetID() != 102 || !c.GetCreatedAt().Equal(c.GetUpdatedAt()) {
		t.Fatalf("comment: %v %v", c, err)
	}
	_, _, err = w.user("bob").Issues.CreateComment(ctx, "acme", "ops", 1, &github.IssueComment{Body: github.String(" ")})
	wantRefusal(t, err, 422, "Body cannot be blank")
	if _, _, err := app.Reactions.CreateIssueCommentReaction(ctx, "acme", "ops", c.GetID(), "rocket"); err != nil {
		t.Fatal(err)
	}
	got, _, err := app.Issues.GetComment(ctx, "acme", "ops", c.GetID())
	if err != nil || got.GetReactions().GetRocket() != 1 {
		t.Fatalf("reacted: %v %v", got, err)
	}
	labels, _, err := app.Issues.AddLabelsToIssue(ctx, "acme", "ops", 1, []string{"incident", "sev 1"})
	if err != nil || len(labels) != 2 {
		t.Fatalf("labels: %v %v", labels, err)
	}
	if _, err := app.Issues.RemoveLabelForIssue(ctx, "acme", "ops", 1, "sev 1"); err != nil {
		t.Fatal(err)
	}
	issue, _, err := app.Issues.AddAssignees(ctx, "acme", "ops", 1, []string{"alice", "mallory"})
	if err != nil || len(issue.Assignees) != 1 || len(issue.Labels) != 1 || issue.GetComments() != 1 || !issue.IsPullRequest() {
		t.Fatalf("issue: %v %v", issue, err)
	}
	if _, err := w.user("bob").Issues.DeleteComment(ctx, "acme", "ops", c.GetID()); err != nil {
		t.Fatal(err)
	}
	_, _, err = app.Issues.GetComment(ctx, "acme", "ops", c.GetID())
	wantRefusal(t, err, 404, "Not Found")
}

func TestPagesOfListsAndETags(t *testing.T) {
	w := newWorld(t, "")
	ctx, app := t.Context(), w.app()
	w.commit(w.clone(), "incident/1", "one.txt", "1\n")
	w.openPull("incident/1")
	for range 5 {
		if _, _, err := app.Issues.CreateComment(ctx, "acme", "ops", 1, &github.IssueComment{Body: github.String("x")}); err != nil {
			t.Fatal(err)
		}
	}
	o := &github.IssueListCommentsOptions{ListOptions: github.ListOptions{PerPage: 2}}
	total := 0
	for {
		list, resp, err := app.Issues.ListComments(ctx, "acme", "ops", 1, o)
		if err != nil {
			t.Fatal(err)
		}
		total += len(list)
		if resp.NextPage == 0 {
			break
		}
		if resp.LastPage != 3 || resp.Rate.Limit != 5000 || resp.Rate.Remaining < 1 {
			t.Fatalf("paging: %+v", resp)
		}
		o.Page = resp.NextPage
	}
	if total != 5 {
		t.Fatalf("paged through %d comments", total)
	}
	_, resp, err := app.PullRequests.Get(ctx, "acme", "ops", 1)
	if err != nil {
		t.Fatal(err)
	}
	req, err := app.NewRequest(http.MethodGet, "repos/acme/ops/pulls/1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("If-None-Match", resp.Header.Get("ETag"))
	again, err := app.Do(ctx, req, nil)
	var r *github.ErrorResponse
	if !errors.As(err, &r) || again.StatusCode != http.StatusNotModified || again.Rate.Remaining != resp.Rate.Remaining {
		t.Fatalf("conditional: %v %v", again, err)
	}
}
