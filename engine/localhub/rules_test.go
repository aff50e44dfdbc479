package localhub_test

import (
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/localhub"
)

// ruled is a world in which incident branches are the App's alone, may only grow and may not be deleted, and main wants a
// pull request with a code owner's approval.
func ruled(t *testing.T) *walk {
	k := newWalk(t)
	for _, s := range []step{
		{"carol", "PUT", "~/contents/.github%2FCODEOWNERS", `{"message":"Owners","content":"KiBAYm9iCg=="}`, 201, ""}, // * @bob
		{"carol", "POST", "~/rulesets", `{"name":"incidents","target":"branch","enforcement":"active",
			"bypass_actors":[{"actor_id":7,"actor_type":"Integration","bypass_mode":"always"}],
			"conditions":{"ref_name":{"include":["refs/heads/incident/**/*"],"exclude":[]}},
			"rules":[{"type":"creation"},{"type":"update"},{"type":"deletion"}]}`, 201, ""},
		{"carol", "POST", "~/rulesets", `{"name":"grow","target":"branch","enforcement":"active",
			"conditions":{"ref_name":{"include":["refs/heads/incident/**/*"],"exclude":[]}},"rules":[{"type":"non_fast_forward"}]}`, 201, ""},
		{"carol", "POST", "~/rulesets", `{"name":"main","target":"branch","enforcement":"active",
			"conditions":{"ref_name":{"include":["~DEFAULT_BRANCH"],"exclude":[]}},"rules":[{"type":"pull_request","parameters":
			{"allowed_merge_methods":["merge"],"dismiss_stale_reviews_on_push":true,"require_code_owner_review":true,"require_last_push_approval":false,
			"required_approving_review_count":1,"required_review_thread_resolution":false}}]}`, 201, ""},
	} {
		k.do(s)
	}
	return k
}

// A push of several refs is judged ref by ref, in GitHub's words.
func TestRulesAtAPush(t *testing.T) {
	k := ruled(t)
	dir := k.clone()
	k.mustGit(dir, "switch", "-q", "-c", "free")
	k.mustGit(dir, "commit", "-q", "--allow-empty", "-m", "x")
	out, err := k.git(dir, "push", "origin", "free", "free:incident/2", "free:main")
	if err == nil {
		t.Fatal("a push against the rules went through")
	}
	for _, want := range []string{
		"free -> free", "error: GH013: Repository rule violations found for refs/heads/incident/2.", "Cannot create ref due to creations being restricted.",
		"error: GH013: Repository rule violations found for refs/heads/main.", "Changes must be made through a pull request.",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in:\n%s", want, out)
		}
	}
	app := k.remote("x-access-token", k.tokens["app"], "acme/ops")
	k.mustGit(dir, "push", "-q", app, "free:incident/2")
	k.mustGit(dir, "commit", "-q", "--amend", "--allow-empty", "-m", "y")
	if out, err := k.git(dir, "push", "--force", app, "free:incident/2"); err == nil || !strings.Contains(out, "Cannot force-push to this branch") {
		t.Errorf("the App's force push: %v\n%s", err, out)
	}
	k.mustGit(dir, "push", "-q", app, ":incident/2")
}

