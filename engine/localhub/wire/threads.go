package wire

import (
	"net/url"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// Label is a label of a repository.
func (h Host) Label(r state.Repo, l state.Label) Object {
	return Object{
		"id": l.ID, "node_id": nodeID("Label", l.ID), "name": l.Name, "color": l.Color, "default": false,
		"description": orNull(l.Description), "url": h.API("/repos/%s/labels/%s", r.FullName(), url.PathEscape(l.Name)),
	}
}

// Labels are labels of a repository.
func (h Host) Labels(r state.Repo, labels []state.Label) []Object {
	return list(labels, func(l state.Label) Object { return h.Label(r, l) })
}

// Milestone is a milestone.
func (h Host) Milestone(r state.Repo, m state.Milestone) Object {
	api := h.API("/repos/%s/milestones/%d", r.FullName(), m.Number)
	return Object{
		"id": m.ID, "node_id": nodeID("Milestone", m.ID), "number": m.Number, "title": m.Title, "description": orNull(m.Description),
		"state": m.State, "creator": h.User(m.Creator), "open_issues": m.Open, "closed_issues": m.Done, "url": api,
		"html_url": h.Page("/%s/milestone/%d", r.FullName(), m.Number), "labels_url": api + "/labels",
		"created_at": stamp(m.Created), "updated_at": stamp(m.Updated), "due_on": stamp(m.Due), "closed_at": stamp(m.Closed),
	}
}

func (h Host) milestoneOrNull(r state.Repo, m *state.Milestone) any {
	if m == nil {
		return nil
	}
	return h.Milestone(r, *m)
}

// reactions count what people reacted with.
func reactions(of string, given []state.Reaction) Object {
	counts := Object{"url": of + "/reactions", "total_count": len(given)}
	for _, word := range []string{"+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"} {
		n := 0
		for _, r := range given {
			if r.Content == word {
				n++
			}
		}
		counts[word] = n
	}
	return counts
}

// issueURLs are the addresses that every issue carries.
func (h Host) issueURLs(o Object, repo string, number int) {
	api := h.API("/repos/%s/issues/%d", repo, number)
	o["url"], o["repository_url"], o["labels_url"] = api, h.API("/repos/%s", repo), api+"/labels{/name}"
	o["comments_url"], o["events_url"], o["timeline_url"] = api+"/comments", api+"/events", api+"/timeline"
}

// Issue is a pull request seen as an issue.
func (h Host) Issue(p *state.Pull) Object {
	repo := p.Repo.FullName()
	page := h.Page("/%s/pull/%d", repo, p.Number)
	o := Object{
		"id": p.IssueID, "node_id": nodeID("Issue", p.IssueID), "number": p.Number, "state": p.State, "state_reason": nil,
		"locked": false, "title": p.Title, "body": orNull(p.Body), "user": h.User(p.Author), "labels": h.Labels(p.Repo, p.Labels),
		"milestone": h.milestoneOrNull(p.Repo, p.In), "assignee": h.first(p.Assignees), "assignees": list(p.Assignees, h.User),
		"author_association": p.Association, "active_lock_reason": nil, "comments": p.Comments, "draft": p.Draft,
		"created_at": stamp(p.Created), "updated_at": stamp(p.Updated), "closed_at": stamp(p.Closed), "closed_by": nil, "html_url": page,
		"performed_via_github_app": nil, "reactions": reactions(h.API("/repos/%s/issues/%d", repo, p.Number), p.Reactions),
		"pull_request": Object{
			"url": h.API("/repos/%s/pulls/%d", repo, p.Number), "html_url": page, "diff_url": page + ".diff",
			"patch_url": page + ".patch", "merged_at": stamp(p.MergedAt),
		},
	}
	h.issueURLs(o, repo, p.Number)
	return o
}

// PlainIssue is an issue that is no pull request.
func (h Host) PlainIssue(r state.Repo, x state.Issue) Object {
	o := Object{
		"id": x.ID, "node_id": nodeID("Issue", x.ID), "number": x.Number, "state": x.State, "state_reason": orNull(x.Reason),
		"locked": false, "title": x.Title, "body": orNull(x.Body), "user": h.User(x.Author), "labels": h.Labels(r, x.Labels),
		"milestone": h.milestoneOrNull(r, x.In), "assignee": h.first(x.Assignees), "assignees": list(x.Assignees, h.User),
		"author_association": x.Association, "active_lock_reason": nil, "comments": x.Comments,
		"created_at": stamp(x.Created), "updated_at": stamp(x.Updated), "closed_at": stamp(x.Closed), "closed_by": h.userOrNull(x.ClosedBy),
		"html_url": h.Page("/%s/issues/%d", r.FullName(), x.Number), "performed_via_github_app": nil,
		"reactions": reactions(h.API("/repos/%s/issues/%d", r.FullName(), x.Number), x.Reactions),
	}
	h.issueURLs(o, r.FullName(), x.Number)
	return o
}

// Thread is an issue or a pull request as an issue.
func (h Host) Thread(r state.Repo, t state.Thread) Object {
	if t.Pull != nil {
		return h.Issue(t.Pull)
	}
	return h.PlainIssue(r, *t.Issue)
}

// Remark is a comment on a line of a pull request's diff.
func (h Host) Remark(r state.Repo, x state.Remark) Object {
	api := h.API("/repos/%s/pulls/comments/%d", r.FullName(), x.ID)
	page := h.Page("/%s/pull/%d#discussion_r%d", r.FullName(), x.Pull, x.ID)
	pull := h.API("/repos/%s/pulls/%d", r.FullName(), x.Pull)
	o := Object{
		"id": x.ID, "node_id": nodeID("PullRequestReviewComment", x.ID), "url": api, "html_url": page, "pull_request_url": pull,
		"pull_request_review_id": idOrNull(x.Review), "diff_hunk": x.Hunk, "path": x.Path, "commit_id": x.CommitID,
		"original_commit_id": x.CommitID, "user": h.User(x.User), "body": x.Body, "author_association": x.Association,
		"created_at": stamp(x.Created), "updated_at": stamp(x.Updated), "position": x.Position, "original_position": x.Position,
		"line": x.Line, "original_line": x.Line, "start_line": nil, "original_start_line": nil, "start_side": nil, "side": x.Side,
		"subject_type": "line", "reactions": reactions(api, x.Reactions),
		"_links": Object{"self": Object{"href": api}, "html": Object{"href": page}, "pull_request": Object{"href": pull}},
	}
	if x.StartLine > 0 {
		o["start_line"], o["original_start_line"], o["start_side"] = x.StartLine, x.StartLine, x.Side
	}
	if x.Reply != 0 {
		o["in_reply_to_id"] = x.Reply
	}
	return o
}
