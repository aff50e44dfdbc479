package rest

import (
	"net/http"
	"strconv"
	"time"

	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

// runBody is the body of creating and of updating a check run.
type runBody struct {
	Name        *string    `json:"name"`
	HeadSHA     *string    `json:"head_sha"`
	DetailsURL  *string    `json:"details_url"`
	ExternalID  *string    `json:"external_id"`
	Status      *string    `json:"status"`
	Conclusion  *string    `json:"conclusion"`
	StartedAt   *time.Time `json:"started_at"`
	CompletedAt *time.Time `json:"completed_at"`
	Output      *struct {
		Title       *string            `json:"title"`
		Summary     *string            `json:"summary"`
		Text        *string            `json:"text"`
		Annotations []state.Annotation `json:"annotations"`
	} `json:"output"`
	Actions *[]state.RunAction `json:"actions"`
}

func (b runBody) input() (state.RunInput, error) {
	in := state.RunInput{
		Name: b.Name, HeadSHA: b.HeadSHA, ExternalID: b.ExternalID, DetailsURL: b.DetailsURL, Status: b.Status,
		Conclusion: b.Conclusion, Started: b.StartedAt, Completed: b.CompletedAt,
		Actions: b.Actions,
	}
	if o := b.Output; o != nil {
		if o.Title == nil || o.Summary == nil {
			return in, state.Unprocessable("Invalid request.\n\n\"title\", \"summary\" weren't supplied.")
		}
		in.Output = &state.Output{Title: o.Title, Summary: o.Summary, Text: o.Text, Annotations: o.Annotations}
	}
	return in, nil
}

func createRun(c *call) (reply, error) {
	if !c.actor.IsInstallation() {
		return reply{}, state.Forbid("You must authenticate via a GitHub App.")
	}
	var b runBody
	if err := c.decode(&b); err != nil {
		return reply{}, err
	}
	in, err := b.input()
	if err != nil {
		return reply{}, err
	}
	if in.HeadSHA == nil {
		return reply{}, state.Unprocessable("Invalid request.\n\n\"head_sha\" wasn't supplied.")
	}
	sha, err := c.resolve(*in.HeadSHA)
	if err != nil {
		return reply{}, err
	}
	commits, err := c.Repos.Commits(c.r.Context(), c.name(), []string{sha})
	if err != nil {
		return reply{}, err
	}
	in.HeadSHA, in.Head = &sha, commits[0].Pushed()
	run, err := c.Store.CreateRun(c.actor, c.name(), in)
	return made(run, err, behind(c.checkRun))
}

func updateRun(c *call) (reply, error) {
	id, err := c.id("id")
	if err != nil {
		return reply{}, err
	}
	var b runBody
	if err := c.decode(&b); err != nil {
		return reply{}, err
	}
	in, err := b.input()
	if err != nil {
		return reply{}, err
	}
	run, err := c.Store.UpdateRun(c.actor, c.name(), id, in)
	return shaped(run, err, behind(c.checkRun))
}

func (c *call) run() (*state.Run, error) {
	id, err := c.id("id")
	if err != nil {
		return nil, err
	}
	return c.Store.Run(c.name(), id)
}

func getRun(c *call) (reply, error) {
	run, err := c.run()
	return shaped(run, err, behind(c.checkRun))
}

func listAnnotations(c *call) (reply, error) {
	run, err := c.run()
	if err != nil {
		return reply{}, err
	}
	return listed(c, run.Output.Annotations, func(a state.Annotation) wire.Object {
		return wire.Object{
			"path": a.Path, "start_line": a.StartLine, "end_line": a.EndLine, "start_column": a.StartColumn, "end_column": a.EndColumn,
			"annotation_level": a.Level, "title": a.Title, "message": a.Message, "raw_details": a.RawDetails,
			"blob_href": c.host.API("/repos/%s/contents/%s?ref=%s", c.name(), a.Path, run.HeadSHA),
		}
	})
}

func listRuns(c *call) (reply, error) {
	sha, err := c.resolve(c.params["ref"])
	if err != nil {
		return reply{}, err
	}
	f := state.RunFilter{Name: c.query("check_name"), Status: c.query("status"), All: c.query("filter") == "all"}
	if text := c.query("app_id"); text != "" {
		if f.App, err = strconv.ParseInt(text, 10, 64); err != nil {
			return reply{}, state.Unprocessable("Invalid request.\n\nFor 'properties/app_id', a string is not of the expected type.")
		}
	}
	runs, err := c.Store.Runs(c.name(), sha, f)
	if err != nil {
		return reply{}, err
	}
	return counted(c, "check_runs", runs, c.checkRun)
}

func (c *call) checkRun(x state.Run) wire.Object { return c.host.Run(c.repo, x) }

func (c *call) suite(x state.Suite) wire.Object { return c.host.Suite(c.repo, x) }

func listSuites(c *call) (reply, error) {
	sha, err := c.resolve(c.params["ref"])
	if err != nil {
		return reply{}, err
	}
	suites, err := c.Store.Suites(c.name(), sha)
	if err != nil {
		return reply{}, err
	}
	return counted(c, "check_suites", suites, c.suite)
}

func getSuite(c *call) (reply, error) {
	id, err := c.id("id")
	if err != nil {
		return reply{}, err
	}
	x, err := c.Store.SuiteByID(c.name(), id)
	return shaped(x, err, behind(c.suite))
}

func createStatus(c *call) (reply, error) {
	sha, err := c.resolve(c.params["sha"])
	if err != nil {
		return reply{}, err
	}
	commits, err := c.Repos.Commits(c.r.Context(), c.name(), []string{sha})
	if err != nil {
		return reply{}, err
	}
	var in struct {
		State       string `json:"state"`
		Context     string `json:"context"`
		Description string `json:"description"`
		TargetURL   string `json:"target_url"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	st, err := c.Store.AddStatus(c.actor, c.name(), state.Status{
		SHA: sha, Head: commits[0].Pushed(), State: in.State, Context: in.Context, Description: in.Description, TargetURL: in.TargetURL,
	})
	if err != nil {
		return reply{}, err
	}
	return created(c.status(*st))
}

func (c *call) status(s state.Status) wire.Object { return c.host.Status(c.repo, s) }

func listStatuses(c *call) (reply, error) {
	sha, err := c.resolve(c.params["ref"])
	if err != nil {
		return reply{}, err
	}
	list, err := c.Store.Statuses(c.name(), sha)
	if err != nil {
		return reply{}, err
	}
	return listed(c, list, c.status)
}

// getCombinedStatus folds the newest status of each context; GitHub's "pending" stands for none at all, too.
func getCombinedStatus(c *call) (reply, error) {
	sha, err := c.resolve(c.params["ref"])
	if err != nil {
		return reply{}, err
	}
	list, err := c.Store.Statuses(c.name(), sha)
	if err != nil {
		return reply{}, err
	}
	seen := map[string]bool{}
	newest := []state.Status{}
	combined := "success"
	for _, s := range list {
		if seen[s.Context] {
			continue
		}
		seen[s.Context] = true
		newest = append(newest, s)
		switch {
		case s.State == "failure" || s.State == "error":
			combined = "failure"
		case s.State == "pending" && combined == "success":
			combined = "pending"
		}
	}
	if len(newest) == 0 {
		combined = "pending"
	}
	some, link := page(c, newest)
	return reply{status: http.StatusOK, link: link, body: wire.Object{
		"state": combined, "sha": sha, "total_count": len(newest), "statuses": wire.List(some, c.status),
		"repository": c.host.Repo(c.repo), "url": c.host.API("/repos/%s/commits/%s/status", c.name(), sha),
		"commit_url": c.host.API("/repos/%s/commits/%s", c.name(), sha),
	}}, nil
}
