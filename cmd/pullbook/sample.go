package main

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/cueval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// lookedUp is what a rehearsal takes from the ledger besides its plan.
type lookedUp struct {
	people []string // users and teams of pullbook.cue
	match  []runbook.Constraint
}

// lookUp reads whom pullbook.cue names, and what a runbook demands of alerts.
func lookUp(ctx context.Context, eval *cueval.Evaluator, s *shelf, name string) (l lookedUp, err error) {
	b := runbook.Batch{Files: s.files, Match: []string{name}}
	if _, there := s.files[runbook.Organisation]; there {
		b.Check = []string{runbook.Organisation}
	}
	all, err := eval.CheckAll(ctx, b)
	for _, c := range all {
		l.people, l.match = append(l.people, c.Facts.People...), append(l.match, c.Facts.Match...)
	}
	return l, err
}

// alert is one that the match takes, if looking at it found one.
func (l lookedUp) alert() (a incident.Alert, ok bool) {
	fields, ok := runbook.Sample(l.match)
	if !ok {
		return a, false
	}
	a = incident.Alert{Labels: map[string]string{}, Annotations: map[string]string{}, StartsAt: time.Now().UTC().Truncate(time.Second)}
	for field, text := range fields {
		group, name, _ := strings.Cut(field, ".")
		switch group {
		case "labels":
			a.Labels[name] = text
		case "annotations":
			a.Annotations[name] = text
		}
	}
	a.Name = cmp.Or(fields["name"], a.Labels["alertname"], "rehearsal")
	a.Source, a.Status = cmp.Or(fields["source"], "generic"), incident.AlertStatus(cmp.Or(fields["status"], string(incident.Firing)))
	a.Fingerprint, a.Group, a.URL = cmp.Or(fields["fingerprint"], "rehearsal"), cmp.Or(fields["group"], "rehearsal"), fields["url"]
	return a, true
}
