package runbook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Upstream is a step that a gated step rests on, as it ended.
type Upstream struct {
	Step   string `json:"step"`
	How    string `json:"how"`              // succeeded, skipped, by hand, ...
	Output string `json:"output,omitempty"` // SHA-256 of the recorded output, hex
}

// Gate is what a gate page shows: one ready step of one incident.
type Gate struct {
	Incident  string          `json:"incident"`
	Plan      string          `json:"plan"` // SHA-256 of the frozen plan directory, hex
	Step      Step            `json:"step"`
	Work      Work            `json:"work"`
	Round     int             `json:"round"`
	Locks     []string        `json:"locks,omitempty"`     // that it takes
	Because   []Demand        `json:"because,omitempty"`   // what the calendar demands: a part of the rule
	Upstream  []Upstream      `json:"upstream,omitempty"`  // every step upstream of it, in plan order
	Rehearsal json.RawMessage `json:"rehearsal,omitempty"` // of a step that was rehearsed: what that put out; Upstream has its digest
	Elements  []Element       `json:"elements,omitempty"`  // of a template: what runs for each of them; Work is empty then
	Workflow  string          `json:"workflow,omitempty"`  // of a step that runs a workflow: blob id of its file
	GameDay   GameDay         `json:"game_day,omitempty"`  // of a rehearsal: what becomes of the step; empty in an incident that is none
	// Authors are who wrote the step; nil where nobody asked. SelfApproval are those who may approve it although they did.
	Authors      *Authorship `json:"authors,omitempty"`
	SelfApproval []string    `json:"self_approval,omitempty"`
}

// GameDay is what becomes of a step in a rehearsal of the whole incident.
type GameDay string

// What becomes of it: it is recorded as what would run, or it runs since it changes nothing.
const (
	GameDayWould GameDay = "would run"
	GameDayRuns  GameDay = "runs"
)

// asks is what approving a page means.
func (g GameDay) asks() string {
	switch g {
	case GameDayWould:
		return "**This is a rehearsal.** Answer as you would on the day. What stands here would run, and nothing of it does."
	case GameDayRuns:
		return "**This is a rehearsal.** Answer as you would on the day. What stands here changes nothing by itself, and is done."
	}
	return "Approving this page approves these bytes: what stands here will run, and nothing else."
}

// Digest binds the step and everything upstream of it, never the whole plan: an edit elsewhere does not void it.
func (g Gate) Digest() string {
	g.Plan = ""
	g.Work.Run = normal(g.Work.Run)
	g.Elements = slices.Clone(g.Elements)
	for i := range g.Elements {
		g.Elements[i].Now.Work.Run = normal(g.Elements[i].Now.Work.Run)
	}
	sum := sha256.Sum256(canonical(g))
	return hex.EncodeToString(sum[:])
}

// Page is the text that people approve: equal gates give equal bytes, and everything that can change what will run is in
// it. Text that comes from elsewhere (alerts, outputs) stands in fenced blocks only, so it cannot format or mention.
func (g Gate) Page() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Gate: %s\n\n%s\n\n", g.Step.Name, g.GameDay.asks())
	b.WriteString(Fence("text", g.Step.Title))
	fmt.Fprintf(&b, "\n- Incident: `%s`, round %d\n- Kind: %s\n- Risk: %s%s\n- Approval: %s\n- Timeout of one attempt: %s\n",
		g.Incident, g.Round, g.Step.Kind, g.Step.Risk, reversible(g.Step), g.Step.Approval.onPage(), g.Step.Timeout)
	if n := g.Step.Retry.Attempts; n > 1 {
		fmt.Fprintf(&b, "- Attempts: up to %d, first pause %s\n", n, g.Step.Retry.Backoff)
	}
	if len(g.Locks) > 0 {
		fmt.Fprintf(&b, "- Locks: `%s`\n", strings.Join(g.Locks, "`, `"))
	}
	for _, demand := range g.Because {
		b.WriteString("\nThe calendar demands a part of the approval:\n\n" + Fence("text", demand.String()+"\n"+demand.Rule.onPage()))
	}
	switch {
	case g.Step.Undoes != "":
		fmt.Fprintf(&b, "- Undoes: %s\n", g.Step.Undoes)
	case g.Step.Stage != StageMain:
		fmt.Fprintf(&b, "- Stage: %s\n", g.Step.Stage)
	}
	if g.Step.Why != "" || g.Step.Doc != "" {
		b.WriteString("\n## Why\n")
		for _, text := range []string{g.Step.Why, g.Step.Doc} {
			if text != "" {
				b.WriteString("\n" + Fence("text", text))
			}
		}
	}
	if g.Step.Each {
		b.WriteString(g.elements())
	} else {
		if g.Step.NoUndo != "" {
			b.WriteString("\n## Why nothing undoes it\n\n" + Fence("text", g.Step.NoUndo))
		}
		b.WriteString("\n" + headWhat + "\n\n" + Fence("json", string(canonical(what(g.Step.Kind, g.Work)))))
	}
	if g.Rehearsal != nil {
		b.WriteString(g.rehearsal())
	}
	if g.Workflow != "" {
		b.WriteString("\n" + headWorkflow + "\n\n" + Fence("text", g.Workflow))
	}
	if len(g.Step.Files) > 0 {
		b.WriteString("\n## Files, by git blob id\n\n" + Fence("json", string(canonical(g.Step.Files))))
	}
	if len(g.Upstream) > 0 {
		b.WriteString("\n## It rests on\n\n" + Fence("json", string(canonical(g.Upstream))))
	}
	b.WriteString(g.wrote())
	fmt.Fprintf(&b, "\n## Digests\n\n- Step and everything upstream: `%s`\n", g.Digest())
	return b.Bytes()
}

