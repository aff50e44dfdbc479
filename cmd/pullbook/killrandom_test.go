package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

var (
	kills    = flag.Int("kills", 100, "how often TestKilledAtRandom kills the engine")
	killSeed = flag.Uint64("killseed", 0, "seed of TestKilledAtRandom; 0: a new one")
)

// markedRunbook leaves a line for each effect, in a file for each step of each incident. MARKS_DIR is replaced.
const markedRunbook = `title: "Change four things"
match: labels: service: "marked"
alert: _
#mark: {name: string, exec: {command: ["sh", "-c", "echo >>$MARKS/$N.\(name).$PULLBOOK_INCIDENT; sleep 0.2"], env: {MARKS: "MARKS_DIR", N: alert.labels.n}}}
steps: {
	one: exec: (#mark & {name: "one"}).exec
	two: {needs: ["one"], approval: {from: ["acme/sre"], count: 1}, exec: (#mark & {name: "two"}).exec}
	pause: {needs: ["two"], wait: for: "300ms"}
	three: {needs: ["pause"], idempotent: true, exec: (#mark & {name: "three"}).exec}
	four: {needs: ["three"], exec: (#mark & {name: "four"}).exec}
}
`

// freePolicy lets a runbook change things without an approval.
const freePolicy = `name: "acme"
command: ["acme/sre"]
`

// TestKilledAtRandom kills the engine with SIGKILL at random moments, again and again, while incidents go on. Every alert that
// was answered 202 becomes an incident that ends and verifies, and what is not idempotent happens once: where nobody can say
// whether it did, a person is asked, who looks.
func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("go test -run TestKilledAtRandom -kills %d -killseed %d", *kills, seed)
	s, marks := newMarked(t)
	s.serve(t)
	reaper := &reaper{scene: s, dice: rand.New(rand.NewPCG(seed, 1)), left: *kills}
	incidents, questions := 0, 0
	for reaper.left > 0 {
		var open []*ordeal
		for range 4 {
			incidents++
			open = append(open, newOrdeal(s, marks, incidents))
		}
		done := make(chan struct{})
		reaped := make(chan struct{})
		go func() { defer close(reaped); reaper.work(killsAtATime, done) }()
		for _, o := range open {
			o.raise(t)
		}
		s.playAll(t, open)
		for _, o := range open {
			questions += o.questions
		}
		close(done)
		<-reaped
	}
	s.awaitHealth(t)
	for n := range incidents {
		checkMarks(t, marks, fmt.Sprint(n+1))
	}
	s.verify(t, incidents)
	slices.Sort(reaper.back)
	t.Logf("%d kills, %d incidents, %d questions; back at work after %s (median) and %s (longest)", *kills, incidents, questions,
		reaper.back[len(reaper.back)/2].Round(time.Millisecond), reaper.back[len(reaper.back)-1].Round(time.Millisecond))
}

// killsAtATime is how often the engine is killed before it is left alone until the incidents have ended.
const killsAtATime = 25

// playAll answers what is asked until all incidents are merged.
func (s *scene) playAll(t *testing.T, open []*ordeal) {
	t.Helper()
	for until := time.Now().Add(5 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		left := 0
		for _, o := range open {
			if !o.goOn(t) {
				left++
			}
		}
		switch {
		case left == 0:
			return
		case time.Now().After(until):
			t.Fatalf("%d incidents are not merged after five minutes", left)
		}
	}
}

// reaper kills the engine and starts it again.
type reaper struct {
	*scene
	dice *rand.Rand
	left int
	back []time.Duration // from each start that was let through until the engine answered
}

// work kills until it has killed so often, or enough, or until done.
func (r *reaper) work(most int, done <-chan struct{}) {
	for ; r.left > 0 && most > 0; most-- {
		life := time.Duration(r.dice.Int64N(int64(time.Second)))
		if r.dice.IntN(5) > 0 { // else it may be killed while it starts
			if !r.awaitBack(done) {
				return
			}
		}
		select {
		case <-done:
			return
		case <-time.After(life):
		}
		r.left--
		r.restart()
	}
}

func (r *reaper) awaitBack(done <-chan struct{}) bool {
	started := time.Now()
	for {
		resp, err := http.Get(r.address() + "/healthz")
		if err == nil {
			_ = resp.Body.Close()
			r.back = append(r.back, time.Since(started))
			return true
		}
		select {
		case <-done:
			return false
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// ordeal is one incident, and the people who look after it.
type ordeal struct {
	*scene
	marks    string
	n        string // the alert's own label
	slot     string
	answered map[string]bool

	questions int // whether something happened
}

// newMarked is a world whose runbook leaves a mark for each effect, and the directory of these marks.
func newMarked(t *testing.T) (s *scene, marks string) {
	t.Helper()
	marks = t.TempDir()
	return newScene(t, stage{files: map[string]string{"runbooks/marked.cue": strings.ReplaceAll(markedRunbook, "MARKS_DIR", marks), "pullbook.cue": freePolicy}}), marks
}

func newOrdeal(s *scene, marks string, n int) *ordeal {
	return &ordeal{scene: s, marks: marks, n: fmt.Sprint(n), answered: map[string]bool{}}
}

// raise sends the alert until it is answered 202, as Alertmanager does.
func (o *ordeal) raise(t *testing.T) {
	t.Helper()
	a := alarm{Name: "Marked", Group: "marked " + o.n, Labels: map[string]string{"service": "marked", "n": o.n}}
	waitFor(t, "the alert is taken", func() bool {
		group, err := o.offer(t, a)
		o.slot = incident.Slot(group, "")
		return err == nil
	})
}

// goOn answers what is asked, and tells whether the incident is merged.
func (o *ordeal) goOn(t *testing.T) (merged bool) {
	t.Helper()
	seen := o.seeSlot(t, o.slot)
	if seen.pull == nil || seen.merged() {
		return seen.pull != nil
	}
	for _, e := range seen.events {
		key, login, say := "", "bob", ""
		switch d := e.Data.(type) {
		case incident.GateOpened:
			key, login, say = "gate "+d.Page, "alice", "/approve "+d.Step
		case incident.StepUnknown:
			key, say = fmt.Sprint("unknown ", d.Step, d.Attempt), "/retry "+d.Step
			if !o.answered[key] {
				o.questions++
			}
			if len(marksOf(t, o.marks, o.n, d.Step)) > 0 {
				say = "/did-it-by-hand " + d.Step + " it is there"
			}
		case incident.StepEnded:
			if d.Conclusion == runbook.Failed { // it could not be begun
				key, say = fmt.Sprint("failed ", d.Step, d.Attempt), "/retry "+d.Step
			}
		}
		if key == "" || o.answered[key] {
			continue
		}
		o.answered[key] = true
		answer := o.world.comment
		if login == "alice" {
			answer = o.world.review
		}
		if err := answer(t.Context(), login, seen.pull.GetNumber(), say); err != nil {
			t.Fatal(err)
		}
	}
	return false
}

// marksOf are the files that a step of the incidents of an alert has left.
func marksOf(t *testing.T, dir, n, step string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, n+"."+step+".*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// checkMarks demands that each effect of an alert's incident is there, and that what is not idempotent is there once in each.
func checkMarks(t *testing.T, dir, n string) {
	t.Helper()
	for _, step := range []string{"one", "two", "three", "four"} {
		files := marksOf(t, dir, n, step)
		if len(files) == 0 {
			t.Errorf("alert %s: %s never happened", n, step)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Error(err)
			}
			if times := len(text); times > 1 && step != "three" {
				t.Errorf("%s: it happened %d times", filepath.Base(file), times)
			}
		}
	}
}
