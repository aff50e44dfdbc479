package cueval

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"cuelang.org/go/cue"

	"github.com/pullbook/pullbook/engine/runbook"
)

// maxFreezes bounds the freezes of an organisation, and its windows.
const maxFreezes = 100

// calendar is when an organisation wants no changes, or none without more approval.
type calendar struct {
	freezes []freeze
	windows []runbook.Window
	outside *runbook.Approval
}

// freeze is a freeze of some services; of all where it names none.
type freeze struct {
	runbook.Freeze
	services []string
}

// calendarReader reads the calendar of pullbook.cue, whose schema has been checked.
type calendarReader struct {
	org *organisation
	ps  []runbook.Problem
}

// readCalendar reads freezes, change windows and what is demanded outside of them.
func (o *organisation) readCalendar(v cue.Value) []runbook.Problem {
	r := &calendarReader{org: o}
	r.list(v, "freezes", r.freeze)
	r.list(v, "changeWindows", r.window)
	if x := field(v, "outsideWindows"); x.Exists() {
		rule := r.rule(field(x, "approval"), "outsideWindows", "approval")
		o.calendar.outside = &rule
	}
	switch c := o.calendar; {
	case len(c.windows) > 0 && c.outside == nil:
		r.problem("changes outside of the windows are neither allowed nor forbidden", "write outsideWindows: approval: {...}", "changeWindows")
	case len(c.windows) == 0 && c.outside != nil:
		r.problem("there is no window to be outside of", "write changeWindows: [...]", "outsideWindows")
	}
	return r.ps
}

func (r *calendarReader) problem(text, hint string, at ...string) {
	p := placeIn(r.org.file, at...)
	p.Text, p.Hint = text, hint
	r.ps = append(r.ps, p)
}

func (r *calendarReader) list(v cue.Value, name string, read func(x cue.Value, at ...string)) {
	it, err := field(v, name).List()
	i := 0
	for ; err == nil && it.Next(); i++ {
		read(it.Value(), name, strconv.Itoa(i))
	}
	if i > maxFreezes {
		r.problem(fmt.Sprintf("there are %d", i), fmt.Sprintf("at most %d", maxFreezes), name)
	}
}

func (r *calendarReader) freeze(x cue.Value, at ...string) {
	f := freeze{}
	f.From, f.To = r.moment(x, "from", at...), r.moment(x, "to", at...)
	if f.Why = oneLine(field(x, "why"), ""); f.Why == "" {
		r.problem("why is empty", "people who are asked will want to know", append(slices.Clone(at), "why")...)
	}
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		r.problem("the freeze ends before it begins", "to is after from", append(slices.Clone(at), "to")...)
	}
	for i, name := range textsOf(field(x, "services")) {
		if _, ok := r.org.Services[name]; !ok && len(r.org.Services) > 0 {
			r.problem(fmt.Sprintf("there is no service %s", name), didYouMean(name, slices.Sorted(maps.Keys(r.org.Services))), append(slices.Clone(at), "services", strconv.Itoa(i))...)
		}
		f.services = append(f.services, name)
	}
	f.Rule = r.rule(field(x, "approval"), append(slices.Clone(at), "approval")...)
	r.org.calendar.freezes = append(r.org.calendar.freezes, f)
}

func (r *calendarReader) moment(x cue.Value, name string, at ...string) time.Time {
	text, _ := field(x, name).String() // the schema has the type
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		r.problem(fmt.Sprintf("%q is no time", text), "write it as in 2006-01-02T15:04:05Z", append(slices.Clone(at), name)...)
	}
	return t.UTC()
}

func (r *calendarReader) window(x cue.Value, at ...string) {
	w, m := windowOf(x)
	if m != nil {
		r.problem(m.text, m.hint, append(slices.Clone(at), "to")...)
		return
	}
	r.org.calendar.windows = append(r.org.calendar.windows, *w.Window)
}

// rule reads an #Rule, with the names of the hub.
func (r *calendarReader) rule(v cue.Value, at ...string) runbook.Approval {
	rule := ruleOf(v)
	r.named(&rule, at)
	if m := misfitOfRule(rule, at...); m != nil {
		r.problem(m.text, m.hint, m.at...)
	}
	return rule
}

func (r *calendarReader) named(rule *runbook.Approval, at []string) {
	for i, name := range rule.From {
		if runbook.StandsFor(name) {
			text, hint := standing(name)
			r.problem(text, hint, append(slices.Clone(at), "from", strconv.Itoa(i))...)
			continue
		}
		hub, known := r.org.who(name)
		if rule.From[i] = hub; !known {
			text, hint := r.org.unknownWho(name)
			r.problem(text, hint, append(slices.Clone(at), "from", strconv.Itoa(i))...)
		}
	}
	for i := range rule.All {
		r.named(&rule.All[i], append(slices.Clone(at), "all", strconv.Itoa(i)))
	}
	for i := range rule.Any {
		r.named(&rule.Any[i], append(slices.Clone(at), "any", strconv.Itoa(i)))
	}
}

// of is the calendar as it concerns a service. Of a runbook whose service is not known before there is an alert, every
// freeze counts.
func (c calendar) of(service string) runbook.Calendar {
	out := runbook.Calendar{Windows: c.windows, Outside: c.outside}
	for _, f := range c.freezes {
		if len(f.services) == 0 || service == "" || slices.Contains(f.services, service) {
			out.Freezes = append(out.Freezes, f.Freeze)
		}
	}
	return out
}
