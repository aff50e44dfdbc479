package cueval

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/runbook"
)

// twisted are steps that take outputs in every way that CUE has, beside two steps a and b that put out {n, text, list, more}.
func twisted() map[string]string {
	return map[string]string{
		"comprehension":        `c: exec: command: ["x", for e in a.output.list {e.name}]`,
		"comprehension of two": `c: exec: {command: ["x"], env: {for k, v in {X: a, Y: b} {(k): v.output.text}}}`,
		"guard":                `c: exec: {command: ["x"], env: {if a.output.n > 9 {A: b.output.text}}}`,
		"guard in a list":      `c: exec: command: ["x", if a.output.n > 9 {b.output.text}, if a.output.n <= 9 {"few"}]`,
		"condition":            `c: {when: len([for e in a.output.list if e.name == b.output.text {e}]) == 0, exec: command: ["x"]}`,
		"condition of none":    `c: {when: len(a.output.list) > 0, needs: ["b"], exec: command: ["x"]}`,
		"condition and output": `c: {when: a.output.n > 9, exec: command: ["x", b.output.text]}`,
		"default":              `c: exec: command: ["x", *a.output.text | "none"]`,
		"default of two":       `c: exec: command: ["x", (*a | b).output.text]`,
		"index":                `c: exec: command: ["x", a["output"]["text"], steps["b"].output.list[0].name]`,
		"computed index":       `c: exec: command: ["x", a.output["te\("xt")"]]`,
		"index by an output":   `c: exec: command: ["x", {v0: "zero", v1: b.output.text, v2: "two"}[a.output.text]]`,
		"list index":           `c: exec: command: ["x", [a.output.text, b.output.text][1]]`,
		"struct of steps":      `c: exec: command: ["x", {p: a, q: b}.q.output.text]`,
		"let of a step":        "c: {\n\tlet s = a\n\tlet o = s.output\n\texec: command: [\"x\", o.text]\n}",
		"let around":           "let o = a.output\nc: exec: command: [\"x\", o.text]",
		"nested helper":        "_h: p: q: a.output.text\nc: exec: command: [\"x\", _h.p.q]",
		"alias of a field":     `c: exec: {command: ["x"], env: {F="A": a.output.text, B: F}}`,
		"alias of a value":     `c: exec: E={command: ["x", b.output.text], env: A: E.command[1]}`,
		"alias of a step":      `c: S={exec: command: ["x", a.output.text], title: S.exec.command[1]}`,
		"own fields":           `c: {exec: command: ["x", a.output.text], title: "\(exec.command[1]) of \(b.output.n)", doc: title}`,
		"another's fields":     "c: {exec: {command: [\"x\"], env: A: a.output.text}, output: {n: int, text: string, list: [...{name: string}]}}\nd: exec: {command: [\"y\"], env: B: c.exec.env.A}",
		"another's title":      "c: {title: \"of \\(a.output.text)\", exec: command: [\"x\"]}\nd: exec: command: [\"y\", c.title]",
		"two declarations":     "c: exec: command: [\"x\"]\nc: exec: env: A: a.output.text",
		"conjunction":          `c: {exec: command: ["x"]} & {exec: env: A: a.output.text}`,
		"helper with a hole":   "c: {_made, exec: env: A: b.output.text}",
		"helper that asks":     "c: {#word: a.output.text, _asks}",
		"status":               `c: {join: "any", exec: {command: ["x"], env: {S: a.status, if b.status == "succeeded" {B: b.output.text}}}}`,
		"status alone":         `c: {when: a.status != "failed", needs: ["a", "b"], join: "any", exec: command: ["x"]}`,
		"undo":                 `c: {needs: ["b"], exec: command: ["x", a.output.text], undo: exec: command: ["u", b.output.text, c.output.text], output: {n: int, text: string, list: [...{name: string}]}}`,
		"finally":              "}\nfinally: {\n\tc: exec: command: [\"x\", if steps.a.status == \"succeeded\" {steps.a.output.text}]",
		"each":                 `c: {each: a.output.list, key: item.name, exec: command: ["x", item.name, b.output.text]}`,
		"each of a struct":     `c: {each: {for e in a.output.list {(e.name): e}}, when: item.name != b.output.text, exec: command: ["x", item.name]}`,
		"each of two":          `c: {each: [for e in a.output.list {e.name}, for e in b.output.list {"b-\(e.name)"}], key: item, exec: command: ["x", item]}`,
		"each with an undo":    `c: {each: a.output.list, key: item.name, needs: ["b"], exec: command: ["x"], undo: exec: command: ["u", item.name, b.output.text], output: [string]: text: string}`,
		"after each":           "c: {each: a.output.list, key: item.name, exec: command: [\"x\"], output: [string]: text: string}\nd: exec: command: [\"y\", for k, o in c.output {\"\\(k)=\\(o.text)\"}]",
		"wait":                 `c: wait: for: "\(a.output.n + 1)m"`,
		"manual":               "c: {manual: task: \"see \\(a.output.text)\", output: {n: int, text: string, list: [...{name: string}]}}\nd: exec: command: [\"y\", c.output.text]",
		"choose":               "c: {choose: question: \"?\", choose: options: {p: title: a.output.text, q: title: \"b\"}, output: choice: string}\nd: {when: c.output.choice == \"p\", exec: command: [\"y\"]}",
		"labels":               `c: exec: command: ["x", {for k, v in alert.labels {"\(k)-\(a.output.text)": v}}["service-v1"]]`,
		"rest":                 `c: http: {method: "POST", url: "https://x/", body: a.output}`,
		"disjunction of steps": `c: {exec: {command: ["x", a.output.text]} | {command: ["y", b.output.text]}}`,
		"words alone":          `c: {title: "of \(a.output.text)", needs: ["b"], exec: command: ["x"]}`,
		"several ways round":   "c: {exec: command: [\"x\", a.output.text], output: {n: int, text: string, list: [...{name: string}]}}\nd: {needs: [\"b\"], exec: command: [\"y\", c.output.text]}\ne: {when: d.status == \"succeeded\", exec: command: [\"z\", _late]}",
	}
}

