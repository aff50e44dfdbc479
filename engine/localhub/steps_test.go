package localhub_test

import (
	"strings"

	"github.com/pullbook/pullbook/engine/localhub"
)

func hubSteps() []step {
	return []step{
		{"", "GET", "/", "", 200, ""},
		{"", "GET", "/meta", "", 200, ""},
		{"", "GET", "/rate_limit", "", 200, ""},
		{"", "GET", "/zen", "", 200, ""},
		{"alice", "GET", "/user", "", 200, ""},
		{"alice", "GET", "/user/101", "", 200, ""},
		{"alice", "GET", "/user/repos", "", 200, "private=0.name"},
		{"alice", "GET", "/user/orgs", "", 200, ""},
		{"alice", "GET", "/user/teams", "", 200, ""},
		{"", "GET", "/users/bob", "", 200, ""},
		{"alice", "GET", "/users/bob/repos", "", 200, ""},
		{"alice", "GET", "/users/bob/orgs", "", 200, ""},
		{"", "GET", "/orgs/acme", "", 200, ""},
		{"alice", "GET", "/orgs/acme/repos", "", 200, ""},
		{"alice", "GET", "/orgs/acme/members?role=admin", "", 200, ""},
		{"alice", "GET", "/orgs/acme/members/bob", "", 204, ""},
		{"alice", "GET", "/orgs/acme/members/mallory", "", 404, ""},
		{"alice", "GET", "/orgs/acme/memberships/carol", "", 200, ""},
		{"carol", "GET", "/orgs/acme/installations", "", 200, ""},
		{"bob", "GET", "/orgs/acme/installations", "", 403, ""},
		{"alice", "GET", "/orgs/acme/teams", "", 200, ""},
		{"mallory", "GET", "/orgs/acme/teams", "", 401, ""},
		{"app", "GET", "/orgs/acme/teams/sre", "", 200, ""},
		{"alice", "GET", "/orgs/acme/teams/sre/members", "", 200, ""},
		{"alice", "GET", "/orgs/acme/teams/sre/memberships/bob", "", 200, ""},
		{"carol", "PUT", "/orgs/acme/teams/sre/memberships/mallory", `{"role":"member"}`, 200, ""},
		{"carol", "DELETE", "/orgs/acme/teams/sre/memberships/mallory", "", 204, ""},
		{"bob", "PUT", "/orgs/acme/teams/sre/memberships/mallory", `{}`, 403, ""},
		{"app", "PUT", "/orgs/acme/teams/sre/memberships/mallory", `{}`, 403, ""},
		{"alice", "GET", "/orgs/acme/teams/sre/repos", "", 200, ""},
		{"alice", "GET", "/orgs/acme/teams/sre/repos/acme/ops", "", 204, ""},
		{"carol", "GET", "~/teams", "", 200, ""},
	}
}

