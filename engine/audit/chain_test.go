package audit

import (
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
)

// again writes an incident of a group that follows an earlier one.
func (l *ledger) again(name, group string, after incident.ID, clock int) {
	l.inc = &run{id: incident.NewID(incident.Slot(group, after), at(0)), after: after, plan: plan(), clock: clock}
	l.branch = l.main
	l.opened(name, group)
	l.gate(name)
	l.approve(name)
	l.end(name)
	l.close(name)
	l.merge(name + "merge")
}

func TestIncidentsFollowEarlierOnes(t *testing.T) {
	one := incident.NewID(incident.Slot("group one", ""), at(0))
	for _, c := range []struct {
		name, group string
		after       incident.ID
		clock       int
		why         string // empty: nothing is wrong
	}{
		{"of the same group", "group one", one, 200, ""},
		{"that never was", "group one", "20261121-aaaaaaaaaa", 200, "neither merged nor on a branch"},
		{"that is no name", "group one", "../../etc", 200, "it names an earlier incident"},
		{"of another group", "group two", one, 200, "not of the same alert group"},
		{"that came later", "group one", one, 10, "not opened before it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLedger(t)
			l.begin()
			l.incident("", "group one")
			l.again("2-", c.group, c.after, c.clock)
			l.publish("")
			r := verify(l, Options{})
			if c.why != "" {
				expect(t, l, r, "2-open", c.why)
			} else if !r.OK() || len(r.Incidents) != 2 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// The earlier incident may still wait for its merge.
func TestIncidentFollowsAnOpenOne(t *testing.T) {
	l := newLedger(t)
	l.begin()
	l.start("group one")
	l.opened("", "group one")
	one, open := l.inc.id, l.branch
	l.again("2-", "group one", one, 200)
	l.branch = open
	l.publish("refs/remotes/origin/" + one.Branch())
	if r := verify(l, Options{}); !r.OK() || len(r.Incidents) != 2 {
		t.Errorf("%+v", r)
	}
}
