package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
)

// chained is how many steps BenchmarkChain has, one after the other.
const chained = 100

// chainRunbook has steps that run a program which does nothing: each only follows the one before, or takes its output.
func chainRunbook(linked bool) string {
	var b strings.Builder
	b.WriteString("title: \"A chain\"\nmatch: labels: service: \"chain\"\nalert: _\nsteps: {\n")
	for i := range chained {
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

// BenchmarkChain is the time that each of a hundred steps takes, one after the other, in an open incident on the local hub with
// limits off: every one journalled and signed, by the times of the journal. The issue asks for at most 12 ms a step where one only follows the
// other, and 30 ms where it takes the other's output. pushes/step is how often the engine pushes.
func BenchmarkChain(b *testing.B) {
	if _, err := exec.LookPath("git"); err != nil {
		b.Skip("git is not installed")
	}
	for _, linked := range []bool{false, true} {
		b.Run(map[bool]string{false: "follows", true: "outputs"}[linked], func(b *testing.B) {
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			w, err := newWorld(ctx, stage{dir: b.TempDir(), listen: "127.0.0.1:0",
				files: map[string]string{"runbooks/chain.cue": chainRunbook(linked), "pullbook.cue": chainPolicy}})
			if err != nil {
				b.Fatal(err)
			}
			defer w.close()
			first, last := make(chan time.Time, 1), make(chan time.Time, 1)
			svc, err := w.service(ctx, slog.New(slog.DiscardHandler), func(_ incident.ID, events []incident.Event) {
				for _, e := range events {
					switch d, ended := e.Data.(incident.StepEnded); {
					case ended && d.Step == "s0":
						first <- e.At
					case ended && d.Step == fmt.Sprint("s", chained-1):
						last <- e.At
					}
				}
			})
			if err != nil {
				b.Fatal(err)
			}
			stopped := make(chan error, 1)
			go func() { stopped <- svc.run(ctx) }()
			var took time.Duration
			before := w.requests()
			for i := 0; b.Loop(); i++ {
				body := fmt.Sprintf(`{"name": "Chain", "group": "chain-%d", "labels": {"service": "chain"}}`, i)
				resp, err := http.Post("http://"+svc.listener.Addr().String()+"/alerts/generic", "application/json", bytes.NewReader([]byte(body)))
				if err != nil {
					b.Fatal(err)
				}
				resp.Body.Close()
				start := receive(b, first, "the end of the first step")
				took += receive(b, last, "the end of the last step").Sub(start)
			}
			cancel()
			if err := <-stopped; err != nil {
				b.Error(err)
			}
			svc.close()
			steps := float64(b.N * (chained - 1))
			b.ReportMetric(float64(took.Microseconds())/1000/steps, "ms/step")
			b.ReportMetric(float64(w.requests().pushes-before.pushes)/steps, "pushes/step")
		})
	}
}
