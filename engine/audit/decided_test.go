package audit

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/gitstore"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// decided is an incident that the engine's own decisions write, with people and runners who do anything, and that is
// judged commit by commit as it grows.
type decided struct {
	*trail
	random *rand.Rand
	view   incident.View
	now    time.Time
	said   int64
}

func newDecided(t *testing.T, seed uint64) *decided {
	t.Helper()
	plan := stagedPlan()
	for i := range plan.Steps {
		plan.Steps[i].Needs = map[string][]string{"drain": {"which", "soak"}, "swap": {"drain"}, "check": {"swap"}}[plan.Steps[i].Name]
		if undoes := plan.Steps[i].Undoes; undoes != "" {
			plan.Steps[i].Needs = []string{undoes}
		}
		switch name := plan.Steps[i].Name; {
		case name == "drain" && seed%3 == 0:
			plan.Steps[i].Every = time.Minute
		case (name == "swap" || name == "drain_undo") && seed%5 == 0:
			plan.Steps[i].Kind, plan.Steps[i].Runbook, plan.Steps[i].Risk = runbook.KindRunbook, "other", runbook.RiskChange
		}
		if name := plan.Steps[i].Name; seed%2 == 1 && (name == "swap" || name == "swap_undo" || name == "tell") {
			plan.Steps[i].Each = true
		}
	}
	id := incident.ID("20261122-aaaaaaaaaa")
	d := &decided{random: rand.New(rand.NewPCG(seed, 3)), now: at(0), trail: &trail{a: &auditor{}, dir: id.Dir(), plan: plan,
		record: Incident{ID: id}, commits: map[string]int{}, pages: map[string]string{}, begun: map[string]int{}, orders: map[string]order{}}}
	d.view.Branch.Commits = map[string]int{}
	d.view.Checks, d.view.Children = map[string]bool{}, map[string]incident.Child{}
	d.commitOf(t, incident.Commit{Events: []incident.Data{incident.Opened{ID: id}}})
	d.view.Pull = &incident.Pull{Number: 1, Open: true}
	d.view.People = map[string]approval.Person{"bob": {ID: 12, Login: "bob", Write: true}}
	return d
}

// resolve says what each step is now, with times and options that fit.
func (d *decided) resolve() runbook.Plan {
	ended, p := d.state.Ended(d.plan), d.plan
	p.Steps = append([]runbook.Step{}, p.Steps...)
	for i, step := range p.Steps {
		now := runbook.Resolution{Status: runbook.StatusReady}
		for _, need := range step.Needs {
			if _, ok := ended[need]; !ok {
				now.Status = runbook.StatusWaiting
			}
		}
		now.Work.Wait = &runbook.Wait{For: time.Minute}
		now.Work.Choose = &runbook.Choose{Options: []runbook.Option{{Name: "x"}, {Name: "y"}}}
		if step.Each {
			now = elements(now, step, ended)
		}
		p.Steps[i].Now = now
	}
	return p
}

// elements gives a template two elements, and its undo those that there is something to undo of.
func elements(now runbook.Resolution, step runbook.Step, ended map[string]runbook.Ended) runbook.Resolution {
	keys := []string{"a", "b"}
	if step.Undoes != "" {
		keys = ended[step.Undoes].Happened
	}
	out := runbook.Resolution{Status: now.Status}
	for _, key := range keys {
		out.Elements = append(out.Elements, runbook.Element{Key: key, Now: now})
	}
	return out
}

// commitOf judges one commit.
func (d *decided) commitOf(t *testing.T, c incident.Commit) {
	t.Helper()
	b := &batch{files: map[string][]byte{}, last: d.state.Seq, commit: gitstore.Commit{}}
	if c.Report {
		b.files[journal.ReportPath(d.dir)] = []byte("# Report\n")
	}
	for _, e := range d.state.Next(c.Events, d.now) {
		if f := d.event(b, e); f != nil {
			t.Fatalf("event %d (%s %+v): %s", e.Seq, e.Data.Kind(), e.Data, f)
		}
	}
	d.view.Branch.Head = fmt.Sprint(d.state.Seq)
}

