package cueval

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/runbook"
)

// TestStayed asks children that stay more often than one of them answers: all answers are those of a child of their own.
func TestStayed(t *testing.T) {
	e, q := inChild(t, Config{Stay: true}), checkoutQuery()
	defer e.Close()
	want, err := inChild(t, Config{}).Resolve(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	used := map[int]bool{}
	for range mostUses + 2 {
		got, err := e.Resolve(t.Context(), q)
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Fatalf("%v\n%s", err, d)
		}
		for _, s := range e.waiting.all {
			used[s.cmd.Process.Pid] = true
		}
	}
	if len(used) != 2 {
		t.Errorf("%d children answered one request after the other; each answers %d", len(used), mostUses)
	}
}

// TestStayedIsStopped shows that the bounds hold for children that stay, and that the next question finds another one.
func TestStayedIsStopped(t *testing.T) {
	e := inChild(t, Config{Stay: true, Wall: 3 * time.Second})
	defer e.Close()
	for _, name := range []string{"doubling", "laughs"} {
		src := runbook.Source{Runbook: "runbooks/b.cue", Files: map[string][]byte{"runbooks/b.cue": []byte(bombs(t)[name])}}
		if _, _, err := e.Load(t.Context(), src); !stopped(err) {
			t.Errorf("%s: %v", name, err)
		}
		if len(e.waiting.all) > 0 {
			t.Errorf("%s: the child that was stopped is kept", name)
		}
	}
	patient := inChild(t, Config{Stay: true})
	defer patient.Close()
	if _, _, err := patient.Load(t.Context(), runbook.Source{Runbook: "runbooks/b.cue", Files: map[string][]byte{"runbooks/b.cue": []byte("title: 1")}}); err != nil {
		t.Error(err)
	}
	if _, ps, err := patient.Load(t.Context(), checkoutQuery().Source); err != nil || len(ps) > 0 {
		t.Errorf("after a wrong runbook: %v, %v", err, ps)
	}
}
