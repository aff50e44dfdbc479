package localhub_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/localhub/openapitest"
)

// received is one webhook as go-github checked and parsed it.
type received struct {
	name, action, guid string
	event              any
}

// receiver checks every delivery with go-github and hands it on.
func receiver(t *testing.T) (string, <-chan received) {
	t.Helper()
	got := make(chan received, 1000)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := github.ValidatePayload(r, []byte(secret))
		if err != nil || !strings.HasPrefix(r.UserAgent(), "GitHub-Hookshot/") || r.Header.Get("X-GitHub-Hook-Installation-Target-ID") != "7" {
			t.Errorf("delivery: %v, headers %v", err, r.Header)
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		openapitest.Webhook(t, r.Header, body)
		event, err := github.ParseWebHook(github.WebHookType(r), body)
		if err != nil {
			t.Errorf("parse %s: %v", github.WebHookType(r), err)
		}
		var o struct{ Action string }
		if err := json.Unmarshal(body, &o); err != nil {
			t.Error(err)
		}
		got <- received{github.WebHookType(r), o.Action, github.DeliveryID(r), event}
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, got
}

// next waits for a number of deliveries.
func next(t *testing.T, got <-chan received, n int) []received {
	t.Helper()
	var out []received
	for len(out) < n {
		select {
		case r := <-got:
			out = append(out, r)
		case <-time.After(10 * time.Second):
			t.Fatalf("got %d of %d deliveries: %v", len(out), n, names(out))
		}
	}
	return out
}

func names(list []received) []string {
	var out []string
	for _, r := range list {
		out = append(out, strings.TrimSuffix(r.name+" "+r.action, " "))
	}
	return out
}

func TestWebhooksFollowTheState(t *testing.T) {
	url, got := receiver(t)
	w := newWorld(t, url)
	ctx, dir := t.Context(), w.clone()
	sha := w.commit(dir, "incident/1", "one.txt", "1\n")
	w.openPull("incident/1")
	head := w.commit(dir, "incident/1", "two.txt", "2\n")
	if _, _, err := w.user("bob").PullRequests.CreateReview(ctx, "acme", "ops", 1, &github.PullRequestReviewRequest{Event: github.String("APPROVE")}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.user("bob").Issues.CreateComment(ctx, "acme", "ops", 1, &github.IssueComment{Body: github.String("/ack")}); err != nil {
		t.Fatal(err)
	}
	w.check(head, "pullbook", "success")
	if _, _, err := w.app().PullRequests.Merge(ctx, "acme", "ops", 1, "", nil); err != nil {
		t.Fatal(err)
	}
	list := next(t, got, 15)
	want := []string{
		"create", "push", "check_suite requested", "pull_request opened", "push", "pull_request synchronize", "check_suite requested",
		"pull_request_review submitted", "issue_comment created", "check_run created", "check_run completed", "check_suite completed",
		"pull_request closed", "push", "check_suite requested",
	}
	if !slices.Equal(names(list), want) {
		t.Fatalf("events:\n%v\nwant\n%v", names(list), want)
	}
	checkPayloads(t, list, sha, head)
}

func checkPayloads(t *testing.T, list []received, first, head string) {
	t.Helper()
	push := list[1].event.(*github.PushEvent)
	if push.GetAfter() != first || !push.GetCreated() || push.GetPusher().GetName() != "alice" || push.Commits[0].Added[0] != "one.txt" {
		t.Errorf("push: %v", push)
	}
	sync := list[5].event.(*github.PullRequestEvent)
	if sync.GetBefore() != first || sync.GetAfter() != head || sync.GetPullRequest().GetHead().GetSHA() != head || sync.GetInstallation().GetID() != instID {
		t.Errorf("synchronize: %v", sync)
	}
	review := list[7].event.(*github.PullRequestReviewEvent)
	if review.GetReview().GetState() != "approved" || review.GetSender().GetLogin() != "bob" || review.GetRepo().GetFullName() != "acme/ops" {
		t.Errorf("review: %v", review)
	}
	run := list[10].event.(*github.CheckRunEvent)
	if run.GetCheckRun().GetConclusion() != "success" || run.GetCheckRun().GetCheckSuite().GetHeadSHA() != head || run.GetSender().GetType() != "Bot" {
		t.Errorf("check run: %v", run)
	}
	closed := list[12].event.(*github.PullRequestEvent)
	if !closed.GetPullRequest().GetMerged() {
		t.Errorf("closed: %v", closed)
	}
}

func TestDeliveriesAndRedelivery(t *testing.T) {
	url, got := receiver(t)
	w := newWorld(t, url)
	ctx, apps := t.Context(), w.jwt(appID).Apps
	payload := json.RawMessage(`{"a":1}`)
	if _, _, err := w.app().Repositories.Dispatch(ctx, "acme", "ops", github.DispatchRequestOptions{EventType: "alert", ClientPayload: &payload}); err != nil {
		t.Fatal(err)
	}
	first := next(t, got, 1)[0]
	if first.name != "repository_dispatch" || first.action != "alert" {
		t.Fatalf("dispatch: %v", first)
	}
	var list []*github.HookDelivery
	for len(list) == 0 { // the answer is logged just after the receiver has given it
		var err error
		if list, _, err = apps.ListHookDeliveries(ctx, nil); err != nil {
			t.Fatal(err)
		}
	}
	if list[0].GetGUID() != first.guid || list[0].GetStatusCode() != 202 || list[0].GetEvent() != "repository_dispatch" {
		t.Fatalf("log: %v", list[0])
	}
	// go-github answers 202 with an AcceptedError, which says that the work goes on in the background.
	if _, resp, err := apps.RedeliverHookDelivery(ctx, list[0].GetID()); resp == nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("redeliver: %v", err)
	}
	if again := next(t, got, 1)[0]; again.guid != first.guid || again.name != first.name {
		t.Fatalf("again: %v", again)
	}
	one, _, err := apps.GetHookDelivery(ctx, list[0].GetID())
	if err != nil || one.GetRequest().GetHeaders()["X-GitHub-Event"] != "repository_dispatch" || !strings.Contains(string(one.GetRequest().GetRawPayload()), `"alert"`) {
		t.Fatalf("one delivery: %v %v", one, err)
	}
	if _, _, err := apps.UpdateHookConfig(ctx, &github.HookConfig{URL: github.String(url)}); err != nil {
		t.Fatal(err)
	}
	if ping := next(t, got, 1)[0]; ping.name != "ping" {
		t.Fatalf("ping: %v", ping)
	}
}

func TestSlowReceiverStopsNobody(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(release) })
	w := newWorld(t, srv.URL)
	w.commit(w.clone(), "incident/1", "one.txt", "1\n")
	w.openPull("incident/1") // would wait for ever if deliveries were made in line
}
