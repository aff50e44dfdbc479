package incident

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// walk is one random incident: a random plan, random outcomes, faults and people.
type walk struct {
	*stage
	random *rand.Rand
	starts map[string]int // by attempt key
	ids    int64
	latest time.Time // that any clock has shown
}

func newWalk(t *testing.T, seed uint64) *walk {
	t.Helper()
	w := &walk{stage: newStage(), random: rand.New(rand.NewPCG(seed, 11)), starts: map[string]int{}, ids: 1}
	if got := w.makePlan(t, w.randomPlan()); got != "ok\n" {
		t.Fatal(got)
	}
	if w.oneIn(4) {
		w.parent = &Parent{Incident: "20261121-pppppppppp", Step: "a", Attempt: 1, Runbooks: []string{"runbooks/one.cue"}, Room: 40}
	}
	w.open(t)
	w.plan.Concurrency = w.random.IntN(4)
	if w.oneIn(3) {
		from := w.now.Add(time.Duration(w.random.IntN(30)) * time.Minute)
		w.plan.Calendar.Freezes = []runbook.Freeze{{From: from, To: from.Add(time.Duration(1+w.random.IntN(40)) * time.Minute), Why: "sales",
			Rule: runbook.Approval{From: []string{"acme/sre"}, Count: 1}}}
	}
	w.started = func(a Start) { w.checkStart(t, a) }
	w.ordered = func(a OpenChild) { w.checkOrder(t, a) }
	w.flushed = func(events []Event) { w.checkTimes(t, events) }
	return w
}

func (w *walk) oneIn(n int) bool { return w.random.IntN(n) == 0 }

// randomPlan is up to six steps in the form that makePlan reads.
func (w *walk) randomPlan() string {
	var b strings.Builder
	main := 1 + w.random.IntN(6)
	each := make([]bool, main)
	for i := range main {
		fmt.Fprintf(&b, "s%d %s", i, w.randomKind())
		if each[i] = w.oneIn(3); each[i] {
			b.WriteString(w.randomList() + " output")
		}
		var needs []string
		for j := range i {
			if w.oneIn(3) {
				needs = append(needs, fmt.Sprintf("s%d", j))
			}
		}
		if len(needs) > 0 {
			b.WriteString(" needs=" + strings.Join(needs, ","))
		}
		b.WriteString(w.randomOptions("approve=1 within=15m", "approve=2", "attempts=3", "idempotent", "jitter", "continues", "undo", "locks=x", "locks=x,y", "every=20m"))
	}
	for i := range main {
		if w.oneIn(2) {
			fmt.Fprintf(&b, "s%d_undo %s undoes=s%d", i, w.randomKind(), i)
			if each[i] {
				b.WriteString(" each")
			}
			b.WriteString(w.randomOptions("approve=1 within=15m", "attempts=2", "idempotent"))
		}
	}
	for i := range w.random.IntN(3) {
		fmt.Fprintf(&b, "f%d %s finally needs=s%d", i, w.randomKind(), w.random.IntN(main))
		if w.oneIn(3) {
			b.WriteString(w.randomList())
		}
		b.WriteString(w.randomOptions("approve=1", "attempts=2", "continues", "any"))
	}
	return b.String()
}

func (w *walk) randomList() string {
	return " each=" + []string{"", "a", "a,b", "a,b,c", "a,b,c,d"}[w.random.IntN(5)]
}

func (w *walk) randomKind() string {
	kinds := []string{"exec", "http", "probe", "manual", "exec", "wait", "choose", "runbook"}
	switch kind := kinds[w.random.IntN(len(kinds))]; kind {
	case "wait":
		return kind + " read " + []string{"for=5m", "until=2026-11-22T03:20:00Z", "hours=4-3"}[w.random.IntN(3)]
	case "choose":
		return kind + " read options=x,y timeout=" + []string{"10m", "24h"}[w.random.IntN(2)]
	case "manual":
		return kind + " change timeout=" + []string{"10m", "24h"}[w.random.IntN(2)]
	case "runbook":
		return kind + " change opens=x timeout=" + []string{"10m", "24h"}[w.random.IntN(2)]
	default:
		return kind + " " + []string{"read", "change", "destructive"}[w.random.IntN(3)]
	}
}

func (w *walk) randomOptions(all ...string) string {
	text := ""
	for _, option := range all {
		if w.oneIn(4) {
			text += " " + option
		}
	}
	return text + "\n"
}

