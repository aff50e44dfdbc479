package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/github"
	"github.com/pullbook/pullbook/engine/localhub/openapitest"
)

// sample is one example of npm @octokit/webhooks-examples: a delivery as GitHub sent it.
type sample struct {
	name, event string
	body        []byte
	payload     samplePayload
}

// samplePayload is what the engine goes by, read here in a way of its own.
type samplePayload struct {
	Ref        string
	Repository struct {
		FullName string `json:"full_name"`
	}
	PullRequest struct{ Number int } `json:"pull_request"`
	Issue       struct {
		Number      int
		PullRequest *struct{} `json:"pull_request"`
	}
	CheckRun struct {
		CheckSuite checkSample `json:"check_suite"`
	} `json:"check_run"`
	CheckSuite checkSample `json:"check_suite"`
}

type checkSample struct {
	HeadBranch *string `json:"head_branch"`
}

func samples(t *testing.T) []sample {
	t.Helper()
	openapitest.Require(t)
	var events []struct {
		Name     string
		Examples []json.RawMessage
	}
	text, err := os.ReadFile(filepath.Join(os.Getenv(openapitest.Env), "node_modules", "@octokit", "webhooks-examples", "api.github.com", "index.json"))
	if err == nil {
		err = json.Unmarshal(text, &events)
	}
	if err != nil {
		t.Fatal(err)
	}
	var out []sample
	for _, e := range events {
		for i, body := range e.Examples {
			s := sample{name: fmt.Sprintf("%s %d", e.Name, i+1), event: e.Name, body: body}
			if err := json.Unmarshal(body, &s.payload); err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
			out = append(out, s)
		}
	}
	return out
}

// wanted says whether the engine has somewhere to look after this delivery.
func (s sample) wanted() (pull int, wanted bool) {
	p := s.payload
	switch s.event {
	case "pull_request", "pull_request_review":
		return p.PullRequest.Number, true
	case "issue_comment":
		if p.Issue.PullRequest == nil {
			return 0, false
		}
		return p.Issue.Number, true
	case "push":
		return 0, strings.HasPrefix(p.Ref, "refs/heads/")
	case "check_run":
		return 0, p.CheckRun.CheckSuite.HeadBranch != nil
	case "check_suite":
		return 0, p.CheckSuite.HeadBranch != nil
	case "workflow_run":
		return 0, true
	}
	return 0, false
}

// TestGitHubsOwnWebhooks posts every published example, signed, to the engine's receiver: all are accepted, those that
// the engine goes by are noted, and nothing else is.
func TestGitHubsOwnWebhooks(t *testing.T) {
	noted := 0
	for _, s := range samples(t) {
		var hints []github.Hint
		receiver := github.NewWebhook(github.WebhookConfig{
			Secret: []byte("s"), Repository: s.payload.Repository.FullName, OwnSender: "pullbook[bot]",
			Once: func(_ context.Context, _ string, h github.Hint) (bool, error) {
				hints = append(hints, h)
				return true, nil
			},
		})
		if status, answer := post(receiver, s, s.body); status != http.StatusAccepted {
			t.Errorf("%s: %d %s", s.name, status, answer)
		}
		pull, wanted := s.wanted()
		switch {
		case !wanted && len(hints) > 0:
			t.Errorf("%s: noted %+v", s.name, hints)
		case wanted && (len(hints) != 1 || hints[0].Kind != s.event || pull != 0 && hints[0].Pull != pull):
			t.Errorf("%s: noted %+v, want pull request %d", s.name, hints, pull)
		}
		noted += len(hints)
	}
	if noted < 40 {
		t.Errorf("only %d examples were noted: has the package changed?", noted)
	}
}

// TestGitHubsOwnWebhooksDamaged posts the examples cut in half, and with texts in place of numbers.
func TestGitHubsOwnWebhooksDamaged(t *testing.T) {
	receiver := github.NewWebhook(github.WebhookConfig{
		Secret: []byte("s"), Repository: "Codertocat/Hello-World",
		Once: func(context.Context, string, github.Hint) (bool, error) { return true, nil },
	})
	for _, s := range samples(t) {
		if status, answer := post(receiver, s, s.body[:len(s.body)/2]); status != http.StatusBadRequest && s.event != "ping" {
			t.Errorf("%s, cut: %d %s", s.name, status, answer)
		}
		// Numbers become texts: "number": 2 is now "number": "2".
		twisted := regexp.MustCompile(`: ?(\d+)([,}])`).ReplaceAll(s.body, []byte(`: "$1"$2`))
		if status, answer := post(receiver, s, twisted); status != http.StatusBadRequest && status != http.StatusAccepted {
			t.Errorf("%s, twisted: %d %s", s.name, status, answer)
		}
	}
}

// post delivers a body as GitHub would.
func post(receiver http.Handler, s sample, body []byte) (status int, answer string) {
	mac := hmac.New(sha256.New, []byte("s"))
	mac.Write(body)
	r := httptest.NewRequest(http.MethodPost, "/webhooks", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-GitHub-Event", s.event)
	r.Header.Set("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
	r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	w := httptest.NewRecorder()
	receiver.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}
