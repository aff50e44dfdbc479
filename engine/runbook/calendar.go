package runbook

import (
	"slices"
	"time"
)

// Calendar says at what times a step that changes something needs more than its own rule. Times are UTC.
type Calendar struct {
	Freezes []Freeze  `json:"freezes,omitempty"`
	Windows []Window  `json:"windows,omitempty"` // none: changes are not tied to windows
	Outside *Approval `json:"outside,omitempty"` // demanded while no window is open
}

// Freeze is a time in which nothing is changed unless its rule is met. To is not part of it.
type Freeze struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	Why  string    `json:"why"`
	Rule Approval  `json:"rule"`
}

// Demand is a rule that the calendar adds to that of a step.
type Demand struct {
	What string    `json:"what"` // DemandFreeze or DemandOutside
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
	Why  string    `json:"why,omitempty"`
	Rule Approval  `json:"rule"`
}

// What a demand comes from.
const (
	DemandFreeze  = "change freeze"
	DemandOutside = "outside of the change windows"
)

// String says where a demand comes from, for example "change freeze from 2026-12-24 00:00:00 to 2026-12-27 00:00:00 UTC: holidays".
func (d Demand) String() string {
	if d.What != DemandFreeze {
		return d.What
	}
	const form = "2006-01-02 15:04:05"
	return d.What + " from " + d.From.UTC().Format(form) + " to " + d.To.UTC().Format(form) + " UTC: " + d.Why
}

// InForce lists what is demanded at any of some moments: freezes in the order in which they were written, then the windows.
func (c Calendar) InForce(at ...time.Time) (out []Demand) {
	for _, f := range c.Freezes {
		if slices.ContainsFunc(at, func(t time.Time) bool { return !t.Before(f.From) && t.Before(f.To) }) {
			out = append(out, Demand{What: DemandFreeze, From: f.From, To: f.To, Why: f.Why, Rule: f.Rule})
		}
	}
	closed := func(t time.Time) bool {
		return !slices.ContainsFunc(c.Windows, func(w Window) bool { return w.Open(t) })
	}
	if c.Outside != nil && len(c.Windows) > 0 && slices.ContainsFunc(at, closed) {
		out = append(out, Demand{What: DemandOutside, Rule: *c.Outside})
	}
	return out
}

// All lists every demand that the calendar can make.
func (c Calendar) All() (out []Demand) {
	for _, f := range c.Freezes {
		out = append(out, Demand{What: DemandFreeze, From: f.From, To: f.To, Why: f.Why, Rule: f.Rule})
	}
	if c.Outside != nil {
		out = append(out, Demand{What: DemandOutside, Rule: *c.Outside})
	}
	return out
}

// Changes returns the first moment after at in which something else may be in force; zero if there is none.
func (c Calendar) Changes(at time.Time) (next time.Time) {
	sooner := func(t time.Time) {
		if t.After(at) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, f := range c.Freezes {
		sooner(f.From)
		sooner(f.To)
	}
	for _, w := range c.Windows {
		w.edges(at, sooner)
	}
	return next
}

// Open reports whether the window is open.
func (w Window) Open(at time.Time) bool {
	opens, ok := w.Opens(at)
	return ok && opens.Equal(at)
}

// edges calls do with the moments around at in which the window opens or closes: those of yesterday and of a week from then.
func (w Window) edges(at time.Time, do func(time.Time)) {
	to := w.To
	if to <= w.From {
		to += day
	}
	midnight := at.UTC().Truncate(day).Add(-day)
	for range 9 {
		if slices.Contains(w.Days, midnight.Weekday()) {
			do(midnight.Add(w.From))
			do(midnight.Add(to))
		}
		midnight = midnight.Add(day)
	}
}

// Under is the rule of a step with what the calendar demands besides: all of it must be met. Rules of several demands that
// are the same are one. It is nil if nobody is asked.
func Under(own *Approval, demands []Demand) *Approval {
	var parts []Approval
	for _, d := range demands {
		if !slices.ContainsFunc(parts, func(p Approval) bool { return p.equal(d.Rule) }) {
			parts = append(parts, d.Rule)
		}
	}
	switch {
	case len(parts) == 0:
		return own
	case own == nil && len(parts) == 1:
		return &parts[0]
	case own == nil:
		return &Approval{All: parts}
	}
	all := own.each(func(rule Approval) Approval { return Approval{All: append([]Approval{rule}, parts...)} })
	return &all
}

// Under returns the plan with what the calendar demands of the steps that change something.
func (p Plan) Under(demands []Demand) Plan {
	if len(demands) == 0 {
		return p
	}
	p.Steps = slices.Clone(p.Steps)
	for i := range p.Steps {
		if p.Steps[i].Risk != RiskRead {
			p.Steps[i].Approval = Under(p.Steps[i].Approval, demands)
		}
	}
	return p
}

// People lists the users and teams that the calendar may ask.
func (c Calendar) People() (out []string) {
	for _, d := range c.All() {
		out = append(out, d.Rule.People()...)
	}
	return out
}
