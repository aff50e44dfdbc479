package state

import (
	"slices"
	"time"
	"unicode/utf8"
)

// A Deployment is a request to deploy a commit to an environment. Payload is what the caller gave: an object or a text.
type Deployment struct {
	ID          int64
	SHA, Ref    string
	Task        string
	Environment string
	Description string
	Payload     any
	Transient   bool
	Production  bool
	Creator     User
	App         int64 // the App that made it; 0: a person did
	Created     time.Time
	Updated     time.Time
}

func (d Deployment) number() int64 { return d.ID }

// A DeploymentStatus is one step of a deployment's way.
type DeploymentStatus struct {
	ID                     int64
	Deployment             int64
	State                  string
	Description            string
	Environment            string
	LogURL, EnvironmentURL string
	Creator                User
	Created                time.Time
}

func (d DeploymentStatus) number() int64 { return d.ID }

// AddDeployment keeps a deployment, whose commit the caller has found.
func (s *Store) AddDeployment(a Actor, fullName string, d Deployment) (*Deployment, error) {
	return change(s, fullName, func(r *repo) (*Deployment, error) {
		if utf8.RuneCountInString(d.Description) > 140 {
			return nil, Invalid(Problem{Resource: "Deployment", Field: "description", Code: "custom", Message: "description is too long (maximum is 140 characters)"})
		}
		d.ID, d.Creator, d.Created, d.Updated = s.newID(), a.User, s.Now(), s.Now()
		if a.App != nil {
			d.App = a.App.ID
		}
		stow(s, r, &r.desk.deployments, "deployment", &d)
		c := d
		s.emit(a, r, Event{Name: "deployment", Action: "created", Deployment: &c})
		return &c, nil
	})
}

// Deployments lists a repository's deployments, newest first.
func (s *Store) Deployments(fullName string) ([]Deployment, error) {
	return view(s, fullName, func(r *repo) ([]Deployment, error) {
		list := r.desk.deployments.all(nil)
		slices.Reverse(list)
		return list, nil
	})
}

// Deployment finds one.
func (s *Store) Deployment(fullName string, id int64) (*Deployment, error) {
	return view(s, fullName, func(r *repo) (*Deployment, error) {
		d, err := r.desk.deployments.get(id)
		if err != nil {
			return nil, err
		}
		c := *d
		return &c, nil
	})
}

// DropDeployment deletes a deployment that is not active, unless it is the only one.
func (s *Store) DropDeployment(fullName string, id int64) error {
	_, err := change(s, fullName, func(r *repo) (struct{}, error) {
		if _, err := r.desk.deployments.get(id); err != nil {
			return struct{}{}, err
		}
		if list := r.steps(id); len(r.desk.deployments.order) > 1 && (len(list) == 0 || list[0].State != "inactive") {
			return struct{}{}, unprocessableList("We cannot delete an active deployment unless it is the only deployment in a given environment.")
		}
		discard(s, r, &r.desk.deployments, "deployment", id)
		for _, x := range r.steps(id) {
			discard(s, r, &r.desk.progress, "deployment_status", x.ID)
		}
		return struct{}{}, nil
	})
	return err
}

// steps are a deployment's statuses, newest first.
func (r *repo) steps(id int64) []DeploymentStatus {
	list := r.desk.progress.all(func(x *DeploymentStatus) bool { return x.Deployment == id })
	slices.Reverse(list)
	return list
}

// AddDeploymentStatus records how a deployment went on. A success makes the environment's earlier ones inactive.
func (s *Store) AddDeploymentStatus(a Actor, fullName string, in DeploymentStatus) (*DeploymentStatus, error) {
	return change(s, fullName, func(r *repo) (*DeploymentStatus, error) {
		d, err := r.desk.deployments.get(in.Deployment)
		if err != nil {
			return nil, err
		}
		if !slices.Contains([]string{"error", "failure", "inactive", "in_progress", "queued", "pending", "success"}, in.State) {
			return nil, Invalid(Problem{Resource: "DeploymentStatus", Field: "state", Code: "custom", Message: "state is not included in the list"})
		}
		if in.Environment == "" {
			in.Environment = d.Environment
		}
		s.addStep(a, r, d, in)
		return s.lastStep(r, d.ID), nil
	})
}

func (s *Store) lastStep(r *repo, deployment int64) *DeploymentStatus {
	list := r.steps(deployment)
	return &list[0]
}

func (s *Store) addStep(a Actor, r *repo, d *Deployment, in DeploymentStatus) {
	in.ID, in.Creator, in.Created = s.newID(), a.User, s.Now()
	stow(s, r, &r.desk.progress, "deployment_status", &in)
	d.Updated = s.Now()
	stow(s, r, &r.desk.deployments, "deployment", d)
	c, of := in, *d
	s.emit(a, r, Event{Name: "deployment_status", Action: "created", Deployment: &of, DeploymentStatus: &c})
	if in.State != "success" {
		return
	}
	for _, other := range r.desk.deployments.all(nil) {
		last := r.steps(other.ID)
		if other.ID != d.ID && other.Environment == d.Environment && !other.Production && len(last) > 0 && last[0].State == "success" {
			was := r.desk.deployments.byID[other.ID]
			s.addStep(a, r, was, DeploymentStatus{Deployment: other.ID, State: "inactive", Environment: other.Environment})
		}
	}
}

// DeploymentStatuses lists a deployment's statuses, newest first.
func (s *Store) DeploymentStatuses(fullName string, id int64) ([]DeploymentStatus, error) {
	return view(s, fullName, func(r *repo) ([]DeploymentStatus, error) {
		if _, err := r.desk.deployments.get(id); err != nil {
			return nil, err
		}
		return r.steps(id), nil
	})
}
