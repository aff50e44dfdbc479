package rest

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

func (c *call) workflow(w state.Workflow) wire.Object { return c.host.Workflow(c.repo, w) }

func listWorkflows(c *call) (reply, error) {
	list, err := c.Store.Workflows(c.name())
	if err != nil {
		return reply{}, err
	}
	return counted(c, "workflows", list, c.workflow)
}

func getWorkflow(c *call) (reply, error) {
	w, err := c.Store.Workflow(c.name(), c.params["workflow"])
	return shaped(w, err, behind(c.workflow))
}

func enableWorkflow(c *call) (reply, error)  { return setWorkflow(c, "active") }
func disableWorkflow(c *call) (reply, error) { return setWorkflow(c, "disabled_manually") }

func setWorkflow(c *call, to string) (reply, error) {
	w, err := c.Store.Workflow(c.name(), c.params["workflow"])
	if err != nil {
		return reply{}, err
	}
	w.State = to
	_, err = c.Store.SaveWorkflow(c.name(), *w)
	return gone(err)
}

// maxInputs is GitHub's limit of inputs of a workflow_dispatch.
const maxInputs = 25

func dispatchWorkflow(c *call) (reply, error) {
	w, err := c.Store.Workflow(c.name(), c.params["workflow"])
	if err != nil {
		return reply{}, err
	}
	var in struct {
		Ref     string         `json:"ref"`
		Inputs  map[string]any `json:"inputs"`
		Details bool           `json:"return_run_details"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	switch {
	case in.Ref == "":
		return reply{}, state.Unprocessable("Invalid request.\n\n\"ref\" wasn't supplied.")
	case len(in.Inputs) > maxInputs:
		return reply{}, state.Unprocessable("you may only define up to 25 `inputs` for a `workflow_dispatch` event")
	}
	branch := strings.TrimPrefix(strings.TrimPrefix(in.Ref, "refs/heads/"), "refs/tags/")
	sha, err := c.Repos.Resolve(c.r.Context(), c.name(), branch)
	if err != nil {
		return reply{}, state.Unprocessable("No ref found for: " + in.Ref)
	}
	commits, err := c.Repos.Commits(c.r.Context(), c.name(), []string{sha})
	if err != nil {
		return reply{}, err
	}
	x, err := c.Store.StartRun(c.actor, c.name(), state.WorkflowRun{
		Workflow: w.ID, Event: "workflow_dispatch", Branch: branch, SHA: sha, Inputs: in.Inputs, Head: commits[0].Pushed(),
	})
	if err != nil {
		return reply{}, err
	}
	if !in.Details {
		return empty()
	}
	return ok(wire.Object{
		"workflow_run_id": x.ID, "run_url": c.host.API("/repos/%s/actions/runs/%d", c.name(), x.ID),
		"html_url": c.host.Page("/%s/actions/runs/%d", c.name(), x.ID),
	})
}

func (c *call) work(x state.WorkflowRun) wire.Object {
	w, err := c.Store.Workflow(c.name(), itoa(x.Workflow))
	if err != nil {
		w = &state.Workflow{ID: x.Workflow} // unreachable: workflows are not deleted
	}
	return c.host.WorkflowRun(c.repo, x, *w)
}

func (c *call) runs(workflow int64) (reply, error) {
	list, err := c.Store.WorkflowRuns(c.name())
	if err != nil {
		return reply{}, err
	}
	differs := func(query, value string) bool { return c.query(query) != "" && c.query(query) != value }
	list = slices.DeleteFunc(list, func(x state.WorkflowRun) bool {
		status := c.query("status")
		return workflow != 0 && x.Workflow != workflow || differs("branch", x.Branch) || differs("event", x.Event) ||
			differs("head_sha", x.SHA) || differs("actor", x.Actor.Login) || (status != "" && status != x.Status && status != x.Conclusion)
	})
	return counted(c, "workflow_runs", list, c.work)
}

func listWorkflowRuns(c *call) (reply, error) { return c.runs(0) }

func listRunsOfWorkflow(c *call) (reply, error) {
	w, err := c.Store.Workflow(c.name(), c.params["workflow"])
	if err != nil {
		return reply{}, err
	}
	return c.runs(w.ID)
}

func (c *call) workByID() (*state.WorkflowRun, error) {
	id, err := c.id("id")
	if err != nil {
		return nil, err
	}
	return c.Store.WorkflowRun(c.name(), id)
}

func getWorkflowRun(c *call) (reply, error) {
	x, err := c.workByID()
	return shaped(x, err, behind(c.work))
}

func cancelRun(c *call) (reply, error) {
	x, err := c.workByID()
	if err == nil {
		err = c.Store.CancelRun(c.actor, c.name(), x.ID)
	}
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusAccepted, body: wire.Object{}}, nil
}

func rerunRun(c *call) (reply, error) {
	x, err := c.workByID()
	if err == nil {
		err = c.Store.RerunRun(c.actor, c.name(), x.ID)
	}
	if err != nil {
		return reply{}, err
	}
	return created(wire.Object{})
}

// job is a job's shape; its run and workflow are looked up.
func (c *call) job(j state.Job) wire.Object {
	x, err := c.Store.WorkflowRun(c.name(), j.Run)
	if err != nil {
		x = &state.WorkflowRun{ID: j.Run} // unreachable: runs are not deleted
	}
	w, err := c.Store.Workflow(c.name(), itoa(x.Workflow))
	if err != nil {
		w = &state.Workflow{ID: x.Workflow}
	}
	return c.host.Job(c.repo, j, *x, *w)
}

func listJobs(c *call) (reply, error) {
	x, err := c.workByID()
	if err != nil {
		return reply{}, err
	}
	list, err := c.Store.Jobs(c.name(), x.ID, c.query("filter") == "all")
	if err != nil {
		return reply{}, err
	}
	return counted(c, "jobs", list, c.job)
}

func getJob(c *call) (reply, error) {
	id, err := c.id("id")
	if err != nil {
		return reply{}, err
	}
	j, err := c.Store.Job(c.name(), id)
	return shaped(j, err, behind(c.job))
}

// downloadLogs sends the client on to the logs of the newest attempt.
func downloadLogs(c *call) (reply, error) {
	x, err := c.workByID()
	if err != nil {
		return reply{}, err
	}
	return c.sendOn(fmt.Sprintf("/runs/%d/logs", x.ID))
}

// zippedLogs are the logs of a run's newest attempt, a file for each job.
func zippedLogs(s *state.Store, repo string, run int64) ([]byte, error) {
	jobs, err := s.Jobs(repo, run, false)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	archive := zip.NewWriter(&b)
	for i, j := range jobs {
		w, err := archive.Create(fmt.Sprintf("%d_%s.txt", i, strings.ReplaceAll(j.Name, "/", "_")))
		if err == nil {
			_, err = io.WriteString(w, j.Log)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (c *call) artifact(x state.Artifact) wire.Object {
	return c.host.Artifact(c.repo, x, !c.Store.Now().Before(x.Expires))
}

func (c *call) artifacts(run int64) (reply, error) {
	list, err := c.Store.Artifacts(c.name(), run)
	if err != nil {
		return reply{}, err
	}
	name := c.query("name")
	list = slices.DeleteFunc(list, func(x state.Artifact) bool { return name != "" && x.Name != name })
	return counted(c, "artifacts", list, c.artifact)
}

func listArtifacts(c *call) (reply, error) { return c.artifacts(0) }

func listRunArtifacts(c *call) (reply, error) {
	x, err := c.workByID()
	if err != nil {
		return reply{}, err
	}
	return c.artifacts(x.ID)
}

func (c *call) artifactByID() (*state.Artifact, error) {
	id, err := c.id("id")
	if err != nil {
		return nil, err
	}
	return c.Store.Artifact(c.name(), id)
}

func getArtifact(c *call) (reply, error) {
	x, err := c.artifactByID()
	return shaped(x, err, behind(c.artifact))
}

// downloadArtifact sends the client on to the zip.
func downloadArtifact(c *call) (reply, error) {
	x, err := c.artifactByID()
	switch {
	case err != nil:
		return reply{}, err
	case c.params["format"] != "zip":
		return reply{}, state.NotFound()
	case !c.Store.Now().Before(x.Expires):
		return reply{}, &state.Refusal{Status: http.StatusGone, Message: "Artifact has expired"}
	}
	return c.sendOn(fmt.Sprintf("/artifacts/%d", x.ID))
}
