package runbook

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04:05", text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// busy is a calendar with two freezes that overlap, and windows on working days and over the night of Friday.
func busy(t *testing.T) Calendar {
	t.Helper()
	leads, night := Approval{From: []string{"acme/leads"}, Count: 1}, Approval{From: []string{"acme/night"}, Count: 1}
	return Calendar{
		Freezes: []Freeze{
			{From: moment(t, "2026-12-24 12:00:00"), To: moment(t, "2026-12-27 00:00:00"), Why: "holidays", Rule: leads},
			{From: moment(t, "2026-12-26 00:00:00"), To: moment(t, "2026-12-28 00:00:00"), Why: "sales", Rule: leads},
		},
		Windows: []Window{
			{Days: []time.Weekday{1, 2, 3, 4, 5}, From: 9 * time.Hour, To: 17 * time.Hour},
			{Days: []time.Weekday{5}, From: 22 * time.Hour, To: 2 * time.Hour},
		},
		Outside: &night,
	}
}

func TestCalendar(t *testing.T) {
	cases := []struct{ at, what, next string }{
		{"2026-11-23 08:59:59", "outside of the change windows", "2026-11-23 09:00:00"}, // a Monday
		{"2026-11-23 09:00:00", "", "2026-11-23 17:00:00"},
		{"2026-11-23 17:00:00", "outside of the change windows", "2026-11-24 09:00:00"},
		{"2026-11-27 23:00:00", "", "2026-11-28 02:00:00"}, // the night after Friday
		{"2026-11-28 01:59:59", "", "2026-11-28 02:00:00"},
		{"2026-11-28 02:00:00", "outside of the change windows", "2026-11-30 09:00:00"},
		{"2026-12-24 11:00:00", "", "2026-12-24 12:00:00"},
		{"2026-12-24 12:00:00", "holidays", "2026-12-24 17:00:00"},
		{"2026-12-26 03:00:00", "holidays, sales, outside of the change windows", "2026-12-27 00:00:00"},
		{"2026-12-27 00:00:00", "sales, outside of the change windows", "2026-12-28 00:00:00"},
		{"2026-12-28 00:00:00", "outside of the change windows", "2026-12-28 09:00:00"},
	}
	c := busy(t)
	for _, x := range cases {
		at := moment(t, x.at)
		var what []string
		for _, d := range c.InForce(at) {
			if what = append(what, d.Why); d.Why == "" {
				what[len(what)-1] = d.String()
			}
		}
		if got := strings.Join(what, ", "); got != x.what {
			t.Errorf("%s: %q, want %q", x.at, got, x.what)
		}
		if got := c.Changes(at).Format("2006-01-02 15:04:05"); got != x.next {
			t.Errorf("%s: changes at %s, want %s", x.at, got, x.next)
		}
	}
	if got := (Calendar{}).Changes(time.Now()); !got.IsZero() {
		t.Errorf("an empty calendar changes at %s", got)
	}
	if got := len(c.InForce(moment(t, "2026-11-23 10:00:00"), moment(t, "2026-12-24 13:00:00"))); got != 1 {
		t.Errorf("%d demands at one of two moments", got)
	}
}

// TestCalendarChangesAtEveryEdge: between one change and the next, nothing else is in force.
func TestCalendarChangesAtEveryEdge(t *testing.T) {
	c := busy(t)
	from, steps := moment(t, "2026-12-20 00:00:00"), 0
	for at := from; at.Before(moment(t, "2027-01-03 00:00:00")); at = c.Changes(at) {
		until := c.Changes(at)
		for between := at; between.Before(until); between = between.Add(7 * time.Minute) {
			if d := cmp.Diff(c.InForce(at), c.InForce(between)); d != "" {
				t.Fatalf("between %s and %s: %s", at, until, d)
			}
		}
		steps++
	}
	if steps < 20 {
		t.Errorf("only %d changes in two weeks", steps)
	}
}

func TestUnder(t *testing.T) {
	c := busy(t)
	three := c.InForce(moment(t, "2026-12-26 03:00:00")) // two of them ask the same
	own := &Approval{From: []string{"acme/sre"}, Count: 2, Within: time.Hour}
	cases := []struct {
		own     *Approval
		demands []Demand
		want    string
	}{
		{nil, nil, "none"},
		{own, nil, "2 of acme/sre within 1h"},
		{nil, three[:1], "1 of acme/leads"},
		{nil, three, "1 of acme/leads and 1 of acme/night"},
		{own, three, "2 of acme/sre and 1 of acme/leads and 1 of acme/night within 1h"},
	}
	for _, x := range cases {
		if got := Under(x.own, x.demands).String(); got != x.want {
			t.Errorf("%q, want %q", got, x.want)
		}
	}
	if own.Within != time.Hour {
		t.Error("the rule of the step was changed")
	}
	plan := Plan{Steps: []Step{{Name: "r", Risk: RiskRead}, {Name: "c", Risk: RiskChange}, {Name: "d", Risk: RiskDestructive, Approval: own}}}
	var rules []string
	for _, s := range plan.Under(three[:1]).Steps {
		rules = append(rules, s.Approval.String())
	}
	if got, want := fmt.Sprint(rules), "[none 1 of acme/leads 2 of acme/sre and 1 of acme/leads within 1h]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if plan.Steps[1].Approval != nil {
		t.Error("the plan itself was changed")
	}
}

func TestGatePageShowsDemands(t *testing.T) {
	demand := busy(t).InForce(moment(t, "2026-12-24 13:00:00"))
	g := Gate{Incident: "20261224-aaaaaaaaaa", Step: Step{Name: "a", Kind: KindManual, Risk: RiskChange}, Round: 1}
	plain := string(g.Page())
	g.Because, g.Locks = demand, []string{"db", "web"}
	page := string(g.Page())
	for _, want := range []string{"change freeze from 2026-12-24 12:00:00 to 2026-12-27 00:00:00 UTC: holidays\n1 of acme/leads\n", "- Locks: `db`, `web`\n"} {
		if !strings.Contains(page, want) || strings.Contains(plain, want) {
			t.Errorf("no %q, or without reason, in:\n%s", want, page)
		}
	}
}
