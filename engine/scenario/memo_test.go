package scenario

import (
	"context"
	"encoding/json"
	"strconv"
	"testing"

	"github.com/pullbook/pullbook/engine/runbook"
)

// counting answers with what it is asked, and counts how often.
type counting struct {
	Eval
	asked int
}

func (c *counting) Output(_ context.Context, _ runbook.Query, _ string, output json.RawMessage) (json.RawMessage, error) {
	c.asked++
	return output, nil
}

// TestRememberingIsBounded asks each of many questions twice: once is enough, and no more than the bound is held.
func TestRememberingIsBounded(t *testing.T) {
	c := &counting{}
	r := Remember(c)
	for i := range mostAnswers + 10 {
		want := strconv.Itoa(i)
		for range 2 {
			if got, err := r.Output(t.Context(), runbook.Query{}, "a", json.RawMessage(want)); err != nil || string(got) != want {
				t.Fatalf("%s, %v; want %s", got, err, want)
			}
		}
		if len(r.answers) > mostAnswers {
			t.Fatalf("%d answers are held", len(r.answers))
		}
	}
	if c.asked != mostAnswers+10 {
		t.Errorf("%d questions were asked %d times", mostAnswers+10, c.asked)
	}
}
