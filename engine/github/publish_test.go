package github

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/incident"
)

const exists = `{"message": "Validation Failed", "errors": [{"resource": "PullRequest", "code": "custom", "message": "A pull request already exists for acme:incident/a."}]}`

func TestOpenPull(t *testing.T) {
	s := newStage(t)
	c := s.client()
	s.say("POST "+repo+"/pulls", 201, pullJSON(""))
	want := incident.Pull{Number: 7, URL: "https://hub/acme/ops/pull/7", Open: true, Head: "c0ffee", Branch: "incident/a", Base: "main", Body: "b"}
	got, err := c.OpenPull(context.Background(), incident.NewPull{Branch: "incident/a", Title: strings.Repeat("é", 200), Body: "B"})
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	sent := s.last("POST " + repo + "/pulls").body
	if sent["head"] != "incident/a" || sent["base"] != "main" || sent["body"] != "B" || len(sent["title"].(string)) > maxTitle {
		t.Error(sent)
	}
	s.say("POST "+repo+"/pulls", 422, exists)
	s.say("GET "+repo+"/pulls", 200, "["+pullJSON("")+"]")
	got, err = c.OpenPull(context.Background(), incident.NewPull{Branch: "incident/a"})
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error("the one that is open already:", diff, err)
	}
	s.say("GET "+repo+"/pulls", 200, "[]")
	_, err = c.OpenPull(context.Background(), incident.NewPull{Branch: "incident/a"})
	if want := "open the pull request of incident/a: the hub answered 422: Validation Failed; A pull request already exists for acme:incident/a."; err == nil || err.Error() != want {
		t.Errorf("refused for another reason: %v", err)
	}
}

func TestPublishSendsOneThing(t *testing.T) {
	s := newStage(t)
	c := s.client()
	text := "words"
	check := incident.CheckRun{Name: "step", Commit: "c0ffee", ExternalID: "x/1", Status: "completed", Conclusion: "success", Summary: "S",
		Started: time.Date(2026, 11, 22, 11, 0, 0, 0, time.FixedZone("", 3600)), Completed: time.Date(2026, 11, 22, 10, 0, 1, 0, time.UTC)}
	for _, test := range []struct {
		p    incident.Publication
		line string
		want map[string]any
	}{
		{incident.Publication{Pull: 7, Screen: &incident.Screen{Title: "T", Body: text}}, "PATCH " + repo + "/issues/7", map[string]any{"title": "T", "body": "words"}},
		{incident.Publication{Pull: 7, Screen: &incident.Screen{Title: "T", Body: text, Labels: []string{"state:halted"}, Assignees: []string{"alice"}}},
			"PATCH " + repo + "/issues/7", map[string]any{"title": "T", "body": "words", "labels": []any{"state:halted"}, "assignees": []any{"alice"}}},
		{incident.Publication{Pull: 7, Comment: &text}, "POST " + repo + "/issues/7/comments", map[string]any{"body": "words"}},
		{incident.Publication{Pull: 7, Reopen: true}, "PATCH " + repo + "/pulls/7", map[string]any{"state": "open"}},
		{incident.Publication{Pull: 7, React: 20}, "POST " + repo + "/issues/comments/20/reactions", map[string]any{"content": "eyes"}},
		{incident.Publication{Pull: 7, DeleteBranch: "incident/a b"}, "DELETE " + repo + "/git/refs/heads/incident/a b", nil},
		{incident.Publication{Pull: 7, Check: &check}, "POST " + repo + "/check-runs", map[string]any{"name": "step", "head_sha": "c0ffee",
			"external_id": "x/1", "status": "completed", "conclusion": "success", "started_at": "2026-11-22T10:00:00Z",
			"completed_at": "2026-11-22T10:00:01Z", "output": map[string]any{"title": "step", "summary": "S"}}},
	} {
		s.say(test.line, 200, `{}`)
		if err := c.Publish(context.Background(), test.p); err != nil {
			t.Errorf("%s: %v", test.line, err)
		}
		if diff := cmp.Diff(test.want, s.last(test.line).body); diff != "" {
			t.Errorf("%s: %s", test.line, diff)
		}
	}
	if slices.ContainsFunc(c.Calls(), func(c Call) bool { return c.Pattern == "other" }) {
		t.Errorf("a call without a pattern: %v", c.Calls())
	}
}