func gitSteps() []step {
	return []step{
		{"alice", "GET", "~", "", 200, ""},
		{"carol", "PATCH", "~", `{"description":"Runbooks","delete_branch_on_merge":false}`, 200, ""},
		{"carol", "PATCH", "~", `{"allow_merge_commit":false}`, 422, ""},
		{"alice", "PATCH", "~", `{"description":"x"}`, 403, ""},
		{"alice", "GET", "~/branches", "", 200, "main=1.commit.sha"},
		{"alice", "GET", "~/branches/incident%2F1", "", 200, ""},
		{"carol", "GET", "~/collaborators", "", 200, ""},
		{"carol", "GET", "~/collaborators/bob", "", 204, ""},
		{"app", "GET", "~/collaborators/bob/permission", "", 200, ""},
		{"alice", "GET", "~/readme", "", 200, ""},
		{"alice", "GET", "~/contents/README.md", "", 200, "readme=sha"},
		{"alice", "GET", "~/contents", "", 200, ""},
		{"alice", "GET", "~/contents/runbooks", "", 200, ""},
		{"alice", "PUT", "~/contents/notes/a.md", `{"message":"Add a note","content":"aGVsbG8K","branch":"incident/1"}`, 201, "note=content.sha"},
		{"alice", "PUT", "~/contents/notes/a.md", `{"message":"x","content":"aGVsbG8K","branch":"incident/1"}`, 422, ""},
		{"alice", "PUT", "~/contents/notes/a.md", `{"message":"x","content":"aGVsbG8K","branch":"incident/1","sha":"$readme"}`, 409, ""},
		{"alice", "PUT", "~/contents/notes/a.md", `{"message":"Change it","content":"aG8K","branch":"incident/1","sha":"$note"}`, 200, "note=content.sha"},
		{"alice", "DELETE", "~/contents/notes/a.md", `{"message":"Drop it","branch":"incident/1","sha":"$note"}`, 200, ""},
		{"alice", "DELETE", "~/contents/notes/a.md", `{"message":"Drop it","branch":"incident/1","sha":"$note"}`, 409, ""},
		{"alice", "PUT", "~/contents/notes/b.md", `{"message":"A\u0000b","content":"aGVsbG8K","branch":"incident/1"}`, 201, ""},
		{"app", "POST", "~/git/refs", `{"ref":"refs/heads/main/below","sha":"$main"}`, 422, ""},
		{"app", "POST", "~/git/refs", `{"ref":"refs/heads/incident","sha":"$main"}`, 422, ""},
		{"alice", "PUT", "~/contents/.git%2Fconfig", `{"message":"x","content":"aG8K"}`, 422, ""},
		{"app", "POST", "~/git/blobs", `{"content":"aGVsbG8K","encoding":"base64"}`, 201, "blob=sha"},
		{"app", "GET", "~/git/blobs/$blob", "", 200, ""},
		{"app", "POST", "~/git/trees", `{"base_tree":"$main","tree":[{"path":"b.txt","mode":"100644","type":"blob","sha":"$blob"},{"path":"c/d.txt","mode":"100644","type":"blob","content":"d"}]}`, 201, "tree=sha"},
		{"app", "POST", "~/git/trees", `{"tree":[{"path":"../x","mode":"100644","type":"blob","sha":"$blob"}]}`, 422, ""},
		{"app", "GET", "~/git/trees/$tree?recursive=1", "", 200, ""},
		{"app", "POST", "~/git/commits", `{"message":"By hand","tree":"$tree","parents":["$main"]}`, 201, "commit=sha"},
		{"app", "POST", "~/git/commits", `{"message":"x","tree":"$blob"}`, 422, ""},
		{"app", "GET", "~/git/commits/$commit", "", 200, ""},
		{"app", "GET", "~/git/commits/$blob", "", 404, ""},
		{"app", "POST", "~/git/tags", `{"tag":"v1","message":"One","object":"$commit","type":"commit"}`, 201, "tag=sha"},
		{"app", "GET", "~/git/tags/$tag", "", 200, ""},
		{"app", "POST", "~/git/refs", `{"ref":"refs/tags/v1","sha":"$commit"}`, 201, ""},
		{"app", "GET", "~/tags", "", 200, ""},
		{"app", "GET", "~/git/ref/tags/v1", "", 200, ""},
		{"app", "GET", "~/git/matching-refs/heads/", "", 200, ""},
		{"app", "POST", "~/git/refs", `{"ref":"refs/heads/side","sha":"$main"}`, 201, ""},
		{"app", "PATCH", "~/git/refs/heads/side", `{"sha":"$commit"}`, 200, ""},
		{"app", "PATCH", "~/git/refs/heads/side", `{"sha":"$main"}`, 422, ""},
		{"app", "GET", "~/commits/$commit/branches-where-head", "", 200, ""},
		{"app", "DELETE", "~/git/refs/heads/side", "", 204, ""},
		{"app", "GET", "~/commits?sha=incident/1", "", 200, "head=0.sha"},
		{"app", "GET", "~/commits/$head", "", 200, ""},
		{"app", "GET", "~/compare/main...incident%2F1", "", 200, ""},
		{"alice", "POST", "~/dispatches", `{"event_type":"go"}`, 204, ""},
	}
}

