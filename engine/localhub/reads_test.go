package localhub_test

import (
	"testing"

	"github.com/google/go-github/v60/github"
)

func TestReadsAsApp(t *testing.T) {
	w := newWorld(t, "http://127.0.0.1:1/hook")
	ctx, apps := t.Context(), w.jwt(appID).Apps
	a, _, err := apps.Get(ctx, "")
	if err != nil || a.GetSlug() != "pullbook" || a.GetPermissions().GetChecks() != "write" {
		t.Fatalf("app: %v %v", a, err)
	}
	if other, _, err := w.app().Apps.Get(ctx, "other"); err != nil || other.GetID() != 8 {
		t.Fatalf("other app: %v %v", other, err)
	}
	list, _, err := apps.ListInstallations(ctx, nil)
	if err != nil || len(list) != 1 || list[0].GetAccount().GetLogin() != "acme" {
		t.Fatalf("installations: %v %v", list, err)
	}
	if one, _, err := apps.GetInstallation(ctx, instID); err != nil || one.GetTargetType() != "Organization" {
		t.Fatalf("installation: %v %v", one, err)
	}
	repos, _, err := w.app().Apps.ListRepos(ctx, nil)
	if err != nil || repos.GetTotalCount() != 1 || repos.Repositories[0].GetFullName() != "acme/ops" {
		t.Fatalf("repositories: %v %v", repos, err)
	}
	hook, _, err := apps.GetHookConfig(ctx)
	if err != nil || hook.GetURL() != "http://127.0.0.1:1/hook" || hook.GetSecret() != "********" {
		t.Fatalf("hook: %v %v", hook, err)
	}
	_, _, err = apps.UpdateHookConfig(ctx, &github.HookConfig{URL: github.String("ftp://x")})
	wantRefusal(t, err, 422, "not an http address")
}

func TestReadsOfHubAndRepository(t *testing.T) {
	w := newWorld(t, "")
	ctx, c := t.Context(), w.user("carol")
	if meta, _, err := c.Meta.Get(ctx); err != nil || meta.VerifiablePasswordAuthentication == nil {
		t.Fatalf("meta: %v %v", meta, err)
	}
	if zen, _, err := c.Meta.Zen(ctx); err != nil || zen == "" {
		t.Fatalf("zen: %q %v", zen, err)
	}
	if rate, _, err := c.RateLimit.Get(ctx); err != nil || rate.GetCore().Limit != 5000 {
		t.Fatalf("rate: %v %v", rate, err)
	}
	if u, _, err := c.Users.GetByID(ctx, 101); err != nil || u.GetLogin() != "alice" {
		t.Fatalf("by id: %v %v", u, err)
	}
	if u, _, err := c.Users.Get(ctx, "pullbook[bot]"); err != nil || u.GetType() != "Bot" {
		t.Fatalf("bot: %v %v", u, err)
	}
	if o, _, err := c.Organizations.Get(ctx, "acme"); err != nil || o.GetID() != 201 {
		t.Fatalf("organization: %v %v", o, err)
	}
	if teams, _, err := c.Teams.ListTeams(ctx, "acme", nil); err != nil || len(teams) != 1 || teams[0].GetMembersCount() != 2 {
		t.Fatalf("teams: %v %v", teams, err)
	}
	r, _, err := c.Repositories.Get(ctx, "acme", "ops")
	if err != nil || !r.GetPrivate() || r.GetDefaultBranch() != "main" || !r.GetPermissions()["admin"] || r.GetCloneURL() != w.url+"/acme/ops.git" {
		t.Fatalf("repository: %v %v", r, err)
	}
	if b, _, err := c.Repositories.ListBranches(ctx, "acme", "ops", nil); err != nil || len(b) != 1 || !b[0].GetProtected() {
		t.Fatalf("branches: %v %v", b, err)
	}
	people, _, err := c.Repositories.ListCollaborators(ctx, "acme", "ops", nil)
	if err != nil || len(people) != 3 || people[0].GetRoleName() != "write" {
		t.Fatalf("collaborators: %v %v", people, err)
	}
	if is, _, err := c.Repositories.IsCollaborator(ctx, "acme", "ops", "mallory"); err != nil || is {
		t.Fatalf("mallory: %v %v", is, err)
	}
	commits, _, err := c.Repositories.ListCommits(ctx, "acme", "ops", &github.CommitsListOptions{Path: "README.md"})
	if err != nil || len(commits) != 1 || commits[0].GetCommit().GetMessage() != "Begin acme/ops" {
		t.Fatalf("commits: %v %v", commits, err)
	}
	if sha, _, err := c.Repositories.GetCommitSHA1(ctx, "acme", "ops", "main", ""); err != nil || sha != commits[0].GetSHA() {
		t.Fatalf("sha: %q %v", sha, err)
	}
}