func TestWhatIsGoneNeedsNoPublication(t *testing.T) {
	s := newStage(t)
	c := s.client()
	if err := c.Publish(context.Background(), incident.Publication{Pull: 7, React: 20}); err != nil {
		t.Error("a comment that was deleted:", err)
	}
	s.say("DELETE "+repo+"/git/refs/heads/incident/a", 422, `{"message": "Reference does not exist"}`)
	if err := c.Publish(context.Background(), incident.Publication{DeleteBranch: "incident/a"}); err != nil {
		t.Error("a branch that is gone:", err)
	}
	s.say("GET "+repo+"/git/ref/heads/incident/a", 200, `{"ref": "refs/heads/incident/a"}`)
	if err := c.Publish(context.Background(), incident.Publication{DeleteBranch: "incident/a"}); status(err) != 422 {
		t.Error("a branch that the hub does not delete:", err)
	}
	s.forget()
	if err := c.Publish(context.Background(), incident.Publication{DeleteBranch: "main"}); err == nil || s.lines() != "" {
		t.Error("would have deleted the default branch")
	}
}

// TestButtonsOfCheckRuns: a completed check run has them, one in progress has none.
func TestButtonsOfCheckRuns(t *testing.T) {
	s := newStage(t)
	c := s.client()
	line := "POST " + repo + "/check-runs"
	s.say(line, 201, `{}`)
	for status, want := range map[string]any{"in_progress": nil,
		"completed": []any{map[string]any{"label": "Retry", "identifier": "retry:17", "description": "Try it again"}}} {
		run := incident.CheckRun{Name: "step: a", Commit: "c0ffee", Status: status, Buttons: []incident.Button{{Label: "Retry", Identifier: "retry:17", Description: "Try it again"}}}
		if status == "completed" {
			run.Conclusion = "failure"
		}
		if err := c.Publish(context.Background(), incident.Publication{Check: &run}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, s.last(line).body["actions"]); diff != "" {
			t.Errorf("%s: %s", status, diff)
		}
	}
}

// TestReviewRequestsAreWithdrawn: GitHub's description demands the list of users, though it be empty.
func TestReviewRequestsAreWithdrawn(t *testing.T) {
	s := newStage(t)
	c := s.client()
	line := "DELETE " + repo + "/pulls/7/requested_reviewers"
	s.say(line, 200, `{}`)
	withdraw := func(from ...string) error {
		s.forget()
		return c.Publish(context.Background(), incident.Publication{Pull: 7, Unasked: from})
	}
	cases := []struct {
		from []string
		want map[string]any
	}{
		{[]string{"acme/sre"}, map[string]any{"reviewers": []any{}, "team_reviewers": []any{"sre"}}},
		{[]string{"alice", "acme/sre", "other/sre"}, map[string]any{"reviewers": []any{"alice"}, "team_reviewers": []any{"sre"}}},
		{[]string{"alice"}, map[string]any{"reviewers": []any{"alice"}}},
	}
	for _, x := range cases {
		if err := withdraw(x.from...); err != nil || s.count(line) != 1 {
			t.Fatal(err, s.lines())
		}
		if diff := cmp.Diff(x.want, s.last(line).body); diff != "" {
			t.Error(diff)
		}
	}
	if err := withdraw("other/sre"); err != nil || s.lines() != "" {
		t.Error("nobody to take off:", err, s.lines())
	}
	for code, want := range map[int]int{404: 0, 422: 0, 502: 502} {
		s.say(line, code, `{}`)
		if err := withdraw("alice"); status(err) != want {
			t.Errorf("%d: %v", code, err)
		}
	}
}

