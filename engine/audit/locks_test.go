package audit

import (
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// locking writes an incident whose one step takes locks at one time and ends at another. The plan knows of no lock unplanned.
func (l *ledger) locking(name, group string, from, to int, locks ...string) {
	step := runbook.Step{Name: "s", Kind: runbook.KindExec, Title: "s", Risk: runbook.RiskChange, Timeout: time.Minute, OnFailure: runbook.FailureHalts, TakesLocks: locks[0] != "unplanned"}
	l.start(group)
	l.inc.plan.Steps = []runbook.Step{step}
	l.opened(name, group)
	l.inc.clock = from
	intent := l.intent("s", runbook.KindExec, 999)
	intent.Locks = locks
	l.record(name+"start", nil, intent)
	l.inc.clock = to + 3
	l.record(name+"close", map[string][]byte{journal.ReportPath(l.inc.id.Dir()): []byte("# Report\n")}, outcome("s", runbook.Succeeded, to), incident.Ended{End: incident.EndResolved})
	l.merge(name + "merge")
}

func TestLocksAreVerified(t *testing.T) {
	l := newLedger(t)
	l.begin()
	l.locking("", "group one", 100, 200, "db", "web")
	l.locking("2-", "group two", 201, 300, "db") // before the end of the first was written down, and after it
	l.locking("3-", "group three", 150, 250, "cdn")
	l.publish("")
	if r := verify(l, Options{Trust: trusting(1)}); !r.OK() {
		t.Errorf("%v", r.Findings)
	}
	l = newLedger(t)
	l.begin()
	l.locking("", "group one", 100, 200, "db", "web")
	l.locking("2-", "group two", 110, 120, "cdn")
	l.locking("3-", "group three", 190, 300, "db")
	l.publish("")
	expect(t, l, verify(l, Options{Trust: trusting(1)}), "3-start", "takes the lock db at ")
}

func TestLockMutations(t *testing.T) {
	cases := []struct {
		name   string
		change func(*ledger)
		why    string
	}{
		{"more than a step can take", say("start", func(_ *ledger, d *incident.StepStarted) {
			d.Locks = strings.Fields("a b c d e f g h i j k l m n o p q")
		}), "takes 17 locks"},
		{"one twice", say("start", func(_ *ledger, d *incident.StepStarted) { d.Locks = []string{"a", "a"} }), "not in order, each once"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := newLedger(t)
			c.change(l)
			l.begin()
			l.locking("", "group one", 100, 200, "db")
			l.publish("")
			expect(t, l, verify(l, Options{Trust: trusting(1)}), "start", c.why)
		})
	}
	l := newLedger(t)
	l.begin()
	l.locking("", "group one", 100, 200, "unplanned")
	l.publish("")
	expect(t, l, verify(l, Options{Trust: trusting(1)}), "start", "the plan gives it none")
}
