package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// PullItem is a pull request as lists show it: without sizes and mergeability.
func (h Host) PullItem(p *state.Pull) Object { return h.pullItem(p, h.Repo(p.Repo)) }

// PullItems are the pull requests of one repository's list. The repository, which is most of each and in all the same, is
// written once.
func (h Host) PullItems(pulls []*state.Pull) ([]Object, error) {
	if len(pulls) == 0 {
		return []Object{}, nil
	}
	var repo bytes.Buffer
	e := json.NewEncoder(&repo)
	e.SetEscapeHTML(false)
	if err := e.Encode(h.Repo(pulls[0].Repo)); err != nil {
		return nil, fmt.Errorf("write repository %s: %w", pulls[0].Repo.FullName(), err)
	}
	return list(pulls, func(p *state.Pull) Object { return h.pullItem(p, json.RawMessage(repo.Bytes())) }), nil
}

// pullItem takes the repository's shape, which head and base share.
func (h Host) pullItem(p *state.Pull, shape any) Object {
	repo := p.Repo.FullName()
	api := h.API("/repos/%s/pulls/%d", repo, p.Number)
	issue := h.API("/repos/%s/issues/%d", repo, p.Number)
	page := h.Page("/%s/pull/%d", repo, p.Number)
	statuses := h.API("/repos/%s/statuses/%s", repo, p.Head.SHA)
	link := func(to string) Object { return Object{"href": to} }
	return Object{
		"id": p.ID, "node_id": nodeID("PullRequest", p.ID), "number": p.Number, "state": p.State, "locked": false,
		"title": p.Title, "body": orNull(p.Body), "user": h.User(p.Author), "draft": p.Draft, "labels": h.Labels(p.Repo, p.Labels),
		"milestone":          h.milestoneOrNull(p.Repo, p.In),
		"active_lock_reason": nil, "author_association": p.Association, "auto_merge": nil,
		"assignee": h.first(p.Assignees), "assignees": list(p.Assignees, h.User),
		"requested_reviewers": list(p.Reviewers, h.User), "requested_teams": list(p.ReviewTeams, h.Team),
		"created_at": stamp(p.Created), "updated_at": stamp(p.Updated), "closed_at": stamp(p.Closed), "merged_at": stamp(p.MergedAt),
		"merge_commit_sha": orNull(p.MergeCommit), "head": h.tip(p, p.Head, shape), "base": h.tip(p, p.Base, shape),
		"url": api, "html_url": page, "diff_url": page + ".diff", "patch_url": page + ".patch", "issue_url": issue,
		"commits_url": api + "/commits", "review_comments_url": api + "/comments", "comments_url": issue + "/comments",
		"review_comment_url": h.API("/repos/%s/pulls/comments{/number}", repo), "statuses_url": statuses,
		"_links": Object{
			"self": link(api), "html": link(page), "issue": link(issue), "comments": link(issue + "/comments"),
			"review_comments": link(api + "/comments"), "review_comment": link(h.API("/repos/%s/pulls/comments{/number}", repo)),
			"commits": link(api + "/commits"), "statuses": link(statuses),
		},
	}
}

func (h Host) first(u []state.User) any {
	if len(u) == 0 {
		return nil
	}
	return h.User(u[0])
}

func (h Host) tip(p *state.Pull, t state.Tip, repo any) Object {
	return Object{
		"label": p.Repo.Owner.Login + ":" + t.Ref, "ref": t.Ref, "sha": t.SHA, "user": h.User(p.Repo.Owner), "repo": repo,
	}
}

// A Mergeability is what is known of merging a pull request. The zero value is GitHub's "not computed yet".
type Mergeability struct {
	Mergeable *bool
	State     string // clean, dirty, blocked, draft, unstable; empty: unknown
}

// Pull is a pull request in full.
func (h Host) Pull(p *state.Pull, m Mergeability) Object {
	o := h.PullItem(p)
	if m.State == "" {
		m.State = "unknown"
	}
	o["merged"], o["merged_by"], o["comments"], o["review_comments"] = p.Merged, h.userOrNull(p.MergedBy), p.Comments, 0
	o["commits"], o["additions"], o["deletions"], o["changed_files"] = p.Stats.Commits, p.Stats.Additions, p.Stats.Deletions, p.Stats.Files
	o["mergeable"], o["mergeable_state"], o["rebaseable"], o["maintainer_can_modify"] = m.Mergeable, m.State, m.Mergeable, false
	return o
}

// Review is a review. Lower says to write its state as webhooks do.
func (h Host) Review(p *state.Pull, v state.Review, lower bool) Object {
	repo := p.Repo.FullName()
	page := h.Page("/%s/pull/%d#pullrequestreview-%d", repo, p.Number, v.ID)
	api := h.API("/repos/%s/pulls/%d", repo, p.Number)
	word := v.State
	if lower {
		word = strings.ToLower(word)
	}
	o := Object{
		"id": v.ID, "node_id": nodeID("PullRequestReview", v.ID), "user": h.User(v.User), "body": v.Body, "state": word,
		"html_url": page, "pull_request_url": api, "author_association": v.Association,
		"submitted_at": stamp(v.Submitted), "commit_id": orNull(v.CommitID),
		"_links": Object{"html": Object{"href": page}, "pull_request": Object{"href": api}},
	}
	if v.State == state.ReviewPending {
		delete(o, "submitted_at")
	}
	return o
}