func TestReviewersWhoCannotBeAskedAreLeftOut(t *testing.T) {
	s := newStage(t)
	c := s.client()
	line := "POST " + repo + "/pulls/7/requested_reviewers"
	s.on(line, func(w http.ResponseWriter, _ *http.Request) {
		asked := s.last(line).body
		if people, _ := asked["reviewers"].([]any); slices.Contains(people, "stranger") {
			w.WriteHeader(422)
			io.WriteString(w, `{"message": "Reviews may only be requested from collaborators."}`)
			return
		}
		io.WriteString(w, `{}`)
	})
	ask := func(from ...string) error {
		s.forget()
		return c.Publish(context.Background(), incident.Publication{Pull: 7, Reviewers: from})
	}
	if err := ask("alice", "acme/sre", "other/sre"); err != nil || s.count(line) != 1 {
		t.Error(err, s.lines())
	}
	want := map[string]any{"reviewers": []any{"alice"}, "team_reviewers": []any{"sre"}}
	if diff := cmp.Diff(want, s.last(line).body); diff != "" {
		t.Error(diff)
	}
	if err := ask("alice", "stranger", "acme/sre"); err != nil || s.count(line) != 4 {
		t.Error("each alone:", err, s.lines())
	}
	if err := ask("stranger"); err != nil || s.count(line) != 1 {
		t.Error("a stranger alone:", err, s.lines())
	}
	if err := ask("other/sre"); err != nil || s.lines() != "" {
		t.Error("nobody to ask:", err, s.lines())
	}
	s.say(line, 502, "")
	if err := ask("alice", "bob"); status(err) != 502 || s.count(line) != 1 {
		t.Error("a fault of the hub is none of theirs:", err)
	}
}

func TestCheckRunsOutsideTheHubsWordsAreNotSent(t *testing.T) {
	s := newStage(t)
	c := s.client()
	for _, r := range []incident.CheckRun{
		{Status: "waiting"}, {Status: "completed"}, {Status: "completed", Conclusion: "stale"}, {Status: "in_progress", Conclusion: "success"}, {},
	} {
		if err := c.Publish(context.Background(), incident.Publication{Check: &r}); err == nil || s.lines() != "" {
			t.Errorf("%+v was sent: %v", r, err)
		}
	}
}

func TestACheckRunThatAsksPeopleGoesFirst(t *testing.T) {
	for conclusion, want := range map[string]Urgency{"action_required": Urgent, "success": Ordinary, "": Ordinary} {
		if got := checkUrgency(incident.CheckRun{Conclusion: conclusion}); got != want {
			t.Errorf("%q: got %d", conclusion, got)
		}
	}
}

func TestMerge(t *testing.T) {
	const put = "PUT " + repo + "/pulls/7/merge"
	for _, test := range []struct {
		name, pull string
		status     int
		want       error
		puts       int
	}{
		{"as asked", pullJSON(""), 200, nil, 1},
		{"merged already", pullJSON(`, "merged": true`), 405, nil, 0},
		{"merged already, with another head", strings.Replace(pullJSON(`, "merged": true`), "c0ffee", "decaf", 1), 405, ErrHeadMoved, 0},
		{"moved before", strings.Replace(pullJSON(""), "c0ffee", "decaf", 1), 200, ErrHeadMoved, 0},
		{"moved meanwhile", pullJSON(""), 409, ErrHeadMoved, 1},
		{"not mergeable", pullJSON(""), 405, ErrNotMergeable, 1},
		{"pointed elsewhere", strings.Replace(pullJSON(""), `"main"`, `"evil"`, 1), 200, ErrNotMergeable, 0},
	} {
		s := newStage(t)
		c := s.client()
		s.say("GET "+repo+"/pulls/7", 200, test.pull)
		s.say(put, test.status, `{"message": "so it is"}`)
		err := c.Merge(context.Background(), incident.MergeRequest{Pull: 7, Head: "c0ffee", Title: "T", Message: "M"})
		if !errors.Is(err, test.want) || s.count(put) != test.puts {
			t.Errorf("%s: %v after %d requests", test.name, err, s.count(put))
		}
		if test.puts == 1 {
			want := map[string]any{"sha": "c0ffee", "merge_method": "merge", "commit_title": "T", "commit_message": "M"}
			if diff := cmp.Diff(want, s.last(put).body); diff != "" {
				t.Error(diff)
			}
		}
	}
}

func TestMergeWhoseAnswerIsLostIsRepeatedSafely(t *testing.T) {
	s := newStage(t)
	c := s.client()
	s.say("GET "+repo+"/pulls/7", 200, pullJSON(""))
	s.say("PUT "+repo+"/pulls/7/merge", 502, "")
	m := incident.MergeRequest{Pull: 7, Head: "c0ffee"}
	if err := c.Merge(context.Background(), m); status(err) != 502 {
		t.Fatal(err)
	}
	s.say("GET "+repo+"/pulls/7", 200, pullJSON(`, "merged": true`))
	if err := c.Merge(context.Background(), m); err != nil {
		t.Error(err)
	}
	if err := c.Merge(context.Background(), incident.MergeRequest{Pull: 7}); err == nil {
		t.Error("merged without a head")
	}
}
