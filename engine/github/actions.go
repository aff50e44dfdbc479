package github

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"
)

// Workflow is a workflow of a repository of the installation.
type Workflow struct {
	Repo string // owner/name; the client's own when empty
	File string // below .github/workflows
	Ref  string // branch, tag or commit
}

// Run is a run of a workflow.
type Run struct {
	ID                 int64
	URL                string
	Attempt            int    // 1, or more if it was run again
	Commit             string // at which it runs
	Status, Conclusion string // in GitHub's words
	Started, Ended     time.Time
}

// Job is a job of a run.
type Job struct {
	Name, Conclusion string
	Started, Ended   time.Time
}

// ErrNoRun says that a run is not there: nobody started it, or it was deleted.
var ErrNoRun = errors.New("the hub has no such run")

// listed is how many of the newest runs of a workflow are looked through for one.
const listed = 100

// elsewhere resolves a repository's name. Repositories of other owners are refused: the installation is on one account.
func (c *Client) elsewhere(repo string) (name string, hub *gh.Client, err error) {
	owner, name := c.owner, c.repo
	if repo != "" {
		owner, name, _ = strings.Cut(repo, "/")
	}
	if !strings.EqualFold(owner, c.owner) || !plain(name) {
		return "", nil, fmt.Errorf("the repository %s/%s: the App is installed on %s", line(owner), line(name), c.owner)
	}
	hub, err = c.hubOf(name)
	return name, hub, err
}

// WorkflowFile returns the git blob id of a workflow's file. A workflow that cannot be dispatched at its ref has a problem
// instead, as a part of a sentence: its file is not there, or it is disabled.
func (c *Client) WorkflowFile(ctx context.Context, w Workflow) (blob, problem string, err error) {
	blob, err = c.WorkflowBlob(ctx, w)
	if err != nil || blob == "" {
		return "", fmt.Sprintf("there is no workflow %s at %s of %s", w.File, w.Ref, c.repoName(w.Repo)), err
	}
	name, hub, err := c.elsewhere(w.Repo)
	if err != nil {
		return "", "", err
	}
	var known *gh.Workflow
	err = c.read("look at the workflow "+w.File, func() (err error) {
		known, _, err = hub.Actions.GetWorkflowByFileName(ctx, c.owner, name, w.File)
		return err
	})
	switch {
	case missing(err):
		return "", fmt.Sprintf("%s does not know the workflow %s: Actions is off, or its default branch has no such file", c.repoName(w.Repo), w.File), nil
	case err != nil:
		return "", "", err
	case known.GetState() != "active":
		return "", fmt.Sprintf("the workflow %s of %s is %s", w.File, c.repoName(w.Repo), line(strings.ReplaceAll(known.GetState(), "_", " "))), nil
	}
	return blob, "", nil
}

// WorkflowBlob returns the git blob id of a workflow's file; empty where there is none.
func (c *Client) WorkflowBlob(ctx context.Context, w Workflow) (blob string, err error) {
	name, hub, err := c.elsewhere(w.Repo)
	if err != nil {
		return "", err
	}
	var file *gh.RepositoryContent
	err = c.read(fmt.Sprintf("read the workflow %s at %s", w.File, w.Ref), func() (err error) {
		file, _, _, err = hub.Repositories.GetContents(ctx, c.owner, name, ".github/workflows/"+w.File, &gh.RepositoryContentGetOptions{Ref: w.Ref})
		return err
	})
	if missing(err) {
		return "", nil
	}
	return file.GetSHA(), err
}

func (c *Client) repoName(repo string) string {
	if repo == "" {
		return c.owner + "/" + c.repo
	}
	return line(repo)
}

// missing reports whether the hub has answered that something is not there.
func missing(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == http.StatusNotFound
}

// Refused reports whether an error of a write means that certainly nothing happened: the hub has said no, or was not asked.
func Refused(err error) bool {
	if _, limited := errors.AsType[*LimitedError](err); limited {
		return true
	}
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status >= 400 && e.Status < 500 && e.Status != http.StatusRequestTimeout
}

// DispatchWorkflow starts a run. Its ID is 0 where the hub does not name it, which older servers do not.
func (c *Client) DispatchWorkflow(ctx context.Context, w Workflow, inputs map[string]string) (run Run, err error) {
	name, hub, err := c.elsewhere(w.Repo)
	if err != nil {
		return Run{}, err
	}
	body := struct {
		Ref     string            `json:"ref"`
		Inputs  map[string]string `json:"inputs,omitempty"`
		Details bool              `json:"return_run_details"`
	}{w.Ref, inputs, true}
	var told struct {
		ID  int64  `json:"workflow_run_id"`
		URL string `json:"html_url"`
	}
	err = c.write(ctx, Urgent, fmt.Sprintf("dispatch %s in %s", w.File, c.repoName(w.Repo)), func() error {
		req, err := hub.NewRequest(http.MethodPost, fmt.Sprintf("repos/%s/%s/actions/workflows/%s/dispatches", c.owner, name, url.PathEscape(w.File)), body)
		if err != nil {
			return err
		}
		_, err = hub.Do(ctx, req, &told)
		if errors.Is(err, io.EOF) {
			err = nil // an answer without a body
		}
		return err
	})
	return Run{ID: told.ID, URL: told.URL}, err
}