func issueSteps() []step {
	return []step{
		{"alice", "POST", "~/labels", `{"name":"sev 1","color":"ff0000"}`, 201, ""},
		{"alice", "POST", "~/labels", `{"name":"SEV 1","color":"ff0000"}`, 422, ""},
		{"alice", "GET", "~/labels", "", 200, ""},
		{"alice", "GET", "~/labels/sev%201", "", 200, ""},
		{"alice", "PATCH", "~/labels/sev%201", `{"new_name":"sev1","description":"Worst"}`, 200, ""},
		{"alice", "POST", "~/milestones", `{"title":"November"}`, 201, ""},
		{"alice", "GET", "~/milestones/1", "", 200, ""},
		{"alice", "GET", "~/milestones", "", 200, ""},
		{"alice", "PATCH", "~/milestones/1", `{"state":"closed"}`, 200, ""},
		{"alice", "POST", "~/issues", `{"title":"Follow up","body":"text","labels":["sev1"],"assignees":["bob"],"milestone":1}`, 201, "issue=number"},
		{"alice", "POST", "~/issues", `{"body":"no title"}`, 422, ""},
		{"bob", "GET", "~/issues?labels=sev1&assignee=bob&milestone=1", "", 200, "found=0.number"},
		{"bob", "GET", "~/issues/$issue", "", 200, ""},
		{"bob", "PATCH", "~/issues/$issue", `{"state":"closed","state_reason":"completed"}`, 200, ""},
		{"bob", "PATCH", "~/issues/$issue", `{"state":"ajar"}`, 422, ""},
		{"bob", "POST", "~/issues/$issue/comments", `{"body":"done"}`, 201, "comment=id"},
		{"bob", "GET", "~/issues/$issue/comments", "", 200, ""},
		{"bob", "GET", "~/issues/comments", "", 200, ""},
		{"bob", "GET", "~/issues/comments/$comment", "", 200, ""},
		{"bob", "PATCH", "~/issues/comments/$comment", `{"body":"done now"}`, 200, ""},
		{"bob", "POST", "~/issues/comments/$comment/reactions", `{"content":"eyes"}`, 201, "reaction=id"},
		{"bob", "GET", "~/issues/comments/$comment/reactions", "", 200, ""},
		{"alice", "DELETE", "~/issues/comments/$comment/reactions/$reaction", "", 403, ""},
		{"bob", "DELETE", "~/issues/comments/$comment/reactions/$reaction", "", 204, ""},
		{"bob", "DELETE", "~/issues/comments/$comment", "", 204, ""},
		{"bob", "POST", "~/issues/$issue/reactions", `{"content":"+1"}`, 201, "reaction=id"},
		{"bob", "POST", "~/issues/$issue/reactions", `{"content":"+1"}`, 200, ""},
		{"bob", "GET", "~/issues/$issue/reactions", "", 200, ""},
		{"bob", "DELETE", "~/issues/$issue/reactions/$reaction", "", 204, ""},
		{"bob", "GET", "~/issues/$issue/labels", "", 200, ""},
		{"bob", "POST", "~/issues/$issue/labels", `{"labels":["new"]}`, 200, ""},
		{"bob", "PUT", "~/issues/$issue/labels", `{"labels":["other"]}`, 200, ""},
		{"bob", "DELETE", "~/issues/$issue/labels/other", "", 200, ""},
		{"bob", "DELETE", "~/issues/$issue/labels", "", 204, ""},
		{"bob", "POST", "~/issues/$issue/assignees", `{"assignees":["alice"]}`, 201, ""},
		{"bob", "DELETE", "~/issues/$issue/assignees", `{"assignees":["alice"]}`, 200, ""},
		{"bob", "GET", "~/assignees", "", 200, ""},
		{"bob", "GET", "~/assignees/alice", "", 204, ""},
		{"bob", "GET", "~/assignees/stranger", "", 404, ""},
		{"alice", "DELETE", "~/labels/sev1", "", 204, ""},
		{"alice", "DELETE", "~/milestones/1", "", 204, ""},
		{"bob", "GET", "/search/issues?q=repo:acme/ops+is:issue+follow", "", 200, "total=total_count"},
		{"bob", "GET", "/search/issues?q=stars:1", "", 422, ""},
	}
}