func TestReadsOfOnePull(t *testing.T) {
	w := newWorld(t, "")
	ctx, app := t.Context(), w.app()
	sha := w.commit(w.clone(), "incident/1", "one.txt", "1\n")
	w.openPull("incident/1")
	run := w.check(sha, "logs", "success")
	if got, _, err := app.Checks.GetCheckRun(ctx, "acme", "ops", run.GetID()); err != nil || got.GetOutput().GetText() != "x" {
		t.Fatalf("run: %v %v", got, err)
	}
	if notes, _, err := app.Checks.ListCheckRunAnnotations(ctx, "acme", "ops", run.GetID(), nil); err != nil || len(notes) != 0 {
		t.Fatalf("annotations: %v %v", notes, err)
	}
	suite, _, err := app.Checks.GetCheckSuite(ctx, "acme", "ops", run.GetCheckSuite().GetID())
	if err != nil || suite.GetConclusion() != "success" || suite.GetHeadBranch() != "incident/1" {
		t.Fatalf("suite: %v %v", suite, err)
	}
	if merged, _, err := app.PullRequests.IsMerged(ctx, "acme", "ops", 1); err != nil || merged {
		t.Fatalf("merged: %v %v", merged, err)
	}
	v, _, err := w.user("bob").PullRequests.CreateReview(ctx, "acme", "ops", 1, &github.PullRequestReviewRequest{Event: github.String("COMMENT"), Body: github.String("x")})
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := app.PullRequests.GetReview(ctx, "acme", "ops", 1, v.GetID()); err != nil || got.GetState() != "COMMENTED" {
		t.Fatalf("review: %v %v", got, err)
	}
	_, _, err = app.PullRequests.DismissReview(ctx, "acme", "ops", 1, v.GetID(), &github.PullRequestReviewDismissalRequest{Message: github.String("m")})
	wantRefusal(t, err, 422, "Can not dismiss a commented pull request review")
	c, _, err := app.Issues.CreateComment(ctx, "acme", "ops", 1, &github.IssueComment{Body: github.String("a")})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = w.user("mallory").Issues.EditComment(ctx, "acme", "ops", c.GetID(), &github.IssueComment{Body: github.String("b")})
	wantRefusal(t, err, 404, "")
	if c, _, err = app.Issues.EditComment(ctx, "acme", "ops", c.GetID(), &github.IssueComment{Body: github.String("b")}); err != nil || c.GetBody() != "b" {
		t.Fatalf("edit: %v %v", c, err)
	}
	if r, _, err := app.Reactions.ListIssueCommentReactions(ctx, "acme", "ops", c.GetID(), nil); err != nil || len(r) != 0 {
		t.Fatalf("reactions: %v %v", r, err)
	}
	if l, _, err := app.Issues.ListLabelsByIssue(ctx, "acme", "ops", 1, nil); err != nil || len(l) != 0 {
		t.Fatalf("labels: %v %v", l, err)
	}
	if i, _, err := app.Issues.Get(ctx, "acme", "ops", 1); err != nil || i.GetTitle() != "Incident" {
		t.Fatalf("issue: %v %v", i, err)
	}
	if s, _, err := app.Repositories.ListStatuses(ctx, "acme", "ops", "incident/1", nil); err != nil || len(s) != 0 {
		t.Fatalf("statuses: %v %v", s, err)
	}
}
