package github

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
)

// payload is all that is read of a webhook's body, over all events ("Webhook events and payloads" in GitHub's
// documentation).
type payload struct {
	Action     string `json:"action"`
	Ref        string `json:"ref"`
	Repository struct {
		FullName string `json:"full_name"`
	} `json:"repository"`
	Installation struct {
		ID int64 `json:"id"`
	} `json:"installation"`
	Sender struct {
		ID    int64  `json:"id"`
		Login string `json:"login"`
		Type  string `json:"type"`
	} `json:"sender"`
	PullRequest pullRef `json:"pull_request"`
	Issue       struct {
		Number      int             `json:"number"`
		PullRequest json.RawMessage `json:"pull_request"` // present when the issue is a pull request
	} `json:"issue"`
	CheckRun struct {
		ID         int64  `json:"id"`
		ExternalID string `json:"external_id"`
		App        struct {
			ID int64 `json:"id"`
		} `json:"app"`
		CheckSuite   suiteRef  `json:"check_suite"`
		PullRequests []pullRef `json:"pull_requests"`
	} `json:"check_run"`
	CheckSuite      suiteRef `json:"check_suite"`
	RequestedAction struct {
		Identifier string `json:"identifier"`
	} `json:"requested_action"`
	WorkflowRun struct {
		ID int64 `json:"id"`
	} `json:"workflow_run"`
}

// workflowRun is the event of the runs that steps wait for: also in other repositories, and in the App's own name.
const workflowRun = "workflow_run"

type pullRef struct {
	Number int `json:"number"`
	Head   struct {
		Ref  string `json:"ref"`
		Repo struct {
			FullName string `json:"full_name"`
		} `json:"repo"`
	} `json:"head"`
}

type suiteRef struct {
	HeadBranch   string    `json:"head_branch"` // null for that of a fork, which has no pull requests here either
	HeadSHA      string    `json:"head_sha"`
	PullRequests []pullRef `json:"pull_requests"`
}

// hint reads where to look again. A delivery that is none of ours has an outcome instead.
func (h *webhook) hint(kind string, body []byte) (hint Hint, outcome string, err error) {
	var p payload
	if err := json.Unmarshal(body, &p); err != nil {
		return Hint{}, "", err
	}
	switch {
	case kind == "ping":
		return Hint{}, "pong", nil
	case !strings.EqualFold(p.Repository.FullName, h.Repository) && kind != workflowRun:
		return Hint{}, "dropped: another repository", nil
	case h.InstallationID != 0 && p.Installation.ID != h.InstallationID:
		return Hint{}, "dropped: another installation", nil
	case kind == workflowRun && p.WorkflowRun.ID > 0:
		return Hint{Kind: kind, Run: p.WorkflowRun.ID}, "", nil
	case h.OwnSender != "" && strings.EqualFold(p.Sender.Login, h.OwnSender):
		return Hint{}, "dropped: our own doing", nil
	}
	hint = h.where(kind, p)
	if !branchName(hint.Branch) {
		hint.Branch = ""
	}
	hint.Pull = max(hint.Pull, 0)
	if p.Action == "rerequested" { // sent to the App whose check it is, and to no other
		hint.Again = cmp.Or(p.CheckRun.CheckSuite.HeadSHA, p.CheckSuite.HeadSHA)
	}
	if !plain(hint.Again) {
		hint.Again = ""
	}
	if kind == "check_run" && p.Action == "requested_action" {
		hint.Press = h.press(p)
	}
	if hint.Branch == "" && hint.Pull == 0 && hint.Again == "" && hint.Press == nil {
		return Hint{}, "dropped: nothing to look at", nil
	}
	return hint, "", nil
}

// press is that a person has pressed a button of one of the App's check runs ("check_run", action requested_action); nil where
// that is not what the payload says.
func (h *webhook) press(p payload) *incident.Press {
	const longest = 1000 // bytes of an external id; GitHub has no bound that it tells
	run := p.CheckRun
	switch {
	case h.AppID != 0 && run.App.ID != h.AppID, run.ID <= 0, len(run.ExternalID) > longest, len(p.RequestedAction.Identifier) > longest,
		p.Sender.ID <= 0, !plain(p.Sender.Login):
		return nil
	}
	return &incident.Press{By: approval.Person{ID: p.Sender.ID, Login: p.Sender.Login, Bot: p.Sender.Type != "User"},
		Check: run.ID, Run: run.ExternalID, Button: p.RequestedAction.Identifier}
}

// event hands on an event of which an alert can be made: of the installation, and not of our own doing, so that a step that
// fails opens no incident of its own.
func (h *webhook) event(ctx context.Context, id, kind string, body []byte) (noted bool, refused *refusal) {
	if h.Event == nil || !slices.Contains(h.Events, kind) {
		return false, nil
	}
	var p struct {
		Repository struct {
			FullName string `json:"full_name"`
		}
		Installation struct{ ID int64 }
		Sender       struct {
			ID    int64
			Login string
		}
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return false, &refusal{status: http.StatusBadRequest, text: "the body is not a JSON object of this event", cause: err}
	}
	if h.InstallationID != 0 && p.Installation.ID != h.InstallationID || h.OwnSender != "" && strings.EqualFold(p.Sender.Login, h.OwnSender) {
		return false, nil
	}
	noted, err := h.Event(ctx, Event{Delivery: id, Kind: kind, Repository: p.Repository.FullName, SenderID: p.Sender.ID, Sender: p.Sender.Login, Body: body})
	wrong, theirs := errors.AsType[*EventError](err)
	switch {
	case theirs:
		return false, &refusal{status: http.StatusUnprocessableEntity, text: line(wrong.Problem), cause: err}
	case err != nil:
		return false, &refusal{status: http.StatusServiceUnavailable, text: "could not be stored", cause: err}
	}
	return noted, nil
}

func (h *webhook) where(kind string, p payload) Hint {
	hint := Hint{Kind: kind}
	switch kind {
	case "pull_request", "pull_request_review":
		hint.Pull = p.PullRequest.Number
		if strings.EqualFold(p.PullRequest.Head.Repo.FullName, h.Repository) { // a fork has branches of its own
			hint.Branch = p.PullRequest.Head.Ref
		}
	case "issue_comment":
		if len(p.Issue.PullRequest) > 0 && string(p.Issue.PullRequest) != "null" {
			hint.Pull = p.Issue.Number
		}
	case "check_run":
		hint.Branch, hint.Pull = p.CheckRun.CheckSuite.HeadBranch, first(p.CheckRun.PullRequests)
	case "check_suite":
		hint.Branch, hint.Pull = p.CheckSuite.HeadBranch, first(p.CheckSuite.PullRequests)
	case "push":
		hint.Branch, _ = strings.CutPrefix(p.Ref, "refs/heads/")
		if hint.Branch == p.Ref {
			hint.Branch = "" // a tag, or another ref
		}
	}
	return hint
}

func first(pulls []pullRef) int {
	if len(pulls) == 0 {
		return 0
	}
	return pulls[0].Number
}

// branchName reports whether s may be a branch: the rules of git-check-ref-format(1), and no longer than the hub allows.
func branchName(s string) bool {
	if s == "" || len(s) > 255 || strings.ContainsAny(s, " ~^:?*[\\") || strings.Contains(s, "..") || strings.Contains(s, "@{") {
		return false
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".lock") || strings.HasSuffix(part, ".") {
			return false
		}
	}
	return s[0] != '-' && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar })
}