func pullSteps() []step {
	return []step{
		{"app", "POST", "~/pulls", `{"title":"Incident","head":"incident/1","base":"main","body":"b"}`, 201, "pull=number"},
		{"app", "GET", "~/pulls", "", 200, ""},
		{"app", "GET", "~/pulls/$pull", "", 200, "head=head.sha"},
		{"app", "PATCH", "~/pulls/$pull", `{"title":"Incident 1"}`, 200, ""},
		{"app", "PATCH", "~/issues/$pull", `{"labels":["incident"],"assignees":["bob"]}`, 200, ""},
		{"app", "GET", "~/pulls/$pull/commits", "", 200, ""},
		{"app", "GET", "~/pulls/$pull/files", "", 200, ""},
		{"app", "GET", "~/commits/$head/pulls", "", 200, "in=0.number"},
		{"app", "GET", "~/pulls/$pull/merge", "", 404, ""},
		{"bob", "POST", "~/pulls/$pull/reviews", `{"event":"COMMENT","body":"look","comments":[{"path":"one.txt","line":2,"body":"why?"}]}`, 200, "review=id"},
		{"bob", "POST", "~/pulls/$pull/reviews", `{"event":"COMMENT","body":"look","comments":[{"path":"one.txt","line":9,"body":"why?"}]}`, 422, ""},
		{"bob", "GET", "~/pulls/$pull/reviews", "", 200, ""},
		{"bob", "GET", "~/pulls/$pull/reviews/$review", "", 200, ""},
		{"bob", "PUT", "~/pulls/$pull/reviews/$review", `{"body":"look here"}`, 200, ""},
		{"bob", "GET", "~/pulls/$pull/reviews/$review/comments", "", 200, "remark=0.id"},
		{"bob", "POST", "~/pulls/$pull/reviews", `{"body":"","comments":[{"path":"one.txt","line":2,"body":""}]}`, 422, ""},
		{"bob", "POST", "~/pulls/$pull/reviews", `{"body":"later","comments":[{"path":"one.txt","line":2,"body":"hm"}]}`, 200, "pending=id"},
		{"bob", "POST", "~/pulls/$pull/reviews", `{"event":"APPROVE"}`, 422, ""},
		{"bob", "POST", "~/pulls/$pull/reviews", `{"body":"another"}`, 422, ""},
		{"alice", "POST", "~/pulls/$pull/reviews", `{"event":"COMMENT","body":"` + strings.Repeat("x", 65537) + `"}`, 422, ""},
		{"bob", "GET", "~/pulls/$pull/reviews/$pending", "", 200, "state=state"},
		{"bob", "GET", "~/pulls/$pull/reviews/$pending/comments", "", 200, ""},
		{"bob", "GET", "~/pulls/$pull/reviews", "", 200, ""},
		{"alice", "GET", "~/pulls/$pull/reviews/$pending", "", 404, ""},
		{"alice", "DELETE", "~/pulls/$pull/reviews/$pending", "", 404, ""},
		{"alice", "POST", "~/pulls/$pull/reviews/$pending/events", `{"event":"APPROVE"}`, 404, ""},
		{"bob", "PUT", "~/pulls/$pull/reviews/$pending", `{"body":"later still"}`, 200, ""},
		{"bob", "DELETE", "~/pulls/$pull/reviews/$pending", "", 200, ""},
		{"bob", "POST", "~/pulls/$pull/reviews", `{"body":"later","comments":[{"path":"one.txt","line":2,"body":"hm"}]}`, 200, "pending=id"},
		{"bob", "POST", "~/pulls/$pull/reviews/$pending/events", `{"event":"AGREE"}`, 422, ""},
		{"bob", "POST", "~/pulls/$pull/reviews/$pending/events", `{"event":"COMMENT"}`, 200, ""},
		{"bob", "POST", "~/pulls/$pull/reviews/$pending/events", `{"event":"COMMENT"}`, 422, ""},
		{"bob", "DELETE", "~/pulls/$pull/reviews/$pending", "", 422, ""},
		{"alice", "GET", "~/pulls/comments", "", 200, ""},
		{"alice", "GET", "~/pulls/comments/$remark", "", 200, ""},
		{"alice", "POST", "~/pulls/$pull/comments/$remark/replies", `{"body":"because"}`, 201, ""},
		{"alice", "POST", "~/pulls/$pull/comments", `{"body":"here","commit_id":"$head","path":"one.txt","line":1,"side":"RIGHT"}`, 201, "mine=id"},
		{"alice", "GET", "~/pulls/$pull/comments", "", 200, ""},
		{"alice", "PATCH", "~/pulls/comments/$mine", `{"body":"there"}`, 200, ""},
		{"alice", "DELETE", "~/pulls/comments/$mine", "", 204, ""},
		{"app", "POST", "~/pulls/$pull/requested_reviewers", `{"reviewers":["alice"],"team_reviewers":["sre"]}`, 201, ""},
		{"app", "GET", "~/pulls/$pull/requested_reviewers", "", 200, ""},
		{"app", "DELETE", "~/pulls/$pull/requested_reviewers", `{"reviewers":["alice"]}`, 200, ""},
		{"alice", "POST", "~/pulls/$pull/reviews", `{"event":"APPROVE"}`, 200, "approval=id"},
		{"bob", "PUT", "~/pulls/$pull/reviews/$approval/dismissals", `{"message":"not yet"}`, 200, ""},
	}
}

