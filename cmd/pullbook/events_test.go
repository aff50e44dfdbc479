package main

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine"
	hub "github.com/pullbook/pullbook/engine/github"
	"github.com/pullbook/pullbook/engine/inbox"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/intake"
)

// eventRunbook answers what the hub itself says of a service.
const eventRunbook = `title: "Look at \(alert.labels.service)"
match: {source: "github", labels: service: =~"^(pay|search)$"}
alert: _
steps: look: manual: task: "Look at it"
`

// eventPolicy takes issues of people of the organisation, and one type of repository_dispatch.
const eventPolicy = plainPolicy + `
intake: {
	"github.issues": {payload: _, alert: payload & {name: string, labels: association: "OWNER" | "MEMBER" | "COLLABORATOR"}}
	"github.repository_dispatch": {payload: _, alert: payload & {name: "prod-down"}}
}
`

// TestEventsOfTheHub makes incidents of an issue and of a repository_dispatch, and none of what no intake takes.
func TestEventsOfTheHub(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	t.Parallel()
	s := newScene(t, stage{files: map[string]string{"pullbook.cue": eventPolicy, "runbooks/event.cue": eventRunbook}})
	s.serve(t)
	alice, err := s.world.client("alice")
	if err != nil {
		t.Fatal(err)
	}
	dispatch := func(kind, service string) {
		t.Helper()
		payload := json.RawMessage(`{"service": "` + service + `", "group": "` + service + `"}`)
		if _, _, err := alice.Repositories.Dispatch(t.Context(), demoOwner, demoName, github.DispatchRequestOptions{EventType: kind, ClientPayload: &payload}); err != nil {
			t.Fatal(err)
		}
	}
	dispatch("staging-down", "search") // the intake is about another type
	dispatch("prod-down", "search")
	if _, _, err := alice.Issues.Create(t.Context(), demoOwner, demoName, &github.IssueRequest{Title: github.String("Cannot pay"), Labels: &[]string{"incident", "service:pay"}}); err != nil {
		t.Fatal(err)
	}
	var got []incident.Opened
	waitFor(t, "both incidents are open", func() bool {
		got = nil
		for _, branch := range s.pullBranches(t) {
			seen := s.seeSlot(t, strings.TrimPrefix(branch, incident.BranchPrefix))
			if opened, ok := find[incident.Opened](seen); ok {
				got = append(got, opened)
			}
		}
		return len(got) >= 2
	})
	names := map[string]string{}
	for _, opened := range got {
		names[opened.Alert.Name] = opened.Alert.Labels["service"]
	}
	if len(got) != 2 || names["Issue"] != "pay" || names["prod-down"] != "search" || got[0].Runbook != "runbooks/event.cue" {
		t.Errorf("%d incidents of %v, the first by %s: %s %q", len(got), names, got[0].Runbook, got[0].Why, got[0].Problems)
	}
}

// mapper answers what an intake makes of an alert.
type mapper func(name string, body []byte) ([]byte, error)

func (m mapper) Map(_ context.Context, name string, body []byte) ([]byte, error) {
	return m(name, body)
}

