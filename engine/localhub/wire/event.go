package wire

import (
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// Payload is the body of an event's webhook to one installation.
func Payload(e state.Event, installation state.Installation) Object {
	h := Host(e.Base)
	if e.Installation != nil {
		return h.installationEvent(e, installation)
	}
	o := Object{
		"repository": h.Repo(e.Repo), "sender": h.User(e.Sender),
		"installation": Object{"id": installation.ID, "node_id": nodeID("IntegrationInstallation", installation.ID)},
	}
	if e.Repo.Owner.Type == state.TypeOrganization {
		o["organization"] = h.Organization(e.Repo.Owner)
	}
	if e.Action != "" {
		o["action"] = e.Action
	}
	if e.Changes != nil {
		changes := Object{}
		for field, old := range e.Changes {
			if field == "base" {
				changes["base"] = Object{"ref": Object{"from": old}}
				continue
			}
			changes[field] = Object{"from": old}
		}
		o["changes"] = changes
	} else if e.Action == "edited" {
		o["changes"] = Object{}
	}
	h.fill(o, e)
	return o
}

func (h Host) fill(o Object, e state.Event) {
	switch e.Name {
	case "pull_request":
		o["number"], o["pull_request"] = e.Pull.Number, h.Pull(e.Pull, Mergeability{})
		if e.Action == "synchronize" {
			o["before"], o["after"] = e.Before, e.After
		}
		h.subject(o, e)
	case "pull_request_review":
		o["pull_request"], o["review"] = h.PullItem(e.Pull), h.Review(e.Pull, *e.Review, true)
	case "issue_comment":
		o["issue"], o["comment"] = h.Thread(e.Repo, state.Thread{Pull: e.Pull, Issue: e.Issue}), h.Comment(e.Repo, *e.Comment)
	case "issues":
		o["issue"] = h.PlainIssue(e.Repo, *e.Issue)
		h.subject(o, e)
	case "check_run":
		run := h.Run(e.Repo, *e.Run)
		run["check_suite"] = h.Suite(e.Repo, *e.Suite)
		o["check_run"] = run
		if e.Requested != "" {
			o["requested_action"] = Object{"identifier": e.Requested}
		}
	case "check_suite":
		o["check_suite"] = h.Suite(e.Repo, *e.Suite)
	case "label":
		o["label"] = h.Label(e.Repo, *e.Label)
	case "status":
		h.status(o, e)
	case "repository_dispatch":
		o["branch"], o["client_payload"] = e.Repo.DefaultBranch, e.Dispatch.Payload
	case "push":
		h.push(o, e)
	case "create", "delete":
		h.refChange(o, e)
	default:
		h.fillMore(o, e)
	}
}

// subject is what was put on a pull request or taken off it.
func (h Host) subject(o Object, e state.Event) {
	person := "assignee"
	if strings.HasPrefix(e.Action, "review_request") {
		person = "requested_reviewer"
	}
	switch {
	case e.Label != nil:
		o["label"] = h.Label(e.Repo, *e.Label)
	case e.User != nil:
		o[person] = h.User(*e.User)
	case e.Team != nil:
		o["requested_team"] = h.Team(*e.Team)
	}
}

func (h Host) status(o Object, e state.Event) {
	x := e.Status
	for k, v := range h.Status(e.Repo, *x) {
		if k != "url" && k != "creator" && k != "node_id" {
			o[k] = v
		}
	}
	api := h.API("/repos/%s/commits/%s", e.Repo.FullName(), x.SHA)
	person := func(i state.Ident) Object { return Object{"name": i.Name, "email": i.Email, "date": stamp(i.When)} }
	o["sha"], o["name"], o["branches"] = x.SHA, e.Repo.FullName(), []Object{}
	o["commit"] = Object{
		"sha": x.SHA, "node_id": "C_" + x.SHA, "url": api, "html_url": h.Page("/%s/commit/%s", e.Repo.FullName(), x.SHA),
		"comments_url": api + "/comments", "author": nil, "committer": nil, "parents": []Object{},
		"commit": Object{
			"author": person(x.Head.Author), "committer": person(x.Head.Committer), "message": x.Head.Message, "comment_count": 0,
			"tree":         Object{"sha": x.Head.Tree, "url": h.API("/repos/%s/git/trees/%s", e.Repo.FullName(), x.Head.Tree)},
			"url":          h.API("/repos/%s/git/commits/%s", e.Repo.FullName(), x.SHA),
			"verification": Object{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil, "verified_at": nil},
		},
	}
}

// installationEvent is about an installation itself and names no one repository.
func (h Host) installationEvent(e state.Event, in state.Installation) Object {
	repos := list(e.Repos, func(r state.Repo) Object {
		return Object{"id": r.ID, "node_id": nodeID("Repository", r.ID), "name": r.Name, "full_name": r.FullName(), "private": r.Private}
	})
	o := Object{"action": e.Action, "installation": h.Installation(in), "sender": h.User(e.Sender), "requester": nil}
	if e.Name == "installation" {
		o["repositories"] = repos
		return o
	}
	o["repository_selection"] = "selected"
	o["repositories_added"], o["repositories_removed"] = []Object{}, []Object{}
	o["repositories_"+e.Action] = repos
	return o
}

func (h Host) push(o Object, e state.Event) {
	p := e.Push
	o["ref"], o["before"], o["after"], o["base_ref"] = p.Ref, p.Before, p.After, nil
	o["created"], o["deleted"], o["forced"] = p.Created(), p.Deleted(), p.Forced
	o["compare"] = h.Compare(e.Repo, p.Before, p.After)
	o["pusher"] = Object{"name": e.Sender.Login, "email": orNull(e.Sender.Email)}
	commits := list(p.Commits, func(c state.PushedCommit) Object { return h.pushedCommit(e.Repo, c) })
	o["commits"], o["head_commit"] = commits, nil
	if p.HeadCommit != nil {
		o["head_commit"] = h.pushedCommit(e.Repo, *p.HeadCommit)
	}
	// The repository of a push event is an older shape, whose times are numbers and whose owner has a name.
	repo := h.Repo(e.Repo)
	owner := h.User(e.Repo.Owner)
	owner["name"], owner["email"] = e.Repo.Owner.Login, nil
	repo["owner"], repo["created_at"], repo["pushed_at"] = owner, e.Repo.Created.Unix(), e.Repo.Pushed.Unix()
	repo["master_branch"], repo["stargazers"] = e.Repo.DefaultBranch, 0
	o["repository"] = repo
}

func (h Host) pushedCommit(r state.Repo, c state.PushedCommit) Object {
	person := func(i state.Ident) Object { return Object{"name": i.Name, "email": i.Email, "date": stamp(i.When)} }
	return Object{
		"id": c.SHA, "tree_id": c.Tree, "distinct": true, "message": c.Message, "timestamp": stamp(c.Committer.When),
		"url": h.Page("/%s/commit/%s", r.FullName(), c.SHA), "author": person(c.Author), "committer": person(c.Committer),
		"added": texts(c.Added), "removed": texts(c.Removed), "modified": texts(c.Modified),
	}
}

func (h Host) refChange(o Object, e state.Event) {
	name, kind := strings.TrimPrefix(e.Push.Ref, "refs/tags/"), "tag"
	if branch, ok := e.Push.Branch(); ok {
		name, kind = branch, "branch"
	}
	o["ref"], o["ref_type"], o["pusher_type"] = name, kind, "user"
	if e.Name == "create" {
		o["master_branch"], o["description"] = e.Repo.DefaultBranch, orNull(e.Repo.Description)
	}
}
