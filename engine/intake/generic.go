package intake

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/pullbook/pullbook/engine/incident"
)

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_.-]*$`)

// parseGeneric reads the format that the package comment defines.
func parseGeneric(root any) ([]incident.Alert, error) {
	items, isList := root.([]any)
	if !isList {
		a, err := genericAlert(Generic, "", root)
		if err != nil {
			return nil, err
		}
		return []incident.Alert{a}, nil
	}
	if len(items) == 0 || len(items) > MaxMembers {
		return nil, fault("body", fmt.Sprintf("a list of %d alerts", len(items)), fmt.Sprintf("send 1 to %d at once", MaxMembers))
	}
	alerts := make([]incident.Alert, len(items))
	for i, item := range items {
		var err error
		if alerts[i], err = genericAlert(Generic, fmt.Sprintf("[%d]", i), item); err != nil {
			return nil, err
		}
	}
	return alerts, nil
}

// genericAlert reads one alert from a source. Problems of different sources are never taken for one.
func genericAlert(source, place string, v any) (incident.Alert, error) {
	f := fieldsOf(place, v)
	f.only("name", "group", "status", "fingerprint", "labels", "annotations", "url", "starts_at")
	a := incident.Alert{
		Name: f.required("name"), Source: source, Status: incident.Firing, Fingerprint: f.text("fingerprint"),
		StartsAt: f.moment("starts_at"), URL: f.text("url"),
	}
	labels, annotations, group := f.texts("labels"), f.texts("annotations"), f.text("group")
	if _, given := f.of["status"]; given {
		a.Status = f.status("status")
	}
	f.plain("name", a.Name, MaxName)
	f.plain("fingerprint", a.Fingerprint, MaxFingerprint)
	a.Labels, a.Annotations = f.named("labels", labels), f.named("annotations", annotations)
	if a.URL != "" {
		if err := link(a.URL); err != nil {
			f.fail("url", err.Error(), "it must be an http or https address, percent-encoded, without a user or password")
		}
	}
	all := append([]string{a.Name}, pairs(labels)...)
	switch {
	case group != "":
		a.Group = digest(source, "group", group)
	case a.Fingerprint != "":
		a.Group = digest(source, "fingerprint", a.Fingerprint)
	default:
		a.Group = digest(append([]string{source, "alert"}, all...)...)
	}
	if a.Fingerprint == "" {
		a.Fingerprint = digest(all...)[:16]
	}
	return a, f.err
}

// plain refuses text that is long, has several lines, or holds what clean would change: it names things, and a name
// that was changed on the way would no longer be the sender's.
func (f *fields) plain(name, s string, most int) {
	switch {
	case len(s) > most:
		f.fail(name, fmt.Sprintf("longer than %d bytes", most), "put the details into annotations")
	case line(s, most) != s:
		f.fail(name, "has blanks around it or characters that are not plain text", "it must be one line")
	}
}

// named checks the names of labels or annotations and bounds their values.
func (f *fields) named(name string, m map[string]string) map[string]string {
	if len(m) > MaxLabels {
		f.fail(name, fmt.Sprintf("%d entries", len(m)), fmt.Sprintf("at most %d are kept", MaxLabels))
	}
	out := make(map[string]string, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		switch {
		case len(key) > MaxLabelName:
			f.fail(name+"["+quote(key)+"]", fmt.Sprintf("the name is longer than %d bytes", MaxLabelName), "shorten it")
		case !labelName.MatchString(key):
			f.fail(name+"["+quote(key)+"]", "not a name", "names match "+labelName.String())
		}
		out[key] = value(m[key])
	}
	return out
}