// TestDecidingOnEvents: fail closed.
func TestDecidingOnEvents(t *testing.T) {
	as := func(_ string, body []byte) ([]byte, error) { return body, nil }
	may := func(context.Context, string, int64, string) (bool, error) { return true, nil }
	const good = `{"name": "Issue", "labels": {"event": "issues"}}`
	for name, test := range map[string]struct {
		mapper   mapper
		mayWrite func(context.Context, string, int64, string) (bool, error)
		kind     string
		alert    string
		outcome  string
	}{
		"taken":                         {as, may, "issues", good, "put Issue"},
		"no intake":                     {func(string, []byte) ([]byte, error) { return nil, &intake.MapError{Unknown: true, Problem: "x"} }, may, "issues", good, "dropped: no intake takes it"},
		"another type":                  {func(string, []byte) ([]byte, error) { return nil, &intake.MapError{Problem: "x"} }, may, "issues", good, "dropped: it is not of the type that the intake wants"},
		"nobody can be asked":           {func(string, []byte) ([]byte, error) { return nil, errors.New("away") }, may, "issues", good, "again"},
		"no alert":                      {as, may, "issues", `{"name": ""}`, "dropped: the intake makes no alert of it"},
		"by somebody who may not":       {as, func(context.Context, string, int64, string) (bool, error) { return false, nil }, "issues", good, "dropped: its sender may not write to the repository"},
		"nobody knows whether they may": {as, func(context.Context, string, int64, string) (bool, error) { return true, errors.New("away") }, "issues", good, "again"},
		"a failed run has no author":    {as, func(context.Context, string, int64, string) (bool, error) { return false, nil }, "workflow_run", good, "put Issue"},
	} {
		outcome := "nothing"
		h := events{customs: test.mapper, mayWrite: test.mayWrite,
			put:  func(_ context.Context, a engine.Arrival) error { outcome = "put " + a.Alert.Name; return nil },
			drop: func(why string, _ hubEvent, _ error) { outcome = "dropped: " + why }}
		body, err := json.Marshal(hubEvent{Kind: test.kind, Repo: "acme/ops", Sender: "alice", SenderID: 101, Alert: json.RawMessage(test.alert)})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Handle(t.Context(), inbox.Message{Kind: kindEvent, Key: "d", Body: body}); err != nil {
			outcome = "again"
		}
		if outcome != test.outcome {
			t.Errorf("%s: %s, want %s", name, outcome, test.outcome)
		}
	}
}

// TestGitHubsOwnEvents makes alerts of the published examples. Whatever is said of one, nothing of it is refused.
func TestGitHubsOwnEvents(t *testing.T) {
	made := map[string]int{}
	for _, s := range samples(t) {
		text, err := intake.Event(s.event, s.body)
		if s.payload.Repository.FullName == "" {
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
		if text == nil {
			continue
		}
		if a, err := intake.FromHub(text); err != nil || a.Labels["event"] != s.event || a.Labels["repository"] != s.payload.Repository.FullName {
			t.Errorf("%s: %+v, %v", s.name, a, err)
		}
		made[s.event]++
	}
	for _, event := range []string{"deployment_status", "workflow_run", "code_scanning_alert", "repository_dispatch"} {
		if made[event] == 0 {
			t.Errorf("no example of %s is an alert: %v", event, made)
		}
	}
}

// TestEventsAtTheDoor: an event is noted by its own delivery, refused in words, and left alone where it is our own doing.
func TestEventsAtTheDoor(t *testing.T) {
	var got []hub.Event
	receiver := hub.NewWebhook(hub.WebhookConfig{Secret: []byte("s"), Repository: "acme/ops", InstallationID: 99, OwnSender: "pullbook[bot]", Events: intake.Events(),
		Once: func(context.Context, string, hub.Hint) (bool, error) { return true, nil },
		Event: func(_ context.Context, e hub.Event) (bool, error) {
			got = append(got, e)
			alert, err := intake.Event(e.Kind, e.Body)
			if err != nil {
				return false, &hub.EventError{Problem: err.Error()}
			}
			return alert != nil, nil
		}})
	const from = `"repository": {"full_name": "acme/shop", "default_branch": "main"}, "installation": {"id": 99}, "sender": {"id": 101, "login": "alice"}`
	for body, want := range map[string]string{
		`{"action": "x", "client_payload": {"a": 1}, ` + from + `}`:                   "202 noted",
		`{"action": "x", "client_payload": [], ` + from + `}`:                         "422 client_payload: is a list; it must be an object",
		`{"action": "x", ` + strings.Replace(from, "alice", "pullbook[bot]", 1) + `}`: "202 dropped: another repository",
		`{"action": "x", ` + strings.Replace(from, `"id": 99`, `"id": 98`, 1) + `}`:   "202 dropped: another repository",
	} {
		status, answer := post(receiver, sample{event: "repository_dispatch"}, []byte(body))
		if said := strings.TrimSpace(strings.Join([]string{map[int]string{202: "202", 422: "422"}[status], answer}, " ")); said != want {
			t.Errorf("%s: %s, want %s", body, said, want)
		}
	}
	if len(got) != 2 || got[0].Repository != "acme/shop" || got[0].Sender != "alice" || got[0].SenderID != 101 {
		t.Errorf("%+v", got)
	}
}
