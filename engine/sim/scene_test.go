package sim

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// scene is a small world with one story, which a world that is drawn tells too seldom: runbooks that are written down, and beats that
// follow each other. Nothing else goes wrong, no webhook arrives but those that beats deliver, nothing is looked at by itself, and
// people do what they are asked when the trouble is over.
type scene struct {
	books   []*book                                   // each with an alert group of its own
	child   *book                                     // one that others open
	ends    func(a engine.Attempt) runbook.Conclusion // nil: every attempt succeeds
	freeze  time.Duration                             // how long the freezes of the books last
	beats   []beat
	w       *World
	sources []*source
	since   time.Time     // the beat before
	slow    time.Duration // how long the next call takes
}

// beat is one thing that happens in a scene, after all that stand before it.
type beat struct {
	when  func(s *scene) bool // asked every tenth of a second, or at the point; nil: at once
	at    Point               // where it happens; empty: between events
	fault Fault               // that the call at the point meets
	do    func(s *scene)      // just before the call at the point
	soon  string              // what is wrong if it is not so within a minute; empty: it may take its time
}

func (s *scene) found(w *World) {
	s.w, s.since, w.sweepEvery, w.bent.deaf = w, w.now, 24*time.Hour, true
	files := map[string][]byte{}
	add := func(b *book) {
		b.Command = commanders()
		if b.Edit != nil {
			w.editing = &editing{w: w, helped: map[int]bool{}}
		}
		path := "runbooks/" + b.Name + ".cue"
		files[path], w.books[b.Name] = b.text(), b
		w.tell("", "%s:\n%s", path, b)
	}
	if s.child != nil {
		s.child.Name = "child"
		add(s.child)
	}
	for i, b := range s.books {
		if b.Name = fmt.Sprintf("book%d", i); b.Edit != nil {
			w.editing = &editing{w: w, still: true}
		}
		for j := range b.Calendar.Freezes {
			b.Calendar.Freezes[j].To = w.now.Add(s.freeze).Truncate(time.Second)
		}
		add(b)
		s.sources = append(s.sources, &source{w: w, group: fmt.Sprintf("group-%d", i), book: b.Name})
	}
	w.remote.first(files, w.now)
}

func (s *scene) fate(a engine.Attempt, f fate) fate {
	f.before, f.after, f.conclusion, f.output = 5*time.Second, 5*time.Second, runbook.Succeeded, `{"hosts":["h1"],"n":1}`
	if s.ends != nil {
		f.conclusion = s.ends(a)
	}
	return f
}

func (s *scene) door(w *World) *process { return w.active() }

// latency is what a beat has said of the next call.
func (s *scene) latency(Point) (d time.Duration) {
	d, s.slow = s.slow, 0
	return d
}

// plan begins with the alert of the first group.
func (s *scene) plan(w *World, _ time.Duration) {
	s.alert(0)
	s.tick()
}

func (s *scene) at(_ *process, pt Point) Fault {
	if len(s.beats) == 0 || s.beats[0].at == "" || !pt.below(string(s.beats[0].at)) {
		return NoFault
	}
	b := s.beats[0]
	if b.when != nil && !b.when(s) {
		return NoFault
	}
	s.play()
	return b.fault
}

// tick plays every beat whose time has come.
func (s *scene) tick() {
	for len(s.beats) > 0 && s.beats[0].at == "" && (s.beats[0].when == nil || s.beats[0].when(s)) {
		s.play()
	}
	if len(s.beats) > 0 && s.beats[0].soon != "" && s.w.now.Sub(s.since) > time.Minute {
		s.w.fail("I8", "%s", s.beats[0].soon)
	}
	if !s.w.calm {
		s.w.in(100*time.Millisecond, "", s.tick)
	}
}

func (s *scene) play() {
	b := s.beats[0]
	s.beats, s.since = s.beats[1:], s.w.now
	if b.do != nil {
		b.do(s)
	}
}

// alert tells of the problem of a group, as one that has just begun.
func (s *scene) alert(group int) {
	s.sources[group].begun = time.Time{}
	s.sources[group].fire()
}

// tell tells a certain engine of the problem of a group.
func (s *scene) tell(p *process, group int) {
	from := s.sources[group]
	p.machine.store.add(p, engine.Message{Kind: engine.KindAlert, Key: from.group, Body: jsonOf(engine.Arrival{Alert: from.alert(incident.Firing)})})
}

