package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
)

// people fills the stage with a pull request on which several people spoke.
func (s *stage) people() {
	s.say("GET "+repo+"/pulls/7", 200, pullJSON(""))
	s.say("GET "+repo+"/pulls/7/reviews", 200, `[
		{"id": 1, "node_id": "R1", "user": `+user(10, "alice")+`, "state": "APPROVED", "commit_id": "c0ffee", "body": "/approve x", "submitted_at": "2026-11-22T10:00:00Z"},
		{"id": 2, "node_id": "R2", "user": `+user(11, "bob")+`, "state": "CHANGES_REQUESTED", "commit_id": null, "submitted_at": "2026-11-22T10:01:00Z"},
		{"id": 3, "user": {"id": 12, "login": "robot[bot]", "type": "Bot"}, "state": "APPROVED"},
		{"id": 4, "user": null, "state": "NEWSTATE"},
		{"id": 5, "user": `+user(10, "alice")+`, "state": "PENDING"}]`)
	s.say("GET "+repo+"/issues/7/comments", 200, `[
		{"id": 20, "node_id": "C20", "user": `+user(13, "carol")+`, "body": "/done a", "created_at": "2026-11-22T10:00:00Z", "updated_at": "2026-11-22T10:00:00Z"},
		{"id": 21, "node_id": "C21", "user": `+user(14, "dave")+`, "body": "hello", "reactions": {"eyes": 1}, "created_at": "2026-11-22T10:00:00Z", "updated_at": "2026-11-22T10:00:05Z"},
		{"id": 22, "node_id": "C22", "user": {"id": 500, "login": "pullbook[bot]", "type": "Bot"}, "body": "/done a", "created_at": "2026-11-22T10:00:00Z", "updated_at": "2026-11-22T10:00:00Z"}]`)
	s.say("GET "+repo+"/collaborators/alice/permission", 200, `{"permission": "write", "user": `+user(10, "alice")+`}`)
	s.say("GET "+repo+"/collaborators/bob/permission", 200, `{"permission": "admin", "user": `+user(999, "bob")+`}`)
	s.say("GET /orgs/acme/teams/sre/members", 200, `[`+user(10, "alice")+`,`+user(13, "carol")+`]`)
}

func TestLookReadsWhatPeopleDidAndWhoTheyAreNow(t *testing.T) {
	s := newStage(t)
	s.people()
	s.say("GET "+repo+"/pulls/7", 200, strings.Replace(pullJSON(`, "requested_reviewers": [`+user(14, "dave")+`], "requested_teams": [{"slug": "sre"}]`),
		`"ref": "main"`, `"ref": "main", "repo": {"owner": {"login": "acme"}}`, 1))
	c := s.client()
	view, err := c.Look(context.Background(), incident.HubQuery{Branch: "incident/a", Pull: 7, Teams: []string{"acme/sre", "acme/gone", "other/sre"}})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	alice := approval.Person{ID: 10, Login: "alice", Write: true, Teams: []string{"acme/sre"}}
	bob := approval.Person{ID: 11, Login: "bob"} // the login has changed hands: the permission is another person's
	want := incident.HubView{
		Pull: &incident.Pull{Number: 7, URL: "https://hub/acme/ops/pull/7", Open: true, Head: "c0ffee", Branch: "incident/a", Base: "main", Body: "b", Asked: []string{"dave", "acme/sre"}},
		Reviews: []approval.Review{
			{ID: 1, By: alice, State: approval.Approved, Commit: "c0ffee", Body: "/approve x", At: at},
			{ID: 2, By: bob, State: approval.ChangesRequested, At: at.Add(time.Minute)},
			{ID: 3, By: approval.Person{ID: 12, Login: "robot[bot]", Bot: true}, State: approval.Approved},
			{ID: 4, State: approval.Commented},
		},
		Comments: []incident.Comment{
			{ID: 20, By: approval.Person{ID: 13, Login: "carol", Teams: []string{"acme/sre"}}, Body: "/done a", At: at},
			{ID: 21, By: approval.Person{ID: 14, Login: "dave"}, Body: "hello", At: at},
			{ID: 22, By: approval.Person{ID: 500, Login: "pullbook[bot]", Bot: true}, Own: true, Body: "/done a", At: at},
		},
	}
	if diff := cmp.Diff(want, view); diff != "" {
		t.Error(diff)
	}
	for _, silent := range []string{"dave", "robot[bot]", "pullbook[bot]"} {
		if n := s.count("GET " + repo + "/collaborators/" + silent + "/permission"); n != 0 {
			t.Errorf("asked %d times about %s, whose words change nothing", n, silent)
		}
	}
	if n := s.count("GET /orgs/acme/teams/sre/members"); n != 1 {
		t.Errorf("asked %d times for the team, want once a look", n)
	}
	if strings.Contains(s.lines(), "/orgs/other/") {
		t.Error("asked for a team of another organisation")
	}
}

