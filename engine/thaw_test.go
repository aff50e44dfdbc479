package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// full is a journal on a disk that is full for a while.
type full struct {
	Journal
	is   bool
	made NewCommit
}

func (f *full) Append(_ context.Context, c NewCommit) (string, error) {
	if f.is {
		return "", errors.New("no space left on device")
	}
	f.made = c
	return "thawed", nil
}

// TestThawNeedsItsCommit: a branch that was deleted is the engine's again once there is the commit that gives it back, and not
// when that could not be made.
func TestThawNeedsItsCommit(t *testing.T) {
	id := incident.NewID(incident.Slot("group", ""), time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC))
	w := &worker{branch: id.Branch()}
	if err := w.take(incidentBranch(t, id)); err != nil {
		t.Fatal(err)
	}
	w.ledger.gone, w.ledger.deleted, w.ledger.remote = true, true, ""
	disk := &full{is: true}
	e := New(Config{Journal: disk})
	back := incident.Commit{At: w.ledger.state.At, Events: []incident.Data{
		incident.Thawed{Why: "so", Restored: "h", On: "h", Deed: incident.Deed{Via: "review", ID: 1, At: w.ledger.state.At}}}}
	if err := e.commit(t.Context(), w, runbook.Plan{Name: "x"}, back); err == nil || !w.ledger.gone || !w.ledger.deleted {
		t.Errorf("nothing was written, and gone is %t, deleted %t: %v", w.ledger.gone, w.ledger.deleted, err)
	}
	disk.is = false
	if err := e.commit(t.Context(), w, runbook.Plan{Name: "x"}, back); err != nil || w.ledger.gone || w.ledger.deleted || !disk.made.Create || w.ledger.head != "thawed" {
		t.Errorf("the branch was not given back: %+v, %v", disk.made, err)
	}
}