// checkStart holds a start against the journal as the remote branch has it.
func (w *walk) checkStart(t *testing.T, a Start) {
	t.Helper()
	step, known := w.whole().Step(a.Step)
	if !known || step.Each {
		t.Fatalf("%s: there is no such step to start", a.Key)
	}
	w.starts[a.Key]++
	if !step.Kind.NeedsRunner() {
		t.Fatalf("%s: a step that needs no runner was started", a.Key)
	}
	w.checkStage(t, step, a)
	if w.starts[a.Key] > 1 && !step.Repeatable() {
		t.Fatalf("%s starts twice", a.Key)
	}
	if r := w.pushed.Step(a.Step).Repeats; r.Attempt > 0 && r.Attempt >= a.Attempt {
		if !r.Running || r.Attempt != a.Attempt {
			t.Fatalf("%s is repeated without its intent on the remote branch", a.Key)
		}
		return
	}
	if step.Risk == runbook.RiskRead && step.Approval == nil && !step.TakesLocks {
		return
	}
	st := w.pushed.Step(a.Step)
	if gate := w.gateOf(a.Step); step.Risk != runbook.RiskRead && len(w.plan.Calendar.InForce(st.Started)) > len(gate.Because) {
		t.Fatalf("%s starts in a freeze without its approval", a.Key)
	}
	if st.Phase != PhaseStarted || st.Attempt != a.Attempt {
		t.Fatalf("%s starts without its intent on the remote branch", a.Key)
	}
	if votes := votesFor(w.journal, a); step.Approval != nil && votes < step.Approval.Count {
		t.Fatalf("%s starts with %d of %d approvals", a.Key, votes, step.Approval.Count)
	}
	if !step.Repeatable() && !endedBefore(w.journal, a) {
		t.Fatalf("%s starts although nobody knows how the attempt before it ended", a.Key)
	}
}

// votesFor is how many people had approved, last before the intent of a start, the gate that it names.
func votesFor(journal []Event, a Start) (votes int) {
	for _, e := range journal {
		switch d := e.Data.(type) {
		case GateApproved:
			if template, _, _ := strings.Cut(a.Step, "."); d.Step == a.Step || d.Step == template {
				votes = len(d.Votes)
			}
		case StepStarted:
			if d.Key == a.Key {
				return votes
			}
		}
	}
	return 0
}

// gateOf is the gate that holds for a step: of an element in its first round, that of its template.
func (w *walk) gateOf(step string) Gate {
	st := w.pushed.Step(step)
	if template, _, isElement := runbook.SplitName(step); isElement && st.Round == 1 {
		return w.pushed.Step(template).Gate
	}
	return st.Gate
}

// endedBefore reports whether every earlier attempt of a step has an outcome, or a person's word after it.
func endedBefore(journal []Event, a Start) bool {
	open := false
	for _, e := range journal {
		switch d := e.Data.(type) {
		case StepStarted:
			if d.Step == a.Step && d.Attempt < a.Attempt {
				if open {
					return false
				}
				open = true
			}
		case StepEnded:
			open = open && d.Step != a.Step
		case RetryAsked:
			open = open && d.Step != a.Step
		}
	}
	return !open
}

// stir lets one random thing happen.
func (w *walk) stir(t *testing.T) {
	t.Helper()
	all := w.whole().Steps
	step := all[w.random.IntN(len(all))].Name
	args := map[string]string{"step": step}
	people := []string{"alice", "bob", "carol", "mallory", "robot"}
	by := people[w.random.IntN(len(people))]
	switch w.random.IntN(17) {
	case 16:
		w.stirHold(by, step)
	case 15:
		w.stirChild(args)
	case 14:
		w.drop() // a restart
	case 0, 1, 2:
		args["conclusion"] = []string{"succeeded", "failed", "timed_out", "unknown"}[w.random.IntN(4)]
		w.outcome(t, args)
	case 3:
		w.lose([]string{"lose", "vanish"}[w.random.IntN(2)], args)
	case 4:
		w.now = w.now.Add(time.Duration(w.random.IntN(1200)-120) * time.Second)
		if w.now.After(w.latest) {
			w.latest = w.now
		}
	case 5, 6, 7:
		states := []string{"approved", "approved", "changes_requested", "commented"}
		bodies := []string{"", "/approve " + step, "/reject " + step + " no"}
		w.ids++
		w.review(map[string]string{"id": fmt.Sprint(w.ids), "by": by, "state": states[w.random.IntN(4)]}, bodies[w.random.IntN(3)])
	case 8:
		w.withdraw = 1 + w.random.Int64N(w.ids)
	case 9:
		w.dismiss(1 + w.random.Int64N(w.ids))
	case 10, 11:
		verbs := []string{"/ack", "/resolve", "/retry " + step, "/did-it-by-hand " + step + " so", "/done " + step, "/choose " + step + " x",
			"/choose " + step + " z", "/cancel so", "/nonsense"}
		w.comment(by, verbs[w.random.IntN(len(verbs))])
	case 12:
		status := []runbook.Status{runbook.StatusSkip, runbook.StatusBroken, runbook.StatusReady}[w.random.IntN(3)]
		if begun := func(a Attempt) bool { return strings.HasPrefix(a.Step, step+".") }; slices.ContainsFunc(w.view.Attempts, begun) {
			break // the list of a template does not change by itself
		}
		w.says[step] = runbook.Resolution{Status: status, Problem: "so it is"}
	case 13:
		w.view.Alerts = []Alert{{Name: "Alert", Fingerprint: fmt.Sprint(w.random.IntN(3))}}
	}
}