func checkSteps() []step {
	const done = `{"name":"ci","head_sha":"$head","status":"completed","conclusion":"action_required","output":{"title":"t","summary":"s",
		"annotations":[{"path":"one.txt","start_line":1,"end_line":1,"annotation_level":"notice","message":"m"}]},
		"actions":[{"label":"Retry","description":"Once more","identifier":"retry"}]}`
	return []step{
		{"app", "POST", "~/check-runs", done, 201, "run=id suite=check_suite.id"},
		{"app", "GET", "~/check-runs/$run", "", 200, ""},
		{"app", "PATCH", "~/check-runs/$run", `{"conclusion":"neutral","status":"completed"}`, 200, ""},
		{"app", "GET", "~/check-runs/$run/annotations", "", 200, ""},
		{"alice", "POST", "~/check-runs/$run/rerequest", "", 201, ""},
		{"app", "GET", "~/commits/$head/check-runs", "", 200, ""},
		{"app", "GET", "~/commits/$head/check-suites", "", 200, ""},
		{"app", "POST", "~/check-suites", `{"head_sha":"$head"}`, 200, ""},
		{"app", "GET", "~/check-suites/$suite", "", 200, ""},
		{"app", "GET", "~/check-suites/$suite/check-runs", "", 200, ""},
		{"alice", "POST", "~/check-suites/$suite/rerequest", "", 201, ""},
		{"alice", "POST", "~/statuses/$head", `{"state":"success","context":"ci"}`, 201, ""},
		{"app", "GET", "~/commits/$head/status", "", 200, ""},
		{"app", "GET", "~/commits/$head/statuses", "", 200, ""},
	}
}

func ruleSteps() []step {
	const rules = `{"name":"main","target":"branch","enforcement":"active","bypass_actors":[{"actor_id":7,"actor_type":"Integration","bypass_mode":"always"}],
		"conditions":{"ref_name":{"include":["~DEFAULT_BRANCH"],"exclude":[]}},"rules":[{"type":"deletion"},{"type":"pull_request","parameters":
		{"dismiss_stale_reviews_on_push":false,"require_code_owner_review":false,"require_last_push_approval":false,"required_approving_review_count":1,
		"required_review_thread_resolution":false}},{"type":"required_status_checks","parameters":{"strict_required_status_checks_policy":false,
		"required_status_checks":[{"context":"pullbook","integration_id":7}]}}]}`
	const protection = `{"required_status_checks":{"strict":false,"contexts":["ci"]},"enforce_admins":true,
		"required_pull_request_reviews":{"required_approving_review_count":1,"dismissal_restrictions":{"users":["carol"],"teams":["sre"]}},
		"restrictions":{"users":["alice"],"teams":["sre"],"apps":["pullbook"]}}`
	return []step{
		{"carol", "POST", "~/rulesets", rules, 201, "ruleset=id"},
		{"carol", "POST", "~/rulesets", rules, 422, ""},
		{"carol", "POST", "~/rulesets", `{"name":"x","enforcement":"active","rules":[{"type":"frob"}]}`, 422, ""},
		{"alice", "POST", "~/rulesets", rules, 403, ""},
		{"app", "POST", "~/rulesets", rules, 403, ""},
		{"alice", "GET", "~/rulesets", "", 200, ""},
		{"carol", "GET", "~/rulesets/$ruleset", "", 200, "bypass=bypass_actors.0.actor_id"},
		{"alice", "GET", "~/rules/branches/main", "", 200, "rule=1.type"},
		{"alice", "PUT", "~/contents/x.txt", `{"message":"x","content":"eAo="}`, 422, ""},
		{"carol", "PUT", "~/rulesets/$ruleset", `{"enforcement":"disabled"}`, 200, ""},
		{"carol", "DELETE", "~/rulesets/$ruleset", "", 204, ""},
		{"carol", "GET", "~/branches/main/protection", "", 404, ""},
		{"carol", "PUT", "~/branches/main/protection", protection, 200, ""},
		{"carol", "GET", "~/branches/main/protection", "", 200, "check=required_status_checks.contexts.0"},
		{"alice", "GET", "~/branches/main/protection", "", 403, ""},
		{"carol", "PUT", "~/contents/x.txt", `{"message":"x","content":"eAo="}`, 422, ""},
		{"carol", "DELETE", "~/branches/main/protection", "", 204, ""},
		{"alice", "PUT", "~/contents/x.txt", `{"message":"x","content":"eAo="}`, 422, ""}, // the required check
		{"carol", "PUT", "~/contents/x.txt", `{"message":"x","content":"eAo="}`, 201, ""},
		{"alice", "PUT", "~/pulls/$pull/update-branch", `{"expected_head_sha":"$head"}`, 202, ""},
		{"alice", "PUT", "~/pulls/$pull/update-branch", `{}`, 422, ""},
	}
}

