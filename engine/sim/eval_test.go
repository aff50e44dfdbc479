package sim

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/cueval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// TestMain lets the test binary be the evaluator's child.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "eval-child" {
		os.Exit(cueval.Child(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// TestBooksAreRunbooks holds the small evaluator against the real one: generated books, written as CUE, have the same plans,
// and their steps are the same for the same outcomes. What is wrong with a broken step is each one's own words.
func TestBooksAreRunbooks(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	eval := cueval.New(cueval.Config{Child: []string{exe, "eval-child"}, Wall: time.Minute})
	seen := map[string]int{}
	for seed := range uint64(24 / fewer) {
		w := newWorld(seed, Options{Clean: true})
		child := w.newBook("child", "")
		b := w.newBook("book", pick(w.dice.plan, "", "child"))
		files := map[string][]byte{"runbooks/book.cue": []byte(cueOf(b)), "runbooks/child.cue": []byte(cueOf(child)),
			"pullbook.cue": []byte(organisationOf(b))}
		src := runbook.Source{Runbook: "runbooks/book.cue", Files: files, Others: files}
		plan, problems, err := eval.Load(t.Context(), src)
		if err != nil || len(problems) > 0 {
			t.Fatalf("seed %d: %v %v\n%s", seed, err, problems, cueOf(b))
		}
		own, err := b.plan()
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(plan.Calendar, own.Calendar); d != "" {
			t.Fatalf("seed %d: the calendars differ (-CUE +book):\n%s\n%s", seed, d, organisationOf(b))
		}
		if d := cmp.Diff(plan.BreakGlass, own.BreakGlass); d != "" {
			t.Fatalf("seed %d: who may break the glass differs (-CUE +book):\n%s\n%s", seed, d, organisationOf(b))
		}
		if d := cmp.Diff(plain(plan), plain(own)); d != "" {
			t.Fatalf("seed %d: the plans differ (-CUE +book):\n%s\n%s", seed, d, cueOf(b))
		}
		for range 8 {
			ended := w.drawEnded(b)
			real, err := eval.Resolve(t.Context(), runbook.Query{Source: src, Alert: json.RawMessage(anAlert), Ended: ended})
			if err != nil {
				t.Fatalf("seed %d: %v\n%s", seed, err, cueOf(b))
			}
			small, err := b.resolve(ended)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(resolutions(real), resolutions(small)); d != "" {
				t.Fatalf("seed %d: the steps differ for %v (-CUE +book):\n%s\n%s", seed, ended, d, cueOf(b))
			}
			for _, s := range small.Steps {
				seen[string(s.Now.Status)+strings.Repeat(" with elements", min(1, len(s.Now.Elements)))]++
			}
		}
	}
	for _, status := range []string{"waiting", "ready", "ready with elements", "skip", "broken"} {
		if seen[status] < 3/fewer {
			t.Errorf("of %v hardly any step was %s: the books test nothing", seen, status)
		}
	}
}

const anAlert = `{"name":"a","source":"s","status":"firing","fingerprint":"f","group":"g","labels":{},"annotations":{}}`

// plain is what a book and a runbook must have in common.
func plain(p runbook.Plan) []runbook.Step {
	steps := slices.Clone(p.Steps)
	for i := range steps {
		steps[i].Now, steps[i].Files, steps[i].Lines = runbook.Resolution{}, nil, nil
	}
	return steps
}

func resolutions(p runbook.Plan) map[string]runbook.Resolution {
	out := map[string]runbook.Resolution{}
	for _, s := range p.Steps {
		s.Now.Problem = ""
		if len(s.Now.Elements) == 0 {
			s.Now.Elements = nil
		}
		s.Now.Elements = slices.Clone(s.Now.Elements)
		for i := range s.Now.Elements {
			s.Now.Elements[i].Now.Problem = ""
		}
		out[s.Name] = s.Now
	}
	return out
}

// drawEnded lets some steps have ended in some way, as far as the plan's order allows.
func (w *World) drawEnded(b *book) map[string]runbook.Ended {
	r, ended := w.dice.fate, map[string]runbook.Ended{}
	for i := range b.Steps {
		s := &b.Steps[i]
		if oneIn(r, 4) || slices.ContainsFunc(s.needs(), func(n string) bool { _, ok := ended[n]; return !ok }) {
			continue
		}
		e := runbook.Ended{Conclusion: pick(r, runbook.Succeeded, runbook.Succeeded, runbook.Failed)}
		switch {
		case oneIn(r, 5):
			e = runbook.Ended{Skipped: true}
		case e.Conclusion == runbook.Succeeded && s.Kind == runbook.KindChoose:
			e.Output = json.RawMessage(pick(r, `{"choice":"x"}`, `{"choice":"y"}`))
		case e.Conclusion == runbook.Succeeded && s.HasOutput && s.Each != "":
			e.Output = json.RawMessage(pick(r, `{}`, `{"0":{"hosts":[],"n":1}}`, `{"0":{"hosts":[],"n":1},"1":{"hosts":["h"],"n":2}}`))
			e.Happened = pick(r, nil, []string{"1"}, []string{"1", "0"})
		case e.Conclusion == runbook.Succeeded && s.Kind == runbook.KindRunbook && s.HasOutput:
			e.Output = json.RawMessage(pick(r, `{"pull":1}`, `{"pull":3}`))
		case e.Conclusion == runbook.Succeeded && s.HasOutput:
			e.Output = json.RawMessage(w.drawFate().output)
		}
		if strings.Contains(string(e.Output), "number") {
			e = runbook.Ended{Conclusion: runbook.Failed}
		}
		ended[s.Name] = e
	}
	return ended
}

// cueOf writes a book as CUE.
func cueOf(b *book) string {
	var out strings.Builder
	fmt.Fprintf(&out, "title: %q\nalert: _\n", b.Name)
	if b.Concurrency > 0 {
		fmt.Fprintf(&out, "concurrency: %d\n", b.Concurrency)
	}
	for _, stage := range []runbook.Stage{runbook.StageMain, runbook.StageFinally} {
		name, prefix := "steps", ""
		if stage == runbook.StageFinally {
			name, prefix = "finally", "steps."
		}
		var steps strings.Builder
		for i := range b.Steps {
			if s := &b.Steps[i]; s.Stage == stage {
				fmt.Fprintf(&steps, "\t%s: {\n%s\t}\n", s.Name, b.fieldsOf(s, prefix))
			}
		}
		if steps.Len() > 0 {
			fmt.Fprintf(&out, "%s: {\n%s}\n", name, steps.String())
		}
	}
	return out.String()
}

// fieldsOf are the fields of a step. prefix leads from it to the steps of the main stage; other finally steps are near.
func (b *book) fieldsOf(s *bookStep, prefix string) string {
	ref := func(step string) string {
		if up := b.step(step); up != nil && up.Stage == runbook.StageFinally {
			return step
		}
		return prefix + step
	}
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if s.Kind == kindExec {
		add("risk: %q", s.Risk)
	}
	if s.Idempotent {
		add("idempotent: true")
	}
	if s.Stage != runbook.StageUndo {
		add("onFailure: %q", s.OnFailure)
		if s.Stage == runbook.StageMain && s.JoinAny {
			add(`join: "any"`)
		}
		if len(s.Needs) > 0 {
			add("needs: %s", asJSON(s.Needs))
		}
	}
	if s.Kind != runbook.KindRunbook && s.Kind != runbook.KindWait {
		add("timeout: %q", length(s.Timeout))
	}
	if s.When != nil && b.step(s.When.Step).Kind == runbook.KindChoose {
		add("when: %s.output.choice == \"x\"", ref(s.When.Step))
	} else if s.When != nil {
		add("when: %s > %d", b.number(s.When.Step, ref), s.When.Over)
	}
	if s.Retry.Attempts > 0 {
		add("retry: {attempts: %d, backoff: %q, jitter: %v}", s.Retry.Attempts, length(s.Retry.Backoff), s.Retry.Jitter)
	}
	if s.Approval != nil {
		add("approval: %s", ruleText(*s.Approval))
	}
	if len(s.Locks) > 0 {
		add("locks: %s", asJSON(s.Locks))
	}
	lines = append(lines, b.kindOf(s, ref)...)
	if undo := b.step(s.Name + "_undo"); undo != nil {
		add("undo: {\n%s\t}", b.fieldsOf(undo, prefix))
	}
	return "\t\t" + strings.Join(lines, "\n\t\t") + "\n"
}

// kindOf are the fields that say what a step does, and on what.
func (b *book) kindOf(s *bookStep, ref func(string) string) []string {
	argument := ""
	if s.Uses != "" {
		argument = `\(` + b.number(s.Uses, ref) + `)`
		if b.step(s.Uses).Kind == runbook.KindChoose {
			argument = `\(` + ref(s.Uses) + `.output.choice)`
		}
	}
	var lines []string
	switch s.Each {
	case "":
	case written:
		lines = append(lines, `each: ["a", "b"]`)
	default:
		lines = append(lines, "each: "+ref(s.Each)+".output.hosts")
	}
	if s.Undoes != "" {
		lines = nil // an undo has the elements of its template
	}
	if s.Each != "" {
		argument = strings.TrimPrefix(argument+`+\(item)`, "+")
	}
	url := `"https://svc.test/` + s.Name + `"`
	switch s.Kind {
	case runbook.KindManual:
		return append(lines, fmt.Sprintf("manual: task: %q", "do "+s.Name))
	case runbook.KindWait:
		if s.Wait.Window != nil {
			return append(lines, `wait: window: {from: "04:00", to: "03:00"}`)
		}
		return append(lines, fmt.Sprintf("wait: for: %q", length(s.Wait.For)))
	case runbook.KindChoose:
		return append(lines, `choose: {question: "which", options: ["x", "y"]}`, `output: choice: "x" | "y"`)
	case runbook.KindRunbook:
		if s.HasOutput {
			lines = append(lines, "output: pull: int")
		}
		return append(lines, fmt.Sprintf("runbook: name: %q", s.Child))
	case kindTicket:
		return append(lines, fmt.Sprintf(`ticket: title: "%s%s"`, s.Name, argument))
	case kindTerraform:
		return append(lines, fmt.Sprintf(`terraform: {dir: "tf", vars: x: "%s%s"}`, s.Name, argument))
	case kindUpdate:
		every := ""
		if s.Every > 0 {
			every = fmt.Sprintf(", every: %q", length(s.Every))
		}
		return append(lines, fmt.Sprintf(`update: {audience: "board", text: "%s%s"%s}`, s.Name, argument, every))
	case kindHTTP:
		return append(lines, "http: url: "+url)
	case runbook.KindProbe:
		return append(lines, "probe: {http: url: "+url+", answer: status: int, until: answer.status == 200}")
	}
	command := fmt.Sprintf(`exec: command: ["do", %q`, s.Name)
	if argument != "" {
		command += `, "` + argument + `"`
	}
	lines = append(lines, command+"]")
	switch {
	case s.HasOutput && s.Each != "":
		lines = append(lines, "output: [string]: {n: int, hosts: [...string]}")
	case s.HasOutput:
		lines = append(lines, "output: {n: int, hosts: [...string]}")
	}
	return lines
}

// number is the number in the output of a step.
func (b *book) number(step string, ref func(string) string) string {
	switch s := b.step(step); {
	case s.Kind == runbook.KindRunbook:
		return ref(step) + ".output.pull"
	case s.Each != "":
		return "len(" + ref(step) + ".output)"
	}
	return ref(step) + ".output.n"
}

// organisationOf is pullbook.cue with the calendar of a book.
func organisationOf(b *book) string {
	out := `command: ["` + strings.Join(commanders(), `", "`) + "\"]\nchannels: board: webhook: url: \"https://chat.test\"\n"
	if g := b.Glass; g != nil {
		out += fmt.Sprintf("breakGlass: {by: %s, review: %s}\n", asJSON(g.By), ruleText(g.Review))
	}
	for _, f := range b.Calendar.Freezes {
		out += fmt.Sprintf("freezes: [{from: %q, to: %q, why: %q, approval: %s}]\n", f.From.Format(time.RFC3339), f.To.Format(time.RFC3339), f.Why, ruleText(f.Rule))
	}
	clock := func(d time.Duration) string { return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60) }
	for _, x := range b.Calendar.Windows {
		out += fmt.Sprintf("changeWindows: [{from: %q, to: %q}]\noutsideWindows: approval: %s\n", clock(x.From), clock(x.To), ruleText(*b.Calendar.Outside))
	}
	return out
}

func ruleText(a runbook.Approval) string {
	var parts []string
	if len(a.From) > 0 {
		parts = append(parts, fmt.Sprintf("from: %s, count: %d", asJSON(a.From), a.Count))
	}
	for name, list := range map[string][]runbook.Approval{"all": a.All, "any": a.Any} {
		var rules []string
		for _, part := range list {
			rules = append(rules, ruleText(part))
		}
		if len(rules) > 0 {
			parts = append(parts, name+": ["+strings.Join(rules, ", ")+"]")
		}
	}
	if a.Within > 0 {
		parts = append(parts, fmt.Sprintf("within: %q", length(a.Within)))
	}
	if a.OnTimeout != runbook.TimeoutRejects {
		parts = append(parts, fmt.Sprintf("onTimeout: %q", a.OnTimeout))
	}
	var next []string
	for _, e := range a.Escalate {
		next = append(next, ruleText(e))
	}
	if len(next) > 0 {
		parts = append(parts, "escalateTo: ["+strings.Join(next, ", ")+"]")
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "null" // unreachable: lists of texts
	}
	return string(text)
}