// look performs what is decided until nothing changes.
func (d *decided) look(t *testing.T) {
	t.Helper()
	for range 30 {
		again := false
		for _, action := range incident.Decide(d.resolve(), d.state, d.view, d.now) {
			switch a := action.(type) {
			case incident.Commit:
				d.commitOf(t, a)
				again = true
			case incident.Flush:
				d.view.Branch.Pushed = d.state.Seq
			case incident.Start:
				d.view.Attempts = append(d.view.Attempts, incident.Attempt{Key: a.Key, Step: a.Step, Number: a.Attempt, State: incident.AttemptRunning})
			case incident.OpenChild:
				d.view.Children[a.Parent.Step] = incident.Child{Attempt: a.Parent.Attempt, Incident: incident.NewID(incident.ChildSlot(a.Parent.Key()), d.now), Came: 1}
				again = true
			case incident.TellChild:
				d.endChildren(incident.EndCancelled)
			case incident.Stop:
				d.finish(a.Key, runbook.Cancelled)
			case incident.Reply:
				d.view.Comments = append(d.view.Comments, incident.Comment{Own: true, Body: incident.MarkReply(a.Key, a.Text)})
			}
		}
		if !again {
			return
		}
	}
	t.Fatal("the look does not end")
}

func (d *decided) finish(key string, how runbook.Conclusion) {
	for i, a := range d.view.Attempts {
		if a.Key == key && a.State == incident.AttemptRunning {
			d.view.Attempts[i].State = incident.AttemptEnded
			d.view.Attempts[i].Outcome = &runbook.Outcome{Key: key, Step: a.Step, Attempt: a.Number, Conclusion: how, Started: d.now, Ended: d.now}
		}
	}
}

// endChildren ends all children in one way.
func (d *decided) endChildren(end incident.End) {
	for step, c := range d.view.Children {
		c.End, c.EndedAt, c.Recalled = end, d.now, end == incident.EndCancelled
		d.view.Children[step] = c
	}
}

func (d *decided) stir() {
	steps := d.all().Steps
	step := steps[d.random.IntN(len(steps))].Name
	switch d.random.IntN(8) {
	case 0, 1, 2:
		d.endChildren([]incident.End{incident.EndResolved, incident.EndUndone}[d.random.IntN(2)])
		for _, a := range d.view.Attempts {
			hows := []runbook.Conclusion{runbook.Succeeded, runbook.Succeeded, runbook.Failed, runbook.Unknown}
			d.finish(a.Key, hows[d.random.IntN(len(hows))])
		}
	case 3, 4:
		d.now = d.now.Add(time.Duration(d.random.IntN(100)-20) * time.Second)
	default:
		words := []string{"/choose which x", "/retry " + step, "/did-it-by-hand " + step + " so", "/cancel so", "/done " + step, "/skip " + step + " so", "/pause so", "/resume",
			"/reopen", "/resolve", "/assign " + step + " @bob", "/note so", "/severity sev1"}
		weights := []int{0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, 5, 6, 7, 7, 7, 8, 9, 9, 10, 11, 12}
		d.said++
		d.view.Comments = append(d.view.Comments, incident.Comment{ID: d.said, At: d.now, Body: words[weights[d.random.IntN(len(weights))]],
			By: approval.Person{ID: 11, Login: "alice", Write: true}})
	}
}

// TestWhatIsDecidedIsNoFinding: whatever people and runners do, the journal that the engine's decisions give is one that
// the verifier accepts. All ends come about.
func TestWhatIsDecidedIsNoFinding(t *testing.T) {
	ends := map[incident.End]int{}
	for seed := range uint64(500 / fewer) {
		d := newDecided(t, seed)
		for range 60 {
			d.stir()
			d.look(t)
		}
		ends[d.state.End]++
	}
	for _, end := range []incident.End{incident.EndResolved, incident.EndUndone, incident.EndCancelled} {
		if ends[end] < max(1, 5/fewer) {
			t.Errorf("only %d of the incidents ended as %q: %v", ends[end], end, ends)
		}
	}
}