// stirHold lets somebody hold the incident, let it go on, take back its end, or say what is done without the engine.
func (w *walk) stirHold(by, step string) {
	words := []string{"/pause so", "/resume", "/resume", "/reopen", "/skip " + step + " so", "/assign " + step + " @bob", "/severity sev1", "/note so", "/pause so\n/resume"}
	if w.oneIn(3) {
		w.ids++
		body := []string{"/skip " + step + " so", "/did-it-by-hand " + step + " so"}[w.random.IntN(2)]
		w.review(map[string]string{"id": fmt.Sprint(w.ids), "by": by, "state": "commented"}, body)
		return
	}
	w.comment(by, words[w.random.IntN(len(words))])
}

func (w *walk) comment(by, body string) {
	w.ids++
	w.view.Comments = append(w.view.Comments, Comment{ID: w.ids, By: person(map[string]string{"by": by}), Body: body, At: w.now})
}

// whole is the plan with all elements that there are, and those of undo steps that there may be.
func (w *walk) whole() runbook.Plan {
	keys := map[string][]string{}
	for _, step := range w.plan.Steps {
		if keys[step.Name] = w.state.Step(step.Name).Keys; step.Undoes != "" {
			keys[step.Name] = w.state.Step(step.Undoes).Keys
		}
	}
	return w.plan.Expand(keys)
}

// calm ends the faults: what runs succeeds, and values can be worked out.
func (w *walk) calm(t *testing.T) {
	t.Helper()
	w.withdraw = 0
	clear(w.says)
	for range 100 {
		w.look(t)
		moved := w.calmChildren()
		for i, a := range w.view.Attempts {
			if a.State == AttemptRunning {
				w.end(i, runbook.Succeeded, "")
				moved = true
			}
		}
		if !moved {
			return
		}
	}
	t.Fatalf("it does not come to rest:\n%s", w.describe())
}

// waits reports whether the incident waits for a person or for a timer.
func (w *walk) waits() bool {
	if w.state.Paused != nil || w.state.Reopened != nil {
		return true
	}
	for _, step := range w.whole().Steps {
		st := w.state.Step(step.Name)
		if st.asksPeople() || step.Stage == w.state.Stage() && st.Over() && !w.state.settled(step) && !retriesLeft(step, st) {
			return true
		}
	}
	return w.due.After(w.now)
}

// help is what people do who want the incident to end well.
func (w *walk) help() {
	said := w.ids
	if w.state.Paused != nil {
		w.comment("dora", "/resume")
	}
	if w.state.Reopened != nil {
		w.comment("dora", "/resolve")
	}
	for _, step := range w.whole().Steps {
		switch st := w.state.Step(step.Name); {
		case st.Phase == PhaseGate && w.state.Verdict(w.plan, step.Name, w.view).Verdict.Status == approval.StatusApproved: // it waits for a lock
		case st.Phase == PhaseGate:
			for _, by := range []string{"alice", "bob", "carol", "erin", "frank"} { // the last two have asked for nothing yet
				w.ids++
				w.review(map[string]string{"id": fmt.Sprint(w.ids), "by": by}, "/approve "+step.Name)
			}
		case st.Phase == PhaseStarted && st.Kind == runbook.KindManual:
			w.comment("dora", "/done "+step.Name) // whoever approved it does not do it
		case st.Phase == PhaseStarted && st.Kind == runbook.KindChoose:
			w.comment("dora", "/choose "+step.Name+" y")
		case st.Phase == PhaseUnknown && !st.Closed, step.Stage == w.state.Stage() && st.Over() && !w.state.settled(step):
			w.comment("dora", "/retry "+step.Name)
		}
	}
	if said == w.ids && w.due.After(w.now) {
		w.now, w.latest = w.due, w.due
	}
}

// finish shows that the incident ends once faults have stopped and people help.
func (w *walk) finish(t *testing.T) {
	t.Helper()
	w.plan.Command = append(w.plan.Command, "dora") // may command, and approves nothing: who asks for a retry cannot approve it
	for range 200 {                                 // a wait of a day has many repetitions beside it
		w.calm(t)
		if w.view.Pull.Merged {
			w.checkEnd(t)
			return
		}
		if !w.waits() {
			t.Fatalf("neither merged, nor does it wait for a person or a timer:\n%s", w.describe())
		}
		w.help()
	}
	t.Fatalf("people help and it does not end:\n%s\n%+v", w.describe(), explainAll(w))
}

func explainAll(w *walk) []approval.Verdict {
	var out []approval.Verdict
	for _, step := range w.plan.Steps {
		if w.state.Step(step.Name).Phase == PhaseGate {
			out = append(out, w.state.Verdict(w.plan, step.Name, w.view).Verdict)
		}
	}
	return out
}

// TestWalks takes random incidents through faults to their end. That two decisions on the same facts are the same is
// checked at every look.
func TestWalks(t *testing.T) {
	walks := uint64(600 / fewer)
	if *long {
		walks = 10_000
	}
	for seed := range walks {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWalk(t, seed)
			for range 5 + w.random.IntN(25) {
				for range 1 + w.random.IntN(2) {
					w.stir(t)
				}
				w.look(t)
			}
			w.finish(t)
			w.checkDuties(t)
			again, err := Fold(w.journal)
			if err != nil || !reflect.DeepEqual(again, w.state) {
				t.Fatalf("the journal folds to another state: %v", err)
			}
		})
	}
}
