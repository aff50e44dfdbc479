package github

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/runbook"
)

func TestBlame(t *testing.T) {
	s := newStage(t)
	s.say(graphQL, 200, `{"data": {"repository": {"object": {"f0": {"ranges": [
		{"startingLine": 1, "endingLine": 3, "commit": {"abbreviatedOid": "1a2b3c4",
			"authors": {"totalCount": 2, "nodes": [{"user": {"databaseId": 10, "login": "alice"}}, {"user": null}]},
			"associatedPullRequests": {"nodes": [{"number": 12, "merged": true, "author": {"databaseId": 11, "login": "bob"}},
				{"number": 13, "merged": false, "author": {"databaseId": 12, "login": "carol"}},
				{"number": 14, "merged": true, "author": {"login": "robot"}}, {"number": 15, "merged": true, "author": null}]}}},
		{"startingLine": 4, "endingLine": 4, "commit": {"abbreviatedOid": "5d6e7f8",
			"authors": {"totalCount": 1, "nodes": [{"user": {"databaseId": 10, "login": "alice"}}]}, "associatedPullRequests": {"nodes": []}}},
		{"startingLine": 5, "endingLine": 5, "commit": {"abbreviatedOid": "9",
			"authors": {"totalCount": 11, "nodes": [{"user": {"databaseId": 10, "login": "alice"}}]}, "associatedPullRequests": {"nodes": []}}}
		]}}}}}`)
	got, err := s.client().Blame(context.Background(), "c0ffee", []string{"runbooks/a.cue"})
	if err != nil {
		t.Fatal(err)
	}
	alice := func(commit string) runbook.Author {
		return runbook.Author{ID: 10, Login: "alice", By: "commit " + commit}
	}
	at := func(from, to int) runbook.Lines { return runbook.Lines{File: "runbooks/a.cue", From: from, To: to} }
	want := []runbook.Blame{
		{Lines: at(1, 3), Authors: []runbook.Author{alice("1a2b3c4"), {ID: 11, Login: "bob", By: "pull request 12"}}, Unmapped: true},
		{Lines: at(4, 4), Authors: []runbook.Author{alice("5d6e7f8")}},
		{Lines: at(5, 5), Authors: []runbook.Author{alice("9")}, Unmapped: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	valid(t, s.last(graphQL).body["query"].(string))
}

func TestBlameThatIsNoAnswer(t *testing.T) {
	s := newStage(t)
	for _, body := range []string{`{"data": {"repository": {"object": null}}}`, `{"data": {"repository": null}}`,
		`{"data": {"repository": {"object": {}}}, "errors": [{"type": "NOT_FOUND", "message": "no such path"}]}`} {
		s.say(graphQL, http.StatusOK, body)
		if got, err := s.client().Blame(context.Background(), "c0ffee", []string{"a.cue"}); err == nil {
			t.Errorf("%s was taken as %v", body, got)
		}
	}
	if _, err := s.client().Blame(context.Background(), "a/b", nil); err == nil {
		t.Error("asked for what is no commit")
	}
}
