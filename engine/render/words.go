package render

import (
	"fmt"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// stamp is an absolute time, for example 2026-11-22 03:04:05 UTC.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + " UTC" }

// lasted is a length of time, as exact as a person wants it.
func lasted(d time.Duration) string {
	switch {
	case d < time.Second:
		d = d.Round(time.Millisecond)
	case d < time.Minute:
		d = d.Round(100 * time.Millisecond)
	default:
		d = d.Round(time.Second)
	}
	return runbook.Span(d)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// ended says in a person's words how an attempt ended.
func ended(c runbook.Conclusion) string {
	switch c {
	case runbook.TimedOut:
		return "timed out"
	case runbook.Unknown:
		return "outcome unknown"
	}
	return string(c)
}

// logins names the people of some votes in the order of the votes.
func logins(votes []approval.Vote) string {
	names := make([]string, len(votes))
	for i, v := range votes {
		names[i] = v.By.Login
	}
	return strings.Join(names, ", ")
}

// gatePath is where the gate page of a step stands in the ledger.
func gatePath(id incident.ID, index int, step string) string {
	return id.Dir() + "/gates/" + runbook.Place(step, index) + ".md"
}

// evidencePath is the directory of what one attempt left behind.
func evidencePath(id incident.ID, index int, step string, attempt int) string {
	return fmt.Sprintf("%s/evidence/%s/%d", id.Dir(), runbook.Place(step, index), attempt)
}
