package rest

import (
	"net/http"

	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

func rerequestRun(c *call) (reply, error) {
	run, err := c.run()
	if err == nil {
		err = c.Store.RerequestRun(c.actor, c.name(), run.ID)
	}
	if err != nil {
		return reply{}, err
	}
	return created(wire.Object{})
}

func rerequestSuite(c *call) (reply, error) {
	id, err := c.id("id")
	if err == nil {
		err = c.Store.RerequestSuite(c.actor, c.name(), id)
	}
	if err != nil {
		return reply{}, err
	}
	return created(wire.Object{})
}

func createSuite(c *call) (reply, error) {
	if !c.actor.IsInstallation() {
		return reply{}, state.Forbid("You must authenticate via a GitHub App.")
	}
	var in struct {
		HeadSHA string `json:"head_sha"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	sha, err := c.resolve(in.HeadSHA)
	if err != nil {
		return reply{}, err
	}
	commits, err := c.Repos.Commits(c.r.Context(), c.name(), []string{sha})
	if err != nil {
		return reply{}, err
	}
	x, fresh, err := c.Store.CreateSuite(c.actor, c.name(), commits[0].Pushed())
	if err != nil {
		return reply{}, err
	}
	status := http.StatusOK
	if fresh {
		status = http.StatusCreated
	}
	return reply{status: status, body: c.suite(*x)}, nil
}

func listSuiteRuns(c *call) (reply, error) {
	id, err := c.id("id")
	if err != nil {
		return reply{}, err
	}
	runs, err := c.Store.SuiteRuns(c.name(), id)
	if err != nil {
		return reply{}, err
	}
	return counted(c, "check_runs", runs, func(r state.Run) wire.Object { return c.host.Run(c.repo, r) })
}

// listCommitPulls lists the pull requests that a commit is in: as a head, in a merge, or among the commits.
func listCommitPulls(c *call) (reply, error) {
	sha, err := c.resolve(c.params["sha"])
	if err != nil {
		return reply{}, err
	}
	pulls, err := c.Store.Pulls(c.name(), state.PullFilter{State: "all"})
	if err != nil {
		return reply{}, err
	}
	var in []*state.Pull
	for _, p := range pulls {
		mine := p.Head.SHA == sha || p.MergeCommit == sha
		if !mine {
			if mine, err = c.Repos.Holds(c.r.Context(), p, sha); err != nil {
				return reply{}, err
			}
		}
		if mine {
			in = append(in, p)
		}
	}
	return listed(c, in, c.host.PullItem)
}

func listCommitHeads(c *call) (reply, error) {
	refs, err := c.Repos.Heads(c.r.Context(), c.name(), c.params["sha"])
	if err != nil {
		return reply{}, err
	}
	return listed(c, refs, c.branch)
}
