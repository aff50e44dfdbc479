package step

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/pullbook/pullbook/engine/runbook"
)

// Tickets opens issues on the hub. Their text comes from elsewhere: it must neither mention nor format there.
type Tickets interface {
	// OpenTicket opens an issue, or returns the one that was opened with the same key before: it may be repeated after any
	// error.
	OpenTicket(ctx context.Context, t Ticket) (Opened, error)
}

// Ticket is an issue to open.
type Ticket struct {
	Key               string // one issue is opened with it: the incident and the step
	Repo              string // owner/name; that of the ledger when empty
	Title, Body       string
	Labels, Assignees []string
}

// Opened is an issue that is there.
type Opened struct {
	Number int    `json:"number"`
	URL    string `json:"url"`
}

// ticket is the work of a ticket: one issue, however often the step is repeated.
type ticket struct {
	Repo      string   `json:"repo"`
	Title     string   `json:"title"`
	Body      string   `json:"body"`
	Labels    []string `json:"labels"`
	Assignees []string `json:"assignees"`
}

// Ticket is the kind that opens an issue.
func (kinds) Ticket() performer { return new(ticket) }

func (w *ticket) names() []string { return nil }

// perform opens the issue. Its output is {"number", "url"}, which are facts as well.
func (w *ticket) perform(ctx stepContext, a *attempt) result {
	if a.cfg.Tickets == nil {
		return failed("open the issue: this runner is not connected to a hub")
	}
	if oneLine(clean(w.Title)) == "" {
		return failed("open the issue: the title is empty")
	}
	t := Ticket{Key: a.job.Incident + "/" + a.job.Step, Repo: w.Repo, Title: oneLine(clean(w.Title)), Body: head(clean(w.Body), longestNotice),
		Labels: w.Labels, Assignees: w.Assignees}
	is, err := a.cfg.Tickets.OpenTicket(ctx, t)
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.ended(err.Error())
	case err != nil:
		return failed("open the issue: %w", err)
	case is.Number <= 0:
		return failed("open the issue: %w", errors.New("the hub named no number"))
	}
	a.facts["number"], a.facts["url"] = strconv.Itoa(is.Number), is.URL
	if !a.job.HasOutput {
		return result{conclusion: runbook.Succeeded}
	}
	output, err := json.Marshal(is)
	if err != nil {
		return failed("write which issue was opened: %w", err) // unreachable: a number and a text are always JSON
	}
	return result{conclusion: runbook.Succeeded, output: output}
}
