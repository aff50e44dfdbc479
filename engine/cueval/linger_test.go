package cueval

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/runbook"
)

// frozenChain is a question about a plan of three steps, each of which takes what the one before put out, and of a list, for an alert of
// a name. The second makes a text of as many KiB as the first says.
func frozenChain(t *testing.T, e *Evaluator, name string) runbook.Query {
	t.Helper()
	text := `import "strings"

title: "chain"
alert: _
steps: {
	a: {risk: "read", exec: command: ["./a"], output: n: int}
	b: {
		let k = strings.Repeat("0123456789abcdef", a.output.n)
		let l = k + k + k + k
		let m = l + l + l + l
		risk: "read"
		exec: {command: ["./b"], env: N: "\(len(m + m + m + m))"}
		output: n: int
	}
	c: {risk: "read", exec: {command: ["./c"], env: N: "\(b.output.n)"}}
	d: {each: ["x", "y"], key: item, risk: "read", exec: command: ["./d"], output: [string]: n: int}
}
`
	q := runbook.Query{Source: runbook.Source{Runbook: "runbooks/chain.cue", Files: map[string][]byte{"runbooks/chain.cue": []byte(text)}},
		Alert: fmt.Appendf(nil, `{"name": %q, "labels": {}, "annotations": {}}`, name), Ended: map[string]runbook.Ended{}}
	plan, ps, err := e.Load(t.Context(), q.Source)
	if err != nil || len(ps) > 0 {
		t.Fatal(err, ps)
	}
	q.Frozen = &plan
	return q
}

// throughout runs a frozen chain to its end, and returns what its steps were at each look.
func throughout(t *testing.T, e *Evaluator, name string) (looks []runbook.Plan) {
	t.Helper()
	q := frozenChain(t, e, name)
	for _, step := range []string{"a", "b", ""} {
		plan, err := e.Resolve(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if looks = append(looks, plan); step == "" {
			break
		}
		out, err := e.Output(t.Context(), q, step, []byte(`{"n": 4}`))
		if err != nil {
			t.Fatal(err)
		}
		q.Ended[step] = runbook.Ended{Conclusion: runbook.Succeeded, Output: out}
	}
	for _, element := range []string{"d.x", "d.y"} {
		if out, err := e.Output(t.Context(), q, element, []byte(`{"n": 1}`)); err != nil || string(out) != `{"n":1}` {
			t.Errorf("%s: %s, %v", element, out, err)
		}
	}
	return looks
}

// TestLingering follows incidents one after the other: a child answers about one of them alone, as often as it is asked about that, only a
// handful of them wait, and all answers are those of children of their own; under the race detector one in six is compared.
func TestLingering(t *testing.T) {
	e, own := inChild(t, Config{Linger: time.Hour}), inChild(t, Config{})
	defer e.Close()
	seen := map[int]bool{}
	for i := range mostWaiting + 2 {
		name := fmt.Sprint("n", i)
		looks := throughout(t, e, name)
		if i%fewer == 0 {
			if d := cmp.Diff(throughout(t, own, name), looks); d != "" {
				t.Errorf("of children of their own and of one that lingers:\n%s", d)
			}
		}
		last := e.waiting.all[len(e.waiting.all)-1]
		if last.uses != 4 || seen[last.cmd.Process.Pid] {
			t.Errorf("the child of %s answered %d times, and before about another incident: %t", name, last.uses, seen[last.cmd.Process.Pid])
		}
		seen[last.cmd.Process.Pid] = true
	}
	if n := len(e.waiting.all); n != mostWaiting {
		t.Errorf("%d children wait", n)
	}
	if n := len(own.waiting.all); n != 0 {
		t.Errorf("%d children wait although none may", n)
	}
	if e.Close(); len(e.waiting.all) != 0 {
		t.Error("children wait after Close")
	}
}

// TestLingeringEnds waits for the end of a child that nobody asks any more.
func TestLingeringEnds(t *testing.T) {
	e := inChild(t, Config{Linger: time.Nanosecond})
	throughout(t, e, "n")
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for left := func() int { e.waiting.mu.Lock(); defer e.waiting.mu.Unlock(); return len(e.waiting.all) }; left() > 0; {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("the child waits on")
		}
	}
}

// TestLingeringIsStopped shows that the bounds hold for each question to a child that lingers: an output that makes too much of a runbook
// stops it, the next question about that runbook is stopped as well, and one that is in order is answered.
func TestLingeringIsStopped(t *testing.T) {
	e := inChild(t, Config{Linger: time.Hour})
	defer e.Close()
	q := frozenChain(t, e, "n")
	if _, err := e.Resolve(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	out, err := e.Output(t.Context(), q, "a", []byte(`{"n": 1000000}`))
	if err != nil {
		t.Fatalf("the output itself is one number: %v", err)
	}
	if len(e.waiting.all) > 0 {
		t.Error("the child that was stopped is kept")
	}
	hostile := q
	hostile.Ended = map[string]runbook.Ended{"a": {Conclusion: runbook.Succeeded, Output: out}}
	if _, err := e.Resolve(t.Context(), hostile); !stopped(err) {
		t.Errorf("stopped with %v", err)
	}
	if len(e.waiting.all) > 0 {
		t.Error("the child that was stopped is kept")
	}
	if out, err = e.Output(t.Context(), q, "a", []byte(`{"n": 3}`)); err != nil || string(out) != `{"n":3}` {
		t.Errorf("%s, %v", out, err)
	}
	if len(e.waiting.all) != 1 {
		t.Errorf("%d children wait after an answer", len(e.waiting.all))
	}
}
