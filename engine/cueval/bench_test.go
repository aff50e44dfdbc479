package cueval

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/runbook"
)

// long is a runbook with n steps: a third of them put something out, the others refer to it, all with texts and values
// as authors write them.
func long(n int) (runbook.Query, string) {
	var b strings.Builder
	b.WriteString("title: \"t \\(alert.name)\"\nalert: _\n_base: \"http://x\"\nsteps: {\n")
	ended := map[string]runbook.Ended{}
	for i := range n {
		from := i - i%3
		switch i % 3 {
		case 0:
			fmt.Fprintf(&b, "\ts%d: {\n\t\ttitle: \"look %d\"\n\t\trisk: \"read\"\n\t\texec: {command: [\"./look\", \"-n\", \"%d\"], env: SERVICE: alert.labels.service}\n", i, i, i)
			b.WriteString("\t\toutput: {errors: int, previous: string, list: [...{name: string}]}\n\t}\n")
			ended[fmt.Sprintf("s%d", i)] = runbook.Ended{Conclusion: runbook.Succeeded,
				Output: []byte(`{"errors": 11, "previous": "v1", "list": [{"name": "a"}]}`)}
		case 1:
			fmt.Fprintf(&b, "\ts%d: {\n\t\ttitle: \"roll back to \\(s%d.output.previous)\"\n\t\twhen: s%d.output.errors > 10\n", i, from, from)
			fmt.Fprintf(&b, "\t\tapproval: {from: [\"acme/sre\"], count: 2, within: \"15m\"}\n\t\ttimeout: \"3m\"\n")
			fmt.Fprintf(&b, "\t\thttp: {url: \"\\(_base)/roll\", method: \"POST\", body: to: s%d.output.previous}\n\t}\n", from)
		case 2:
			fmt.Fprintf(&b, "\ts%d: {\n\t\tneeds: [\"s%d\"]\n\t\tprobe: {http: url: \"\\(_base)/m\", answer: {status: int, body: rate: number}, until: answer.body.rate < 1}\n\t}\n", i, i-1)
		}
	}
	b.WriteString("}\n")
	src := runbook.Source{Runbook: "runbooks/long.cue", Files: map[string][]byte{"runbooks/long.cue": []byte(b.String())}}
	return runbook.Query{Source: src, Alert: []byte(checkoutAlert), Ended: ended}, b.String()
}

// BenchmarkLoad100 loads a runbook of 100 steps, every pass, in this process. It may take 60 ms.
func BenchmarkLoad100(b *testing.B) {
	q, _ := long(100)
	b.ReportAllocs()
	for b.Loop() {
		if _, plan, ps := load(q.Source); len(ps) > 0 || len(plan.Steps) != 100 {
			b.Fatal(ps)
		}
	}
}

// benchmarkResolve resolves as an engine does that has the plan from before, or as one that was just started.
func benchmarkResolve(b *testing.B, n int, first bool) {
	q, _ := long(n)
	_, made, _ := load(q.Source)
	known := &made
	if first {
		known = nil
	}
	b.ReportAllocs()
	for b.Loop() {
		plan, err := resolve(q, known)
		if err != nil || len(plan.Steps) != n {
			b.Fatal(err)
		}
		if s, _ := plan.Step("s1"); s.Now.Status != runbook.StatusReady {
			b.Fatalf("%+v", s.Now)
		}
	}
}

func BenchmarkResolve100(b *testing.B)       { benchmarkResolve(b, 100, false) }
func BenchmarkResolve1000(b *testing.B)      { benchmarkResolve(b, 1000, false) }
func BenchmarkResolveFirst100(b *testing.B)  { benchmarkResolve(b, 100, true) }
func BenchmarkResolveFirst1000(b *testing.B) { benchmarkResolve(b, 1000, true) }

