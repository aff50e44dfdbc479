package engine

import (
	"context"
	"maps"
	"testing"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
)

// forum is a hub whose comments change.
type forum struct {
	*desk
	comments []incident.Comment
}

func (f *forum) Look(context.Context, incident.HubQuery) (incident.HubView, error) {
	return incident.HubView{Pull: &f.pull, Comments: f.comments}, nil
}

// TestStrangersAreRemembered: the core is told up to where somebody's words were seen while they might not write, also once they
// may and when what was in doubt is read again.
func TestStrangersAreRemembered(t *testing.T) {
	d, e, w := newDesk(t)
	hub := &forum{desk: d}
	e.Hub, w.ledger.remote = hub, "h1"
	say := func(id int64, by approval.Person, body string) {
		hub.comments = append(hub.comments, incident.Comment{ID: id, By: by, Body: body})
	}
	look := func() map[int64]int64 {
		t.Helper()
		if err := e.lookAtHub(t.Context(), w, true); err != nil {
			t.Fatal(err)
		}
		return w.view(nil, nil).Strangers
	}
	eve := approval.Person{ID: 7, Login: "eve"}
	say(1, approval.Person{ID: 8, Login: "alice", Write: true}, "/ack")
	say(2, approval.Person{ID: 9, Login: "robot", Bot: true}, "/ack")
	if got := look(); len(got) != 0 {
		t.Errorf("nobody is a stranger: %v", got)
	}
	say(3, eve, "/cancel it")
	say(4, eve, "/ack")
	say(5, eve, "what is this?")
	want := map[int64]int64{7: 4}
	if got := look(); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for i := range hub.comments {
		hub.comments[i].By.Write = true
	}
	eve.Write = true
	say(6, eve, "/ack")
	w.hub = nil // in doubt
	if got := look(); !maps.Equal(got, want) {
		t.Errorf("once they may write: got %v, want %v", got, want)
	}
}
