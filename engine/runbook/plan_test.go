package runbook

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// steps reads "a b<-a c<-a,b" as three steps.
func steps(text string) []Step {
	var out []Step
	for _, word := range strings.Fields(text) {
		name, needs, _ := strings.Cut(word, "<-")
		s := Step{Name: name}
		if needs != "" {
			s.Needs = strings.Split(needs, ",")
		}
		out = append(out, s)
	}
	return out
}

func names(list []Step) string {
	var out []string
	for _, s := range list {
		out = append(out, s.Name)
	}
	return strings.Join(out, " ")
}

func TestOrder(t *testing.T) {
	cases := []struct{ steps, order, problem string }{
		{"", "", ""},
		{"a", "a", ""},
		{"c b a", "c b a", ""},
		{"a<-b b", "b a", ""},
		{"d<-b,c c<-a b<-a a", "a b c d", ""},
		{"x z<-y y", "x y z", ""},
		{"a<-a", "", "step a needs itself"},
		{"a<-b b<-a", "", "steps need each other: a needs b needs a"},
		{"x<-a a<-b b<-c c<-a", "", "steps need each other: a needs b needs c needs a"},
		{"a<-b", "", "step a needs b, which is not a step of this runbook"},
		{"a b<-a,nobody", "", "step b needs nobody, which is not a step of this runbook"},
	}
	for _, c := range cases {
		got, err := Order(steps(c.steps))
		if c.problem != "" {
			if err == nil || err.Error() != c.problem {
				t.Errorf("%s: error %v, want %s", c.steps, err, c.problem)
			}
			continue
		}
		if err != nil || names(got) != c.order {
			t.Errorf("%s: %s, %v; want %s", c.steps, names(got), err, c.order)
		}
	}
}

func TestOrderErrorsCanBeToldApart(t *testing.T) {
	_, err := Order(steps("a<-b b<-a"))
	var cycle *CycleError
	if !errors.As(err, &cycle) || !slices.Equal(cycle.Steps, []string{"a", "b"}) {
		t.Errorf("not the cycle: %v", err)
	}
	_, err = Order(steps("a<-z"))
	var unknown *UnknownStepError
	if !errors.As(err, &unknown) || *unknown != (UnknownStepError{Step: "a", Needs: "z"}) {
		t.Errorf("not the unknown step: %v", err)
	}
}

// TestOrderOfRandomPlans: every step is there once, after all it needs, and what is in order already stays.
func TestOrderOfRandomPlans(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		plan := randomSteps(random, 1+random.IntN(40))
		random.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
		got, err := Order(plan)
		if err != nil || len(got) != len(plan) {
			t.Fatalf("%d of %d steps: %v", len(got), len(plan), err)
		}
		before := map[string]bool{}
		for _, s := range got {
			for _, need := range s.Needs {
				if !before[need] {
					t.Fatalf("%s comes before %s, which it needs", s.Name, need)
				}
			}
			before[s.Name] = true
		}
		if again, _ := Order(got); names(again) != names(got) {
			t.Fatalf("an ordered plan was reordered: %s to %s", names(got), names(again))
		}
	}
}

// randomSteps makes n steps in order, each needing a few of those before it.
func randomSteps(random *rand.Rand, n int) []Step {
	out := make([]Step, n)
	for i := range out {
		out[i].Name = fmt.Sprintf("s%d", i)
		for range random.IntN(4) {
			if i > 0 {
				out[i].Needs = append(out[i].Needs, fmt.Sprintf("s%d", random.IntN(i)))
			}
		}
	}
	return out
}

// TestOrderIsLinear: the longest chain and the densest graph that a runbook could be take no time to speak of.
func TestOrderIsLinear(t *testing.T) {
	const n = 20_000
	chain := make([]Step, n)
	for i := range chain {
		chain[i].Name = fmt.Sprint(i)
		if i+1 < n {
			chain[i].Needs = []string{fmt.Sprint(i + 1)}
		}
	}
	got, err := Order(chain)
	if err != nil || got[0].Name != fmt.Sprint(n-1) {
		t.Errorf("the chain was not turned round: %v", err)
	}
}

func TestUpstreamOf(t *testing.T) {
	plan := Plan{Steps: steps("a b c<-a d<-c,b e<-b f")}
	cases := map[string]string{"a": "", "c": "a", "d": "a b c", "e": "b", "f": "", "nobody": ""}
	for name, want := range cases {
		if got := strings.Join(plan.UpstreamOf(name), " "); got != want {
			t.Errorf("upstream of %s: %q, want %q", name, got, want)
		}
	}
}

// TestUpstreamOfRandomPlans compares with the obvious, slow way.
func TestUpstreamOfRandomPlans(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		plan := Plan{Steps: randomSteps(random, 1+random.IntN(15))}
		for _, s := range plan.Steps {
			above := map[string]bool{}
			var climb func(name string)
			climb = func(name string) {
				step, _ := plan.Step(name)
				for _, need := range step.Needs {
					above[need] = true
					climb(need)
				}
			}
			climb(s.Name)
			var want []string
			for _, other := range plan.Steps {
				if above[other.Name] {
					want = append(want, other.Name)
				}
			}
			if d := cmp.Diff(want, plan.UpstreamOf(s.Name)); d != "" {
				t.Fatalf("upstream of %s: %s", s.Name, d)
			}
		}
	}
}