func deploySteps() []step {
	return []step{
		{"alice", "POST", "~/deployments", `{"ref":"main","environment":"staging","required_contexts":["none"]}`, 409, ""},
		{"alice", "POST", "~/deployments", `{"ref":"main","environment":"staging","required_contexts":[],"payload":{"a":1}}`, 201, "deployment=id"},
		{"alice", "GET", "~/deployments?environment=staging", "", 200, ""},
		{"alice", "GET", "~/deployments/$deployment", "", 200, ""},
		{"alice", "POST", "~/deployments/$deployment/statuses", `{"state":"success","log_url":"http://example.org/log"}`, 201, "status=id"},
		{"alice", "POST", "~/deployments/$deployment/statuses", `{"state":"fine"}`, 422, ""},
		{"alice", "GET", "~/deployments/$deployment/statuses", "", 200, ""},
		{"alice", "GET", "~/deployments/$deployment/statuses/$status", "", 200, ""},
		{"alice", "DELETE", "~/deployments/$deployment", "", 204, ""},
		{"alice", "GET", "~/actions/workflows", "", 200, "workflow=workflows.0.id"},
		{"alice", "GET", "~/actions/workflows/deploy.yml", "", 200, ""},
		{"alice", "PUT", "~/actions/workflows/$workflow/disable", "", 204, ""},
		{"alice", "POST", "~/actions/workflows/$workflow/dispatches", `{"ref":"main"}`, 422, ""},
		{"alice", "PUT", "~/actions/workflows/$workflow/enable", "", 204, ""},
		{"alice", "POST", "~/actions/workflows/deploy.yml/dispatches", `{"ref":"main","inputs":{"to":"x"},"return_run_details":true}`, 200, "work=workflow_run_id"},
		{"alice", "POST", "~/actions/workflows/deploy.yml/dispatches", `{"ref":"main"}`, 204, ""},
		{"alice", "GET", "~/actions/workflows/deploy.yml/runs", "", 200, ""},
		{"alice", "GET", "~/actions/runs?status=queued&event=workflow_dispatch", "", 200, "other=workflow_runs.0.id"},
		{"alice", "GET", "~/actions/runs/$work", "", 200, ""},
		{"alice", "POST", "~/actions/runs/$other/cancel", "", 202, ""},
		{"alice", "POST", "~/actions/runs/$other/cancel", "", 409, ""},
		{"alice", "POST", "~/actions/runs/$other/rerun", "", 201, ""},
		{"alice", "GET", "~/code-scanning/alerts?state=open", "", 200, ""},
		{"alice", "GET", "~/code-scanning/alerts/1", "", 200, ""},
		{"alice", "GET", "~/code-scanning/alerts/1/instances", "", 200, ""},
		{"alice", "PATCH", "~/code-scanning/alerts/1", `{"state":"dismissed","dismissed_reason":"false positive"}`, 200, ""},
		{"carol", "GET", "~/secret-scanning/alerts", "", 200, ""},
		{"alice", "GET", "~/secret-scanning/alerts", "", 403, ""},
		{"carol", "GET", "~/secret-scanning/alerts/1", "", 200, ""},
		{"carol", "PATCH", "~/secret-scanning/alerts/1", `{"state":"resolved","resolution":"revoked"}`, 200, ""},
		{"carol", "PATCH", "~/secret-scanning/alerts/1", `{"state":"resolved","resolution":"because"}`, 422, ""},
	}
}

