package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/gitstore"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// TestRefusals posts what must be refused at the door: each gets its status and a sentence, and nothing of it is stored,
// neither in the inbox nor on the hub.
func TestRefusals(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{})
	s.setToken(t, "only-this-one")
	s.serve(t)
	for _, r := range s.refusals(t) {
		t.Run(r.name, func(t *testing.T) {
			status, answer := s.post(t, r.parcel)
			if status != r.status || !strings.Contains(answer, r.says) {
				t.Errorf("answered %d %q, want %d and %q", status, answer, r.status, r.says)
			}
		})
	}
	t.Run("a replayed delivery", func(t *testing.T) { s.replay(t) })
	s.end(syscall.SIGTERM)
	if n := s.storedAlerts(t); n != 0 {
		t.Errorf("the inbox holds %d alerts, want none", n)
	}
	if branches := s.pullBranches(t); len(branches) > 0 {
		t.Errorf("there are pull requests of %v, want none", branches)
	}
	if heads := s.branches(t); len(heads) != 1 {
		t.Errorf("the ledger has branches %v, want the default one alone", heads)
	}
}

type refusalCase struct {
	name   string
	parcel parcel
	status int
	says   string
}

func (s *scene) refusals(t *testing.T) []refusalCase {
	t.Helper()
	generic := func(body string) parcel { return parcel{path: "/alerts/generic", body: []byte(body)} }
	am := func(body string) parcel { return parcel{path: "/alerts/alertmanager", body: []byte(body)} }
	with := func(p parcel, name, value string) parcel { p.header = map[string]string{name: value}; return p }
	good := `{"name": "x", "labels": {"service": "checkout"}}`
	big := `{"name": "` + strings.Repeat("x", 1<<20) + `"}`
	event := s.delivery(t, "forged", []byte(`{"repository": {"full_name": "acme/ops"}, "ref": "refs/heads/main"}`))
	tampered := event
	tampered.body = append([]byte(" "), event.body...)
	return []refusalCase{
		{"no JSON", generic(`name: x`), 400, "body"},
		{"cut JSON", generic(good[:20]), 400, "body"},
		{"an unknown field", generic(`{"nmae": "x"}`), 400, "nmae"},
		{"no name", generic(`{"labels": {}}`), 400, "name"},
		{"a label that is no text", generic(`{"name": "x", "labels": {"a": 1}}`), 400, "labels"},
		{"another version of Alertmanager", am(`{"version": "5", "receiver": "r", "groupKey": "k", "status": "firing", "alerts": [{}]}`), 400, "version"},
		{"a group without alerts", am(`{"version": "4", "receiver": "r", "groupKey": "k", "status": "firing", "alerts": []}`), 400, "alerts"},
		{"an alert of more than 1 MiB", generic(big), 413, "larger than"},
		{"an unknown source", parcel{path: "/alerts/pigeon", body: []byte(good)}, 404, "no such source"},
		{"a wrong token", with(generic(good), "Authorization", "Bearer guess"), 401, "bearer token"},
		{"no token", with(generic(good), "Authorization", ""), 401, "Authorization"},
		{"a compressed alert", with(generic(good), "Content-Encoding", "gzip"), 415, "Content-Encoding"},
		{"an order with a wrong token", with(parcel{path: "/open", body: []byte(`{}`)}, "Authorization", "Bearer guess"), 401, "token"},
		{"an order for nothing", parcel{path: "/open", body: []byte(`{"alert": {"name": "x"}}`)}, 400, "must name a runbook"},
		{"an order with an unknown field", parcel{path: "/open", body: []byte(`{"runbook": "triage", "force": true}`)}, 400, "force"},
		{"an order with a wrong alert", parcel{path: "/open", body: []byte(`{"runbook": "triage", "alert": {"group": "g"}}`)}, 400, "name: is missing"},
		{"an order of more than 1 MiB", parcel{path: "/open", body: []byte(`{"runbook": "` + big[10:])}, 413, "larger than"},
		{"a webhook without a signature", with(event, "X-Hub-Signature-256", ""), 401, "signature"},
		{"a webhook with a wrong signature", with(event, "X-Hub-Signature-256", "sha256="+strings.Repeat("0", 64)), 401, "signature"},
		{"a webhook whose body was changed", tampered, 401, "signature"},
		{"a webhook of more than 1 MiB", parcel{path: "/webhooks", body: make([]byte, 1<<20+1)}, 413, "larger than"},
	}
}

