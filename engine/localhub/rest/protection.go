package rest

import (
	"errors"
	"net/url"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

// protectionBody is the body of PUT .../protection.
type protectionBody struct {
	Checks *struct {
		Strict   bool     `json:"strict"`
		Contexts []string `json:"contexts"`
		Checks   []struct {
			Context string `json:"context"`
			App     int64  `json:"app_id"`
		} `json:"checks"`
	} `json:"required_status_checks"`
	Admins  *bool `json:"enforce_admins"`
	Reviews *struct {
		Dismissals *state.Actors `json:"dismissal_restrictions"`
		Bypass     *state.Actors `json:"bypass_pull_request_allowances"`
		DropStale  bool          `json:"dismiss_stale_reviews"`
		CodeOwners bool          `json:"require_code_owner_reviews"`
		Approvals  int           `json:"required_approving_review_count"`
		LastPush   bool          `json:"require_last_push_approval"`
	} `json:"required_pull_request_reviews"`
	Restrictions  *state.Actors `json:"restrictions"`
	Linear        bool          `json:"required_linear_history"`
	Forced        *bool         `json:"allow_force_pushes"`
	Deletions     bool          `json:"allow_deletions"`
	Creations     bool          `json:"block_creations"`
	Conversations bool          `json:"required_conversation_resolution"`
	Lock          bool          `json:"lock_branch"`
	Syncing       bool          `json:"allow_fork_syncing"`
}

func (b protectionBody) protection(branch string) state.Protection {
	p := state.Protection{
		Branch: branch, Admins: b.Admins != nil && *b.Admins, Restrictions: b.Restrictions, Linear: b.Linear,
		Forced: b.Forced != nil && *b.Forced, Deletions: b.Deletions, Creations: b.Creations, Conversations: b.Conversations,
		Lock: b.Lock, Syncing: b.Syncing,
	}
	if b.Checks != nil {
		p.Checks = &state.CheckRule{Strict: b.Checks.Strict, Checks: []state.RequiredCheck{}}
		for _, x := range b.Checks.Checks {
			p.Checks.Checks = append(p.Checks.Checks, state.RequiredCheck{Context: x.Context, Integration: max(x.App, 0)})
		}
		for _, name := range b.Checks.Contexts {
			if len(b.Checks.Checks) == 0 {
				p.Checks.Checks = append(p.Checks.Checks, state.RequiredCheck{Context: name})
			}
		}
	}
	if r := b.Reviews; r != nil {
		p.Reviews = &state.ReviewProtection{Dismissals: r.Dismissals, Bypass: r.Bypass, PullRule: state.PullRule{
			DropStale: r.DropStale, CodeOwners: r.CodeOwners, Approvals: r.Approvals, LastPush: r.LastPush,
		}}
	}
	return p
}

// protected finds the branch of the path, which must exist.
func (c *call) protected() (string, error) {
	branch := c.params["branch"]
	if _, err := c.Repos.Branch(c.r.Context(), c.name(), branch); err != nil {
		if errors.Is(err, git.ErrAbsent) {
			return "", &state.Refusal{Status: 404, Message: "Branch not found"}
		}
		return "", err
	}
	return branch, nil
}

func getProtection(c *call) (reply, error) {
	branch, err := c.protected()
	if err != nil {
		return reply{}, err
	}
	p, err := c.Store.Protection(c.name(), branch)
	if err != nil {
		return reply{}, err
	}
	return c.protection(p)
}

func putProtection(c *call) (reply, error) {
	branch, err := c.protected()
	if err != nil {
		return reply{}, err
	}
	var b protectionBody
	if err := c.decode(&b); err != nil {
		return reply{}, err
	}
	in := b.protection(branch)
	for _, actors := range []*state.Actors{in.Restrictions, reviewers(in, false), reviewers(in, true)} {
		if _, err := c.Store.Resolve(c.name(), actors); err != nil {
			return reply{}, err
		}
	}
	p, err := c.Store.Protect(c.name(), in)
	if err != nil {
		return reply{}, err
	}
	return c.protection(p)
}

// reviewers are the actors that a protection's part about reviews names.
func reviewers(p state.Protection, bypass bool) *state.Actors {
	switch {
	case p.Reviews == nil:
		return nil
	case bypass:
		return p.Reviews.Bypass
	}
	return p.Reviews.Dismissals
}

func deleteProtection(c *call) (reply, error) {
	branch, err := c.protected()
	if err != nil {
		return reply{}, err
	}
	return gone(c.Store.Unprotect(c.name(), branch))
}

func (c *call) protection(p *state.Protection) (reply, error) {
	api := c.host.API("/repos/%s/branches/%s/protection", c.name(), url.PathEscape(p.Branch))
	is := func(b bool) wire.Object { return wire.Object{"enabled": b} }
	o := wire.Object{
		"url": api, "enforce_admins": wire.Object{"url": api + "/enforce_admins", "enabled": p.Admins},
		"required_linear_history": is(p.Linear), "allow_force_pushes": is(p.Forced), "allow_deletions": is(p.Deletions),
		"block_creations": is(p.Creations), "required_conversation_resolution": is(p.Conversations), "lock_branch": is(p.Lock),
		"allow_fork_syncing": is(p.Syncing), "required_signatures": wire.Object{"url": api + "/required_signatures", "enabled": false},
	}
	if p.Checks != nil {
		names := []string{}
		checks := wire.List(p.Checks.Checks, func(x state.RequiredCheck) wire.Object {
			names = append(names, x.Context)
			app := any(nil)
			if x.Integration != 0 {
				app = x.Integration
			}
			return wire.Object{"context": x.Context, "app_id": app}
		})
		of := api + "/required_status_checks"
		o["required_status_checks"] = wire.Object{"url": of, "strict": p.Checks.Strict, "contexts": names, "contexts_url": of + "/contexts", "checks": checks}
	}
	if r := p.Reviews; r != nil {
		reviews := wire.Object{
			"url": api + "/required_pull_request_reviews", "dismiss_stale_reviews": r.DropStale, "require_code_owner_reviews": r.CodeOwners,
			"required_approving_review_count": r.Approvals, "require_last_push_approval": r.LastPush,
		}
		o["required_pull_request_reviews"] = reviews
		if err := c.actors(reviews, "dismissal_restrictions", api+"/dismissal_restrictions", r.Dismissals); err != nil {
			return reply{}, err
		}
		if err := c.actors(reviews, "bypass_pull_request_allowances", api+"/bypass_pull_request_allowances", r.Bypass); err != nil {
			return reply{}, err
		}
	}
	if err := c.actors(o, "restrictions", api+"/restrictions", p.Restrictions); err != nil {
		return reply{}, err
	}
	return ok(o)
}

// actors sets a field to the accounts that are named, if any are.
func (c *call) actors(o wire.Object, field, api string, in *state.Actors) error {
	found, err := c.Store.Resolve(c.name(), in)
	if err != nil || found == nil {
		return err
	}
	o[field] = wire.Object{
		"url": api, "users_url": api + "/users", "teams_url": api + "/teams", "apps_url": api + "/apps",
		"users": wire.List(found.Users, c.host.User), "teams": wire.List(found.Teams, c.host.Team), "apps": wire.List(found.Apps, c.host.App),
	}
	return nil
}
