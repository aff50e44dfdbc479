package github

import (
	"context"
	"fmt"
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
)

// TestWriters: everybody who wrote or committed a part of a pull request is named; what is nobody's whom the hub knows is said.
func TestWriters(t *testing.T) {
	const bob, carol, nobody = `{"user": {"databaseId": 12, "login": "bob"}}`, `{"user": {"databaseId": 13, "login": "carol"}}`, `{"user": null}`
	commit := func(authors, committer string, web bool, total int) string {
		return fmt.Sprintf(`{"commit": {"abbreviatedOid": "1a2b3c4", "committedViaWeb": %t, "committer": %s, "authors": {"totalCount": %d, "nodes": [%s]}}}`, web, committer, total, authors)
	}
	for name, c := range map[string]struct {
		commits string
		total   int
		want    string
	}{
		"one":                   {commit(bob, bob, false, 1), 1, "[{12 bob commit 1a2b3c4} {12 bob commit 1a2b3c4}] \"\""},
		"two authors":           {commit(bob+","+carol, bob, false, 2), 1, "[{12 bob commit 1a2b3c4} {13 carol commit 1a2b3c4} {12 bob commit 1a2b3c4}] \"\""},
		"committed by another":  {commit(bob, carol, false, 1), 1, "[{12 bob commit 1a2b3c4} {13 carol commit 1a2b3c4}] \"\""},
		"on the hub's own page": {commit(bob, nobody, true, 1), 1, "[{12 bob commit 1a2b3c4}] \"\""},
		"an unknown author":     {commit(nobody, bob, false, 1), 1, "[{12 bob commit 1a2b3c4}] \"commit 1a2b3c4\""},
		"an unknown committer":  {commit(bob, nobody, false, 1), 1, "[{12 bob commit 1a2b3c4}] \"commit 1a2b3c4\""},
		"more authors":          {commit(bob, bob, true, 12), 1, "[{12 bob commit 1a2b3c4}] \"commit 1a2b3c4\""},
		"more commits":          {commit(bob, bob, true, 1), 101, "[{12 bob commit 1a2b3c4}] \"one of its 101 commits\""},
		"none":                  {"", 0, "[] \"one of its 0 commits\""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.say(graphQL, 200, fmt.Sprintf(`{"data": {"repository": {"pullRequest": {"headRefOid": "c0ffee", "baseRefName": "incident/a", "commits": {"totalCount": %d, "nodes": [%s]}}}}}`, c.total, c.commits))
			w, err := s.client().Writers(context.Background(), 9)
			if got := fmt.Sprintf("%v %q", w.Authors, w.Unmapped); err != nil || w.Head != "c0ffee" || w.Base != "incident/a" || got != c.want {
				t.Errorf("got %s, %v, want %s", got, err, c.want)
			}
			valid(t, s.last(graphQL).body["query"].(string))
		})
	}
}

// TestClosePull: a pull request is closed without a merge.
func TestClosePull(t *testing.T) {
	s := newStage(t)
	s.say("PATCH "+repo+"/pulls/9", 200, pullJSON(""))
	if err := s.client().Publish(context.Background(), incident.Publication{Pull: 9, Close: true}); err != nil {
		t.Fatal(err)
	}
	if sent := s.last("PATCH " + repo + "/pulls/9").body; sent["state"] != "closed" {
		t.Error(sent)
	}
}
