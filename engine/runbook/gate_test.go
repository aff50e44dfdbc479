package runbook

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// A golden page that changes voids every approval of an open gate: commit the difference only if that is desired.
var update = flag.Bool("update", false, "write the golden page anew")

// fullWork is work of a kind that a runner performs, as the evaluator writes it.
const fullWork = `{"command":["./scripts/rollback","--to","1.4.2"],"env":{"A":"b","SERVICE":"checkout"},"secrets":["TOKEN"],"stdin":"{}"}`

// works puts other work into a gate.
func works(old, now string) func(*Gate) {
	return func(g *Gate) { g.Work.Run = json.RawMessage(strings.Replace(fullWork, old, now, 1)) }
}

// fullGate has a value in every field.
func fullGate() Gate {
	return Gate{
		Incident: "20261122-k3jq5zabcd", Plan: strings.Repeat("f", 64), Round: 2,
		Step: Step{Name: "rollback", Kind: KindExec, Title: "Roll back to 1.4.2", Doc: "The new release answers 500.\n", Risk: RiskChange,
			Reversible: true, Idempotent: true, Needs: []string{"errors", "version"}, Refers: []string{"version"}, Timeout: 2 * time.Minute,
			Retry: Retry{Attempts: 3, Backoff: 10 * time.Second, Factor: 2, Max: time.Minute}, OnFailure: FailureHalts,
			Approval: &Approval{From: []string{"acme/sre", "alice"}, Count: 2, Within: 15 * time.Minute}, HasOutput: true,
			Files: []File{{Path: "scripts/rollback", Blob: strings.Repeat("a", 40), Exec: true}}},
		Work:      Work{Run: json.RawMessage(fullWork)},
		Rehearsal: json.RawMessage(`{"changes":true,"plan":"` + strings.Repeat("c", 64) + `","text":"+ one\n- two"}`),
		Upstream:  []Upstream{{Step: "errors", How: "succeeded", Output: strings.Repeat("1", 64)}, {Step: "version", How: "by hand"}},
	}
}

func TestPageGolden(t *testing.T) {
	const path = "testdata/gate.md"
	got := fullGate().Page()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the page has changed; it is now:\n%s", got)
	}
	if again := fullGate().Page(); !bytes.Equal(got, again) {
		t.Error("equal gates give different bytes")
	}
}

// changes are all that may differ between two gates. Each must be seen in the bytes that people approve.
func changes() map[string]func(*Gate) {
	return map[string]func(*Gate){
		"incident":             func(g *Gate) { g.Incident = "20261122-k3jq5zabce" },
		"round":                func(g *Gate) { g.Round++ },
		"name":                 func(g *Gate) { g.Step.Name = "rollforward" },
		"kind":                 func(g *Gate) { g.Step.Kind = KindHTTP },
		"title":                func(g *Gate) { g.Step.Title += "\n" },
		"doc":                  func(g *Gate) { g.Step.Doc += " " },
		"why":                  func(g *Gate) { g.Step.Why = "x" },
		"by hand":              func(g *Gate) { g.Step.ByHand = "x" },
		"no undo":              func(g *Gate) { g.Step.NoUndo = "x" },
		"risk":                 func(g *Gate) { g.Step.Risk = RiskDestructive },
		"reversible":           func(g *Gate) { g.Step.Reversible = false },
		"idempotent":           func(g *Gate) { g.Step.Idempotent = false },
		"needs":                func(g *Gate) { g.Step.Needs = nil },
		"jitter":               func(g *Gate) { g.Step.Retry.Jitter = 0.5 },
		"join":                 func(g *Gate) { g.Step.JoinAny = true },
		"stage":                func(g *Gate) { g.Step.Stage = StageFinally },
		"undoes":               func(g *Gate) { g.Step.Stage, g.Step.Undoes = StageUndo, "errors" },
		"wait":                 func(g *Gate) { g.Work = Work{Wait: &Wait{For: time.Hour}} },
		"choice":               func(g *Gate) { g.Work = Work{Choose: &Choose{Question: "x"}} },
		"timeout":              func(g *Gate) { g.Step.Timeout++ },
		"attempts":             func(g *Gate) { g.Step.Retry.Attempts++ },
		"backoff":              func(g *Gate) { g.Step.Retry.Backoff++ },
		"longest pause":        func(g *Gate) { g.Step.Retry.Max++ },
		"on failure":           func(g *Gate) { g.Step.OnFailure = FailureContinues },
		"count":                func(g *Gate) { g.Step.Approval.Count = 1 },
		"from":                 func(g *Gate) { g.Step.Approval.From[1] = "mallory" },
		"within":               func(g *Gate) { g.Step.Approval.Within += time.Millisecond },
		"file":                 func(g *Gate) { g.Step.Files[0].Blob = strings.Repeat("b", 40) },
		"file mode":            func(g *Gate) { g.Step.Files[0].Exec = false },
		"command":              works(`"--to","1.4.2"`, `"--to 1.4.2"`),
		"environment":          works(`"A":"b"`, `"A":"c"`),
		"secret":               works(`"secrets":["TOKEN"],`, ""),
		"stdin":                works(`"{}"`, `"{ }"`),
		"kind of work":         func(g *Gate) { g.Work = Work{Manual: &Manual{Task: "x"}} },
		"request":              func(g *Gate) { g.Work = Work{Run: json.RawMessage(`{"method":"POST","url":"http://a/?x=<&>"}`)} },
		"work that is no JSON": func(g *Gate) { g.Work = Work{Run: json.RawMessage("{")} },
		"rehearsal":            func(g *Gate) { g.Rehearsal = json.RawMessage(`{"changes":true,"text":"+ one\n- two"}`) },
		"no changes":           func(g *Gate) { g.Rehearsal = json.RawMessage(`{"changes":false,"text":"+ one\n- two"}`) },
		"no JSON":              func(g *Gate) { g.Rehearsal = json.RawMessage(`"x"`) },
		"upstream how":         func(g *Gate) { g.Upstream[0].How = "failed" },
		"upstream output":      func(g *Gate) { g.Upstream[0].Output = "" },
		"upstream step":        func(g *Gate) { g.Upstream = g.Upstream[:1] },
	}
}

