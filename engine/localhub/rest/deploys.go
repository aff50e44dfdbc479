package rest

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

func (c *call) deployment(d *state.Deployment) wire.Object { return c.host.Deployment(c.repo, *d) }

func listDeployments(c *call) (reply, error) {
	list, err := c.Store.Deployments(c.name())
	if err != nil {
		return reply{}, err
	}
	differs := func(query, value string) bool { return c.query(query) != "" && c.query(query) != value }
	list = slices.DeleteFunc(list, func(d state.Deployment) bool {
		return differs("sha", d.SHA) || differs("ref", d.Ref) || differs("task", d.Task) || differs("environment", d.Environment)
	})
	return listed(c, list, func(d state.Deployment) wire.Object { return c.deployment(&d) })
}

func createDeployment(c *call) (reply, error) {
	var in struct {
		Ref         string    `json:"ref"`
		Task        string    `json:"task"`
		AutoMerge   *bool     `json:"auto_merge"`
		Contexts    *[]string `json:"required_contexts"`
		Payload     any       `json:"payload"`
		Environment string    `json:"environment"`
		Description *string   `json:"description"`
		Transient   bool      `json:"transient_environment"`
		Production  *bool     `json:"production_environment"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if in.Ref == "" {
		return reply{}, state.Unprocessable("Invalid request.\n\n\"ref\" wasn't supplied.")
	}
	sha, err := c.Repos.Resolve(c.r.Context(), c.name(), in.Ref)
	if errors.Is(err, git.ErrAbsent) {
		return reply{}, state.Unprocessable("No ref found for: " + in.Ref)
	}
	if err != nil {
		return reply{}, err
	}
	if err := c.contextsPass(sha, in.Contexts); err != nil {
		return reply{}, err
	}
	d := state.Deployment{SHA: sha, Ref: in.Ref, Task: in.Task, Environment: in.Environment, Payload: in.Payload, Transient: in.Transient}
	if d.Task == "" {
		d.Task = "deploy"
	}
	if d.Environment == "" {
		d.Environment = "production"
	}
	d.Production = d.Environment == "production"
	if in.Production != nil {
		d.Production = *in.Production
	}
	if in.Description != nil {
		d.Description = *in.Description
	}
	out, err := c.Store.AddDeployment(c.actor, c.name(), d)
	return made(out, err, c.deployment)
}

// contextsPass refuses to deploy a commit whose statuses are not all successful; contexts names those that count, and an
// empty list none.
func (c *call) contextsPass(sha string, contexts *[]string) error {
	list, err := c.Store.Statuses(c.name(), sha)
	if err != nil {
		return err
	}
	newest := map[string]string{}
	for _, st := range slices.Backward(list) {
		newest[st.Context] = st.State
	}
	want := contexts
	if want == nil {
		all := []string{}
		for name := range newest {
			all = append(all, name)
		}
		want = &all
	}
	for _, name := range *want {
		if newest[name] != "success" {
			return &state.Refusal{Status: http.StatusConflict, Message: "Conflict: Commit status checks failed for " + sha + "."}
		}
	}
	return nil
}

func (c *call) deploymentByID() (*state.Deployment, error) {
	id, err := c.id("id")
	if err != nil {
		return nil, err
	}
	return c.Store.Deployment(c.name(), id)
}

func getDeployment(c *call) (reply, error) {
	d, err := c.deploymentByID()
	return shaped(d, err, c.deployment)
}

func deleteDeployment(c *call) (reply, error) {
	d, err := c.deploymentByID()
	if err != nil {
		return reply{}, err
	}
	return gone(c.Store.DropDeployment(c.name(), d.ID))
}

func (c *call) step(x *state.DeploymentStatus) wire.Object {
	return c.host.DeploymentStatus(c.repo, *x)
}

func listDeploymentStatuses(c *call) (reply, error) {
	d, err := c.deploymentByID()
	if err != nil {
		return reply{}, err
	}
	list, err := c.Store.DeploymentStatuses(c.name(), d.ID)
	if err != nil {
		return reply{}, err
	}
	return listed(c, list, func(x state.DeploymentStatus) wire.Object { return c.step(&x) })
}

func getDeploymentStatus(c *call) (reply, error) {
	d, err := c.deploymentByID()
	if err != nil {
		return reply{}, err
	}
	id, err := c.id("status")
	if err != nil {
		return reply{}, err
	}
	list, err := c.Store.DeploymentStatuses(c.name(), d.ID)
	if err != nil {
		return reply{}, err
	}
	for _, x := range list {
		if x.ID == id {
			return ok(c.step(&x))
		}
	}
	return reply{}, state.NotFound()
}

func createDeploymentStatus(c *call) (reply, error) {
	d, err := c.deploymentByID()
	if err != nil {
		return reply{}, err
	}
	var in struct {
		State, Description, Environment string
		LogURL                          string          `json:"log_url"`
		TargetURL                       string          `json:"target_url"`
		EnvironmentURL                  string          `json:"environment_url"`
		AutoInactive                    json.RawMessage `json:"auto_inactive"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if in.LogURL == "" {
		in.LogURL = in.TargetURL
	}
	x, err := c.Store.AddDeploymentStatus(c.actor, c.name(), state.DeploymentStatus{
		Deployment: d.ID, State: in.State, Description: in.Description, Environment: in.Environment, LogURL: in.LogURL, EnvironmentURL: in.EnvironmentURL,
	})
	return made(x, err, c.step)
}
