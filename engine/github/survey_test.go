package github

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

var survey = SurveyQuestion{Prefix: "incident/", File: ".pullbook/allowed_signers", Teams: []string{"acme/sre", "other/x"}}

func TestSurveyIsInGitHubsSchema(t *testing.T) {
	c := &Client{owner: "acme", repo: "ops"}
	for _, teams := range [][]string{nil, survey.Teams} {
		q, named := c.surveyQuestion(SurveyQuestion{Prefix: "incident/", File: "f", Teams: teams}, "x")
		valid(t, q.Query)
		if len(named) != min(1, len(teams)) {
			t.Errorf("of %v the question names %v", teams, named)
		}
	}
}

// surveyAnswers serves pages of branches, each with a pull request and some reviews.
func surveyAnswers(s *stage, comments, total int, pages ...[]string) {
	s.on(graphQL, func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		vars, _ := s.asked[len(s.asked)-1].body["variables"].(map[string]any)
		s.mu.Unlock()
		page := 0
		if after, ok := vars["after"].(string); ok {
			fmt.Sscanf(after, "p%d", &page)
		}
		var nodes []string
		for _, branch := range pages[page] {
			nodes = append(nodes, fmt.Sprintf(`{"name": %q, "associatedPullRequests": {"nodes": [{"number": 7, "baseRefName": "main", "headRefOid": "c0ffee",
				"labels": {"totalCount": 0, "nodes": []}, "comments": {"totalCount": %d, "nodes": [{"id": "c1", "author": {"login": "alice"}}]}}]}}`, branch, comments))
		}
		fmt.Fprintf(w, `{"data": {"repository": {"defaultBranchRef": {"name": "main"}, "object": {"oid": "abc"},
			"oldest": {"totalCount": %d, "nodes": [{"number": 7, "baseRefName": "main", "headRefName": "fix", "headRefOid": "d00d"}, {"number": 8, "baseRefName": "other"}]},
			"refs": {"pageInfo": {"hasNextPage": %t, "endCursor": "p%d"}, "nodes": [%s]},
			"owner": {"t0": {"members": {"totalCount": 1, "nodes": [{"databaseId": 101}]}}}}}}`,
			total, page+1 < len(pages), page+1, strings.Join(nodes, ","))
	})
}

func TestSurveyAsksOnceAHundredBranches(t *testing.T) {
	s := newStage(t)
	surveyAnswers(s, 1, 2, []string{"a", "b"}, []string{"incident/c"})
	c := s.client()
	got, err := c.Survey(t.Context(), survey)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Talk) != 3 || got.Talk["incident/a"] == "" || got.Talk["incident/c"] != got.Talk["incident/a"] || got.Members["acme/sre"] == "" || got.File != "abc" || got.DefaultBranch != "main" {
		t.Errorf("surveyed %+v", got)
	}
	if !got.Whole || len(got.Proposals) != 1 || got.Proposals[0].Head != "d00d" {
		t.Errorf("proposals %+v", got.Proposals)
	}
	if n := s.count(graphQL); n != 2 {
		t.Errorf("%d questions for two pages", n)
	}
}

// TestSurveySaysWhatItDoesNotKnow gives lists of which it sees a part only.
func TestSurveySaysWhatItDoesNotKnow(t *testing.T) {
	s := newStage(t)
	surveyAnswers(s, 101, 201, []string{"a"})
	got, err := s.client().Survey(t.Context(), survey)
	if err != nil || got.Talk["incident/a"] != "" || got.Whole {
		t.Errorf("surveyed %+v, %v", got, err)
	}
	s.say(graphQL, 200, `{"data": {"repository": null}}`)
	if _, err := s.client().Survey(t.Context(), survey); err == nil {
		t.Error("a repository that is not shown was surveyed")
	}
}

func TestReachAsksForNothing(t *testing.T) {
	s := newStage(t)
	cfg := s.config()
	cfg.InstallationID = 99
	c, err := Reach(t.Context(), cfg)
	if err != nil || s.lines() != "" {
		t.Fatalf("asked %s, %v", s.lines(), err)
	}
	if err := c.Meet(t.Context()); err != nil || c.Bot() != "pullbook[bot]" || c.DefaultBranch() != "main" {
		t.Errorf("met %q on %q: %v", c.Bot(), c.DefaultBranch(), err)
	}
	cfg.InstallationID = 0
	s.forget()
	if _, err := Reach(t.Context(), cfg); err != nil || s.lines() != "GET "+repo+"/installation" {
		t.Errorf("asked %s, %v", s.lines(), err)
	}
}