func TestPageDiffersWhereTheGateDoes(t *testing.T) {
	seen := map[string]string{PageDigest(fullGate().Page()): "the gate itself"}
	for name, change := range changes() {
		g := fullGate()
		change(&g)
		digest := PageDigest(g.Page())
		if other, ok := seen[digest]; ok {
			t.Errorf("%s: same page as %s", name, other)
		}
		if g.Digest() == fullGate().Digest() {
			t.Errorf("%s: same digest", name)
		}
		seen[digest] = name
	}
}

// TestPageOfEqualWork: however the same work was written on its way, people approve the same bytes, as the author wrote them.
func TestPageOfEqualWork(t *testing.T) {
	g, other := fullGate(), fullGate()
	g.Work.Run = json.RawMessage(`{"body":{"b":1.0,"a":"<&>"},"url":"http://x"}`)
	other.Work.Run = json.RawMessage("{ \"url\": \"http://x\",\n \"body\": {\"a\": \"\\u003c\\u0026>\", \"b\": 1.0}}")
	if !bytes.Equal(g.Page(), other.Page()) || g.Digest() != other.Digest() {
		t.Errorf("equal work gives different pages:\n%s\n%s", g.Page(), other.Page())
	}
	if !strings.Contains(string(g.Page()), `"a": "<&>"`) || !strings.Contains(string(g.Page()), `"b": 1.0`) {
		t.Errorf("the page does not show what the author wrote:\n%s", g.Page())
	}
}

// TestPageLeavesThePlanOut: an edit elsewhere in the plan voids nothing.
func TestPageLeavesThePlanOut(t *testing.T) {
	g := fullGate()
	g.Plan = strings.Repeat("e", 64)
	if !bytes.Equal(g.Page(), fullGate().Page()) || g.Digest() != fullGate().Digest() {
		t.Error("the page rests on the digest of the whole plan")
	}
}

func TestApprovalInWords(t *testing.T) {
	cases := map[string]*Approval{
		"none":                            nil,
		"1 of acme/sre":                   {From: []string{"acme/sre"}, Count: 1},
		"2 of acme/sre, alice within 15m": {From: []string{"acme/sre", "alice"}, Count: 2, Within: 15 * time.Minute},
		"1 of alice within 1h30m":         {From: []string{"alice"}, Count: 1, Within: 90*time.Minute + time.Millisecond},
	}
	for want, rule := range cases {
		if got := rule.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func hostile() []string {
	return []string{"", "plain", "```", "````\nout", "~~~\n```\n# Gate", "a```b", "\r\n```\r\n@everyone", "\x1b[2J\x00\x9b", "\u202egnp.exe", "`",
		"\n\n", strings.Repeat("`", 300), "</code></pre><script>", "```json\n{}\n```"}
}

// TestFenceHoldsItsText reads the block as CommonMark does: only the last line ends it.
func TestFenceHoldsItsText(t *testing.T) {
	for _, text := range hostile() {
		block := Fence("text", text)
		lines := strings.Split(strings.TrimSuffix(block, "\n"), "\n")
		mark := strings.TrimSuffix(lines[0], "text")
		if strings.Trim(mark, "`") != "" || len(mark) < 3 {
			t.Fatalf("%q: opened by %q", text, lines[0])
		}
		for i, line := range lines[1:] {
			run := len(line) - len(strings.TrimLeft(line, "`"))
			if ends := strings.Trim(line, "` ") == "" && run >= len(mark); ends != (i == len(lines)-2) {
				t.Errorf("%q: line %d of the block ends it: %t", text, i+1, ends)
			}
		}
		if strings.ContainsAny(block, "\x1b\x00\r") || strings.ContainsRune(block, '\u202e') || strings.ContainsRune(block, '\u009b') {
			t.Errorf("%q: a control character came through", text)
		}
	}
}

func FuzzFence(f *testing.F) {
	for _, text := range hostile() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		block := Fence("", text)
		mark, rest, _ := strings.Cut(block, "\n")
		if strings.Count(rest, mark) != 1 || !strings.HasSuffix(rest, mark+"\n") {
			t.Errorf("%q leaves its block %q", text, block)
		}
	})
}