// longestRehearsal is how much of what a rehearsal found out stands on a page, in bytes. The digest is of all of it.
const longestRehearsal = 48 << 10

// rehearsal is what the step would do, as its rehearsal found out.
func (g Gate) rehearsal() string {
	var says struct {
		Changes bool   `json:"changes"`
		Plan    string `json:"plan"`
		Text    string `json:"text"`
	}
	if json.Unmarshal(g.Rehearsal, &says) != nil {
		says.Text = string(g.Rehearsal) // unreachable unless a runner wrote something else: then people see what it wrote
	}
	var b strings.Builder
	b.WriteString("\n" + headRehearsal + "\n\n")
	if !says.Changes {
		b.WriteString("It would change nothing.\n\n")
	}
	text := strings.ToValidUTF8(says.Text, "\ufffd")
	if len(text) > longestRehearsal {
		text = strings.ToValidUTF8(text[:longestRehearsal], "") + "\n[the rest is in the evidence of the rehearsal]"
	}
	b.WriteString(Fence("text", text))
	if says.Plan != "" {
		b.WriteString("\nThe plan that is carried out, and no other, by SHA-256:\n\n" + Fence("text", says.Plan))
	}
	return b.String()
}

// what is the work by its kind, as the author wrote it.
func what(kind Kind, work Work) any {
	if work.Run == nil {
		return work
	}
	return map[Kind]json.RawMessage{kind: normal(work.Run)}
}

// normal gives JSON that says the same the same bytes, however it was escaped and ordered on its way here.
func normal(text json.RawMessage) json.RawMessage {
	if text == nil {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil || dec.More() {
		v = string(text) // unreachable unless the evaluator wrote no JSON: then people see what it wrote
	}
	return canonical(v)
}

// PageDigest is the SHA-256 of a gate page, hex.
func PageDigest(page []byte) string {
	sum := sha256.Sum256(page)
	return hex.EncodeToString(sum[:])
}

// UpstreamOf returns the names of all steps upstream of the named one, in plan order.
func (p Plan) UpstreamOf(name string) []string {
	at := slices.IndexFunc(p.Steps, func(s Step) bool { return s.Name == name })
	if at < 0 {
		return nil
	}
	wanted := map[string]bool{}
	for _, need := range p.Steps[at].Needs {
		wanted[need] = true
	}
	var out []string
	for i := at - 1; i >= 0 && len(wanted) > len(out); i-- { // a step comes after all it needs: one pass back reaches everything
		s := p.Steps[i]
		if !wanted[s.Name] {
			continue
		}
		out = append(out, s.Name)
		for _, need := range s.Needs {
			wanted[need] = true
		}
	}
	slices.Reverse(out)
	return out
}

// Fence puts text that comes from elsewhere into a fenced block that it cannot leave: the fence is longer than any run
// of backticks in it. Control characters, which could steer a terminal, become U+FFFD.
func Fence(info, text string) string {
	text = Visible(text)
	longest, run := 0, 0
	for _, c := range text {
		if c != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	fence := strings.Repeat("`", max(3, longest+1))
	return fence + info + "\n" + strings.TrimRight(text, "\n") + "\n" + fence + "\n"
}

// Visible is a text as it stands within a fence: control characters and those that turn the direction are U+FFFD.
func Visible(text string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) && c != '\n' && c != '\t' || unicode.Is(unicode.Bidi_Control, c) {
			return unicode.ReplacementChar
		}
		return c
	}, text)
}

func reversible(s Step) string {
	switch {
	case s.Risk == RiskRead:
		return ""
	case s.Reversible:
		return ", reversible"
	}
	return ", not reversible"
}