// FindRun looks among the newest runs of a workflow for the one that the App dispatched and whose title holds a mark as a word
// of its own. One that is not there is ErrNoRun.
func (c *Client) FindRun(ctx context.Context, w Workflow, mark string) (Run, error) {
	name, hub, err := c.elsewhere(w.Repo)
	if err != nil {
		return Run{}, err
	}
	var all *gh.WorkflowRuns
	err = c.read("look for a run of "+w.File, func() (err error) {
		all, _, err = hub.Actions.ListWorkflowRunsByFileName(ctx, c.owner, name, w.File, &gh.ListWorkflowRunsOptions{
			Event: "workflow_dispatch", ListOptions: gh.ListOptions{PerPage: listed}})
		return err
	})
	if err != nil {
		return Run{}, err
	}
	for _, r := range all.WorkflowRuns {
		if r.GetActor().GetID() == c.bot.GetID() && holdsWord(r.GetDisplayTitle(), mark) {
			return runOf(r), nil
		}
	}
	return Run{}, fmt.Errorf("look for a run of %s with %s: %w", w.File, mark, ErrNoRun)
}

// holdsWord reports whether a word stands in a text and is not a part of a longer one.
func holdsWord(text, word string) bool {
	if word == "" {
		return false
	}
	inner := func(b byte) bool {
		return b == '/' || b == '-' || b == '_' || b == '.' || b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z'
	}
	for at := 0; ; {
		i := strings.Index(text[at:], word)
		if i < 0 {
			return false
		}
		from, to := at+i, at+i+len(word)
		if (from == 0 || !inner(text[from-1])) && (to == len(text) || !inner(text[to])) {
			return true
		}
		at = from + 1
	}
}

// WorkflowRun says how a run stands; ErrNoRun if it is gone.
func (c *Client) WorkflowRun(ctx context.Context, repo string, id int64) (Run, error) {
	name, hub, err := c.elsewhere(repo)
	if err != nil {
		return Run{}, err
	}
	var r *gh.WorkflowRun
	err = c.read(fmt.Sprintf("look at run %d of %s", id, c.repoName(repo)), func() (err error) {
		r, _, err = hub.Actions.GetWorkflowRunByID(ctx, c.owner, name, id)
		return err
	})
	if missing(err) {
		return Run{}, fmt.Errorf("look at run %d of %s: %w", id, c.repoName(repo), ErrNoRun)
	}
	if err != nil {
		return Run{}, err
	}
	return runOf(r), nil
}

func runOf(r *gh.WorkflowRun) Run {
	run := Run{ID: r.GetID(), URL: r.GetHTMLURL(), Attempt: r.GetRunAttempt(), Commit: r.GetHeadSHA(), Status: r.GetStatus(), Conclusion: r.GetConclusion(),
		Started: r.GetRunStartedAt().Time}
	if run.Status == "completed" {
		run.Ended = r.GetUpdatedAt().Time
	}
	return run
}

// RunJobs lists the jobs of a run, as they went the last time, at most 3,000.
func (c *Client) RunJobs(ctx context.Context, repo string, id int64) ([]Job, error) {
	name, hub, err := c.elsewhere(repo)
	if err != nil {
		return nil, err
	}
	all, err := pages(c, fmt.Sprintf("list the jobs of run %d", id), func(o gh.ListOptions) ([]*gh.WorkflowJob, *gh.Response, error) {
		jobs, resp, err := hub.Actions.ListWorkflowJobs(ctx, c.owner, name, id, &gh.ListWorkflowJobsOptions{ListOptions: o})
		if err != nil {
			return nil, resp, err
		}
		return jobs.Jobs, resp, nil
	}, nil)
	out := make([]Job, len(all))
	for i, j := range all {
		out[i] = Job{Name: line(j.GetName()), Conclusion: j.GetConclusion(), Started: j.GetStartedAt().Time, Ended: j.GetCompletedAt().Time}
	}
	return out, err
}

// CancelRun stops a run. One that is over is no error.
func (c *Client) CancelRun(ctx context.Context, repo string, id int64) error {
	name, hub, err := c.elsewhere(repo)
	if err != nil {
		return err
	}
	err = c.write(ctx, Urgent, fmt.Sprintf("stop run %d of %s", id, c.repoName(repo)), func() error {
		_, err := hub.Actions.CancelWorkflowRunByID(ctx, c.owner, name, id)
		if _, accepted := errors.AsType[*gh.AcceptedError](err); accepted {
			return nil // it is being stopped
		}
		return err
	})
	if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusConflict {
		return nil
	}
	return err
}