func TestLookFindsTheIncidentsOwnPullRequest(t *testing.T) {
	s := newStage(t)
	pull := func(number int, state, repository string) string {
		return fmt.Sprintf(`{"number": %d, "state": %q, "merged_at": "2026-11-22T10:00:00Z", "head": {"ref": "incident/a", "repo": {"full_name": %q}}}`,
			number, state, repository)
	}
	c := s.client()
	for _, test := range []struct {
		name, list string
		want       int
	}{
		{"none", `[]`, 0},
		{"the open one before a newer closed one", "[" + pull(9, "closed", "acme/ops") + "," + pull(8, "open", "acme/ops") + "]", 8},
		{"the newest", "[" + pull(3, "closed", "acme/ops") + "," + pull(5, "closed", "ACME/ops") + "]", 5},
		{"not a fork's", "[" + pull(9, "open", "acme/ops-fork") + "]", 0},
	} {
		s.say("GET "+repo+"/pulls", 200, test.list)
		view, err := c.Look(context.Background(), incident.HubQuery{Branch: "incident/a"})
		if err != nil {
			// The conversation of a found one is not on this stage.
			var e *Error
			if !errors.As(err, &e) || e.Status != 404 {
				t.Fatal(test.name, err)
			}
		}
		found, _ := c.findByBranch(context.Background(), "incident/a", "all")
		if found.GetNumber() != test.want || test.want == 0 && view.Pull != nil {
			t.Errorf("%s: got %d, want %d", test.name, found.GetNumber(), test.want)
		}
		if test.want != 0 && !c.toPull(found).Merged {
			t.Errorf("%s: merged_at in a list means merged", test.name)
		}
	}
	if got := s.last("GET " + repo + "/pulls").query; got != "base=main&head=acme%3Aincident%2Fa&page=1&per_page=100&state=all" {
		t.Error(got)
	}
}

func TestLookTellsNoPullRequestFromTheWrongOne(t *testing.T) {
	s := newStage(t)
	c := s.client()
	view, err := c.Look(context.Background(), incident.HubQuery{Branch: "incident/a", Pull: 7})
	if err != nil || view.Pull != nil {
		t.Errorf("a pull request that is not there: %v, %v", view.Pull, err)
	}
	s.people()
	if _, err = c.Look(context.Background(), incident.HubQuery{Branch: "incident/b", Pull: 7}); err == nil {
		t.Error("took another branch's pull request")
	}
}

func TestLookReadsEveryPageAndNoMoreThanItsBound(t *testing.T) {
	s := newStage(t)
	s.say("GET "+repo+"/pulls/7", 200, pullJSON(""))
	s.say("GET "+repo+"/issues/7/comments", 200, `[]`)
	s.say("GET "+repo+"/collaborators/alice/permission", 200, `{"permission": "read", "user": `+user(10, "alice")+`}`)
	last := 3
	s.on("GET "+repo+"/pulls/7/reviews", func(w http.ResponseWriter, r *http.Request) {
		var page int
		fmt.Sscan(r.URL.Query().Get("page"), &page)
		if page != last {
			w.Header().Set("Link", fmt.Sprintf(`<%s%s/pulls/7/reviews?page=%d&per_page=100>; rel="next"`, s.url, repo, page+1))
		}
		fmt.Fprintf(w, `[{"id": %d, "user": %s, "state": "COMMENTED"}]`, page, user(10, "alice"))
	})
	c := s.client()
	view, err := c.Look(context.Background(), incident.HubQuery{Pull: 7})
	if err != nil || len(view.Reviews) != 3 || view.Reviews[2].ID != 3 {
		t.Errorf("got %d reviews, %v", len(view.Reviews), err)
	}
	s.forget()
	last = 0
	view, err = c.Look(context.Background(), incident.HubQuery{Pull: 7})
	if _, ok := errors.AsType[*Error](err); !ok || view.Pull != nil {
		t.Errorf("an endless list: %v", err)
	}
	if n := s.count("GET " + repo + "/pulls/7/reviews"); n != maxPages {
		t.Errorf("asked for %d pages", n)
	}
}

