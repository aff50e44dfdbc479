package clients

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// A bot on probot is a second App on the same hub: it learns of a pull request by webhook and comments on it.
func TestProbot(t *testing.T) {
	t.Parallel() // most of the time the library waits, as GitHub asks it to
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := w.node(ctx, "probot.mjs", fmt.Sprintf("APP_ID=%d", greeterID))
	var log, complaints bytes.Buffer
	cmd.Stderr = &complaints
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && lines.Text() != "ready" {
		fmt.Fprintln(&log, lines.Text())
	}
	if lines.Text() == "ready" {
		w.branches("one", "two")
		w.openPull("bob", "one")
		w.answered("POST /repos/{owner}/{repo}/issues/{number}/comments Created")
		w.openPull("alice", "two")
		w.answered("POST /repos/{owner}/{repo}/issues/{number}/comments Created")
	}
	if err := stdin.Close(); err != nil { // which tells the bot to stop
		t.Error(err)
	}
	for lines.Scan() {
		fmt.Fprintln(&log, lines.Text())
	}
	if err := cmd.Wait(); err != nil || lines.Err() != nil || strings.Contains(log.String(), "ERROR") {
		t.Fatalf("probot: %v %v\n%s%s", err, lines.Err(), log.String(), complaints.String())
	}
	for number, author := range map[int]string{1: "bob", 2: "alice"} {
		w.greeted(number, author)
	}
}

func (w *world) greeted(number int, author string) {
	w.t.Helper()
	var comments []struct {
		Body string
		User struct{ Login, Type string }
	}
	w.call("alice", "GET", fmt.Sprintf("/repos/acme/ops/issues/%d/comments", number), nil, &comments)
	want := fmt.Sprintf("Hello @%s, this changes 1 file.", author)
	if len(comments) != 1 || comments[0].Body != want || comments[0].User.Login != "greeter[bot]" || comments[0].User.Type != "Bot" {
		w.t.Errorf("comments on %d: %+v; want %q", number, comments, want)
	}
}
