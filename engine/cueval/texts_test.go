package cueval

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pullbook/pullbook/engine/runbook"
	"github.com/pullbook/pullbook/schema"
)

// TestTextsAreReadOnce answers 200 questions, under the race detector 60, as a child that stays does, each with outputs of its own, beside wrong runbooks and
// loads: the schema is parsed once, and every answer is that of a process that has read nothing before.
func TestTextsAreReadOnce(t *testing.T) {
	kept := &texts{}
	wrong := runbook.Source{Runbook: "runbooks/b.cue", Files: map[string][]byte{"runbooks/b.cue": []byte("title: 1\nsteps: a: exce: {}\n"),
		organisationFile: []byte("policy: steps: [_]: risk: 1\n")}}
	for i := range max(60, 200/fewer) {
		q := checkoutQuery()
		q.Ended["errors"] = runbook.Ended{Conclusion: runbook.Succeeded, Output: fmt.Appendf(nil, `{"error_rate": 0.%d, "requests": %d}`, i%10, i)}
		requests := []childRequest{{Op: opResolve, Query: q}}
		if i%50 == 0 {
			requests = append(requests, childRequest{Op: opLoad, Query: runbook.Query{Source: wrong}}, childRequest{Op: opLoad, Query: runbook.Query{Source: q.Source}})
		}
		for _, r := range requests {
			if d := cmp.Diff((&texts{}).answer(r), kept.answer(r), cmpopts.IgnoreUnexported(childReply{})); d != "" {
				t.Fatalf("%s, %d: %s", r.Op, i, d)
			}
		}
	}
	if kept.parsed != 1 {
		t.Errorf("the schema was parsed %d times", kept.parsed)
	}
}

// TestTextsAreBounded reads many frozen schemas: what is kept stays within its bound, and the answers stay right.
func TestTextsAreBounded(t *testing.T) {
	kept, q := &texts{}, checkoutQuery()
	want, err := resolve(q, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 * maxTexts / len(schema.Runbook()) {
		q.Source.Schema = fmt.Appendf(nil, "%s\n// frozen %d\n", schema.Runbook(), i)
		got, err := kept.resolve(q, nil)
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Fatalf("%v\n%s", err, d)
		}
		held := 0
		for text := range kept.schemas {
			held += len(text)
		}
		if held != kept.size || held > maxTexts {
			t.Fatalf("%d bytes are kept, %d counted", held, kept.size)
		}
	}
	q.Source.Schema = []byte("#Runbook: {")
	if _, err := kept.resolve(q, nil); err == nil {
		t.Error("a schema that cannot be read is taken")
	}
}