func TestAPageThatFollowsAFullOneIsSeen(t *testing.T) {
	s := newStage(t)
	s.say("GET "+repo+"/pulls/7", 200, pullJSON(""))
	s.say("GET "+repo+"/issues/7/comments", 200, `[]`)
	s.say("GET "+repo+"/collaborators/alice/permission", 200, `{"permission": "write", "user": `+user(10, "alice")+`}`)
	review := func(state string) string {
		return `{"id": 1, "user": ` + user(10, "alice") + `, "state": "` + state + `"}`
	}
	second := `[]`
	s.on("GET "+repo+"/pulls/7/reviews", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Query().Get("page") == "2":
			fmt.Fprint(w, second)
		case r.Header.Get("If-None-Match") != "":
			w.WriteHeader(http.StatusNotModified) // as GitHub does, although there is a next page now
		default:
			w.Header().Set("ETag", `"full"`)
			fmt.Fprint(w, "["+strings.Repeat(review("APPROVED")+",", 99)+review("APPROVED")+"]")
		}
	})
	c := s.client()
	for _, want := range []int{100, 101} {
		view, err := c.Look(context.Background(), incident.HubQuery{Pull: 7})
		if err != nil || len(view.Reviews) != want {
			t.Errorf("got %d reviews, want %d: %v", len(view.Reviews), want, err)
		}
		second = "[" + review("CHANGES_REQUESTED") + "]"
	}
}

func TestLookKnowsItsOwnCheckRuns(t *testing.T) {
	s := newStage(t)
	s.say("GET "+repo+"/pulls", 200, `[]`)
	s.say("GET "+repo+"/commits/c0ffee/check-runs", 200, `{"total_count": 3, "check_runs": [
		{"name": "a", "external_id": "ours", "app": {"id": 77}}, {"name": "a", "external_id": "theirs", "app": {"id": 78}},
		{"name": "a", "external_id": "", "app": {"id": 77}}]}`)
	c := s.client()
	view, err := c.Look(context.Background(), incident.HubQuery{Branch: "incident/a", CheckCommits: []string{"c0ffee", "bad1dea"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]bool{"ours": true}, view.Checks); diff != "" {
		t.Error(diff)
	}
	if got := s.last("GET " + repo + "/commits/c0ffee/check-runs").query; got != "app_id=77&filter=all&page=1&per_page=100" {
		t.Error(got)
	}
}

func TestLookFailsWholeRatherThanInPart(t *testing.T) {
	for _, broken := range []string{"/pulls/7", "/pulls/7/reviews", "/issues/7/comments", "/collaborators", "/collaborators/alice/permission", graphQL} {
		s := newStage(t)
		s.people()
		line := "GET " + repo + broken
		if broken == graphQL {
			line = broken
		}
		s.say(line, 502, `<html>Bad Gateway</html>`)
		view, err := s.client().Look(context.Background(), incident.HubQuery{Pull: 7, Teams: []string{"acme/sre"}})
		if status(err) != 502 || view.Pull != nil || len(view.Reviews) > 0 {
			t.Errorf("%s: %v", broken, err)
		}
	}
}

func TestUnchangedHubAnswersWithoutCost(t *testing.T) {
	s := newStage(t)
	s.people()
	body := `[{"id": 1, "user": ` + user(10, "alice") + `, "state": "APPROVED"}]`
	tag := `W/"one"`
	s.on("GET "+repo+"/pulls/7/reviews", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		fmt.Fprint(w, body)
	})
	c := s.client()
	var seen []incident.HubView
	for i := range 3 {
		if i == 2 {
			tag, body = `W/"two"`, `[]`
		}
		view, err := c.Look(context.Background(), incident.HubQuery{Pull: 7})
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, view)
	}
	if diff := cmp.Diff(seen[0].Reviews, seen[1].Reviews); diff != "" || len(seen[0].Reviews) != 1 {
		t.Error("a 304 is not the answer that it confirms:", diff)
	}
	if len(seen[2].Reviews) != 0 {
		t.Error("a changed list was not read anew")
	}
	i := slices.IndexFunc(c.Calls(), func(c Call) bool { return strings.HasSuffix(c.Pattern, "/reviews") })
	want := Call{Method: "GET", Pattern: "/repos/{owner}/{repo}/pulls/{pull_number}/reviews", Count: 3, Unchanged: 1}
	if diff := cmp.Diff(want, c.Calls()[i]); diff != "" {
		t.Error(diff)
	}
}

