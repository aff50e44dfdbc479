package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAdvanceTakesEvents gives a run events of the hub as a job has them: one that the policy takes opens an incident, another one
// does not, and one that says nothing costs no more than a run in which nothing is due.
func TestAdvanceTakesEvents(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{files: map[string]string{"pullbook.cue": eventPolicy + `intake: "github.workflow_run": {payload: _, alert: payload}
`, "runbooks/event.cue": eventRunbook}})
	event := func(kind, text string) advanced {
		t.Helper()
		path := filepath.Join(t.TempDir(), "event.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return s.mustAdvance(t, "--event", path, "--event-name", kind)
	}
	const who = `"repository": {"full_name": "acme/ops"}, "sender": {"id": 101, "login": "alice", "type": "User"}, "client_payload": {"service": "search"}`
	if got := event("repository_dispatch", `{"action": "staging-down", `+who+`}`); len(got.out.Open) != 0 {
		t.Errorf("the intake is about another type: %+v", got.out)
	}
	if got := event("repository_dispatch", `{"action": "prod-down", `+who+`}`); len(got.out.Open) != 1 {
		t.Errorf("no incident of %+v", got.out)
	}
	s.mustAdvance(t)
	const failed = `"workflow": {"name": "deploy", "path": ".github/workflows/deploy.yml"}, "workflow_run": {"id": 4, "event": "workflow_dispatch", "head_branch": "main", "conclusion": "failure", "head_repository": {"full_name": "acme/ops"}}}`
	const ran = `{"action": "completed", "repository": {"full_name": "acme/ops", "default_branch": "main"}, "sender": {"id": 9, "login": `
	if got := event("workflow_run", ran+`"pullbook[bot]", "type": "Bot"}, `+failed); len(got.out.Open) != 1 {
		t.Errorf("a failure of a workflow that the App itself has run is an alert: %+v", got.out)
	}
	if got := event("workflow_run", ran+`"alice", "type": "User"}, "x": "`+strings.Repeat("x", 1<<20)+`", `+failed); len(got.out.Open) != 1 || !strings.Contains(got.log, "too large") {
		t.Errorf("of an event with a long text it finds %+v\n%s", got.out, got.log)
	}
	if got := event("workflow_run", ran+`"alice", "type": "User"}, `+failed); len(got.out.Open) != 2 {
		t.Errorf("a failure of a workflow is no alert: %+v", got.out)
	}
	if got := event("issues", `{"action": "opened"}`); len(got.out.Open) != 2 {
		t.Errorf("of an event without a repository it finds %+v", got.out)
	}
	r := s.countReads()
	if got := event("workflow_run", `{"action": "completed", `+who+`, "workflow_run": {"id": 3, "conclusion": "success"}}`); len(got.out.Open) != 2 || r.sum() > 4 {
		t.Errorf("for an event that says nothing it reads %v and finds %+v", r.calls, got.out)
	}
}
