package state

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Workflow is one that the hub knows of. The hub runs nothing: a test plays the runner through DriveRun.
type Workflow struct {
	ID      int64
	Name    string
	Path    string // ".github/workflows/x.yml"
	State   string // active or disabled_manually
	RunName string // the title of its runs, in which ${{ inputs.NAME }} stands for an input; empty: Name
	Created time.Time
	Updated time.Time
}

func (w Workflow) number() int64 { return w.ID }

// A WorkflowRun is one run.
type WorkflowRun struct {
	ID         int64
	Workflow   int64
	Number     int
	Attempt    int
	Event      string
	Branch     string
	SHA        string
	Title      string
	Head       PushedCommit // what SHA is
	Status     string       // queued, in_progress, completed
	Conclusion string
	Actor      User
	Inputs     map[string]any
	Created    time.Time
	Updated    time.Time
	Started    time.Time
}

func (w WorkflowRun) number() int64 { return w.ID }

// A Job is a job of a run.
type Job struct {
	ID         int64
	Run        int64
	Attempt    int
	Name       string
	Status     string
	Conclusion string
	Log        string
	Started    time.Time
	Completed  time.Time
}

func (j Job) number() int64 { return j.ID }

// An Artifact is a zip file that a run left.
type Artifact struct {
	ID      int64
	Run     int64
	Name    string
	Zip     []byte
	Created time.Time
	Expires time.Time
}

func (x Artifact) number() int64 { return x.ID }

// SaveWorkflow adds a workflow (ID 0) or replaces one.
func (s *Store) SaveWorkflow(fullName string, w Workflow) (*Workflow, error) {
	return change(s, fullName, func(r *repo) (*Workflow, error) {
		if w.ID == 0 {
			w.ID, w.Created = s.newID(), s.Now()
		}
		if w.State == "" {
			w.State = "active"
		}
		w.Updated = s.Now()
		stow(s, r, &r.desk.workflows, "workflow", &w)
		c := w
		return &c, nil
	})
}

// Workflows lists a repository's workflows.
func (s *Store) Workflows(fullName string) ([]Workflow, error) {
	return view(s, fullName, func(r *repo) ([]Workflow, error) { return r.desk.workflows.all(nil), nil })
}

// Workflow finds one by its id or file name, as GitHub's paths allow.
func (s *Store) Workflow(fullName, idOrFile string) (*Workflow, error) {
	return view(s, fullName, func(r *repo) (*Workflow, error) {
		for _, w := range r.desk.workflows.all(nil) {
			if key(w.ID) == idOrFile || strings.TrimPrefix(w.Path, ".github/workflows/") == idOrFile {
				return &w, nil
			}
		}
		return nil, NotFound()
	})
}

// title is the name of a run: of GitHub's expressions it knows ${{ inputs.NAME }} alone.
func (w Workflow) title(inputs map[string]any) string {
	title := cmp.Or(w.RunName, w.Name)
	for name, value := range inputs {
		title = strings.ReplaceAll(title, "${{ inputs."+name+" }}", fmt.Sprint(value))
	}
	return title
}

// StartRun queues a run.
func (s *Store) StartRun(a Actor, fullName string, in WorkflowRun) (*WorkflowRun, error) {
	return change(s, fullName, func(r *repo) (*WorkflowRun, error) {
		w, err := r.desk.workflows.get(in.Workflow)
		if err != nil {
			return nil, err
		}
		if w.State != "active" {
			return nil, Unprocessable("Cannot trigger a 'workflow_dispatch' on a disabled workflow")
		}
		in.ID, in.Attempt, in.Status, in.Actor = s.newID(), 1, "queued", a.User
		in.Number = 1 + len(r.desk.workruns.all(func(x *WorkflowRun) bool { return x.Workflow == in.Workflow }))
		in.Created, in.Updated, in.Started = s.Now(), s.Now(), s.Now()
		if in.Title == "" {
			in.Title = w.title(in.Inputs)
		}
		stow(s, r, &r.desk.workruns, "workflow_run", &in)
		s.emitWork(a, r, &in, "requested")
		c := in
		return &c, nil
	})
}

func (s *Store) emitWork(a Actor, r *repo, x *WorkflowRun, action string) {
	w, err := r.desk.workflows.get(x.Workflow)
	if err != nil {
		return // unreachable: workflows are not deleted
	}
	c, of := *x, *w
	s.emit(a, r, Event{Name: "workflow_run", Action: action, WorkflowRun: &c, Workflow: &of})
}

// WorkflowRuns lists a repository's runs, newest first.
func (s *Store) WorkflowRuns(fullName string) ([]WorkflowRun, error) {
	return view(s, fullName, func(r *repo) ([]WorkflowRun, error) {
		list := r.desk.workruns.all(nil)
		slices.Reverse(list)
		return list, nil
	})
}

