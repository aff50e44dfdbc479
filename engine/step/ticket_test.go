package step

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/runbook"
)

// board opens one issue for each key.
type board struct {
	byKey map[string]Ticket
	err   error
}

func (b *board) OpenTicket(ctx context.Context, t Ticket) (Opened, error) {
	if b.err != nil {
		return Opened{}, b.err
	}
	if err := ctx.Err(); err != nil {
		return Opened{}, err
	}
	if b.byKey == nil {
		b.byKey = map[string]Ticket{}
	}
	b.byKey[t.Key] = t
	return Opened{Number: 17, URL: fmt.Sprintf("https://hub/acme/ops/issues/%d", 17)}, nil
}

func TestTicket(t *testing.T) {
	b := &board{}
	r := newRunner(t, nil)
	j := job("ticket", map[string]any{"repo": "acme/app", "title": "Look\nat \x1b[2Jweb-1", "body": "It fails.\r\n\x00Often.",
		"labels": []string{"incident"}, "assignees": []string{"alice"}})
	expect(t, r.Run(t.Context(), j, nil), runbook.Failed, "not connected to a hub")
	r.cfg.Tickets = b
	j.HasOutput = true
	got := r.Run(t.Context(), j, nil)
	expect(t, got, runbook.Succeeded, "")
	if string(got.Output) != `{"number":17,"url":"https://hub/acme/ops/issues/17"}` || got.Facts["number"] != "17" {
		t.Errorf("output %s, facts %v", got.Output, got.Facts)
	}
	is := b.byKey["20261122-k3jq5zabcd/deploy"]
	if is.Repo != "acme/app" || is.Title != "Look at web-1" || strings.ContainsAny(is.Body, "\r\x00") || is.Labels[0] != "incident" || is.Assignees[0] != "alice" {
		t.Errorf("opened %+v", is)
	}
	// Another attempt of the step is the same issue.
	j.Key, j.Attempt = "20261122-k3jq5zabcd/deploy/2", 2
	expect(t, r.Run(t.Context(), j, nil), runbook.Succeeded, "")
	if len(b.byKey) != 1 {
		t.Errorf("opened %v", b.byKey)
	}
	set(&j, "title", " \x00")
	expect(t, r.Run(t.Context(), j, nil), runbook.Failed, "the title is empty")
	set(&j, "title", "x")
	b.err = errors.New("the hub answered 410: Issues are disabled for this repo")
	expect(t, r.Run(t.Context(), j, nil), runbook.Failed, "open the issue: the hub answered 410")
}
