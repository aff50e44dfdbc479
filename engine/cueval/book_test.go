package cueval

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/runbook"
)

// TestBooks asks a process that lasts about runbooks in turn, each with other outputs every time: what it kept of one changes no
// answer, and each runbook is read once.
func TestBooks(t *testing.T) {
	lasting := &texts{lasting: true}
	var queries []runbook.Query
	var plans []*runbook.Plan
	for _, policy := range []string{"", "policy: steps: [_]: {timeout: string | *\"3m\", risk: string, if risk != \"read\" {approval: count: >=1}, ...}"} {
		q := checkoutQuery()
		if policy != "" {
			q.Source.Files["pullbook.cue"] = []byte(policy)
		}
		_, plan, ps := load(q.Source)
		if len(ps) > 0 {
			t.Fatal(ps)
		}
		queries, plans = append(queries, q), append(plans, &plan)
	}
	for round := range 4 {
		for i, q := range queries {
			q.Ended = map[string]runbook.Ended{}
			for n, s := range plans[i].Steps {
				if n < round && s.HasOutput {
					q.Ended[s.Name] = runbook.Ended{Conclusion: runbook.Succeeded, Output: json.RawMessage(fmt.Sprintf(`{"error_rate": 0.%d, "requests": %d, "current": "v2", "previous": "v%d"}`, round, round, round))}
				}
			}
			want, err := (&texts{}).resolve(q, plans[i])
			if err != nil {
				t.Fatal(err)
			}
			got, err := lasting.resolve(q, plans[i])
			if d := cmp.Diff(want, got); err != nil || d != "" {
				t.Errorf("round %d: %v\n%s", round, err, d)
			}
		}
	}
	if len(lasting.books) != len(queries) {
		t.Errorf("%d runbooks are kept, of %d", len(lasting.books), len(queries))
	}
	for i := range mostBooks + 3 {
		q := queries[0]
		q.Source.Others = map[string][]byte{fmt.Sprintf("x%d.cue", i): []byte("package x")}
		if _, err := lasting.resolve(q, plans[0]); err != nil {
			t.Fatal(err)
		}
	}
	if len(lasting.books) > mostBooks {
		t.Errorf("%d runbooks are kept, and at most %d are to be", len(lasting.books), mostBooks)
	}
	short := &texts{}
	if _, err := short.resolve(queries[0], plans[0]); err != nil || len(short.books) > 0 {
		t.Errorf("a process that does not last keeps %d runbooks: %v", len(short.books), err)
	}
}
