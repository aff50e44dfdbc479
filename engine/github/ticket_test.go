package github

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

const issues = repo + "/issues"

func issueJSON(number, body, user, more string) string {
	return `{"number": ` + number + `, "html_url": "https://hub/acme/ops/issues/` + number + `", "body": "` + body + `", "user": {"id": ` + user + `}` + more + `}`
}

func TestOpenIssue(t *testing.T) {
	s := newStage(t)
	c := s.client()
	s.say("GET "+issues, 200, "["+issueJSON("3", "of another", "500", "")+","+issueJSON("4", "MARK", "666", "")+","+
		issueJSON("6", "of another, with an alert that says MARK", "500", "")+","+
		issueJSON("5", "MARK", "500", `, "pull_request": {"url": "x"}`)+"]")
	s.say("POST "+issues, 201, issueJSON("7", "MARK", "500", ""))
	n := NewIssue{Title: strings.Repeat("é", 300), Body: "MARK\nwords", Mark: "MARK", Labels: []string{"incident"}, Assignees: []string{"alice"}}
	number, url, err := c.OpenIssue(context.Background(), n)
	if number != 7 || url != "https://hub/acme/ops/issues/7" || err != nil {
		t.Errorf("%d, %q, %v", number, url, err)
	}
	sent := s.last("POST " + issues).body
	if sent["body"] != "MARK\nwords" || len(sent["title"].(string)) > maxTitle || sent["labels"].([]any)[0] != "incident" || sent["assignees"].([]any)[0] != "alice" {
		t.Error(sent)
	}
	if q := s.last("GET " + issues).query; !strings.Contains(q, "state=all") || !strings.Contains(q, "creator=pullbook%5Bbot%5D") || !strings.Contains(q, "direction=desc") {
		t.Error(q)
	}
	// What is there already is found, whoever edited its other words, and not opened again.
	s.say("GET "+issues, 200, "["+issueJSON("9", "MARK edited", "500", "")+"]")
	s.say("POST "+issues, 500, "{}")
	if number, _, err := c.OpenIssue(context.Background(), n); number != 9 || err != nil {
		t.Errorf("%d, %v", number, err)
	}
}

func TestOpenIssueElsewhere(t *testing.T) {
	s := newStage(t)
	c := s.client()
	const app = "/repos/acme/app"
	s.say("GET "+app+"/issues", 200, "[]")
	s.say("POST "+app+"/issues", 410, `{"message": "Issues are disabled for this repo"}`)
	_, _, err := c.OpenIssue(context.Background(), NewIssue{Repo: "acme/app", Title: "t", Body: "b", Mark: "b"})
	if want := "open an issue in acme/app: the hub answered 410: Issues are disabled for this repo"; err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	names := s.last("POST /app/installations/99/access_tokens").body["repositories"].([]any)
	if len(names) != 1 || names[0] != "app" {
		t.Errorf("the token is for %v", names)
	}
	for _, repo := range []string{"other/app", "acme/..", "acme", "acme/a b"} {
		if _, _, err := c.OpenIssue(context.Background(), NewIssue{Repo: repo, Title: "t"}); err == nil || !strings.Contains(err.Error(), "installed on acme") {
			t.Errorf("%s: %v", repo, err)
		}
	}
	// The look ends after three pages.
	pages := 0
	s.on("GET "+issues, func(w http.ResponseWriter, r *http.Request) {
		pages++
		w.Header().Set("Link", `<`+s.url+issues+`?page=9>; rel="next"`)
		_, _ = w.Write([]byte("[]"))
	})
	s.say("POST "+issues, 201, issueJSON("7", "x", "500", ""))
	if number, _, err := c.OpenIssue(context.Background(), NewIssue{Title: "t", Mark: "m"}); number != 7 || err != nil || pages != ticketPages {
		t.Errorf("%d, %v after %d pages", number, err, pages)
	}
}