// delivery is a webhook as the hub signs it.
func (s *scene) delivery(t *testing.T, id string, body []byte) parcel {
	t.Helper()
	secret, err := os.ReadFile(filepath.Join(s.world.dir, "webhook.secret"))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return parcel{path: "/webhooks", body: body, header: map[string]string{"X-GitHub-Event": "push", "X-GitHub-Delivery": id,
		"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac.Sum(nil))}}
}

// replay sends one delivery twice: the second time it is no news.
func (s *scene) replay(t *testing.T) {
	t.Helper()
	body := fmt.Sprintf(`{"repository": {"full_name": "acme/ops"}, "installation": {"id": %d}, "ref": "refs/heads/incident/none"}`, demoInstallation)
	p := s.delivery(t, "7d2e4c1a-0000-4000-8000-000000000001", []byte(body))
	for _, want := range []string{"noted\n", "was here before\n"} {
		if status, answer := s.post(t, p); status != http.StatusAccepted || answer != want {
			t.Errorf("the delivery was answered %d %q, want 202 %q", status, answer, want)
		}
	}
}

// storedAlerts counts the alerts that the inbox of a stopped engine still has to handle.
func (s *scene) storedAlerts(t *testing.T) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.world.dir, "engine", "inbox.sqlite")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow("SELECT count(*) FROM message WHERE kind = 'alert'").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// branches lists the branches of the ledger.
func (s *scene) branches(t *testing.T) (names []string) {
	t.Helper()
	c, err := s.world.client("carol")
	if err != nil {
		t.Fatal(err)
	}
	found, _, err := c.Repositories.ListBranches(t.Context(), demoOwner, demoName, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range found {
		names = append(names, b.GetName())
	}
	return names
}

// gated is a runbook with one step behind a gate, which needs nothing of the world.
const gated = `title: "One step behind a gate"
match: labels: service: "gated"
alert: _
steps: change: {
	title: "Change nothing behind a gate"
	approval: {from: ["acme/sre"], count: 1}
	exec: command: ["true"]
}
`

// broken holds a misspelled field.
const broken = `title: "Disk is full"
match: labels: service: "disk"
steps: usage: {
	risk: "read"
	exec: command: ["true"]
	whne: true
}
`

// TestBadDays gives one engine many incidents that go wrong, side by side.
func TestBadDays(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{files: map[string]string{"runbooks/gated.cue": gated, "runbooks/disk.cue": broken,
		"runbooks/hostile.cue": hostileRunbook, "runbooks/misbehave.cue": misbehaving, "runbooks/slow.cue": slow}})
	s.serve(t)
	for name, story := range map[string]func(*testing.T, *scene){
		"a broken runbook": brokenRunbook, "a hostile alert": hostileAlert, "steps that misbehave": stepsMisbehave,
		"cancelled while it runs": cancelRunning, "a review on an older commit": olderReview, "twins and a repeat": twins,
		"resolved before it ended": resolvedEarly,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, s)
		})
	}
}

// brokenRunbook: the alert is not lost; triage takes it, and the pull request says what is wrong and where.
func brokenRunbook(t *testing.T, s *scene) {
	group := s.raise(t, alarm{Name: "DiskFull", Labels: map[string]string{"service": "disk"}})
	seen := s.await(t, group, "triage opens", func(v sight) bool { return has[incident.Opened](v) })
	opened, _ := find[incident.Opened](seen)
	if !strings.HasSuffix(opened.Runbook, "runbooks/triage.cue") {
		t.Errorf("opened with %s, want triage", opened.Runbook)
	}
	if text := strings.Join(opened.Problems, "\n"); !strings.Contains(text, "runbooks/disk.cue:6:2") || !strings.Contains(text, "whne") {
		t.Errorf("the recorded problems do not name the place: %q", opened.Problems)
	}
	body := seen.pull.GetBody()
	if !strings.Contains(body, "A runbook could not be used: ") || !strings.Contains(body, "disk.cue") {
		t.Errorf("the pull request does not say what is wrong with the runbook:\n%s", body)
	}
}

