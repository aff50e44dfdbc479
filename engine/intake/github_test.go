package intake

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/incident"
)

// of is an event of acme/shop.
func of(members string) []byte {
	return []byte(`{"repository": {"full_name": "acme/shop", "default_branch": "main"}, "sender": {"login": "alice"}, ` + members + `}`)
}

func issueEvent(action, labels, more string) []byte {
	return of(`"action": "` + action + `", "issue": {"number": 12, "title": "Cannot pay", "body": "since 3", "html_url": "https://hub/acme/shop/issues/12",
		"updated_at": "2026-11-22T03:00:00Z", "author_association": "MEMBER", "user": {"login": "alice"}, "labels": [` + labels + `]` + more + `}`)
}

const (
	labelled = `{"name": "Incident"}, {"name": "service: checkout"}, {"name": "sev 1"}, {"name": "author:mallory"}`
	branch   = `"workflow": {"name": "Build", "path": ".github/workflows/build.yml"}, "action": "completed", "workflow_run": {"event": "push", "html_url": "https://hub/runs/7", "run_started_at": "2026-11-22T03:00:00Z", `
	own      = `"head_repository": {"full_name": "acme/shop"}, `
	deployed = `"action": "created", "deployment": {"environment": "production", "task": "deploy", "ref": "v2", "sha": "c0ffee"}, "deployment_status": {"created_at": "2026-11-22T03:00:00Z", "state": `
	found    = `"alert": {"number": 3, "html_url": "https://hub/3", "created_at": "2026-11-22T03:00:00Z", "secret_type": "aws_key", "secret": "AKIA-canary", "rule": {"id": "java/sql-injection", "severity": "error", "description": "A query"}, "tool": {"name": "CodeQL"}}, "action": `
)

// TestEvents: what each event becomes, by its status and the labels that runbooks can match; "" is no alert.
func TestEvents(t *testing.T) {
	for _, test := range []struct {
		kind, what string
		body       []byte
		want       string
	}{
		{"issues", "opened from the form", issueEvent("opened", labelled, ""), "Issue firing association=MEMBER author=alice event=issues issue=12 repository=acme/shop service=checkout"},
		{"issues", "opened without the label", issueEvent("opened", `{"name": "bug"}`, ""), ""},
		{"issues", "a comment on one", issueEvent("edited", labelled, ""), ""},
		{"issues", "reopened", issueEvent("reopened", `{"name": "incident"}`, ""), "Issue firing association=MEMBER author=alice event=issues issue=12 repository=acme/shop"},
		{"issues", "closed", issueEvent("closed", `{"name": "incident"}`, ""), "Issue resolved association=MEMBER author=alice event=issues issue=12 repository=acme/shop"},
		{"issues", "a pull request", issueEvent("opened", labelled, `, "pull_request": {"url": "x"}`), ""},
		{"workflow_run", "failed on main", of(branch + own + `"head_branch": "main", "conclusion": "failure"}`), "WorkflowFailed firing branch=main event=workflow_run path=.github/workflows/build.yml repository=acme/shop trigger=push workflow=Build"},
		{"workflow_run", "good again", of(branch + own + `"head_branch": "main", "conclusion": "success"}`), "WorkflowFailed resolved branch=main event=workflow_run path=.github/workflows/build.yml repository=acme/shop trigger=push workflow=Build"},
		{"workflow_run", "on another branch", of(branch + own + `"head_branch": "fix", "conclusion": "failure"}`), ""},
		{"workflow_run", "of a fork", of(branch + `"head_repository": {"full_name": "mallory/shop"}, "head_branch": "main", "conclusion": "failure"}`), ""},
		{"workflow_run", "of a pull request whose branch is called so", of(strings.Replace(branch, "push", "pull_request_target", 1) + own + `"head_branch": "main", "conclusion": "failure"}`), ""},
		{"workflow_run", "cancelled", of(branch + own + `"head_branch": "main", "conclusion": "cancelled"}`), ""},
		{"workflow_run", "begun", of(strings.Replace(branch, "completed", "requested", 1) + own + `"head_branch": "main", "conclusion": null}`), ""},
		{"deployment_status", "failed", of(deployed + `"failure"}`), "DeploymentFailed firing environment=production event=deployment_status ref=v2 repository=acme/shop task=deploy"},
		{"deployment_status", "succeeded", of(deployed + `"success"}`), "DeploymentFailed resolved environment=production event=deployment_status ref=v2 repository=acme/shop task=deploy"},
		{"deployment_status", "goes on", of(deployed + `"in_progress"}`), ""},
		{"secret_scanning_alert", "found", of(found + `"created"`), "SecretLeaked firing event=secret_scanning_alert number=3 repository=acme/shop secret_type=aws_key"},
		{"secret_scanning_alert", "resolved", of(found + `"resolved"`), "SecretLeaked resolved event=secret_scanning_alert number=3 repository=acme/shop secret_type=aws_key"},
		{"secret_scanning_alert", "validated", of(found + `"validated"`), ""},
		{"code_scanning_alert", "found", of(found + `"created", "ref": "refs/heads/main"`), "CodeScanning firing event=code_scanning_alert number=3 repository=acme/shop rule=java/sql-injection severity=error tool=CodeQL"},
		{"code_scanning_alert", "on another branch", of(found + `"created", "ref": "refs/heads/fix"`), ""},
		{"code_scanning_alert", "fixed", of(found + `"fixed", "ref": ""`), "CodeScanning resolved event=code_scanning_alert number=3 repository=acme/shop rule=java/sql-injection severity=error tool=CodeQL"},
		{"repository_dispatch", "of the shape of an alert", of(`"action": "pullbook", "client_payload": {"alert": {"name": "DiskFull", "labels": {"host": "db-1"}}}`), "DiskFull firing host=db-1"},
		{"repository_dispatch", "of any shape", of(`"action": "prod-down", "client_payload": {"service": "checkout", "errors": 12, "bad": true, "more": {"a": [1]}, "group": "g"}`),
			"prod-down firing bad=true errors=12 event=repository_dispatch repository=acme/shop service=checkout"},
		{"repository_dispatch", "of none", of(`"action": "prod-down"`), "prod-down firing event=repository_dispatch repository=acme/shop"},
		{"star", "another event", of(`"action": "created"`), ""},
	} {
		got, err := Event(test.kind, test.body)
		if err != nil {
			t.Errorf("%s, %s: %v", test.kind, test.what, err)
			continue
		}
		if said := describe(t, got); said != test.want {
			t.Errorf("%s, %s:\n%s\nwant\n%s", test.kind, test.what, said, test.want)
		}
		if strings.Contains(string(got), "canary") {
			t.Errorf("%s, %s holds the secret: %s", test.kind, test.what, got)
		}
	}
}

