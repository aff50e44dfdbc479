package rest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

func (c *call) pull() (*state.Pull, error) {
	n, err := c.number("number")
	if err != nil {
		return nil, err
	}
	return c.Store.Pull(c.name(), n)
}

func listPulls(c *call) (reply, error) {
	f := state.PullFilter{State: c.query("state"), Base: c.query("base"), Sort: c.query("sort"), Ascending: c.query("direction") == "asc"}
	if f.State != "" && !slices.Contains([]string{"open", "closed", "all"}, f.State) {
		return reply{}, state.Invalid(state.Problem{Resource: "PullRequest", Field: "state", Code: "invalid"})
	}
	if head := c.query("head"); head != "" {
		owner, branch, found := strings.Cut(head, ":")
		if found && !strings.EqualFold(owner, c.repo.Owner.Login) {
			return ok([]wire.Object{}) // a fork's branch; there are no forks
		}
		if found { // GitHub ignores a head without an owner
			f.Head = branch
		}
	}
	w := c.window()
	pulls, total, err := c.Store.PullsIn(c.name(), f, w)
	if err != nil {
		return reply{}, err
	}
	items, err := c.host.PullItems(pulls)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: items, link: c.links(w, total)}, nil
}

// full is a pull request with what has to be computed about merging it.
func (c *call) full(p *state.Pull) (wire.Object, error) {
	m, err := c.mergeability(p)
	if err != nil {
		return nil, err
	}
	return c.host.Pull(p, m), nil
}

func (c *call) mergeability(p *state.Pull) (wire.Mergeability, error) {
	if !p.Open() {
		return wire.Mergeability{}, nil
	}
	clean, err := c.Repos.Mergeable(c.r.Context(), p)
	if err != nil {
		return wire.Mergeability{}, err
	}
	blocked, err := c.Store.Blocked(c.name(), p.Number)
	if err != nil {
		return wire.Mergeability{}, err
	}
	m := wire.Mergeability{Mergeable: &clean, State: "clean"}
	switch {
	case !clean:
		m.State = "dirty"
	case p.Draft:
		m.State = "draft"
	case blocked != "":
		m.State = "blocked"
	default:
		runs, err := c.Store.Runs(c.name(), p.Head.SHA, state.RunFilter{})
		if err != nil {
			return m, err
		}
		if slices.ContainsFunc(runs, unsettled) {
			m.State = "unstable"
		}
	}
	return m, nil
}

func unsettled(r state.Run) bool {
	return !slices.Contains([]string{"success", "neutral", "skipped"}, r.Conclusion)
}

func createPull(c *call) (reply, error) {
	var in struct {
		Title, Body, Head, Base string
		Draft                   bool
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	p, err := c.Repos.OpenPull(c.r.Context(), c.actor, c.name(), git.Opening{
		Title: in.Title, Body: in.Body, Head: in.Head, Base: in.Base, Draft: in.Draft,
	})
	if err != nil {
		return reply{}, err
	}
	o, err := c.full(p)
	if err != nil {
		return reply{}, err
	}
	return created(o)
}

func getPull(c *call) (reply, error) {
	p, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	if text, asked, err := c.printedPull(p); asked {
		return text, err
	}
	o, err := c.full(p)
	if err != nil {
		return reply{}, err
	}
	return ok(o)
}

func updatePull(c *call) (reply, error) {
	p, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	var in struct{ Title, Body, State, Base *string }
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	edit := state.PullEdit{Title: in.Title, Body: in.Body, State: in.State}
	if in.Base != nil && *in.Base != p.Base.Ref {
		edit.Base = &state.Tip{Ref: *in.Base}
	}
	if p, err = c.Repos.EditPull(c.r.Context(), c.actor, c.name(), p.Number, edit); err != nil {
		return reply{}, err
	}
	o, err := c.full(p)
	if err != nil {
		return reply{}, err
	}
	return ok(o)
}

func listPullCommits(c *call) (reply, error) {
	p, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	commits, err := c.Repos.PullCommits(c.r.Context(), p)
	if err != nil {
		return reply{}, err
	}
	return listed(c, commits, c.commit)
}

func listPullFiles(c *call) (reply, error) {
	p, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	files, err := c.Repos.PullFiles(c.r.Context(), p)
	if err != nil {
		return reply{}, err
	}
	return listed(c, files, c.fileAt(p.Head.SHA))
}

func isMerged(c *call) (reply, error) {
	p, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	if !p.Merged {
		return reply{}, state.NotFound()
	}
	return empty()
}

func mergePull(c *call) (reply, error) {
	n, err := c.number("number")
	if err != nil {
		return reply{}, err
	}
	var in struct {
		Title   string `json:"commit_title"`
		Message string `json:"commit_message"`
		SHA     string `json:"sha"`
		Method  string `json:"merge_method"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	sha, err := c.Repos.Merge(c.r.Context(), c.actor, c.name(), n, git.Merging{
		Title: in.Title, Message: in.Message, SHA: in.SHA, Method: in.Method,
	})
	if err != nil {
		return reply{}, err
	}
	return ok(wire.Object{"sha": sha, "merged": true, "message": "Pull Request successfully merged"})
}

func listReviewers(c *call) (reply, error) {
	p, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	return ok(wire.Object{"users": wire.List(p.Reviewers, c.host.User), "teams": wire.List(p.ReviewTeams, c.host.Team)})
}

func changeReviewers(c *call, status int, do func(state.Actor, string, int, state.Reviewers) (*state.Pull, error)) (reply, error) {
	n, err := c.number("number")
	if err != nil {
		return reply{}, err
	}
	var in struct {
		Reviewers     []string `json:"reviewers"`
		TeamReviewers []string `json:"team_reviewers"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	p, err := do(c.actor, c.name(), n, state.Reviewers{Users: in.Reviewers, Teams: in.TeamReviewers})
	if err != nil {
		return reply{}, err
	}
	return reply{status: status, body: c.host.PullItem(p)}, nil
}

func requestReviewers(c *call) (reply, error) {
	return changeReviewers(c, http.StatusCreated, c.Store.RequestReviewers)
}

func removeReviewers(c *call) (reply, error) {
	return changeReviewers(c, http.StatusOK, c.Store.RemoveReviewers)
}
