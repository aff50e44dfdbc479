package state_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

func TestDeliveriesAreKeptThreeDays(t *testing.T) {
	at := now()
	path := filepath.Join(t.TempDir(), "state.sqlite")
	store, err := state.Open(state.Config{Path: path, Seed: seed(), Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	log := func(guid string) {
		t.Helper()
		d := state.Delivery{App: 7, GUID: guid, Event: "push", Delivered: at, Code: 200, Payload: []byte(`{"a":1}`)}
		if err := store.LogDeliveries([]state.Logged{{Delivery: d}}); err != nil {
			t.Fatal(err)
		}
	}
	log("one")
	at = at.Add(2 * 24 * time.Hour)
	log("two")
	list, err := store.Deliveries(7, 0, 10)
	if err != nil || len(list) != 2 || list[0].GUID != "two" || list[1].GUID != "one" || list[0].Payload != nil {
		t.Fatalf("list: %+v, %v", list, err)
	}
	if older, err := store.Deliveries(7, list[0].ID, 10); err != nil || len(older) != 1 || older[0].GUID != "one" {
		t.Fatalf("before the second: %+v, %v", older, err)
	}
	one, err := store.Delivery(7, list[1].ID)
	if err != nil || string(one.Payload) != `{"a":1}` || one.Code != 200 {
		t.Fatalf("the first: %+v, %v", one, err)
	}
	var refusal *state.Refusal
	if _, err := store.Delivery(8, one.ID); !errors.As(err, &refusal) || refusal.Status != 404 {
		t.Fatalf("another App's: %v", err)
	}
	at = at.Add(36 * time.Hour)
	log("three")
	if list, err := store.Deliveries(7, 0, 10); err != nil || len(list) != 2 || list[1].GUID != "two" {
		t.Fatalf("three days later: %+v, %v", list, err)
	}
	if found, err := store.Delivered(7, "two"); err != nil || !found {
		t.Fatalf("delivered: %v, %v", found, err)
	}
}
