package intake

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
)

// fields reads the fields of one object by their exact names. The first fault sticks in err, and later reads return
// zero values; so a reader asks for all fields first and looks at err once.
type fields struct {
	place string // of the object; empty for the body itself
	of    map[string]any
	err   error
}

func fieldsOf(place string, v any) fields {
	m, ok := v.(map[string]any)
	f := fields{place: place, of: m}
	if !ok {
		f.err = fault(f.at(""), "is "+kind(v), "it must be an object")
	}
	return f
}

// at is the place of a field, such as alerts[3].labels.
func (f *fields) at(name string) string {
	switch {
	case f.place == "" && name == "":
		return "body"
	case f.place == "":
		return name
	case name == "":
		return f.place
	}
	return f.place + "." + name
}

func (f *fields) fail(name, problem, hint string) {
	if f.err == nil {
		f.err = fault(f.at(name), problem, hint)
	}
}

// only refuses every field that is not among names.
func (f *fields) only(names ...string) {
	for _, name := range slices.Sorted(maps.Keys(f.of)) {
		if !slices.Contains(names, name) {
			f.fail("", "unknown field "+quote(name), "the fields are "+strings.Join(names, ", "))
		}
	}
}

// text is empty where the field is absent.
func (f *fields) text(name string) string {
	v, ok := f.of[name]
	if !ok {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		f.fail(name, "is "+kind(v), "it must be text in quotes, or be left out")
	}
	return s
}

// required is text that must hold more than blanks.
func (f *fields) required(name string) string {
	s := f.text(name)
	if line(s, len(s)) == "" {
		f.fail(name, "is missing or empty", "every alert needs it")
	}
	return s
}

// texts is an object of texts, empty and not nil where the field is absent.
func (f *fields) texts(name string) map[string]string {
	out := map[string]string{}
	v, ok := f.of[name]
	if !ok {
		return out
	}
	inner := fieldsOf(f.at(name), v)
	for _, key := range slices.Sorted(maps.Keys(inner.of)) {
		s, ok := inner.of[key].(string)
		if !ok {
			f.fail(name+"["+quote(key)+"]", "is "+kind(inner.of[key]), "values are text in quotes")
		}
		out[key] = s
	}
	if f.err == nil {
		f.err = inner.err
	}
	return out
}

func (f *fields) list(name string) []any {
	v, ok := f.of[name]
	if !ok {
		f.fail(name, "is missing", "it must be a list")
		return nil
	}
	l, ok := v.([]any)
	if !ok {
		f.fail(name, "is "+kind(v), "it must be a list")
	}
	return l
}

// count is a number of things: whole, not negative, and small enough to be added to others; 0 where absent.
func (f *fields) count(name string) int {
	v, ok := f.of[name]
	if !ok {
		return 0
	}
	number, _ := v.(json.Number)
	n, err := number.Int64()
	if err != nil || n < 0 || n > 1<<30 {
		f.fail(name, "is not a whole number from 0 to 2^30", "it counts alerts")
		return 0
	}
	return int(n)
}

func (f *fields) status(name string) incident.AlertStatus {
	s := incident.AlertStatus(f.text(name))
	if s != incident.Firing && s != incident.ResolvedNow {
		f.fail(name, "is "+quote(string(s)), `it must be "firing" or "resolved"`)
	}
	return s
}

// moment is a time in UTC; zero where absent, and where it is Go's zero time, which Alertmanager sends for "unknown".
// Times that JSON could not write again (the year 10000 in UTC) and times before computers are refused.
func (f *fields) moment(name string) time.Time {
	s := f.text(name)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		f.fail(name, quote(s)+" is not a time", "write it like 2026-11-22T10:20:00Z")
		return time.Time{}
	}
	t = t.UTC()
	if t.IsZero() {
		return time.Time{}
	}
	if t.Year() < 1970 || t.Year() > 9999 {
		f.fail(name, quote(s)+" is out of range", "years run from 1970 to 9999")
		return time.Time{}
	}
	return t
}

func kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case string:
		return "text"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return fmt.Sprintf("%T", v) // unreachable: decode makes no other type
}
