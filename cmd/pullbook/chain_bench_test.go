package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// chained is how many steps BenchmarkChain has, one after the other.
const chained = 100

// chainRunbook has n steps that run a program which does nothing: each only follows the one before, or takes its output.
func chainRunbook(service string, n int, linked bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "title: \"A chain\"\nmatch: labels: service: %q\nalert: _\nsteps: {\n", service)
	for i := range n {
		switch {
		case !linked && i == 0:
			b.WriteString("s0: {risk: \"read\", exec: command: [\"true\"]}\n")
		case !linked:
			fmt.Fprintf(&b, "s%d: {needs: [\"s%d\"], risk: \"read\", exec: command: [\"true\"]}\n", i, i-1)
		case i == 0:
			b.WriteString(`s0: {risk: "read", exec: command: ["echo", "{\"n\": 0}"], output: n: int}` + "\n")
		default:
			fmt.Fprintf(&b, `s%d: {risk: "read", exec: {command: ["sh", "-c", "echo \"{\\\"n\\\": $N}\""], env: N: "\(s%d.output.n + 1)"}, output: n: int}`+"\n", i, i-1)
		}
	}
	b.WriteString("}\n")
	return b.String()
}

// chainPolicy lists the programs of chains as ones that only read.
const chainPolicy = `name: "acme"
readCommands: [["true"], ["echo", "..."], ["sh", "..."]]
readEnv: ["N"]
`

// chainLine is an engine that follows chains.
type chainLine struct {
	world *world
	svc   *service
	ended chan incident.StepEnded
	at    chan time.Time
}

// cost counts what an engine has asked for and made.
type cost struct{ evaluations, commits, pushes, calls int }

func (c *chainLine) cost() cost {
	seen := c.world.requests()
	return cost{int(c.svc.eval.Evaluations()), int(c.svc.store.Stats().Commits), seen.pushes, seen.calls}
}

func (a cost) since(b cost) cost {
	return cost{a.evaluations - b.evaluations, a.commits - b.commits, a.pushes - b.pushes, a.calls - b.calls}
}

// newChainLine serves a ledger with runbooks, by name.
func newChainLine(tb testing.TB, runbooks map[string]string) *chainLine {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	files := map[string]string{"pullbook.cue": chainPolicy}
	for name, text := range runbooks {
		files["runbooks/"+name+".cue"] = text
	}
	w, err := newWorld(ctx, stage{dir: tb.TempDir(), listen: "127.0.0.1:0", files: files})
	if err != nil {
		tb.Fatal(err)
	}
	c := &chainLine{world: w, ended: make(chan incident.StepEnded, 10*chained), at: make(chan time.Time, 10*chained)}
	c.svc, err = w.service(ctx, slog.New(slog.DiscardHandler), func(_ incident.ID, events []incident.Event) {
		for _, e := range events {
			if d, ended := e.Data.(incident.StepEnded); ended {
				c.ended <- d
				c.at <- e.At
			}
		}
	})
	if err != nil {
		tb.Fatal(err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- c.svc.run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			tb.Error(err)
		}
		c.svc.close()
		w.close()
	})
	return c
}

// follow opens an incident of a runbook with so many steps, and returns how long it took from the end of the first to that of the last.
func (c *chainLine) follow(tb testing.TB, service, group string, steps int) time.Duration {
	tb.Helper()
	body := fmt.Sprintf(`{"name": "Chain", "group": %q, "labels": {"service": %q}}`, group, service)
	resp, err := http.Post("http://"+c.svc.listener.Addr().String()+"/alerts/generic", "application/json", strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	resp.Body.Close()
	var first, last time.Time
	for range steps {
		d, at := receive(tb, c.ended, "the end of a step"), receive(tb, c.at, "its time")
		if d.Conclusion != runbook.Succeeded {
			tb.Fatalf("%s ended as %q: %s", d.Step, d.Conclusion, d.Error)
		}
		if last = at; d.Step == "s0" {
			first = at
		}
	}
	return last.Sub(first)
}

// BenchmarkChain is the time that each of a hundred steps takes, one after the other, in an open incident on the local hub with
// limits off: every one journalled and signed, by the times of the journal. The issue asks for at most 12 ms a step where one only follows the
// other, and 30 ms where it takes the other's output. What it costs besides, from the alert to the last step, is counted for each step.
func BenchmarkChain(b *testing.B) {
	if _, err := exec.LookPath("git"); err != nil {
		b.Skip("git is not installed")
	}
	for _, linked := range []bool{false, true} {
		b.Run(map[bool]string{false: "follows", true: "outputs"}[linked], func(b *testing.B) {
			c := newChainLine(b, map[string]string{"chain": chainRunbook("chain", chained, linked)})
			var took time.Duration
			before := c.cost()
			for i := 0; b.Loop(); i++ {
				took += c.follow(b, "chain", fmt.Sprint("chain-", i), chained)
			}
			each := float64(b.N * (chained - 1))
			b.ReportMetric(float64(took.Microseconds())/1000/each, "ms/step")
			cost := c.cost().since(before)
			for unit, n := range map[string]int{"evaluations": cost.evaluations, "commits": cost.commits, "pushes": cost.pushes, "calls": cost.calls} {
				b.ReportMetric(float64(n)/each, unit+"/step")
			}
		})
	}
}

// TestChainsCostNoEvaluations follows a short chain and a longer one. Steps that rest on no output cost a commit each, and no evaluation; one
// that takes an output costs one. Neither costs a push or a call of the hub.
func TestChainsCostNoEvaluations(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	const short, more = 4, 8
	for _, linked := range []bool{false, true} {
		c := newChainLine(t, map[string]string{"short": chainRunbook("short", short, linked), "long": chainRunbook("long", short+more, linked)})
		var costs [2]cost
		for i, name := range []string{"short", "long"} {
			before := c.cost()
			c.follow(t, name, name, short+i*more)
			costs[i] = c.cost().since(before)
		}
		got, want := costs[1].since(costs[0]), 0
		if linked {
			want = more
		}
		if got.evaluations != want {
			t.Errorf("linked %t: %d more steps took %d more evaluations, want %d", linked, more, got.evaluations, want)
		}
	}
}
