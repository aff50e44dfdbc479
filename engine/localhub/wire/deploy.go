package wire

import (
	"path"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// fillMore is fill for events of what hangs on a repository besides pull requests and checks.
func (h Host) fillMore(o Object, e state.Event) {
	switch e.Name {
	case "pull_request_review_comment":
		o["pull_request"], o["comment"] = h.PullItem(e.Pull), h.Remark(e.Repo, *e.Remark)
	case "deployment", "deployment_status":
		o["deployment"], o["workflow"], o["workflow_run"] = h.Deployment(e.Repo, *e.Deployment), nil, nil
		if e.DeploymentStatus != nil {
			o["deployment_status"] = h.DeploymentStatus(e.Repo, *e.DeploymentStatus)
		}
	case "workflow_run":
		o["workflow"], o["workflow_run"] = h.Workflow(e.Repo, *e.Workflow), h.WorkflowRun(e.Repo, *e.WorkflowRun, *e.Workflow)
	case "code_scanning_alert":
		o["alert"], o["ref"], o["commit_oid"] = h.CodeAlert(e.Repo, *e.CodeAlert), e.CodeAlert.Ref, e.CodeAlert.SHA
	case "secret_scanning_alert":
		o["alert"] = h.SecretAlert(e.Repo, *e.SecretAlert, true)
	}
}

// Deployment is a deployment.
func (h Host) Deployment(r state.Repo, d state.Deployment) Object {
	api := h.API("/repos/%s/deployments/%d", r.FullName(), d.ID)
	payload := d.Payload
	if payload == nil {
		payload = Object{}
	}
	return Object{
		"id": d.ID, "node_id": nodeID("Deployment", d.ID), "url": api, "sha": d.SHA, "ref": d.Ref, "task": d.Task, "payload": payload,
		"original_environment": d.Environment, "environment": d.Environment, "description": orNull(d.Description), "creator": h.User(d.Creator),
		"created_at": stamp(d.Created), "updated_at": stamp(d.Updated), "statuses_url": api + "/statuses",
		"repository_url": h.API("/repos/%s", r.FullName()), "transient_environment": d.Transient, "production_environment": d.Production,
		"performed_via_github_app": nil,
	}
}

// DeploymentStatus is one step of a deployment.
func (h Host) DeploymentStatus(r state.Repo, x state.DeploymentStatus) Object {
	deployment := h.API("/repos/%s/deployments/%d", r.FullName(), x.Deployment)
	return Object{
		"id": x.ID, "node_id": nodeID("DeploymentStatus", x.ID), "url": deployment + "/statuses/" + number(x.ID), "state": x.State,
		"creator": h.User(x.Creator), "description": x.Description, "environment": x.Environment, "target_url": x.LogURL, "log_url": x.LogURL,
		"environment_url": x.EnvironmentURL, "created_at": stamp(x.Created), "updated_at": stamp(x.Created), "deployment_url": deployment,
		"repository_url": h.API("/repos/%s", r.FullName()), "performed_via_github_app": nil,
	}
}

// Workflow is a workflow.
func (h Host) Workflow(r state.Repo, w state.Workflow) Object {
	return Object{
		"id": w.ID, "node_id": nodeID("Workflow", w.ID), "name": w.Name, "path": w.Path, "state": w.State,
		"created_at": stamp(w.Created), "updated_at": stamp(w.Updated), "url": h.API("/repos/%s/actions/workflows/%d", r.FullName(), w.ID),
		"html_url":  h.Page("/%s/blob/%s/%s", r.FullName(), r.DefaultBranch, w.Path),
		"badge_url": h.Page("/%s/actions/workflows/%s/badge.svg", r.FullName(), path.Base(w.Path)),
	}
}

// WorkflowRun is one run of a workflow.
func (h Host) WorkflowRun(r state.Repo, x state.WorkflowRun, w state.Workflow) Object {
	api := h.API("/repos/%s/actions/runs/%d", r.FullName(), x.ID)
	return Object{
		"id": x.ID, "node_id": nodeID("WorkflowRun", x.ID), "name": w.Name, "head_branch": orNull(x.Branch), "head_sha": x.SHA,
		"path": w.Path, "display_title": x.Title, "run_number": x.Number, "run_attempt": x.Attempt, "event": x.Event,
		"status": x.Status, "conclusion": orNull(x.Conclusion), "workflow_id": x.Workflow, "check_suite_id": x.ID,
		"check_suite_node_id": nodeID("CheckSuite", x.ID), "url": api, "html_url": h.Page("/%s/actions/runs/%d", r.FullName(), x.ID),
		"pull_requests": []Object{}, "created_at": stamp(x.Created), "updated_at": stamp(x.Updated), "run_started_at": stamp(x.Started),
		"actor": h.User(x.Actor), "triggering_actor": h.User(x.Actor), "referenced_workflows": []Object{}, "previous_attempt_url": nil,
		"jobs_url": api + "/jobs", "logs_url": api + "/logs", "artifacts_url": api + "/artifacts", "cancel_url": api + "/cancel",
		"rerun_url": api + "/rerun", "check_suite_url": h.API("/repos/%s/check-suites/%d", r.FullName(), x.ID),
		"workflow_url": h.API("/repos/%s/actions/workflows/%d", r.FullName(), x.Workflow),
		"head_commit":  headCommit(x.Head), "repository": h.Repo(r), "head_repository": h.Repo(r),
	}
}

// Job is a job of a run.
func (h Host) Job(r state.Repo, j state.Job, x state.WorkflowRun, w state.Workflow) Object {
	conclusion := orNull(j.Conclusion)
	return Object{
		"id": j.ID, "node_id": nodeID("CheckRun", j.ID), "run_id": j.Run, "run_url": h.API("/repos/%s/actions/runs/%d", r.FullName(), j.Run),
		"run_attempt": j.Attempt, "head_sha": x.SHA, "head_branch": orNull(x.Branch), "workflow_name": w.Name, "name": j.Name,
		"url": h.API("/repos/%s/actions/jobs/%d", r.FullName(), j.ID), "html_url": h.Page("/%s/actions/runs/%d/job/%d", r.FullName(), j.Run, j.ID),
		"status": j.Status, "conclusion": conclusion, "created_at": stamp(x.Created), "started_at": stamp(j.Started), "completed_at": stamp(j.Completed),
		"steps":         []Object{},
		"check_run_url": h.API("/repos/%s/check-runs/%d", r.FullName(), j.ID), "labels": []string{"self-hosted"},
		"runner_id": nil, "runner_name": nil, "runner_group_id": nil, "runner_group_name": nil,
	}
}

// Artifact is what a run left.
func (h Host) Artifact(r state.Repo, x state.Artifact, expired bool) Object {
	api := h.API("/repos/%s/actions/artifacts/%d", r.FullName(), x.ID)
	return Object{
		"id": x.ID, "node_id": nodeID("Artifact", x.ID), "name": x.Name, "size_in_bytes": len(x.Zip), "url": api,
		"archive_download_url": api + "/zip", "expired": expired, "created_at": stamp(x.Created), "updated_at": stamp(x.Created),
		"expires_at": stamp(x.Expires), "workflow_run": Object{"id": x.Run, "repository_id": r.ID, "head_repository_id": r.ID},
	}
}