// TestLookFindsWhomAssignNames: the hub is asked about whoever is named and did not speak, and nobody else is believed.
func TestLookFindsWhomAssignNames(t *testing.T) {
	s := newStage(t)
	s.people()
	comment := func(id int, more string) string {
		return fmt.Sprintf(`{"id": %d, "node_id": "N%d", "user": %s, "created_at": "2026-11-22T10:00:00Z"%s}`, id, id, user(10, "alice"), more)
	}
	s.say("GET "+repo+"/issues/7/comments", 200, `[`+strings.Join([]string{
		comment(30, `, "body": "/assign a @Erin"`), comment(31, `, "body": "/assign a @ghost\n/assign b @taken"`), comment(32, `, "body": "/assign a @аlice"`),
		comment(33, `, "body": "/assign a @bob"`), comment(34, `, "body": "/assign a @heard", "reactions": {"eyes": 1}`), comment(35, `, "body": "/assign a @answered"`),
		`{"id": 36, "node_id": "N36", "user": {"id": 500, "login": "pullbook[bot]", "type": "Bot"}, "body": "no\n\n<!-- pullbook:reply:comment-35 -->"}`,
		comment(37, `, "body": "/assign a @app"`),
		`{"id": 38, "node_id": "N38", "user": ` + user(24, "eve") + `, "body": "/assign a @victim"}`}, ",")+`]`)
	s.say("GET "+repo+"/collaborators/erin/permission", 200, `{"permission": "maintain", "user": `+user(20, "Erin")+`}`)
	s.say("GET "+repo+"/collaborators/taken/permission", 200, `{"permission": "write", "user": `+user(21, "another")+`}`)
	s.say("GET "+repo+"/collaborators/app/permission", 200, `{"permission": "write", "user": {"id": 22, "login": "app", "type": "Bot"}}`)
	s.say("GET "+repo+"/collaborators/frank/permission", 200, `{"permission": "read", "user": `+user(23, "frank")+`}`)
	view, err := s.client().Look(context.Background(), incident.HubQuery{Branch: "incident/a", Pull: 7, People: []string{"Frank"}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]approval.Person{
		"alice": {ID: 10, Login: "alice", Write: true}, "bob": {ID: 11, Login: "bob"}, "erin": {ID: 20, Login: "Erin", Write: true},
		"app": {ID: 22, Login: "app", Write: true, Bot: true}, "frank": {ID: 23, Login: "frank"},
		"eve": {ID: 24, Login: "eve"},
	}
	if d := cmp.Diff(want, view.People); d != "" {
		t.Errorf("people (-want +got):\n%s", d)
	}
	if n := s.count("GET " + repo + "/collaborators/victim/permission"); n != 0 {
		t.Errorf("asked %d times for somebody whom a stranger names", n)
	}
}

// TestLookPlacesWhoPressed: of somebody who pressed a button and did not speak it is known what they may do, and in which teams they
// are; nobody else is asked about.
func TestLookPlacesWhoPressed(t *testing.T) {
	s := newStage(t)
	s.say("GET "+repo+"/pulls/7", 200, pullJSON(""))
	s.say("GET "+repo+"/pulls/7/reviews", 200, `[]`)
	s.say("GET "+repo+"/issues/7/comments", 200, `[]`)
	s.say("GET "+repo+"/collaborators/erin/permission", 200, `{"permission": "write", "user": `+user(20, "Erin")+`}`)
	s.say("GET "+repo+"/collaborators/frank/permission", 200, `{"permission": "read", "user": `+user(23, "frank")+`}`)
	s.say("GET /orgs/acme/teams/sre/members", 200, "["+user(20, "Erin")+"]")
	c := s.client()
	q := incident.HubQuery{Pull: 7, Teams: []string{"acme/sre", "acme/sre"}, People: []string{"Erin"}}
	view, err := c.Look(context.Background(), q)
	want := map[string]approval.Person{"erin": {ID: 20, Login: "Erin", Write: true, Teams: []string{"acme/sre"}}}
	if d := cmp.Diff(want, view.People); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	s.forget()
	q.People = []string{"frank"} // who may not write has no say, whatever their teams
	if view, err = c.Look(context.Background(), q); err != nil || view.People["frank"].Write || s.count("GET /orgs/acme/teams/sre/members") != 0 {
		t.Errorf("%v: %+v\n%s", err, view.People, s.lines())
	}
	s.say("GET /orgs/acme/teams/sre/members", 502, "")
	q.People = []string{"erin"}
	if _, err = c.Look(context.Background(), q); status(err) != 502 {
		t.Errorf("a team that could not be read: %v", err)
	}
}
