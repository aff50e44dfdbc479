package forecast

import (
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

func wait(name string, w runbook.Wait, needs ...string) runbook.Step {
	return runbook.Step{Name: name, Title: name, Kind: runbook.KindWait, Risk: runbook.RiskRead, Needs: needs, OnFailure: runbook.FailureHalts,
		Now: runbook.Resolution{Status: runbook.StatusReady, Work: runbook.Work{Wait: &w}}}
}

func change(name string, needs ...string) runbook.Step {
	return runbook.Step{Name: name, Title: name, Kind: runbook.KindExec, Risk: runbook.RiskChange, Needs: needs, OnFailure: runbook.FailureHalts,
		Now: runbook.Resolution{Status: runbook.StatusReady, Work: runbook.Work{Run: []byte(`{"command":["x"]}`)}}}
}

// TestTimes: only waits move what comes after them; who is asked is decided by the calendar at that moment, not at the opening.
func TestTimes(t *testing.T) {
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	never := runbook.Wait{Window: &runbook.Window{}}
	tail := change("tail")
	tail.Stage = runbook.StageFinally
	p := runbook.Plan{Name: "p", Title: "P", Steps: []runbook.Step{
		change("now"), wait("hour", runbook.Wait{For: time.Hour}), wait("past", runbook.Wait{Until: at.Add(-time.Hour)}, "hour"),
		change("then", "past", "now"), wait("never", never), tail},
		Calendar: runbook.Calendar{Freezes: []runbook.Freeze{{From: at.Add(30 * time.Minute), To: at.Add(2 * time.Hour), Why: "sales",
			Rule: runbook.Approval{From: []string{"acme/leads"}, Count: 1}}}}}
	f := Of(p, at)
	by := map[string]Step{}
	for _, s := range f.Steps {
		by[s.Name] = s
	}
	for name, want := range map[string]struct {
		after   time.Duration
		wave    int
		gated   bool
		verdict Verdict
	}{
		"now": {0, 0, false, Runs}, "hour": {0, 0, false, Waits}, "past": {time.Hour, 1, false, Waits}, "then": {time.Hour, 2, true, Runs},
		"never": {0, 0, false, Broken}, "tail": {time.Hour, 3, true, Runs},
	} {
		s := by[name]
		if got := s.NotBefore.Sub(at); got != want.after || s.Wave != want.wave || (s.Gate != nil) != want.gated || s.Verdict != want.verdict {
			t.Errorf("%s: after %v in wave %d, gate %v, %s; want %+v", name, got, s.Wave, s.Gate, s.Verdict, want)
		}
	}
	if !by["past"].Until.Equal(at.Add(time.Hour)) {
		t.Errorf("a wait for a moment that is past ends at %v", by["past"].Until)
	}
}

// TestEachWaits: what comes after a step that waits for each of a list comes after the longest of them.
func TestEachWaits(t *testing.T) {
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	each := wait("each", runbook.Wait{})
	each.Each, each.Now.Work = true, runbook.Work{}
	for _, key := range []string{"short", "long", "past"} {
		w := map[string]runbook.Wait{"short": {For: time.Minute}, "long": {For: time.Hour}, "past": {Until: at.Add(-time.Hour)}}[key]
		each.Now.Elements = append(each.Now.Elements, runbook.Element{Key: key, Now: runbook.Resolution{Status: runbook.StatusReady, Work: runbook.Work{Wait: &w}}})
	}
	f := Of(runbook.Plan{Name: "p", Title: "P", Steps: []runbook.Step{each, change("then", "each")}}, at)
	if got := f.Steps[1].NotBefore; !got.Equal(at.Add(time.Hour)) {
		t.Errorf("then: not before %v", got)
	}
	text := f.Text()
	for _, want := range []string{"waits until 2026-03-01 11:00:00 UTC, for each of 3:", "short: waits until 2026-03-01 10:01:00 UTC",
		"long: waits until 2026-03-01 11:00:00 UTC", "past: waits until 2026-03-01 10:00:00 UTC"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if lines := f.Graph().Nodes[0].Lines; lines[len(lines)-1] != "waits until 2026-03-01 11:00:00 UTC, for each of 3" {
		t.Errorf("the box says %q", lines)
	}
	each.Now.Elements = nil
	if text = Of(runbook.Plan{Steps: []runbook.Step{each}}, at).Text(); !strings.Contains(text, "is done for no element") {
		t.Errorf("%s", text)
	}
}

// TestForeignText: what an alert says cannot steer a terminal, nor leave its line.
func TestForeignText(t *testing.T) {
	s := change("x")
	s.Title = "a\n\x1b[2Jb\u202ec"
	s.Now.Work.Run = []byte(`{"command":["a","\u001b[2J"]}`)
	text := Of(runbook.Plan{Name: "p", Title: s.Title, Steps: []runbook.Step{s}}, time.Unix(0, 0)).Text()
	if strings.ContainsAny(text, "\x1b\u202e") || strings.Contains(text, "a\n") {
		t.Errorf("%q", text)
	}
}