// WorkflowRun finds one.
func (s *Store) WorkflowRun(fullName string, id int64) (*WorkflowRun, error) {
	return view(s, fullName, func(r *repo) (*WorkflowRun, error) {
		x, err := r.desk.workruns.get(id)
		if err != nil {
			return nil, err
		}
		c := *x
		return &c, nil
	})
}

// A Step says how a run goes on: as the runner that the hub does not have would. Jobs with an id of 0 are added.
type Step struct {
	Status     string // in_progress or completed
	Conclusion string
	Jobs       []Job
	Artifacts  []Artifact
}

// DriveRun moves a run on.
func (s *Store) DriveRun(a Actor, fullName string, id int64, step Step) (*WorkflowRun, error) {
	return change(s, fullName, func(r *repo) (*WorkflowRun, error) {
		x, err := r.desk.workruns.get(id)
		if err != nil {
			return nil, err
		}
		for _, j := range step.Jobs {
			if j.ID == 0 {
				j.ID = s.newID()
			}
			j.Run, j.Attempt = x.ID, x.Attempt
			stow(s, r, &r.desk.jobs, "job", &j)
		}
		for _, file := range step.Artifacts {
			file.ID, file.Run, file.Created, file.Expires = s.newID(), x.ID, s.Now(), s.Now().AddDate(0, 0, 90)
			stow(s, r, &r.desk.artifacts, "artifact", &file)
		}
		s.turnRun(a, r, x, step.Status, step.Conclusion)
		c := *x
		return &c, nil
	})
}

func (s *Store) turnRun(a Actor, r *repo, x *WorkflowRun, status, conclusion string) {
	was := x.Status
	x.Status, x.Conclusion, x.Updated = status, conclusion, s.Now()
	stow(s, r, &r.desk.workruns, "workflow_run", x)
	if status != was {
		action := status
		if status == "queued" {
			action = "requested"
		}
		s.emitWork(a, r, x, action)
	}
}

// CancelRun ends a run that is not over.
func (s *Store) CancelRun(a Actor, fullName string, id int64) error {
	_, err := change(s, fullName, func(r *repo) (struct{}, error) {
		x, err := r.desk.workruns.get(id)
		if err != nil {
			return struct{}{}, err
		}
		if x.Status == "completed" {
			return struct{}{}, &Refusal{Status: 409, Message: "Cannot cancel a workflow run that is completed."}
		}
		s.turnRun(a, r, x, "completed", "cancelled")
		return struct{}{}, nil
	})
	return err
}

// RerunRun queues a finished run again as its next attempt.
func (s *Store) RerunRun(a Actor, fullName string, id int64) error {
	_, err := change(s, fullName, func(r *repo) (struct{}, error) {
		x, err := r.desk.workruns.get(id)
		if err != nil {
			return struct{}{}, err
		}
		if x.Status != "completed" {
			return struct{}{}, Forbid("This workflow is already running")
		}
		x.Attempt, x.Started = x.Attempt+1, s.Now()
		s.turnRun(a, r, x, "queued", "")
		return struct{}{}, nil
	})
	return err
}

// Jobs lists a run's jobs: those of its newest attempt, or all.
func (s *Store) Jobs(fullName string, run int64, all bool) ([]Job, error) {
	return view(s, fullName, func(r *repo) ([]Job, error) {
		x, err := r.desk.workruns.get(run)
		if err != nil {
			return nil, err
		}
		return r.desk.jobs.all(func(j *Job) bool { return j.Run == run && (all || j.Attempt == x.Attempt) }), nil
	})
}

// Job finds one.
func (s *Store) Job(fullName string, id int64) (*Job, error) {
	return view(s, fullName, func(r *repo) (*Job, error) {
		j, err := r.desk.jobs.get(id)
		if err != nil {
			return nil, err
		}
		c := *j
		return &c, nil
	})
}

// Artifacts lists what a run left (0: all runs).
func (s *Store) Artifacts(fullName string, run int64) ([]Artifact, error) {
	return view(s, fullName, func(r *repo) ([]Artifact, error) {
		return r.desk.artifacts.all(func(x *Artifact) bool { return run == 0 || x.Run == run }), nil
	})
}

// Artifact finds one.
func (s *Store) Artifact(fullName string, id int64) (*Artifact, error) {
	return view(s, fullName, func(r *repo) (*Artifact, error) {
		x, err := r.desk.artifacts.get(id)
		if err != nil {
			return nil, err
		}
		c := *x
		return &c, nil
	})
}
