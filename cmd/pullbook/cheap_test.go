package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/incident"
)

// wideRunbook has 300 steps, of which the first waits for approvals.
func wideRunbook() string {
	var b strings.Builder
	b.WriteString("title: \"Long\"\nmatch: labels: service: \"long\"\nalert: _\nsteps: {\n\tfirst: {approval: {from: [\"acme/sre\"], count: 2}, exec: command: [\"true\"]}\n")
	for i := range 299 {
		fmt.Fprintf(&b, "\ts%03d: {needs: [\"first\"], approval: {from: [\"acme/sre\"], count: 1}, exec: command: [\"true\"]}\n", i)
	}
	return b.String() + "}\n"
}

// TestLookAtALongIncident holds the figure of one look at an incident with 300 steps, 200 comments and 50 reviews: the engine reads at
// most six things of the hub, asks GraphQL once about what is new, and where nothing is new not at all: then every answer is a 304.
func TestLookAtALongIncident(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	t.Parallel()
	ctx := t.Context()
	w, err := newWorld(ctx, stage{dir: t.TempDir(), listen: "127.0.0.1:0", files: map[string]string{"runbooks/long.cue": wideRunbook(), "pullbook.cue": plainPolicy}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	svc, err := w.service(ctx, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer svc.close()
	go func() { // webhooks are taken, and wake nobody
		if err := svc.server.Serve(svc.listener); !errors.Is(err, http.ErrServerClosed) && ctx.Err() == nil {
			t.Error(err)
		}
	}()
	defer svc.server.Close()
	alert, err := json.Marshal(engine.Arrival{Alert: incident.Alert{Source: "test", Group: "long", Name: "Long", Status: incident.Firing,
		Labels: map[string]string{"service": "long"}, Annotations: map[string]string{}, Fingerprint: "f"}})
	if err != nil {
		t.Fatal(err)
	}
	branch := incident.BranchPrefix + incident.Slot("long", "")
	look := func(m engine.Message) (reads, unchanged, asked int) {
		t.Helper()
		before := readsOf(svc)
		if err := svc.engine.Handle(ctx, m); err != nil {
			t.Fatal(err)
		}
		after := readsOf(svc)
		return after[0] - before[0], after[1] - before[1], after[2] - before[2]
	}
	look(engine.Message{Kind: engine.KindAlert, Key: "long", Body: alert})
	number, err := w.pull(ctx, branch)
	if err != nil {
		t.Fatal(err)
	}
	w.discuss(t, number, 199, 49)
	hub := engine.Message{Kind: engine.KindHub, Key: branch}
	look(hub)
	w.discuss(t, number, 1, 1)
	c, err := w.client("carol")
	if err != nil {
		t.Fatal(err)
	}
	if p, _, err := c.PullRequests.Get(ctx, demoOwner, demoName, number); err != nil || p.GetComments() != 200 {
		t.Fatalf("the pull request has %d comments: %v", p.GetComments(), err)
	}
	if reads, _, asked := look(hub); reads > 6 || asked != 1 {
		t.Errorf("a look at what is new took %d reads, %d of them questions of GraphQL", reads, asked)
	}
	look(hub)
	if reads, unchanged, asked := look(hub); reads > 6 || unchanged != reads || asked != 0 {
		t.Errorf("a look at what did not change took %d reads, %d of them 304, and %d questions of GraphQL", reads, unchanged, asked)
	}
}

// readsOf counts what an engine has read of the hub: requests, those answered by 304, and questions of GraphQL.
func readsOf(svc *service) (n [3]int) {
	for _, c := range svc.hub.Calls() {
		switch {
		case c.Pattern == "/graphql":
			n[2] += c.Count
		case c.Method != http.MethodGet:
			continue
		}
		n[0] += c.Count
		n[1] += c.Unchanged
	}
	return n
}

// discuss writes comments and reviews on a pull request, some of them with words that may count.
func (w *world) discuss(t *testing.T, number, comments, reviews int) {
	t.Helper()
	say := func(body string, i int, do func(ctx context.Context, c *github.Client, body string) error) {
		if i%10 != 0 {
			body = "I am looking into it"
		}
		c, err := w.client([]string{"alice", "bob"}[i%2])
		if err == nil {
			err = do(t.Context(), c, body)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range comments {
		say(fmt.Sprintf("/note seen %d", i), i, func(ctx context.Context, c *github.Client, body string) error {
			_, _, err := c.Issues.CreateComment(ctx, demoOwner, demoName, number, &github.IssueComment{Body: &body})
			return err
		})
	}
	for i := range reviews {
		say("/approve first", i, func(ctx context.Context, c *github.Client, body string) error {
			_, _, err := c.PullRequests.CreateReview(ctx, demoOwner, demoName, number, &github.PullRequestReviewRequest{Event: github.String("COMMENT"), Body: &body})
			return err
		})
	}
}
