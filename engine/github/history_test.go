package github

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
)

func review(id int, body string) string {
	return fmt.Sprintf(`{"id": %d, "node_id": "R%d", "user": %s, "state": "APPROVED", "commit_id": "c0ffee", "body": %q}`,
		id, id, user(10, "alice"), body)
}

func comment(id int, body, updated string) string {
	return fmt.Sprintf(`{"id": %d, "node_id": "C%d", "user": %s, "body": %q, "created_at": "2026-11-22T10:00:00Z", "updated_at": %q}`,
		id, id, user(10, "alice"), body, updated)
}

// conversation fills the stage with reviews and comments of alice's, who may write.
func (s *stage) conversation(reviews, comments string) {
	s.say("GET "+repo+"/pulls/7", 200, pullJSON(""))
	s.say("GET "+repo+"/pulls/7/reviews", 200, "["+reviews+"]")
	s.say("GET "+repo+"/issues/7/comments", 200, "["+comments+"]")
	s.say("GET "+repo+"/collaborators/alice/permission", 200, `{"permission": "write", "user": `+user(10, "alice")+`}`)
}

func (s *stage) look(c *Client, teams ...string) incident.HubView {
	s.t.Helper()
	view, err := c.Look(context.Background(), incident.HubQuery{Pull: 7, Teams: teams})
	if err != nil {
		s.t.Fatal(err)
	}
	return view
}

func TestLookTellsWhatWasEdited(t *testing.T) {
	const never, later = "2026-11-22T10:00:00Z", "2026-11-22T11:00:00Z"
	s := newStage(t)
	s.conversation(review(1, "/approve a")+","+review(2, "/approve b")+","+review(3, "looks good")+","+review(4, "/approve d"),
		comment(1, "/ack", later)+","+comment(2, "/ack", never)+","+comment(3, "hello", later))
	s.say("GET "+repo+"/pulls/7/reviews", 200, "["+review(1, "/approve a")+","+review(2, "/approve b")+","+
		review(3, "looks good")+","+strings.Replace(review(4, "/approve d"), "R4", "gone4", 1)+"]")
	s.history("R2", "R3", "C2", "C3")
	view := s.look(s.client())
	var got []bool
	for _, r := range view.Reviews {
		got = append(got, r.Edited)
	}
	for _, m := range view.Comments {
		got = append(got, m.Edited)
	}
	// R2 and C2 were edited; C1 was only updated; R3 approves, whatever it says; C3 has no words that could count; the fourth review is gone.
	if want := fmt.Sprint([]bool{false, true, true, true, false, true, false}); fmt.Sprint(got) != want {
		t.Errorf("edited: %v, want %v", got, want)
	}
}

func TestWordsAreAskedAboutOnce(t *testing.T) {
	const at = "2026-11-22T10:00:00Z"
	s := newStage(t)
	s.conversation(review(1, "/approve a")+","+review(2, "/approve gone"), comment(1, "/ack", at))
	c := s.client()
	s.look(c)
	s.look(c)
	if n := s.count(graphQL); n != 1 {
		t.Fatalf("asked %d times about the same words", n)
	}
	// Other words are another question, of one text alone, and its answer is about these words.
	s.conversation(review(1, "/approve b")+","+review(2, "/approve gone"), comment(1, "/ack", at))
	s.history("R1")
	view := s.look(c)
	if n := s.count(graphQL); n != 2 || !view.Reviews[0].Edited || view.Reviews[1].Edited {
		t.Errorf("asked %d times: %+v", n, view.Reviews)
	}
	if ids := fmt.Sprint(s.last(graphQL).body["variables"]); ids != "map[n0:[R1]]" {
		t.Errorf("asked about %s", ids)
	}
	// The first words again: they are what was submitted, whatever stood there meanwhile.
	s.conversation(review(1, "/approve a")+","+review(2, "/approve gone"), comment(1, "/ack", at))
	if view = s.look(c); s.count(graphQL) != 2 || view.Reviews[0].Edited {
		t.Errorf("%+v", view.Reviews)
	}
}

// TestOnlyOurMarkCounts: what anybody reacted to a comment says nothing. The App's own mark is remembered, and after a restart it
// is read with the answer about the words.
func TestOnlyOurMarkCounts(t *testing.T) {
	const at = "2026-11-22T10:00:00Z"
	s := newStage(t)
	ours := strings.Replace(comment(2, "/ack", at), "C2", "own2", 1)
	theirs := strings.Replace(comment(1, "/ack", at), `"body"`, `"reactions": {"eyes": 3}, "body"`, 1)
	s.conversation("", theirs+","+ours)
	s.history()
	c := s.client()
	view := s.look(c)
	if view.Comments[0].Seen || !view.Comments[1].Seen {
		t.Errorf("marked: %t by others, %t by the App", view.Comments[0].Seen, view.Comments[1].Seen)
	}
	for _, refused := range []int{201, 403} { // where the hub takes no mark, none is given again and again
		s.say("POST "+repo+"/issues/comments/1/reactions", refused, `{}`)
		c = s.client()
		if err := c.Publish(context.Background(), incident.Publication{Pull: 7, React: 1}); err != nil {
			t.Fatal(err)
		}
		if view = s.look(c); !view.Comments[0].Seen {
			t.Errorf("after %d the mark is forgotten", refused)
		}
	}
}

