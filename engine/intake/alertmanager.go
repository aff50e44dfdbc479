package intake

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
)

const alertname = "alertname" // the label that names an alert in Prometheus

// leftOut is the annotation that counts what a notification held beyond the bounds. Prometheus's own names hold no dot.
const leftOut = "pullbook.cut"

// parseAlertmanager reads template.Data with its version, groupKey and truncatedAlerts, as notify/webhook of
// Alertmanager writes it.
func parseAlertmanager(root any) ([]incident.Alert, error) {
	f := fieldsOf("", root)
	if v := f.text("version"); v != "4" {
		f.fail("version", "is "+quote(v), `only version "4" of Alertmanager's webhook is known`)
	}
	receiver, groupKey := f.required("receiver"), f.required("groupKey")
	a := incident.Alert{Source: Alertmanager, Status: f.status("status"), Group: digest(Alertmanager, receiver, groupKey)}
	common, commonNotes := f.texts("commonLabels"), f.texts("commonAnnotations")
	externalURL, truncated := f.text("externalURL"), f.count("truncatedAlerts")
	items := f.list("alerts")
	if len(items) == 0 {
		f.fail("alerts", "is empty", "a notification holds at least one alert")
	}
	members := make([]amMember, 0, len(items))
	for i, item := range items {
		if f.err != nil {
			break
		}
		var m amMember
		m, f.err = memberOf(fmt.Sprintf("alerts[%d]", i), item)
		members = append(members, m)
	}
	if f.err != nil {
		return nil, f.err
	}
	if truncated > 0 {
		// Alertmanager takes the status from the members that it sends: those it does not send may still fire.
		a.Status = incident.Firing
	}
	slices.SortStableFunc(members, byUrgency)
	a.Fingerprint = a.Group[:16]
	a.Name = groupName(common, members)
	if a.Name == "" {
		a.Name = line(receiver, MaxName)
	}
	a.URL = firstLink(members, externalURL)
	started(&a, members)
	a.Cut = truncated + max(0, len(members)-MaxMembers)
	keep(&a, common, commonNotes, members[:min(len(members), MaxMembers)])
	return []incident.Alert{a}, nil
}

// amMember is a member as received, its text not yet cleaned.
type amMember struct {
	incident.Member
	generatorURL string
}

func memberOf(place string, v any) (amMember, error) {
	f := fieldsOf(place, v)
	m := amMember{generatorURL: f.text("generatorURL")}
	m.Status, m.StartsAt = f.status("status"), f.moment("startsAt")
	m.Labels, m.Annotations = f.texts("labels"), f.texts("annotations")
	m.Fingerprint = line(f.text("fingerprint"), MaxFingerprint)
	if m.Fingerprint == "" {
		m.Fingerprint = digest(pairs(m.Labels)...)[:16]
	}
	return m, f.err
}

// byUrgency puts what fires before what is over, so that a bound cuts the latter first; within each the order depends on
// the alerts alone, so that a repeat of a notification reads the same.
func byUrgency(a, b amMember) int {
	return cmp.Or(
		cmp.Compare(a.Status, b.Status), // firing < resolved
		cmp.Compare(a.Fingerprint, b.Fingerprint),
		a.StartsAt.Compare(b.StartsAt),
	)
}

// firing returns the members that fire, or all of them where none does. members are in order of urgency.
func firing(members []amMember) []amMember {
	n := slices.IndexFunc(members, func(m amMember) bool { return m.Status != incident.Firing })
	if n <= 0 {
		return members
	}
	return members[:n]
}

// groupName is the alertname that all members share, or the distinct names of those that fire; empty if there is none.
func groupName(common map[string]string, members []amMember) string {
	if name := line(common[alertname], MaxName); name != "" {
		return name
	}
	distinct := map[string]bool{}
	for _, m := range firing(members) {
		if name := line(m.Labels[alertname], MaxName); name != "" {
			distinct[name] = true
		}
	}
	return line(strings.Join(slices.Sorted(maps.Keys(distinct)), ", "), MaxName)
}

// firstLink is the first address of a firing member's own graph, else Alertmanager's, else empty.
func firstLink(members []amMember, externalURL string) string {
	for _, m := range firing(members) {
		if link(m.generatorURL) == nil {
			return m.generatorURL
		}
	}
	if link(externalURL) == nil {
		return externalURL
	}
	return ""
}

// started sets the time at which the problem began: the earliest of the members that fire.
func started(a *incident.Alert, members []amMember) {
	for _, m := range firing(members) {
		if t := m.StartsAt; !t.IsZero() && (a.StartsAt.IsZero() || t.Before(a.StartsAt)) {
			a.StartsAt = t
		}
	}
}

func keep(a *incident.Alert, common, commonNotes map[string]string, members []amMember) {
	var total int
	within := func(m map[string]string) map[string]string {
		kept, left := bound(m)
		total += left
		return kept
	}
	a.Labels, a.Annotations = within(common), within(commonNotes)
	for _, m := range members {
		m.Labels, m.Annotations = within(m.Labels), within(m.Annotations)
		a.Alerts = append(a.Alerts, m.Member)
	}
	if total > 0 {
		a.Annotations[leftOut] = fmt.Sprintf(
			"%d labels or annotations were left out: more than %d of one alert, or a name that is too long or not plain text",
			total, MaxLabels)
	}
}
