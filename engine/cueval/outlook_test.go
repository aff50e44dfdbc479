package cueval

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/runbook"
)

// chain is a runbook of n steps, each of which follows the one before, or takes its output.
func chain(n int, linked bool) runbook.Source {
	var b strings.Builder
	b.WriteString("title: \"t\"\nalert: _\nsteps: {\n")
	for i := range n {
		switch {
		case i == 0:
			b.WriteString("\ts0: {risk: \"read\", exec: command: [\"x\"], output: n: int}\n")
		case linked:
			fmt.Fprintf(&b, "\ts%d: {risk: \"read\", exec: {command: [\"x\"], env: N: \"\\(s%d.output.n + 1)\"}, output: n: int}\n", i, i-1)
		default:
			fmt.Fprintf(&b, "\ts%d: {needs: [\"s%d\"], risk: \"read\", exec: {command: [\"x\"], env: N: alert.name}}\n", i, i-1)
		}
	}
	b.WriteString("}\n")
	return runbook.Source{Runbook: "runbooks/x.cue", Files: map[string][]byte{"runbooks/x.cue": []byte(b.String())}}
}

// walk lets the steps of a chain end one after the other, and returns how many evaluations that took after the first one.
func walk(t *testing.T, src runbook.Source) int64 {
	t.Helper()
	e := New(Config{Child: []string{os.Args[0], "eval-child"}, Wall: time.Minute}) // a busy machine is no hostile runbook
	frozen, ps, err := e.Load(t.Context(), src)
	if err != nil || len(ps) > 0 {
		t.Fatal(err, ps)
	}
	q := runbook.Query{Source: src, Alert: json.RawMessage(checkoutAlert), Ended: map[string]runbook.Ended{}, Frozen: &frozen}
	plan, err := e.Resolve(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	before := e.Evaluations()
	for i, s := range frozen.Steps {
		if now, _ := plan.Step(s.Name); now.Now.Status != runbook.StatusReady {
			t.Fatalf("%s is %+v when its turn has come", s.Name, now.Now)
		}
		end := runbook.Ended{Conclusion: runbook.Succeeded}
		if s.HasOutput {
			if end.Output, err = e.Output(t.Context(), q, s.Name, fmt.Appendf(nil, `{"n": %d, "more": true}`, i)); err != nil {
				t.Fatal(err)
			}
		}
		q.Ended[s.Name] = end
		if plan, err = e.Resolve(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	return e.Evaluations() - before
}

// TestStepsThatRestOnNoOutputAreEvaluatedOnce counts evaluations: however many steps follow each other, one more tells of all of them; and
// where each takes the output of the one before, the one that checks the output says what comes next.
func TestStepsThatRestOnNoOutputAreEvaluatedOnce(t *testing.T) {
	for _, n := range []int{3, max(6, 20/fewer)} {
		if got := walk(t, chain(n, false)); got != 1 {
			t.Errorf("%d steps that follow each other took %d evaluations, want 1: of the first one's output", n, got)
		}
		if got := walk(t, chain(n, true)); got != int64(n) {
			t.Errorf("%d steps that take each other's outputs took %d evaluations, want one for each output", n, got)
		}
	}
}

// TestOutlooksAreOfTheirQuestionAlone asks about other alerts, other plans and other runbooks, of which one outlook says nothing.
func TestOutlooksAreOfTheirQuestionAlone(t *testing.T) {
	q := runbook.Query{Source: chain(2, false), Alert: json.RawMessage(checkoutAlert), Frozen: &runbook.Plan{Name: "x"}}
	e := New(Config{})
	keyOf := func(q runbook.Query) ([32]byte, bool) { return e.question(opResolve, q, "", nil).outlookKey() }
	key, ok := keyOf(q)
	if !ok {
		t.Fatal("no key")
	}
	others := []runbook.Query{q, q, q, q}
	others[0].Alert = json.RawMessage(`{}`)
	others[1].Frozen = &runbook.Plan{Name: "y"}
	others[2].Source = chain(3, false)
	others[3].Source.Schema = []byte("#Runbook: _")
	for i, other := range others {
		if k, _ := keyOf(other); k == key {
			t.Errorf("question %d has the same key", i)
		}
	}
	q.Ended = map[string]runbook.Ended{"s0": {Conclusion: runbook.Failed}}
	if k, _ := keyOf(q); k != key {
		t.Error("the ends of steps make another key")
	}
	if _, ok := keyOf(runbook.Query{Source: q.Source}); ok {
		t.Error("a question without a plan has a key")
	}
	var all outlooks
	for i := range 3 * mostOutlooks {
		all.keep(&outlook{key: [32]byte{byte(i), 1}})
	}
	if len(all.all) != mostOutlooks || all.find([32]byte{3*mostOutlooks - 1, 1}, nil) == nil || all.find([32]byte{0, 1}, nil) != nil {
		t.Errorf("%d outlooks are kept", len(all.all))
	}
	for i := range 5 {
		all.keep(&outlook{key: [32]byte{byte(i), 2}, size: allOutlooks / 3})
	}
	if len(all.all) != 3 || all.find([32]byte{4, 2}, nil) == nil || all.find([32]byte{2, 2}, nil) == nil {
		t.Errorf("%d large outlooks are kept", len(all.all))
	}
}

// TestAnOutputThatComesAgainIsLookedAt asks what follows from a second output of a step, as after a retry: whoever takes it is evaluated anew.
func TestAnOutputThatComesAgainIsLookedAt(t *testing.T) {
	e := New(Config{Child: []string{os.Args[0], "eval-child"}, Wall: time.Minute})
	src := chain(3, true)
	frozen, ps, err := e.Load(t.Context(), src)
	if err != nil || len(ps) > 0 {
		t.Fatal(err, ps)
	}
	q := runbook.Query{Source: src, Alert: json.RawMessage(checkoutAlert), Frozen: &frozen}
	if _, err := e.Resolve(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{4, 7, 7, 4} {
		out, err := e.Output(t.Context(), q, "s0", fmt.Appendf(nil, `{"n": %d}`, n))
		if err != nil {
			t.Fatal(err)
		}
		q.Ended = map[string]runbook.Ended{"s0": {Conclusion: runbook.Succeeded, Output: out}}
		plan, err := e.Resolve(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if s, _ := plan.Step("s1"); !strings.Contains(string(s.Now.Work.Run), fmt.Sprintf(`"N":"%d"`, n+1)) {
			t.Errorf("after %d s1 is %s", n, s.Now.Work.Run)
		}
	}
}

// TestOutlooksBearWhatIsTakenBack lets steps end, and begin anew, in any order: a retry takes an end back, and brings another output.
func TestOutlooksBearWhatIsTakenBack(t *testing.T) {
	foreseen, evaluated := 0, 0
	for seed := range uint64(max(2, 6/fewer)) {
		w := &writer{Rand: rand.New(rand.NewPCG(seed, 7))}
		src := w.runbook(3+w.IntN(7), seed%2 == 1)
		_, known, ps := load(src)
		if len(ps) > 0 {
			continue
		}
		x, ended := &outlook{}, map[string]runbook.Ended{}
		for range 4 {
			news := w.ended(known)
			for _, s := range known.Steps {
				end, over := news[s.Name]
				if delete(ended, s.Name); over && w.IntN(8) > 0 {
					ended[s.Name] = end
				}
				q := runbook.Query{Source: src, Alert: []byte(checkoutAlert), Ended: ended}
				want, err := resolve(q, &known)
				if err != nil {
					t.Fatal(err)
				}
				plan, spared, lacks := x.resolve(ended)
				whole := lacks == lacksNothing
				if whole {
					foreseen++
				} else {
					evaluated++
					var told *ahead
					if plan, told, err = (&texts{}).resolveAhead(q, &known, spared); err != nil {
						t.Fatal(err)
					}
					x = x.after(&plan, ended, told, spared)
				}
				if d := cmp.Diff(want, plan); d != "" {
					t.Fatalf("seed %d, ended %v, foreseen %t: %s\n%s", seed, ended, whole, d, w.b.String())
				}
			}
		}
	}
	t.Logf("%d foreseen, %d evaluated", foreseen, evaluated)
	if foreseen < 20/fewer || evaluated < 20/fewer {
		t.Error("the walks test hardly anything")
	}
}

// TestStoriesOfOneRunbook plays one incident again and again, two at a time, each with outputs of its own: all that is evaluated after the
// first of them is the outputs, and once what follows from them.
func TestStoriesOfOneRunbook(t *testing.T) {
	e := inChild(t, Config{Stay: true})
	defer e.Close()
	q := checkoutQuery()
	frozen, ps, err := e.Load(t.Context(), q.Source)
	if err != nil || len(ps) > 0 {
		t.Fatal(err, ps)
	}
	q.Source, q.Frozen, q.Ended = q.Source.Of(frozen), &frozen, nil
	if _, err := e.Resolve(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	const stories = 8
	var at [stories]map[string]runbook.Ended
	before := int64(0)
	put := func(story int) {
		ended := map[string]runbook.Ended{}
		for step, text := range map[string]string{"errors": `{"error_rate": 0.4, "requests": %d}`, "version": `{"current": "v%[1]d", "previous": "v%[1]d-1"}`} {
			out, err := e.Output(t.Context(), q, step, fmt.Appendf(nil, text, story))
			if err != nil {
				t.Fatal(err)
			}
			ended[step] = runbook.Ended{Conclusion: runbook.Succeeded, Output: out}
		}
		at[story] = ended
	}
	goOn := func(story int) {
		for _, step := range []string{"", "rollback", "recovered"} {
			if step != "" {
				at[story][step] = runbook.Ended{Conclusion: runbook.Succeeded}
			}
			now := q
			now.Ended = maps.Clone(at[story])
			plan, err := e.Resolve(t.Context(), now)
			want, wrong := resolve(now, &frozen)
			if d := cmp.Diff(want, plan); err != nil || wrong != nil || d != "" {
				t.Fatalf("story %d after %q: %v, %v\n%s", story, step, err, wrong, d)
			}
		}
	}
	for story := range stories { // one puts out before the one before it goes on
		if put(story); story > 0 {
			goOn(story - 1)
		}
		if story == 1 {
			before = e.Evaluations()
		}
	}
	if n := e.Evaluations() - before; n != 3*(stories-2) {
		t.Errorf("%d stories took %d evaluations, want three each", stories-2, n)
	}
}