// Comment is a comment of the conversation.
func (h Host) Comment(repo state.Repo, c state.Comment) Object {
	api := h.API("/repos/%s/issues/comments/%d", repo.FullName(), c.ID)
	return Object{
		"id": c.ID, "node_id": nodeID("IssueComment", c.ID), "url": api, "user": h.User(c.User), "body": c.Body,
		"html_url":           h.Page("/%s/pull/%d#issuecomment-%d", repo.FullName(), c.Pull, c.ID),
		"issue_url":          h.API("/repos/%s/issues/%d", repo.FullName(), c.Pull),
		"author_association": c.Association, "created_at": stamp(c.Created), "updated_at": stamp(c.Updated),
		"performed_via_github_app": nil, "reactions": reactions(api, c.Reactions),
	}
}

// Reaction is one reaction.
func (h Host) Reaction(r state.Reaction) Object {
	return Object{
		"id": r.ID, "node_id": nodeID("Reaction", r.ID), "user": h.User(r.User), "content": r.Content, "created_at": stamp(r.Created),
	}
}

// Suite is a check suite.
func (h Host) Suite(r state.Repo, x state.Suite) Object {
	api := h.API("/repos/%s/check-suites/%d", r.FullName(), x.ID)
	return Object{
		"id": x.ID, "node_id": nodeID("CheckSuite", x.ID), "head_branch": orNull(x.Branch), "head_sha": x.HeadSHA,
		"status": x.Status, "conclusion": orNull(x.Conclusion), "url": api, "check_runs_url": api + "/check-runs",
		"before": nil, "after": x.HeadSHA, "pull_requests": []Object{}, "app": h.App(x.App), "latest_check_runs_count": x.Runs,
		"created_at": stamp(x.Created), "updated_at": stamp(x.Updated), "repository": h.Repo(r), "rerequestable": true, "runs_rerequestable": true,
		"head_commit": headCommit(x.Head),
	}
}

// headCommit is GitHub's simple-commit.
func headCommit(c state.PushedCommit) Object {
	person := func(i state.Ident) Object { return Object{"name": i.Name, "email": i.Email} }
	return Object{
		"id": c.SHA, "tree_id": c.Tree, "message": c.Message, "timestamp": c.Committer.When.UTC().Format(time.RFC3339),
		"author": person(c.Author), "committer": person(c.Committer),
	}
}

// Run is a check run.
func (h Host) Run(r state.Repo, run state.Run) Object {
	api := h.API("/repos/%s/check-runs/%d", r.FullName(), run.ID)
	page := h.Page("/%s/runs/%d", r.FullName(), run.ID)
	details := run.DetailsURL
	if details == "" {
		details = page
	}
	return Object{
		"id": run.ID, "node_id": nodeID("CheckRun", run.ID), "name": run.Name, "head_sha": run.HeadSHA, "external_id": run.ExternalID,
		"url": api, "html_url": page, "details_url": details, "status": run.Status, "conclusion": orNull(run.Conclusion),
		"started_at": stamp(run.Started), "completed_at": stamp(run.Completed), "check_suite": Object{"id": run.Suite},
		"app": h.App(run.App), "pull_requests": []Object{},
		"output": Object{
			"title": run.Output.Title, "summary": run.Output.Summary, "text": run.Output.Text,
			"annotations_count": len(run.Output.Annotations), "annotations_url": api + "/annotations",
		},
	}
}

// Status is a commit status.
func (h Host) Status(r state.Repo, s state.Status) Object {
	return Object{
		"id": s.ID, "node_id": nodeID("StatusContext", s.ID), "url": h.API("/repos/%s/statuses/%s", r.FullName(), s.SHA),
		"avatar_url": h.Page("/avatars/%d", s.Creator.ID), "state": s.State, "description": orNull(s.Description), "target_url": orNull(s.TargetURL),
		"context": s.Context, "creator": h.User(s.Creator), "created_at": stamp(s.Created), "updated_at": stamp(s.Created),
	}
}

// Hook is an App's hook configuration. Like GitHub it shows that there is a secret and not which.
func (h Host) Hook(x state.Hook) Object {
	o := Object{"url": x.URL, "content_type": "json", "insecure_ssl": "0"}
	if x.Secret != "" {
		o["secret"] = "********"
	}
	return o
}

// DeliveryItem is a delivery as lists show it.
func (h Host) DeliveryItem(d state.Delivery) Object {
	return Object{
		"id": d.ID, "guid": d.GUID, "delivered_at": stamp(d.Delivered), "redelivery": d.Redelivery, "duration": d.Duration.Seconds(),
		"status": d.Status, "status_code": d.Code, "event": d.Event, "action": orNull(d.Action), "throttled_at": nil,
		"installation_id": idOrNull(d.Installation), "repository_id": idOrNull(d.Repository),
	}
}

func idOrNull(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

// Delivery is a delivery with what was sent and answered.
func (h Host) Delivery(d state.Delivery) Object {
	o := h.DeliveryItem(d)
	o["url"] = d.URL
	o["request"] = Object{"headers": d.Headers, "payload": rawJSON(d.Payload)}
	o["response"] = Object{"headers": d.ReplyHeaders, "payload": d.Reply}
	return o
}

// rawJSON passes a payload through as it was sent.
type rawJSON []byte

// MarshalJSON gives the bytes themselves.
func (r rawJSON) MarshalJSON() ([]byte, error) {
	if len(r) == 0 {
		return []byte("null"), nil
	}
	return r, nil
}

// Compare is the address of a comparison page.
func (h Host) Compare(r state.Repo, before, after string) string {
	return h.Page("/%s/compare/%s...%s", r.FullName(), short(before), short(after))
}

func short(sha string) string { return fmt.Sprintf("%.12s", sha) }