func TestNoLookWithoutEditHistory(t *testing.T) {
	s := newStage(t)
	s.conversation(review(1, "/approve a"), "")
	s.say(graphQL, 200, `{"data": {"n0": []}}`)
	c := s.client()
	if view, err := c.Look(context.Background(), incident.HubQuery{Pull: 7}); err == nil || len(view.Reviews) > 0 {
		t.Errorf("an answer that does not fit the question was taken: %v", view.Reviews)
	}
	s.history()
	if view := s.look(c); view.Reviews[0].Edited {
		t.Error("a failed question left a memory")
	}
}

func TestTeamsComeWithTheAnswer(t *testing.T) {
	s := newStage(t)
	s.conversation(review(1, "/approve a"), "")
	s.teams = map[string]any{"sre": team(0, 10, 11), "large": team(1, 11)}
	for _, slug := range []string{"sre", "large"} {
		s.say("GET /orgs/acme/teams/"+slug+"/members", 200, `[`+user(10, "alice")+`]`)
	}
	c := s.client()
	view := s.look(c, "acme/sre", "acme/large", "acme/gone", "other/sre")
	if got := fmt.Sprint(view.Reviews[0].By.Teams); got != "[acme/sre acme/large]" {
		t.Error(got)
	}
	if s.count("GET /orgs/acme/teams/sre/members") != 0 || s.count("GET /orgs/acme/teams/large/members") != 1 {
		t.Error(s.lines())
	}
	s.forget()
	s.say("GET /orgs/acme/teams/sre/members", 200, `[]`)
	if view = s.look(c, "acme/sre"); len(view.Reviews[0].By.Teams) != 0 || s.count(graphQL) != 0 {
		t.Errorf("who left a team still counts, or GraphQL was asked without need: %v", view.Reviews[0].By)
	}
}

func TestWritersAreListedWhereTheyFitOnAPage(t *testing.T) {
	s := newStage(t)
	s.people()
	s.say("GET "+repo+"/collaborators", 200, `[{"id": 10, "login": "alice", "permissions": {"pull": true, "push": true}},
		{"id": 11, "login": "bob", "permissions": {"pull": true, "push": false}}]`)
	c := s.client()
	view := s.look(c)
	if !view.Reviews[0].By.Write || view.Reviews[1].By.Write || view.Comments[0].By.Write {
		t.Errorf("%+v", view)
	}
	if n := s.count("GET " + repo + "/collaborators/alice/permission"); n != 0 {
		t.Errorf("asked %d times about alice alone", n)
	}
	s.on("GET "+repo+"/collaborators", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", `<`+s.url+repo+`/collaborators?page=2&per_page=100>; rel="next"`)
		w.Write([]byte(`[{"id": 11, "login": "bob", "permissions": {"push": true}}]`))
	})
	if view = s.look(c); !view.Reviews[0].By.Write || view.Reviews[1].By.Write {
		t.Errorf("a first page that is not all was taken for all: %+v", view)
	}
}

// TestLookIsCheap holds the figure of one look at a large incident: at most 6 reads, and where nothing changed only 304.
func TestLookIsCheap(t *testing.T) {
	s := newStage(t)
	var reviews, comments []string
	for i := range 50 {
		reviews = append(reviews, strings.ReplaceAll(review(i, fmt.Sprintf("/approve step%d", i)), user(10, "alice"), user(int64(10+i), fmt.Sprint("p", i))))
	}
	for i := range 200 {
		comments = append(comments, comment(i, "/note done", "2026-11-22T10:00:00Z"))
	}
	s.tagged("GET "+repo+"/pulls/7", func(string) string { return pullJSON(`, "comments": 200`) })
	s.tagged("GET "+repo+"/pulls/7/reviews", func(string) string { return "[" + strings.Join(reviews, ",") + "]" })
	s.tagged("GET "+repo+"/issues/7/comments", func(page string) string {
		some := map[string][]string{"1": comments[:100], "2": comments[100:]}[page]
		return "[" + strings.Join(some, ",") + "]"
	})
	s.tagged("GET "+repo+"/collaborators", func(string) string { return "[" + user(10, "alice") + "]" })
	s.tagged("GET /orgs/acme/teams/sre/members", func(string) string { return "[" + user(10, "alice") + "]" })
	s.teams = map[string]any{"sre": team(0, 10)}
	c := s.client()
	view := s.look(c, "acme/sre")
	if len(view.Reviews) != 50 || len(view.Comments) != 200 {
		t.Fatalf("saw %d reviews and %d comments", len(view.Reviews), len(view.Comments))
	}
	if n := strings.Count(s.lines(), "\n") + 1; n > 6 || s.count(graphQL) != 1 {
		t.Errorf("the first look took %d reads:\n%s", n, s.lines())
	}
	s.look(c, "acme/sre") // reads the team by REST for the first time
	s.forget()
	before := unchanged(c)
	s.look(c, "acme/sre")
	n := strings.Count(s.lines(), "\n") + 1
	if n > 6 || unchanged(c)-before != n || s.count(graphQL) != 0 {
		t.Errorf("a look at what did not change took %d reads, %d of them 304:\n%s", n, unchanged(c)-before, s.lines())
	}
}

// tagged answers with an ETag, and with 304 where it is known.
func (s *stage) tagged(line string, body func(page string) string) {
	s.on(line, func(w http.ResponseWriter, r *http.Request) {
		page := r.URL.Query().Get("page")
		w.Header().Set("ETag", `"`+page+`"`)
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		if page == "1" && strings.HasSuffix(line, "/comments") {
			w.Header().Set("Link", `<`+s.url+r.URL.Path+`?page=2&per_page=100>; rel="next"`)
		}
		fmt.Fprint(w, body(page))
	})
}

func unchanged(c *Client) (n int) {
	for _, call := range c.Calls() {
		n += call.Unchanged
	}
	return n
}
