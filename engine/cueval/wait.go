package cueval

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"cuelang.org/go/cue"

	"github.com/pullbook/pullbook/engine/runbook"
)

// misfit is a value that the schema takes and Go does not: what is wrong, and where below the step.
type misfit struct {
	at         []string
	text, hint string
	see        *runbook.See // another place that belongs to it; nil if there is none
}

func (m *misfit) Error() string { return m.text }

// misfitted adds the problem of a value that is known already, if it has one.
func (s *skeleton) misfitted(m *misfit) {
	if m != nil {
		s.problem(m.text, m.hint, m.at...)
		s.ps[len(s.ps)-1].See = m.see
	}
}

// wait checks a #Wait as far as it is known before anything runs, and that its step has nothing that would mean nothing to it.
func (s *skeleton) wait(v, k cue.Value) {
	if field(v, "timeout").Exists() {
		s.problem("a wait is over when it says", "leave timeout out; for, until and window say how long it takes", "timeout")
	}
	if field(v, "retry").Exists() {
		s.problem("a wait does not fail", "leave retry out", "retry")
	}
	if s.step.Risk != runbook.RiskRead {
		s.problem("a wait changes nothing", "leave risk out", "risk")
	}
	if s.step.HasOutput {
		s.problem("a wait has no output", "", "output")
	}
	var found []string
	for _, name := range []string{"for", "until", "window"} {
		if field(k, name).Exists() {
			found = append(found, name)
		}
	}
	if len(found) != 1 {
		s.problem("a wait has exactly one of for, until and window", "", "wait")
		return
	}
	if k.Validate(cue.Concrete(true)) != nil {
		return // it depends on an output or the alert; evaluation looks at the types
	}
	_, m := waitOf(k)
	s.misfitted(m)
}

// waitOf reads a #Wait whose values are known.
func waitOf(k cue.Value) (w runbook.Wait, m *misfit) {
	if text, err := field(k, "for").String(); err == nil {
		d, ok := runbook.ParseDuration(text)
		if !ok || d <= 0 {
			return w, &misfit{at: []string{"wait", "for"}, text: fmt.Sprintf("%q is no time to wait", text), hint: "more than nothing, at most 366d"}
		}
		return runbook.Wait{For: d}, nil
	}
	if text, err := field(k, "until").String(); err == nil {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return w, &misfit{at: []string{"wait", "until"}, text: fmt.Sprintf("%q is no time", text), hint: "write it as in 2006-01-02T15:04:05Z"}
		}
		return runbook.Wait{Until: t}, nil
	}
	return windowOf(field(k, "window"))
}

// windowOf reads a #Window whose values are known.
func windowOf(v cue.Value) (runbook.Wait, *misfit) {
	var plain struct {
		Days []string `json:"days"`
		From string   `json:"from"`
		To   string   `json:"to"`
	}
	if err := v.Decode(&plain); err != nil { // unreachable: the schema has the types
		return runbook.Wait{}, &misfit{at: []string{"wait", "window"}, text: err.Error()}
	}
	w := runbook.Window{From: timeOfDay(plain.From), To: timeOfDay(plain.To)}
	if w.From == w.To {
		return runbook.Wait{}, &misfit{at: []string{"wait", "window", "to"}, text: "the window never opens", hint: "from and to are different times of the day"}
	}
	week := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} // as time.Weekday counts
	for i, day := range week {
		if len(plain.Days) == 0 || slices.Contains(plain.Days, day) {
			w.Days = append(w.Days, time.Weekday(i))
		}
	}
	return runbook.Wait{Window: &w}, nil
}

// timeOfDay reads a #Clock of the schema as the time since midnight.
func timeOfDay(s string) time.Duration {
	hour, minute, _ := strings.Cut(s, ":")
	d, _ := runbook.ParseDuration(hour + "h" + minute + "m") // the schema has the form
	return d
}