// edit lets somebody propose an edit of an incident's plan, which grace approves.
func (s *scene) edit(n int, login string, change func(b *book)) {
	w, r := s.w, s.w.chronicle.records[n]
	head := w.remote.heads[r.branch]
	path, b := w.editing.book(r, head)
	change(b)
	made := (&commit{parent: head, files: map[string][]byte{path: b.text()}, message: "mine", by: login, at: w.now}).named()
	p := w.forge.propose(w.forge.person(login), incident.EditPrefix+login, r.branch, made)
	w.tell(login, "proposes by pull request %d an edit of %s at %s", p.number, r.branch, short(made.id))
	w.forge.review(p, w.forge.person("grace"), approval.Approved, made.id, "")
	w.order++
	w.deliver(fmt.Sprint(w.order), engine.Message{Kind: engine.KindProposals, Key: engine.KindProposals})
}

// look is a webhook about an incident.
func (s *scene) look(n int) {
	s.w.order++
	s.w.deliver(fmt.Sprint(s.w.order), engine.Message{Kind: engine.KindHub, Key: s.w.chronicle.records[n].branch})
}

// pull is the pull request of an incident.
func (s *scene) pull(n int) *pull { return s.w.forge.of(s.w.chronicle.records[n].branch) }

// approve lets alice approve a step, on what the pull request shows.
func (s *scene) approve(n int, step string) *review {
	p := s.pull(n)
	s.w.tell("alice", "approves %s on pull request %d", step, p.number)
	return s.w.forge.review(p, s.w.forge.person("alice"), approval.Approved, p.head, "/approve "+step)
}

// says lets dora comment.
func (s *scene) says(n int, text string) {
	s.w.say(s.pull(n), s.w.forge.person("dora"), text)
	s.look(n)
}

// is reports whether a step of an incident has come to a phase, as its branch and the hub have it.
func is(n int, step string, phase incident.Phase) func(*scene) bool {
	return func(s *scene) bool {
		w := s.w
		return len(w.chronicle.records) > n && w.forge.of(w.chronicle.records[n].branch) != nil && w.chronicle.records[n].state.Step(step).Phase == phase
	}
}

// ran reports whether the attempt of a step is over, as the inbox has it.
func ran(n int, step string) func(*scene) bool {
	return func(s *scene) bool {
		w := s.w
		return len(w.chronicle.records) > n && slices.ContainsFunc(w.machines[0].store.steps, func(r *stepRow) bool {
			return r.job.Branch == w.chronicle.records[n].branch && r.job.Step == step && r.state == stepEnded
		})
	}
}

// undisturbed reports whether the branches of all incidents are the engine's.
func undisturbed(s *scene) bool {
	return !slices.ContainsFunc(s.w.chronicle.records, func(r *record) bool { return r.disturbed })
}

// after is a time after the beat before.
func after(d time.Duration) func(*scene) bool {
	return func(s *scene) bool { return s.w.now.Sub(s.since) >= d }
}

// human is a step that a person does.
func human(name string, needs ...string) bookStep {
	return bookStep{Name: name, Kind: runbook.KindManual, Risk: runbook.RiskChange, Needs: needs, Timeout: 24 * time.Hour, OnFailure: runbook.FailureHalts}
}

// gated is a step that a runner performs when somebody of the team has approved it.
func gated(name string, needs ...string) bookStep {
	s := run(name, runbook.RiskChange, needs...)
	s.Approval = &runbook.Approval{From: []string{sreTeam}, Count: 1}
	return s
}

// of is a book of some steps.
func of(steps ...bookStep) *book { return &book{Steps: steps} }

func (s bookStep) locking(locks ...string) bookStep { s.Locks = locks; return s }

// finally puts a step behind all others, whatever became of them.
func (s bookStep) finally() bookStep {
	s.Stage, s.JoinAny = runbook.StageFinally, true
	return s
}

// TestScenes plays every scene to its end.
func TestScenes(t *testing.T) {
	for name, s := range scenes() {
		t.Run(name, func(t *testing.T) {
			r := Run(1, Options{script: s, Story: true})
			if t.Log(r.Story); r.Err != nil {
				t.Fatalf("seed %d: %v", r.Seed, r.Err)
			}
			if len(s.beats) > 0 {
				t.Errorf("%d beats were not played", len(s.beats))
			}
		})
	}
}