// olderReview: an approval that was given when the gate was not open yet starts nothing, and the pull request says so.
func olderReview(t *testing.T, s *scene) {
	group := s.raise(t, alarm{Name: "Older", Labels: map[string]string{"service": "gated"}})
	seen := s.await(t, group, "the gate opens", func(v sight) bool { return has[incident.GateOpened](v) })
	number := seen.pull.GetNumber()
	c, err := s.world.client("alice")
	if err != nil {
		t.Fatal(err)
	}
	commits, _, err := c.PullRequests.ListCommits(t.Context(), demoOwner, demoName, number, nil)
	if err != nil {
		t.Fatal(err)
	}
	review := github.PullRequestReviewRequest{CommitID: commits[0].SHA, Event: github.String("APPROVE"), Body: github.String("/approve change")}
	if len(commits) < 2 {
		t.Fatalf("the gate opened in the first of %d commits: there is no older one", len(commits))
	}
	if _, _, err := c.PullRequests.CreateReview(t.Context(), demoOwner, demoName, number, &review); err != nil {
		t.Fatal(err)
	}
	seen = s.await(t, group, "the pull request says why it does not count", func(v sight) bool {
		return strings.Contains(v.pull.GetBody(), "the gate was not open at its commit")
	})
	if seen.started("change") || has[incident.GateApproved](seen) {
		t.Error("an approval of an older commit opened the gate")
	}
	if err := s.world.review(t.Context(), "alice", number, "/approve change"); err != nil {
		t.Fatal(err)
	}
	s.await(t, group, "a new approval opens it", sight.merged)
}

// twins: two alerts of one group at the same instant become one pull request that records both; an exact repeat adds
// nothing to it.
func twins(t *testing.T, s *scene) {
	of := func(host string) alarm {
		return alarm{Name: "Twins", Group: "twins", Labels: map[string]string{"service": "gated", "host": host}}
	}
	var both sync.WaitGroup
	groups := make([]string, 2)
	for i := range groups {
		both.Go(func() { groups[i] = s.raise(t, of(fmt.Sprint("host-", i))) })
	}
	both.Wait()
	if groups[0] != groups[1] {
		t.Fatalf("two groups %v, want one", groups)
	}
	seen := s.await(t, groups[0], "both are recorded", func(v sight) bool {
		return has[incident.AlertUpdated](v) && has[incident.GateOpened](v)
	})
	before := seen.pull.GetNumber()
	commits := s.commits(t, before)
	s.raise(t, of("host-0"))
	s.raise(t, of("host-2"))
	seen = s.await(t, groups[0], "the third is recorded", func(v sight) bool { return count[incident.AlertUpdated](v) >= 2 })
	if n := count[incident.AlertUpdated](seen); n != 2 || s.commits(t, before) != commits+1 {
		t.Errorf("%d notifications beyond the first in %d commits, want 2 in %d: a repeat says nothing new", n, s.commits(t, before), commits+1)
	}
}

func (s *scene) commits(t *testing.T, number int) int {
	t.Helper()
	c, err := s.world.client("carol")
	if err != nil {
		t.Fatal(err)
	}
	commits, _, err := c.PullRequests.ListCommits(t.Context(), demoOwner, demoName, number, nil)
	if err != nil {
		t.Fatal(err)
	}
	return len(commits)
}

// resolvedEarly: what a person said to be over can still be reported as resolved by the monitoring tool.
func resolvedEarly(t *testing.T, s *scene) {
	a := alarm{Name: "Resolved", Labels: map[string]string{"service": "gated"}}
	group := s.raise(t, a)
	seen := s.await(t, group, "the gate opens", func(v sight) bool { return has[incident.GateOpened](v) })
	if err := s.world.comment(t.Context(), "bob", seen.pull.GetNumber(), "/resolve"); err != nil {
		t.Fatal(err)
	}
	s.await(t, group, "the problem is over", func(v sight) bool { return has[incident.Mitigated](v) })
	a.Status = "resolved"
	s.raise(t, a)
	s.await(t, group, "the resolution is recorded", func(v sight) bool { return has[incident.AlertUpdated](v) })
}

// ledgerFiles reads the directory of an incident at a pull request's head.
func (s *scene) ledgerFiles(t *testing.T, v sight, group string) map[string][]byte {
	t.Helper()
	clone, err := gitstore.OpenClone(s.world.bareRepo())
	if err != nil {
		t.Fatal(err)
	}
	defer clone.Close()
	_, files := incidentFiles(clone, v.pull.GetHead().GetSHA(), incident.Slot(group, ""))
	return files
}

// conclusion is how a step's latest attempt ended, empty while it has not.
func (s sight) conclusion(step string) runbook.Conclusion {
	end, _ := s.ended(step)
	return end.Conclusion
}

// TestOrderWithoutToken: without a token only a program on this machine may order, not what a tunnel hands on.
func TestOrderWithoutToken(t *testing.T) {
	for header, may := range map[string]bool{"": true, "Origin": false, "X-Forwarded-For": false} {
		r := httptest.NewRequest(http.MethodPost, "/open", nil)
		r.RemoteAddr = "127.0.0.1:40000"
		if header != "" {
			r.Header.Set(header, "192.0.2.1")
		}
		if got := mayOrder(r, nil); got != may {
			t.Errorf("with the header %q: %v, want %v", header, got, may)
		}
	}
}
