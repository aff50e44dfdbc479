package render

import (
	"fmt"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Numbers measures one incident. Times are lengths; zero means not known or not yet. JSON has them in nanoseconds.
type Numbers struct {
	Rehearsal   bool          `json:"rehearsal,omitempty"`  // it counts in no number of incidents
	WouldRun    int           `json:"would_run,omitempty"`  // steps of a rehearsal that were not run
	Detect      time.Duration `json:"detect,omitzero"`      // from the alert's own start to the opening
	Acknowledge time.Duration `json:"acknowledge,omitzero"` // from the opening to the first deed of a person
	Mitigate    time.Duration `json:"mitigate,omitzero"`    // from the opening until the problem was over
	Resolve     time.Duration `json:"resolve,omitzero"`     // from the opening to the end
	Waiting     time.Duration `json:"waiting,omitzero"`     // during which at least one question was open to people
	Steps       int           `json:"steps"`                // of undo steps only those of what had succeeded when it was undone
	Automated   int           `json:"automated"`            // steps that succeeded by themselves
	Manual      int           `json:"manual"`               // steps that people did, by hand where the plan did not say so included
	Skipped     int           `json:"skipped"`
	Failed      int           `json:"failed"`    // steps whose last word is a failure, a refusal or an unknown outcome
	Attempts    int           `json:"attempts"`  // that came to an end
	Gates       int           `json:"gates"`     // asked: one a step and round, however often its page changed
	Approvals   int           `json:"approvals"` // votes that opened gates
	Events      int           `json:"events"`
}

// Measure counts what a journal says. The state is the fold of the events.
func Measure(p runbook.Plan, s incident.State, events []incident.Event) Numbers {
	n := Numbers{Rehearsal: s.Opened.Rehearsal != nil, Waiting: s.Waited, Events: len(events)}
	n.Detect = between(s.Opened.Alert.StartsAt, s.OpenedAt)
	n.Acknowledge = between(s.OpenedAt, s.AckedAt)
	n.Mitigate = between(s.OpenedAt, s.MitigatedAt)
	n.Resolve = between(s.OpenedAt, s.EndedAt)
	templates := map[string]bool{}
	for _, step := range s.Expand(p).Steps {
		templates[step.Name] = step.Each
		if matters(s, step) && !(step.Each && len(s.Step(step.Name).Keys) > 0) { // its elements count
			n.Steps++
			n.countStep(step, s.Step(step.Name))
		}
	}
	asked := map[try]bool{}
	for _, e := range events {
		switch d := e.Data.(type) {
		case incident.StepEnded:
			if !templates[d.Step] {
				n.Attempts++
			}
		case incident.GateOpened:
			asked[try{d.Step, d.Round}] = true
		case incident.GateApproved:
			n.Approvals += len(d.Votes)
		}
	}
	n.Gates = len(asked)
	return n
}

func (n *Numbers) countStep(step runbook.Step, st incident.StepState) {
	switch {
	case st.Phase == incident.PhaseSkipped:
		n.Skipped++
	case st.Phase == incident.PhaseByHand, st.Good() && step.Kind.AsksPeople():
		n.Manual++
	case st.Good() && st.WouldRun:
		n.WouldRun++
	case st.Good():
		n.Automated++
	case st.Over(), st.Phase == incident.PhaseUnknown:
		n.Failed++
	}
}

// between is zero when one of the times is not known, or when the clocks of two machines contradict each other.
func between(from, to time.Time) time.Duration {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	return max(0, to.Sub(from))
}

// figure is one number with its name.
type figure struct{ name, value string }

func (n Numbers) figures() []figure {
	length := func(d time.Duration) string {
		if d == 0 {
			return "-"
		}
		return lasted(d)
	}
	var rehearsal []figure
	if n.Rehearsal {
		rehearsal = []figure{{"rehearsal", "yes: it counts in no number of incidents"}, {"steps that would run", fmt.Sprint(n.WouldRun)}}
	}
	return append(rehearsal, []figure{
		{"time to detect", length(n.Detect)},
		{"time to acknowledge", length(n.Acknowledge)},
		{"time to mitigate", length(n.Mitigate)},
		{"time to resolve", length(n.Resolve)},
		{"waited for people", length(n.Waiting)},
		{"steps", fmt.Sprint(n.Steps)},
		{"automated steps", fmt.Sprint(n.Automated)},
		{"manual steps", fmt.Sprint(n.Manual)},
		{"skipped steps", fmt.Sprint(n.Skipped)},
		{"failed steps", fmt.Sprint(n.Failed)},
		{"attempts", fmt.Sprint(n.Attempts)},
		{"gates", fmt.Sprint(n.Gates)},
		{"approvals", fmt.Sprint(n.Approvals)},
		{"events", fmt.Sprint(n.Events)},
	}...)
}

// String lists the numbers for a terminal, one a line, aligned.
func (n Numbers) String() string {
	var b strings.Builder
	for _, f := range n.figures() {
		fmt.Fprintf(&b, "%-20s %s\n", f.name, f.value)
	}
	return b.String()
}