// A merge waits for the code owner, and a push takes the approval back.
func TestRulesAtAMerge(t *testing.T) {
	k := ruled(t)
	for _, s := range []step{
		{"app", "POST", "~/pulls", `{"title":"Incident","head":"incident/1","base":"main"}`, 201, "pull=number"},
		{"app", "POST", "~/check-runs", `{"name":"pullbook","head_sha":"$head","conclusion":"success"}`, 201, ""},
		{"app", "PUT", "~/pulls/$pull/merge", `{}`, 405, ""},
		{"alice", "POST", "~/pulls/$pull/reviews", `{"event":"APPROVE"}`, 200, ""},
		{"app", "PUT", "~/pulls/$pull/merge", `{}`, 405, ""},
		{"bob", "POST", "~/pulls/$pull/reviews", `{"event":"APPROVE"}`, 200, "owner=id"},
		{"app", "PUT", "~/contents/two.txt", `{"message":"Two","content":"Mgo=","branch":"incident/1"}`, 201, "head=commit.sha"},
		{"app", "POST", "~/check-runs", `{"name":"pullbook","head_sha":"$head","conclusion":"success"}`, 201, ""},
		{"app", "GET", "~/pulls/$pull/reviews/$owner", "", 200, "state=state"},
		{"app", "PUT", "~/pulls/$pull/merge", `{}`, 405, ""},
		{"bob", "POST", "~/pulls/$pull/reviews", `{"event":"APPROVE"}`, 200, ""},
		{"app", "PUT", "~/pulls/$pull/merge", `{"sha":"$head"}`, 200, ""},
	} {
		k.do(s)
	}
	if k.saved["state"] != "DISMISSED" {
		t.Errorf("the approval of an older head is %s", k.saved["state"])
	}
}

// A person presses a button of a check run, and its App alone hears of it.
func TestButton(t *testing.T) {
	k := newWalk(t)
	k.do(step{"app", "POST", "~/check-runs", `{"name":"ci","head_sha":"$head","conclusion":"failure",
		"actions":[{"label":"Retry","description":"Once more","identifier":"retry"}]}`, 201, "run=id"})
	run := number(k.saved["run"])
	if err := k.hub.PressButton("acme/ops", run, localhub.By{Login: "bob", Base: k.url}, "retry"); err != nil {
		t.Error(err)
	}
	if err := k.hub.PressButton("acme/ops", run, localhub.By{Login: "bob", Base: k.url}, "undo"); err == nil {
		t.Error("a button that is not there was pressed")
	}
	if err := k.hub.PressButton("acme/ops", run, localhub.By{Login: "mallory", Base: k.url}, "retry"); err == nil {
		t.Error("somebody without write access pressed a button")
	}
}

// Whoever may not push to a branch may not merge into it either.
func TestRulesAtAMergeIntoAnIncident(t *testing.T) {
	k := ruled(t)
	for _, s := range []step{
		{"alice", "GET", "~/git/ref/heads/main", "", 200, "main=object.sha"},
		{"app", "POST", "~/git/refs", `{"ref":"refs/heads/incident/2","sha":"$main"}`, 201, ""},
		{"bob", "PUT", "~/contents/junk.txt", `{"message":"Junk","content":"Mgo=","branch":"incident/2"}`, 422, ""},
		{"bob", "POST", "~/git/refs", `{"ref":"refs/heads/junk","sha":"$main"}`, 201, ""},
		{"bob", "PUT", "~/contents/junk.txt", `{"message":"Junk","content":"Mgo=","branch":"junk"}`, 201, "junk=commit.sha"},
		{"bob", "PATCH", "~/git/refs/heads/incident/2", `{"sha":"$junk"}`, 422, ""},
		{"bob", "POST", "~/git/refs", `{"ref":"refs/heads/incident/3","sha":"$junk"}`, 422, ""},
		{"bob", "POST", "~/pulls", `{"title":"Junk","head":"junk","base":"incident/2"}`, 201, "pull=number"},
		{"bob", "GET", "~/pulls/$pull", ``, 200, "state=mergeable_state"},
		{"bob", "PUT", "~/pulls/$pull/merge", `{}`, 405, ""},
		{"carol", "PUT", "~/pulls/$pull/merge", `{}`, 405, ""}, // the organisation's owner is not on the list either
		{"app", "PUT", "~/pulls/$pull/merge", `{}`, 200, ""},
		{"carol", "PUT", "~/branches/incident%2F2/protection", `{"required_status_checks":null,"enforce_admins":true,"required_pull_request_reviews":null,
			"restrictions":{"users":["alice"],"teams":[],"apps":[]}}`, 200, ""},
		{"app", "PUT", "~/contents/more.txt", `{"message":"More","content":"Mgo=","branch":"junk"}`, 201, ""},
		{"app", "POST", "~/pulls", `{"title":"More","head":"junk","base":"incident/2"}`, 201, "pull=number"},
		{"app", "PUT", "~/pulls/$pull/merge", `{}`, 405, ""},
	} {
		k.do(s)
	}
	if k.saved["state"] != "blocked" {
		t.Errorf("a pull request that may not be merged is %s", k.saved["state"])
	}
}