func twistedSource(steps, policy string) runbook.Source {
	const head = `title: "t \(alert.name)"
alert: _
_late: "\(steps.b.output.n)"
_made: {idempotent: true, exec: command: ["m"]}
_asks: {#word: string, exec: command: ["m", #word]}
steps: {
	a: {risk: "read", exec: command: ["a"], output: {n: int, text: string, list: [...{name: string}], ...}}
	b: {risk: "read", exec: command: ["b"], output: {n: int, text: string, list: [...{name: string}], more?: int}}
`
	src := runbook.Source{Runbook: "runbooks/x.cue", Files: map[string][]byte{"runbooks/x.cue": []byte(head + steps + "\n}\n")}}
	if policy != "" {
		src.Files[organisationFile] = []byte(policy)
	}
	return src
}

// TestOutputsTakenInEveryWay lets the steps of each end, end anew and be taken back: what was foreseen is what is evaluated, and in the
// end what the runbook as a whole says.
func TestOutputsTakenInEveryWay(t *testing.T) {
	rules := "policy: steps: [_]: {exec?: command?: [string, ...!=\"v2\"], risk: string, if risk == \"change\" {timeout?: !=\"9m\"}, ...}\n"
	all, foreseen := twisted(), 0
	for i, name := range slices.Sorted(maps.Keys(all)) {
		if instrumented && i%4 > 0 {
			continue // the race detector makes each many times as dear
		}
		policy := ""
		if i%3 == 0 {
			policy = rules
		}
		src := twistedSource(all[name], policy)
		_, known, ps := load(src)
		if len(ps) > 0 {
			t.Errorf("%s: %v", name, ps)
			continue
		}
		w := &writer{Rand: rand.New(rand.NewPCG(uint64(i), 3))}
		n, err := remembers(w, src, known, 1+i%2)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		foreseen += n
	}
	if foreseen < len(all)/2 && !instrumented {
		t.Errorf("%d answers were foreseen", foreseen)
	}
}

// remembers compares answers that are remembered, as far as they are, with fresh ones, while the steps end so many times, and counts those
// that took no evaluation.
func remembers(w *writer, src runbook.Source, known runbook.Plan, rounds int) (foreseen int, err error) {
	q := runbook.Query{Source: src, Alert: []byte(checkoutAlert), Ended: map[string]runbook.Ended{}}
	x, kept := &outlook{}, &texts{lasting: true} // as a child that is asked once more
	for range rounds {
		news := w.ended(known)
		for _, s := range known.Steps {
			end, over := news[s.Name]
			if s.Kind == runbook.KindChoose && len(end.Output) > 0 {
				end.Output = []byte(`{"choice": "p"}`)
			}
			if x.ahead != nil && over && len(end.Output) > 0 && !s.Each {
				x, err = x.checked(kept, q, &known, s.Name, end.Output)
			}
			if err != nil {
				return foreseen, err
			}
			if delete(q.Ended, s.Name); over && w.IntN(8) > 0 {
				q.Ended[s.Name] = end
			}
			plan, spared, lacks := x.resolve(q.Ended)
			whole := lacks == lacksNothing
			if whole {
				foreseen++
			} else {
				var told *ahead
				if plan, told, err = kept.resolveAhead(q, &known, spared); err != nil {
					return foreseen, err
				}
				x = x.after(&plan, q.Ended, told, spared)
			}
			fresh, err := resolve(q, &known)
			if d := cmp.Diff(fresh, plan); err != nil || d != "" {
				return foreseen, fmt.Errorf("ended %v, foreseen %t: %w\n%s", q.Ended, whole, err, d)
			}
		}
	}
	plan, err := wholly(q)
	again, _, _ := x.resolve(q.Ended)
	if d := cmp.Diff(plan, withoutOver(again, plan, q)); err != nil || d != "" {
		return foreseen, fmt.Errorf("ended %v, as a whole: %w\n%s", q.Ended, err, d)
	}
	return foreseen, nil
}

// checked is what is known after the output of a step was checked, with what follows from it.
func (x *outlook) checked(kept *texts, q runbook.Query, known *runbook.Plan, step string, output []byte) (*outlook, error) {
	q.Ended = maps.Clone(q.Ended)
	spared, _ := x.once(step, q.Ended)
	r, err := kept.outputAhead(childRequest{Query: q, Known: known, Step: step, Value: output, Ahead: true, Spared: spared})
	if err == nil {
		err = r.join()
	}
	if err != nil {
		return nil, fmt.Errorf("output of %s: %w", step, err)
	}
	return x.after(&r.Plan, withOutput(q.Ended, step, r.Output), r.Ahead, spared), nil
}