func TestPause(t *testing.T) {
	s := time.Second
	cases := []struct {
		retry  Retry
		failed int
		want   time.Duration
	}{
		{Retry{Attempts: 3, Backoff: 10 * s}, 1, 10 * s},
		{Retry{Attempts: 3, Backoff: 10 * s}, 2, 20 * s},
		{Retry{Attempts: 3, Backoff: 10 * s}, 3, 40 * s},
		{Retry{Backoff: 10 * s, Factor: 1}, 7, 10 * s},
		{Retry{Backoff: 10 * s, Factor: 1.5}, 3, 22500 * time.Millisecond},
		{Retry{Backoff: 10 * s, Factor: 0.1}, 2, 20 * s},
		{Retry{Backoff: 10 * s, Max: 15 * s}, 1, 10 * s},
		{Retry{Backoff: 10 * s, Max: 15 * s}, 2, 15 * s},
		{Retry{Backoff: 20 * s, Max: 15 * s}, 1, 15 * s},
		{Retry{Backoff: s, Factor: 100}, 100, 24 * time.Hour},
		{Retry{Backoff: s, Factor: 100, Max: time.Minute}, 100, time.Minute},
		{Retry{}, 5, 0},
		{Retry{Backoff: s}, 0, s},
		{Retry{Backoff: s}, -4, s},
	}
	for _, c := range cases {
		if got := c.retry.Pause(c.failed, "i/s/1"); got != c.want {
			t.Errorf("%+v after %d: %s, want %s", c.retry, c.failed, got, c.want)
		}
	}
}

// TestPauseWithJitter: the key alone says how much is taken off, evenly, and never more than the part that was asked for.
func TestPauseWithJitter(t *testing.T) {
	r := Retry{Backoff: 100 * time.Second, Factor: 1, Jitter: 0.25}
	var sum time.Duration
	const n = 4000
	for i := range n {
		key := AttemptKey("20261122-k3jq5zabcd", "rollback", i)
		pause := r.Pause(1, key)
		if again := r.Pause(1, key); again != pause {
			t.Fatalf("%s: %s, then %s", key, pause, again)
		}
		if pause <= 75*time.Second || pause > 100*time.Second {
			t.Fatalf("%s: %s is outside of 75s to 100s", key, pause)
		}
		sum += pause
	}
	if mean := sum / n; mean < 87*time.Second || mean > 88*time.Second {
		t.Errorf("the mean of %d pauses is %s, want about 87.5s", n, mean)
	}
	for _, jitter := range []float64{-1, 0} {
		r.Jitter = jitter
		if got := r.Pause(1, "k"); got != 100*time.Second {
			t.Errorf("jitter %v: %s", jitter, got)
		}
	}
	r.Jitter = 7
	if got := r.Pause(1, "k"); got < 0 || got > 100*time.Second {
		t.Errorf("a jitter beyond 1 gives %s", got)
	}
}

func TestStepsOfAStage(t *testing.T) {
	plan := Plan{Steps: steps("a b c d")}
	plan.Steps[1].Stage, plan.Steps[3].Stage = StageUndo, StageFinally
	for stage, want := range map[Stage]string{StageMain: "a c", StageUndo: "b", StageFinally: "d", "other": ""} {
		if got := names(slices.Collect(plan.In(stage))); got != want {
			t.Errorf("stage %q: %q, want %q", stage, got, want)
		}
	}
	for s := range plan.In(StageMain) {
		if s.Name != "a" {
			t.Error("it goes on after a break")
		}
		break
	}
}

func TestKindsThatNeedARunner(t *testing.T) {
	for kind, want := range map[Kind][2]bool{KindExec: {true, false}, KindHTTP: {true, false}, KindProbe: {true, false},
		KindManual: {false, true}, KindChoose: {false, true}, KindWait: {false, false}} {
		if got := [2]bool{kind.NeedsRunner(), kind.AsksPeople()}; got != want {
			t.Errorf("%s: %v, want %v", kind, got, want)
		}
	}
}

func TestStepOfPlan(t *testing.T) {
	plan := Plan{Steps: steps("a b")}
	if s, ok := plan.Step("b"); !ok || s.Name != "b" {
		t.Error("b is not found")
	}
	if _, ok := plan.Step("c"); ok {
		t.Error("c is found")
	}
}

func TestRepeatable(t *testing.T) {
	for _, risk := range []Risk{RiskRead, RiskChange, RiskDestructive} {
		for _, idempotent := range []bool{false, true} {
			s := Step{Risk: risk, Idempotent: idempotent}
			if got := s.Repeatable(); got != (risk == RiskRead || idempotent) {
				t.Errorf("%s, idempotent %t: %t", risk, idempotent, got)
			}
		}
	}
}

func TestProblemInOneLine(t *testing.T) {
	cases := map[string]Problem{
		`runbooks/disk.cue:5:6: steps.r.whne: unknown field "whne"; did you mean when?`: {
			File: "runbooks/disk.cue", Line: 5, Column: 6, Path: "steps.r.whne", Text: `unknown field "whne"`, Hint: "did you mean when?"},
		"a.cue: too large": {File: "a.cue", Text: "too large"},
	}
	for want, p := range cases {
		if got := p.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAttemptKey(t *testing.T) {
	if got := AttemptKey("20261122-k3jq5zabcd", "rollback", 2); got != "20261122-k3jq5zabcd/rollback/2" {
		t.Error(got)
	}
}