// Checks that a ruleset wants are as required as the seed's, in gh's eyes, too.
func TestRequiredChecksOfARuleset(t *testing.T) {
	k := newWalk(t)
	for _, s := range []step{
		{"carol", "POST", "~/rulesets", `{"name":"side","target":"branch","enforcement":"active","conditions":{"ref_name":{"include":["refs/heads/side"],"exclude":[]}},
			"rules":[{"type":"required_status_checks","parameters":{"required_status_checks":[{"context":"ci","integration_id":7}],"strict_required_status_checks_policy":false}}]}`, 201, ""},
		{"alice", "GET", "~/git/ref/heads/main", "", 200, "main=object.sha"},
		{"app", "POST", "~/git/refs", `{"ref":"refs/heads/side","sha":"$main"}`, 201, ""},
		{"app", "POST", "~/pulls", `{"title":"Side","head":"incident/1","base":"side"}`, 201, "pull=number"},
		{"alice", "POST", "~/statuses/$head", `{"state":"success","context":"ci"}`, 201, ""}, // not said by the App that is asked for
		{"alice", "PUT", "~/pulls/$pull/merge", `{}`, 405, ""},
		{"app", "POST", "~/check-runs", `{"name":"ci","head_sha":"$head","conclusion":"success"}`, 201, ""},
		{"alice", "PUT", "~/pulls/$pull/merge", `{}`, 200, ""},
	} {
		k.do(s)
	}
	for branch, want := range map[string]string{"main": "pullbook", "side": "ci", "other": ""} {
		list, err := k.hub.Store().RequiredChecks("acme/ops", branch)
		if err != nil || (want == "") != (len(list) == 0) || (want != "" && list[0].Context != want) {
			t.Errorf("%s: %v %v", branch, list, err)
		}
	}
}

// Required checks hold for what is pushed to the default branch, too, unless they have passed on it already.
func TestRequiredChecksAtAPush(t *testing.T) {
	k := newWalk(t)
	for _, s := range []step{
		{"bob", "PUT", "~/contents/two.txt", `{"message":"Two","content":"Mgo="}`, 422, ""},
		{"alice", "GET", "~/git/ref/heads/main", "", 200, "main=object.sha"},
		{"bob", "POST", "~/git/refs", `{"ref":"refs/heads/two","sha":"$main"}`, 201, ""},
		{"bob", "PUT", "~/contents/two.txt", `{"message":"Two","content":"Mgo=","branch":"two"}`, 201, "two=commit.sha"},
		{"bob", "PATCH", "~/git/refs/heads/main", `{"sha":"$two"}`, 422, ""},
		{"app", "POST", "~/check-runs", `{"name":"pullbook","head_sha":"$two","conclusion":"success"}`, 201, ""},
		{"bob", "PATCH", "~/git/refs/heads/main", `{"sha":"$two"}`, 200, ""},
		{"carol", "PUT", "~/contents/three.txt", `{"message":"Three","content":"Mgo="}`, 201, ""}, // an admin
	} {
		k.do(s)
	}
	dir := k.clone()
	k.mustGit(dir, "commit", "-q", "--allow-empty", "-m", "x")
	if out, err := k.git(dir, "push", "origin", "main"); err == nil || !strings.Contains(out, "error: GH006: Protected branch update failed for refs/heads/main.") ||
		!strings.Contains(out, `- Required status check "pullbook" is expected.`) {
		t.Errorf("a push without the check: %v\n%s", err, out)
	}
}
