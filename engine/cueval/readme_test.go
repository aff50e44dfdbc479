package cueval

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/pullbook/pullbook/engine/runbook"
)

// readmeExamples are the runbooks that the schema's README shows, under the policy that it shows.
func readmeExamples(t *testing.T) (all []runbook.Query) {
	t.Helper()
	text, err := os.ReadFile("../../schema/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks, policies []string
	channels := ""
	for _, part := range strings.Split(string(text), "```cue\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		switch {
		case strings.HasPrefix(block, "policy:"):
			policies = append(policies, block)
			continue
		case strings.HasPrefix(block, "channels:"):
			channels += block
			continue
		}
		blocks = append(blocks, block)
	}
	if len(blocks) < 7 || len(policies) != 1 {
		t.Fatalf("%d runbooks and %d policies", len(blocks), len(policies))
	}
	ledger := map[string][]byte{organisationFile: []byte(policies[0])}
	for _, block := range blocks { // some examples are opened by others
		if name, _, ok := strings.Cut(strings.TrimPrefix(block, "// "), "\n"); ok && strings.HasPrefix(block, "// runbooks/") {
			ledger[name] = []byte(block)
		}
	}
	for _, block := range blocks {
		organisation := policies[0] + channels
		if own, rest, ok := strings.Cut(block, "\n}\n"); ok && strings.HasPrefix(block, "organisation: {") {
			organisation, block = organisation+strings.TrimPrefix(own, "organisation: {"), rest
		}
		if !strings.Contains("\n"+block, "\ntitle:") || strings.HasPrefix(block, "-- ") {
			block = "title: \"t\"\nalert: _\n" + block
		}
		q := runbook.Query{Alert: json.RawMessage(strings.Replace(checkoutAlert, `"service"`, `"host": "h", "service"`, 1)),
			Source: runbook.Source{Runbook: "runbooks/x.cue", Files: map[string][]byte{
				"runbooks/x.cue": []byte(block), organisationFile: []byte(organisation)}, Others: ledger}}
		if strings.HasPrefix(block, "title: \"t\"\nalert: _\n-- ") { // several files
			q.Source.Runbook = "runbooks/web"
			q.Source.Files = map[string][]byte{organisationFile: []byte(organisation)}
			for _, f := range txtar.Parse([]byte(block)).Files {
				q.Source.Files[f.Name] = f.Data
			}
		}
		if strings.Contains("\n"+block, "\ninputs:") {
			q.Source.Inputs = json.RawMessage(`{"region": "eu"}`)
			if strings.Contains(block, "inputs: to:") {
				q.Source.Inputs = json.RawMessage(`{"to": "eu"}`)
			}
		}
		all = append(all, q)
	}
	return all
}

// TestReadmeExamples runs what the schema's README shows: every step ends well and puts out a sample of its type, until none
// is left.
func TestReadmeExamples(t *testing.T) {
	unseen := map[runbook.Kind]bool{}
	for _, k := range schemaKinds() {
		unseen[k.name] = true
	}
	for _, q := range readmeExamples(t) {
		block := string(q.Source.Files[q.Source.Runbook])
		plan := playedOut(t, q)
		for _, s := range plan.Expand(map[string][]string{"drain": {"1"}, "ports": {"http", "https"}}).Steps {
			delete(unseen, s.Kind)
			if s.Now.Status != runbook.StatusReady && s.Now.Status != runbook.StatusSkip {
				t.Errorf("%s is %s: %s\n%s", s.Name, s.Now.Status, s.Now.Problem, block)
			}
		}
	}
	if len(unseen) > 0 {
		t.Errorf("no example has a step of the kinds %v", unseen)
	}
}

// playedOut ends one step after the other. On the way every way is looked at, under the race detector one; at the end every one.
func playedOut(t *testing.T, q runbook.Query) (plan runbook.Plan) {
	t.Helper()
	d, loaded, ps := load(q.Source)
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	q.Ended = map[string]runbook.Ended{}
	onTheWay := everyWay
	if instrumented {
		onTheWay = wholly
	}
	for _, s := range loaded.Steps {
		plan, err := onTheWay(q)
		if err != nil {
			t.Fatal(err)
		}
		now, _ := plan.Step(s.Name)
		if now.Now.Status == runbook.StatusSkip {
			q.Ended[s.Name] = runbook.Ended{Skipped: true}
			continue
		}
		end := runbook.Ended{Conclusion: runbook.Succeeded}
		x := sample(outputType(s, d.step(d.static(), s.Name)), 0)
		if s.Each {
			x = byKey(t, now.Now, x)
		}
		if m, ok := x.(map[string]any); ok && m["begins"] != nil {
			m["begins"] = "2026-11-22T10:00:00Z"
		} else if ok && m["names"] != nil {
			m["names"] = []string{"eu", "us"}
		}
		if x != nil {
			if end.Output, err = json.Marshal(x); err != nil {
				t.Fatal(err)
			}
		}
		if s.Rehearses != "" {
			end.Output = json.RawMessage(`{"changes": true, "text": "+ 1"}`)
		}
		q.Ended[s.Name] = end
	}
	plan, err := everyWay(q)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// byKey is the output of a template of which each element put out the same.
func byKey(t *testing.T, now runbook.Resolution, one any) any {
	t.Helper()
	if len(now.Elements) == 0 {
		t.Fatal("a template of the examples has no elements")
	}
	all := map[string]any{}
	for _, e := range now.Elements {
		if now := e.Now.Status; now != runbook.StatusReady {
			t.Errorf("the element %s is %s: %s", e.Key, now, e.Now.Problem)
		}
		all[e.Key] = one
	}
	if one == nil {
		return nil
	}
	return all
}