// BenchmarkChild50 resolves a runbook of 50 steps in a child, its start included.
func BenchmarkChild50(b *testing.B) {
	q, _ := long(50)
	e := inChild(b, Config{})
	for b.Loop() {
		if _, err := e.Resolve(b.Context(), q); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRoute100 routes an alert among 100 runbooks of 50 steps.
func BenchmarkRoute100(b *testing.B) {
	_, text := long(50)
	files := map[string][]byte{}
	for i := range 100 {
		files[fmt.Sprintf("runbooks/r%d.cue", i)] = fmt.Appendf(nil, "match: labels: service: \"s%d\"\n%s", i, text)
	}
	files["runbooks/r7.cue"] = []byte("match: labels: service: \"checkout\"\n" + text)
	for b.Loop() {
		if r, err := route(files, []byte(checkoutAlert)); err != nil || r.Runbook != "runbooks/r7.cue" || len(r.Problems) > 0 {
			b.Fatalf("%+v, %v", r, err)
		}
	}
}

// BenchmarkElements1000 resolves one template with 1,000 elements.
func BenchmarkElements1000(b *testing.B) {
	q, made := looped(b, 1_000)
	b.ReportAllocs()
	for b.Loop() {
		if plan, err := resolve(q, &made); err != nil || len(plan.Steps[1].Now.Elements) != 1_000 {
			b.Fatal(err)
		}
	}
}

// BenchmarkPerStep resolves plans of 100 and of 1,000 steps, with no outputs, with the outputs of the first steps, so that most
// others are ready, and with all of them, and says for each how much dearer a step is at one of these lengths than at the
// other: at most 1.5 times. The same is asked of none and of all.
func BenchmarkPerStep(b *testing.B) {
	costs := map[string]float64{} // of one step, by what has ended
	ratio := func(x, y float64) float64 { return max(x, y) / min(x, y) }
	for _, n := range []int{100, 1_000} {
		q, _ := long(n)
		_, made, ps := load(q.Source)
		if len(ps) > 0 {
			b.Fatal(ps)
		}
		first := q.Ended
		for _, name := range []string{"none", "first", "all"} {
			q.Ended = nil
			if name == "first" {
				q.Ended = first
			}
			if name == "all" {
				q.Ended = allEnded(n, first)
			}
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				for b.Loop() {
					if _, err := resolve(q, &made); err != nil {
						b.Fatal(err)
					}
				}
				each := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / float64(n)
				b.ReportMetric(each, "ns/step")
				if short, ok := costs[name]; ok && n == 1_000 {
					b.ReportMetric(ratio(each, short), "x/length")
				}
				costs[name] = each
			})
		}
	}
	b.Logf("with all outputs a step costs %.2f times what it costs with none", costs["all"]/costs["none"])
}

// benchmarkCheckAll vets a ledger of runbooks of 50 steps in children, with every pass, and reports the time of one.
func benchmarkCheckAll(b *testing.B, n int) {
	_, text := long(50)
	batch := runbook.Batch{Files: map[string][]byte{}}
	for i := range n {
		name := fmt.Sprintf("runbooks/r%d.cue", i)
		batch.Files[name] = fmt.Appendf(nil, "match: labels: service: \"s%d\"\n%s", i, text)
		batch.Check = append(batch.Check, name)
	}
	e := inChild(b, Config{})
	for b.Loop() {
		all, err := e.CheckAll(b.Context(), batch)
		if err != nil || len(all) != n || len(all[n-1].Problems) > 0 {
			b.Fatal(len(all), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N)/float64(n), "ms/runbook")
}

func BenchmarkCheckAll100(b *testing.B)  { benchmarkCheckAll(b, 100) }
func BenchmarkCheckAll1000(b *testing.B) { benchmarkCheckAll(b, 1000) }

// allEnded is a long runbook of n steps at its end, with the outputs that some of them left.
func allEnded(n int, outputs map[string]runbook.Ended) map[string]runbook.Ended {
	all := map[string]runbook.Ended{}
	for i := range n {
		name := fmt.Sprintf("s%d", i)
		all[name] = runbook.Ended{Conclusion: runbook.Succeeded, Output: outputs[name].Output}
	}
	return all
}