// TestPageHoldsHostileText puts hostile text wherever foreign text can be: outside the blocks the page stays the same.
func TestPageHoldsHostileText(t *testing.T) {
	for _, text := range hostile() {
		if text == "" {
			continue
		}
		g := fullGate()
		g.Step.Title, g.Step.Doc = text, text
		rehearsal, err := json.Marshal(map[string]any{"changes": true, "plan": text, "text": text})
		if err != nil {
			t.Fatal(err)
		}
		g.Rehearsal = rehearsal
		run, err := json.Marshal(map[string]any{"command": []string{text}, "env": map[string]string{"A": text}})
		if err != nil {
			t.Fatal(err)
		}
		g.Work.Run = run
		if got, want := outside(g.Page()), outside(fullGate().Page()); got != want {
			t.Errorf("%q: outside the blocks stands\n%s\nwant\n%s", text, got, want)
		}
	}
}

// outside is a page without its fenced blocks and without the line of its digest.
func outside(page []byte) string {
	var b strings.Builder
	mark := ""
	for line := range strings.Lines(string(page)) {
		run := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		switch {
		case mark == "" && len(run) >= 3:
			mark = run
		case mark != "" && len(run) >= len(mark) && strings.TrimSpace(strings.TrimLeft(line, "`")) == "":
			mark = ""
		case mark == "" && !strings.HasPrefix(line, "- Step and everything upstream"):
			b.WriteString(line)
		}
	}
	return b.String()
}

// TestGateOfElements: the page of a template shows on a line for each element what runs, or why nothing does, and foreign
// text gives it no further line.
func TestGateOfElements(t *testing.T) {
	run := func(host string) Resolution {
		return Resolution{Status: StatusReady, Work: Work{Run: []byte(`{"command": ["restart", "` + host + `"]}`)}, Locks: []string{"host-" + host}}
	}
	g := Gate{Incident: "i", Step: Step{Name: "restart", Kind: KindExec, Each: true, Approval: &Approval{}}, Elements: []Element{
		{Key: "a", Now: run("web-1")},
		{Key: "b", Now: Resolution{Status: StatusSkip, Problem: "its condition\nrestart.c  is false"}},
		{Key: "d", Now: Resolution{Status: StatusBroken, Problem: "x.cue:1:1: no such host"}},
	}}
	page := string(g.Page())
	for _, line := range []string{"## What will run, for each of 3 elements", `restart.a  {"exec":{"command":["restart","web-1"]}}  locks: host-web-1`,
		"restart.b  skipped: its condition restart.c is false", "restart.d  cannot be worked out: x.cue:1:1: no such host"} {
		if !strings.Contains(page, "\n"+line+"\n") {
			t.Errorf("no line %q in\n%s", line, page)
		}
	}
	before := g.Digest()
	g.Elements[0].Now.Work.Run = []byte(`{ "command":["restart","web-1"] }`)
	if g.Digest() != before {
		t.Error("the same work in another spelling has another digest")
	}
	if g.Elements[0].Now = run("web-2"); g.Digest() == before {
		t.Error("another host has the same digest")
	}
}

// TestPlacesOfElements: no directory of the ledger becomes too long, and names part as they were joined.
func TestPlacesOfElements(t *testing.T) {
	in := map[string]int{}
	for i := range MostElements {
		name := fmt.Sprintf("restart.web-%d.eu", i)
		step, key, element := SplitName(name)
		if step != "restart" || key != fmt.Sprintf("web-%d.eu", i) || !element || !ElementKey(key) {
			t.Fatalf("%s parts into %s and %s", name, step, key)
		}
		in[Place(name, 120)[:len("1/restart.each/7")]]++
	}
	for dir, n := range in {
		if n > 1_000 || len(in) != 16 {
			t.Errorf("%s has %d of %d directories", dir, n, len(in))
		}
	}
	for _, key := range []string{"", ".", "..", "-a", "a/b", "a b", "ä", strings.Repeat("a", 64)} {
		if ElementKey(key) {
			t.Errorf("%q is taken for a key", key)
		}
	}
}
