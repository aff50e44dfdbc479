package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// shortest is how much time must pass between two things that happened for a story to say so, unless time itself brought the
// second.
const shortest = time.Minute

// recorder writes the statements of a story.
type recorder struct {
	plan   runbook.Plan
	out    bytes.Buffer
	clock  time.Time // of the story
	last   time.Time // of the statement before
	heard  map[int64]bool
	waits  map[string]bool // steps that wait for time
	opened incident.Opened
}

// Record writes the story of an incident that really happened: what the world and people did, without what the engine did
// because of it. Shorter pauses than a minute are left out, unless something was due at their end.
func Record(name string, plan runbook.Plan, events []incident.Event) ([]byte, error) {
	if len(events) == 0 {
		return nil, fmt.Errorf("record %s: its journal is empty", name)
	}
	opened, ok := events[0].Data.(incident.Opened)
	if !ok {
		return nil, fmt.Errorf("record %s: its journal does not begin with its opening", name)
	}
	r := &recorder{plan: plan, clock: events[0].At.Truncate(time.Second), heard: map[int64]bool{}, waits: map[string]bool{}, opened: opened}
	fmt.Fprintf(&r.out, "%s%s\n\n%s %s\n", caseIs, name, "clock", r.clock.Format(time.RFC3339))
	r.people(events)
	if err := r.beginning(); err != nil {
		return nil, err
	}
	for _, e := range events[1:] {
		r.event(e)
	}
	return r.out.Bytes(), nil
}

// people says who those are who acted, and who wrote what they were asked about.
func (r *recorder) people(events []incident.Event) {
	seen := map[string]bool{}
	once := func(line string) {
		if !seen[line] {
			seen[line] = true
			r.out.WriteString(line + "\n")
		}
	}
	for _, e := range events {
		for _, p := range actors(e.Data) {
			line := "person " + p.Login
			for _, team := range p.Teams {
				line += " " + team
			}
			if !p.Write {
				line += " read-only"
			}
			once(line)
		}
		if gate, ok := e.Data.(incident.GateOpened); ok && gate.Authors != nil {
			for _, a := range gate.Authors.People {
				once(a.Login + " wrote " + gate.Step)
			}
		}
	}
}

// actors are the people whose reviews or comments an event records.
func actors(data incident.Data) (out []approval.Person) {
	if d := deedOf(data); d != nil {
		return []approval.Person{d.By}
	}
	switch d := data.(type) {
	case incident.GateApproved:
		for _, v := range d.Votes {
			out = append(out, v.By)
		}
	case incident.GateRejected:
		out = append(out, d.Vote.By)
	}
	return out
}

// deedOf is the comment that an event records, if it records one.
func deedOf(data incident.Data) *incident.Deed {
	switch d := data.(type) {
	case incident.Acknowledged:
		return &d.Deed
	case incident.StepEnded:
		return d.Deed
	case incident.StepByHand:
		return &d.Deed
	case incident.RetryAsked:
		return &d.Deed
	case incident.CancelAsked:
		return &d.Deed
	case incident.Mitigated:
		return d.Deed
	}
	return nil
}

func (r *recorder) beginning() error {
	a := r.opened.Alert
	alert, err := json.Marshal(struct {
		Name        string            `json:"name"`
		Fingerprint string            `json:"fingerprint,omitempty"`
		Labels      map[string]string `json:"labels,omitempty"`
		Annotations map[string]string `json:"annotations,omitempty"`
		StartsAt    time.Time         `json:"starts_at,omitzero"`
		URL         string            `json:"url,omitempty"`
	}{a.Name, a.Fingerprint, a.Labels, a.Annotations, a.StartsAt, a.URL})
	if err != nil {
		return fmt.Errorf("write the alert: %w", err)
	}
	if len(r.opened.Inputs) > 0 && string(r.opened.Inputs) != "{}" {
		fmt.Fprintf(&r.out, "inputs %s\n", r.opened.Inputs)
	}
	word := "alert"
	if r.opened.Why == byPerson || r.opened.Parent != nil {
		word = "open"
	}
	fmt.Fprintf(&r.out, "%s %s\n", word, alert)
	r.last = r.clock
	return nil
}

func (r *recorder) event(e incident.Event) {
	switch d := e.Data.(type) {
	case incident.StepStarted:
		r.waits[d.Step] = d.Work == runbook.KindWait
		if d.Attempt > 1 {
			r.pass(e.At, true)
		}
	case incident.GateExpired, incident.GateLifted, incident.RepeatStarted:
		r.pass(e.At, true)
	case incident.GateApproved:
		for _, v := range d.Votes {
			r.say(e.At, v.By.Login+" approves "+d.Step)
		}
	case incident.GateRejected:
		r.say(e.At, d.Vote.By.Login+" rejects "+d.Step+" "+why(d.Step, d.Vote.Words))
	case incident.AlertUpdated:
		if d.Alert.Status == incident.ResolvedNow {
			r.say(e.At, "resolved")
		}
	case incident.StepUnknown:
		r.say(e.At, d.Step+" is lost")
	case incident.RepeatEnded:
		r.say(e.At, d.Step+how(d.Conclusion, nil, d.Error))
	case incident.StepEnded:
		r.ended(e, d)
		return
	}
	r.deed(e)
}

func (r *recorder) ended(e incident.Event, d incident.StepEnded) {
	step, _, _ := r.plan.Written(d.Step)
	_, _, element := runbook.SplitName(d.Step)
	switch {
	case d.Deed != nil:
		r.deed(e)
	case r.waits[d.Step]:
		r.pass(e.At, true)
	case step.Each && !element, d.Conclusion == runbook.Cancelled: // the engine itself brought it about
	default:
		r.say(e.At, d.Step+how(d.Conclusion, d.Output, d.Error))
	}
}

// deed writes a comment once, however many events came of it.
func (r *recorder) deed(e incident.Event) {
	d := deedOf(e.Data)
	if d == nil || d.Via != "comment" || r.heard[d.ID] {
		return
	}
	r.heard[d.ID] = true
	for _, line := range approval.Lines(d.Words) {
		r.say(e.At, d.By.Login+" says "+line)
	}
}

// say writes a statement, after the time that has passed. What was recorded at one moment happens at one moment.
func (r *recorder) say(at time.Time, text string) {
	if !at.Equal(r.last) {
		r.pass(at, false)
		r.out.WriteString("\n")
	}
	r.last = at
	r.out.WriteString(text + "\n")
}

// pass lets time pass in the story. Due: something happened because of it, so it must not be too little.
func (r *recorder) pass(at time.Time, due bool) {
	gap := at.Sub(r.clock)
	if gap < shortest && !due || gap <= 0 {
		return
	}
	gap = (gap + time.Second - 1).Truncate(time.Second)
	fmt.Fprintf(&r.out, "\nwait %s\n", gap)
	r.clock = r.clock.Add(gap)
}

func how(c runbook.Conclusion, output json.RawMessage, problem string) string {
	switch c {
	case runbook.Succeeded:
		return strings.TrimRight(" succeeds "+string(output), " ")
	case runbook.TimedOut:
		return " times out"
	}
	return strings.TrimRight(" fails "+strings.Join(strings.Fields(problem), " "), " ")
}

// why is the reason that a review gave for rejecting a step.
func why(step, body string) string {
	said := approval.Commands(body)
	i := slices.IndexFunc(said, func(s approval.Said) bool { return s.Step == step && s.Reject })
	if i < 0 {
		return ""
	}
	return said[i].Why
}