func describe(t *testing.T, text []byte) string {
	t.Helper()
	if text == nil {
		return ""
	}
	a, err := FromHub(text)
	if err != nil {
		return err.Error()
	}
	out := a.Name + " " + string(a.Status)
	for i, p := range pairs(a.Labels) {
		out += map[bool]string{true: " ", false: "="}[i%2 == 0] + p
	}
	return out
}

// TestProblemsOfEvents: what began a problem and what ended it are one problem, and each other thing is another.
func TestProblemsOfEvents(t *testing.T) {
	problem := func(kind string, body []byte) [2]string {
		t.Helper()
		text, err := Event(kind, body)
		if err != nil || text == nil {
			t.Fatal(kind, string(body), err)
		}
		a, err := FromHub(text)
		if err != nil || a.Source != GitHub {
			t.Fatal(a, err)
		}
		return [2]string{a.Fingerprint, a.Group}
	}
	seen := map[[2]string]string{}
	for name, pair := range map[string][2][]byte{
		"issues":                  {issueEvent("opened", labelled, ""), of(`"action": "unlabeled", "label": {"name": "incident"}, "issue": {"number": 12, "labels": []}`)},
		"workflow_run":            {of(branch + own + `"head_branch": "main", "conclusion": "timed_out"}`), of(branch + own + `"head_branch": "main", "conclusion": "success"}`)},
		"deployment_status":       {of(deployed + `"error"}`), of(deployed + `"success"}`)},
		"deployment_status other": {of(strings.Replace(deployed, "production", "staging", 1) + `"error"}`), of(strings.Replace(deployed, "production", "staging", 1) + `"success"}`)},
		"secret_scanning_alert":   {of(found + `"publicly_leaked"`), of(found + `"resolved"`)},
		"code_scanning_alert":     {of(found + `"appeared_in_branch", "ref": "refs/heads/main"`), of(found + `"closed_by_user"`)},
	} {
		kind, _, _ := strings.Cut(name, " ")
		began, over := problem(kind, pair[0]), problem(kind, pair[1])
		if diff := cmp.Diff(began, over); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if other := seen[began]; other != "" {
			t.Errorf("%s and %s are one problem", name, other)
		}
		seen[began] = name
	}
}

func TestEventsThatAreRefused(t *testing.T) {
	keys := make([]string, maxKeys+1)
	for i := range keys {
		keys[i] = fmt.Sprintf(`"k%d": 1`, i)
	}
	for want, body := range map[string][]byte{
		"client_payload: has 11 keys; GitHub takes at most 10":              of(`"action": "x", "client_payload": {` + strings.Join(keys, ", ") + `}`),
		"client_payload: has 65536 characters; GitHub takes at most 65535":  of(`"action": "x", "client_payload": {"a": "` + strings.Repeat("x", 65_527) + `"}`),
		"client_payload: is a list; it must be an object":                   of(`"action": "x", "client_payload": [1]`),
		"client_payload.status: is a number":                                of(`"action": "x", "client_payload": {"status": 1}`),
		`client_payload: unknown field "runbook"; the fields are alert`:     of(`"action": "x", "client_payload": {"alert": {"name": "a"}, "runbook": "r"}`),
		`body: is not what GitHub sends for "repository_dispatch"; send it`: []byte(`{"repository": 1}`),
		"repository: is missing; only events of repositories are alerts":    []byte(`{"action": "x"}`),
	} {
		if got, err := Event("repository_dispatch", body); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %s, %v", want, got, err)
		}
	}
	if _, err := FromHub([]byte(`{"name": "a", "labels": {"no name": "x"}}`)); err == nil {
		t.Error("a label without a name was taken")
	}
}

// FuzzEvent: whatever an event says, what is made of it is bounded, or refused.
func FuzzEvent(f *testing.F) {
	for _, kind := range Events() {
		f.Add(kind, issueEvent("opened", labelled, ""))
		f.Add(kind, of(found+`"created"`))
		f.Add(kind, of(`"action": "x\u0000\u202e", "client_payload": {"a\nb": "::add-mask::x", "c": [["d"]]}`))
	}
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		text, err := Event(kind, body)
		if err != nil || text == nil {
			return
		}
		if !json.Valid(text) {
			t.Fatalf("no JSON: %q", text)
		}
		a, err := FromHub(text)
		if err != nil {
			return
		}
		if a.Status != incident.Firing && a.Status != incident.ResolvedNow || !utf8.ValidString(a.Name) || len(a.Name) > MaxName || len(a.Fingerprint) > MaxFingerprint || len(a.Labels) > MaxLabels {
			t.Fatalf("%+v", a)
		}
	})
}