// finishRun is the runner's part.
func (k *walk) finishRun() {
	now, run := k.hub.Store().Now(), number(k.saved["work"])
	err := k.hub.DriveRun("acme/ops", run, localhub.By{Login: "alice", Base: k.url}, localhub.RunStep{
		Status: "completed", Conclusion: "success", Artifacts: []localhub.Artifact{{Name: "log", Zip: []byte("PK\x05\x06" + string(make([]byte, 18)))}},
		Jobs: []localhub.Job{{Name: "deploy", Status: "completed", Conclusion: "success", Started: now, Completed: now}},
	})
	if err != nil {
		k.t.Error(err)
	}
}

func appSteps() []step {
	return []step{
		{"jwt", "GET", "/app", "", 200, ""},
		{"jwt", "GET", "/app/installations", "", 200, ""},
		{"jwt", "GET", "/app/installations/700", "", 200, ""},
		{"jwt", "GET", "/orgs/acme/installation", "", 200, ""},
		{"jwt", "GET", "/users/acme/installation", "", 200, ""},
		{"jwt", "GET", "/users/bob/installation", "", 404, ""},
		{"jwt", "GET", "~/installation", "", 200, ""},
		{"", "GET", "/apps/pullbook", "", 200, ""},
		{"app", "GET", "/installation/repositories", "", 200, ""},
		{"jwt", "GET", "/app/hook/config", "", 200, ""},
		{"jwt", "PATCH", "/app/hook/config", `{"url":"http://127.0.0.1:1/none"}`, 200, ""},
		{"jwt", "GET", "/app/hook/deliveries", "", 200, ""},
		{"jwt", "GET", "/app/hook/deliveries/999999", "", 404, ""},
		{"jwt", "POST", "/app/hook/deliveries/999999/attempts", "", 404, ""},
		{"", "POST", "/app-manifests/$code/conversions", "", 201, "made=slug"},
		{"", "POST", "/app-manifests/$code/conversions", "", 404, ""},
		{"carol", "GET", "/repos/acme/secret", "", 200, "secret=id"},
		{"carol", "PUT", "/user/installations/700/repositories/$secret", "", 204, ""},
		{"carol", "DELETE", "/user/installations/700/repositories/$secret", "", 204, ""},
	}
}

func endSteps() []step {
	return []step{
		{"alice", "GET", "~/actions/runs/$work/jobs", "", 200, "job=jobs.0.id"},
		{"alice", "GET", "~/actions/jobs/$job", "", 200, ""},
		{"alice", "GET", "~/actions/runs/$work/logs", "", 302, ""},
		{"alice", "GET", "~/actions/runs/$work/artifacts", "", 200, "artifact=artifacts.0.id"},
		{"alice", "GET", "~/actions/artifacts", "", 200, ""},
		{"alice", "GET", "~/actions/artifacts/$artifact", "", 200, ""},
		{"alice", "GET", "~/actions/artifacts/$artifact/zip", "", 302, ""},
		{"app", "GET", "~/pulls/$pull", "", 200, "head=head.sha"},
		{"app", "PUT", "~/pulls/$pull/merge", `{"sha":"$head"}`, 405, ""},
		{"app", "POST", "~/check-runs", `{"name":"pullbook","head_sha":"$head","conclusion":"success"}`, 201, ""},
		{"app", "PUT", "~/pulls/$pull/merge", `{"sha":"$head","merge_method":"squash"}`, 405, ""},
		{"carol", "PATCH", "~", `{"allow_squash_merge":true,"delete_branch_on_merge":true}`, 200, ""},
		{"app", "PUT", "~/pulls/$pull/merge", `{"sha":"$head","merge_method":"squash"}`, 200, ""},
		{"app", "GET", "~/pulls/$pull/merge", "", 204, ""},
		{"app", "GET", "~/git/ref/heads/incident/1", "", 404, ""},
		{"app", "DELETE", "/installation/token", "", 204, ""},
		{"app", "GET", "~", "", 401, ""},
		{"jwt", "PUT", "/app/installations/700/suspended", "", 204, ""},
		{"jwt", "DELETE", "/app/installations/700/suspended", "", 204, ""},
		{"jwt", "DELETE", "/app/installations/700", "", 204, ""},
	}
}

// number reads an id that an answer held.
func number(text string) (n int64) {
	for _, digit := range text {
		n = n*10 + int64(digit-'0')
	}
	return n
}
