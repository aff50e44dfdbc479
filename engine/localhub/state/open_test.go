package state_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

func now() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

func seed() state.Seed {
	return state.Seed{
		Users:        []state.SeedUser{{Login: "alice", ID: 101, Token: "a"}, {Login: "bob", ID: 102}},
		Repositories: []state.SeedRepository{{Name: "alice/ops", Collaborators: map[string]string{"bob": "write"}}},
	}
}

func open(t *testing.T, path string, s state.Seed) *state.Store {
	t.Helper()
	store, err := state.Open(state.Config{Path: path, Seed: s, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func alice(t *testing.T, s *state.Store) state.Actor {
	t.Helper()
	a, ok := s.Authenticate("a")
	if !ok {
		t.Fatal("alice's token is not known")
	}
	return a
}

func openPull(t *testing.T, s *state.Store, branch string) *state.Pull {
	t.Helper()
	p, err := s.CreatePull(alice(t, s), "alice/ops", state.NewPull{
		Title: branch, Stats: state.Stats{Commits: 1}, Base: state.Tip{Ref: "main", SHA: "b"}, Head: state.Tip{Ref: branch, SHA: "h" + branch},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestStateIsTakenUpAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.sqlite")
	first := open(t, path, seed())
	p := openPull(t, first, "x")
	c, err := first.AddComment(alice(t, first), "alice/ops", 1, "hello")
	if err != nil || !first.Fresh() {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for _, s := range []state.Seed{seed(), {}} { // the same, and none
		again := open(t, path, s)
		got, err := again.Pull("alice/ops", p.Number)
		if err != nil || got.Title != "x" || got.Comments != 1 || again.Fresh() {
			t.Fatalf("after a restart: %+v, %v", got, err)
		}
		if kept, err := again.Comment("alice/ops", c.ID); err != nil || kept.Body != "hello" {
			t.Fatalf("the comment: %+v, %v", kept, err)
		}
		if err := errors.Join(again.Verify(), again.Close()); err != nil {
			t.Fatal(err)
		}
	}
	last := open(t, path, seed())
	if q := openPull(t, last, "y"); q.Number != 2 || q.ID <= c.ID {
		t.Fatalf("numbers and ids begin again: %d, %d", q.Number, q.ID)
	}
}

func TestChangedSeedIsRefusedWithWhatDiffers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.sqlite")
	if err := open(t, path, seed()).Close(); err != nil {
		t.Fatal(err)
	}
	other := seed()
	other.Users[0].Token = "b"
	other.Users[1].Login = "carol"
	other.Repositories[0].Collaborators = nil
	_, err := state.Open(state.Config{Path: path, Seed: other, Now: now})
	var changed *state.SeedChanged
	want := []string{"user alice is different", "user carol is new", "user bob is missing", "repository alice/ops is different"}
	if !errors.As(err, &changed) || !slices.Equal(changed.Differences, want) {
		t.Fatalf("opened with another seed: %v", err)
	}
}

func TestTwoHubsCannotShareADirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.sqlite")
	open(t, path, seed())
	if _, err := state.Open(state.Config{Path: path, Seed: seed(), Now: now}); !errors.Is(err, state.ErrInUse) {
		t.Fatalf("the second: %v", err)
	}
}

func TestFailedWriteIsTakenBack(t *testing.T) {
	store := open(t, filepath.Join(t.TempDir(), "state.sqlite"), seed())
	openPull(t, store, "x")
	var told int
	store.Subscribe(func(state.Event) { told++ })
	a := alice(t, store)
	a.Base = "http://localhost"
	if err := store.RefuseWrites(true); err != nil {
		t.Fatal(err)
	}
	if _, err := store.AddComment(a, "alice/ops", 1, "never answered"); err == nil {
		t.Fatal("a comment that is not on disk was answered")
	}
	if err := store.RefuseWrites(false); err != nil {
		t.Fatal(err)
	}
	p, err := store.Pull("alice/ops", 1)
	list, err2 := store.Comments("alice/ops", 1)
	if err := errors.Join(err, err2, store.Verify()); err != nil || p.Comments != 0 || len(list) != 0 || told != 0 {
		t.Fatalf("it is still there: %d, %v, told %d times, %v", p.Comments, list, told, err)
	}
	if _, err := store.AddComment(a, "alice/ops", 1, "answered"); err != nil || told != 1 {
		t.Fatalf("afterwards: %v, told %d times", err, told)
	}
}

func TestPullsAreFound(t *testing.T) {
	store := open(t, "", seed())
	for i := range 10 {
		p := openPull(t, store, fmt.Sprintf("b%d", i))
		if i%2 == 0 {
			closed := "closed"
			if _, err := store.EditPull(alice(t, store), "alice/ops", p.Number, state.PullEdit{State: &closed}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		name   string
		filter state.PullFilter
		window state.Window
		want   []int
		total  int
	}{
		{"open", state.PullFilter{}, state.Window{}, []int{10, 8, 6, 4, 2}, 5},
		{"a page", state.PullFilter{State: "all"}, state.Window{Offset: 3, Limit: 2}, []int{7, 6}, 10},
		{"beyond the end", state.PullFilter{}, state.Window{Offset: 50, Limit: 2}, nil, 5},
		{"oldest first", state.PullFilter{State: "closed", Ascending: true}, state.Window{Limit: 2}, []int{1, 3}, 5},
		{"a branch", state.PullFilter{State: "all", Head: "b6"}, state.Window{}, []int{7}, 1},
		{"a closed one's branch", state.PullFilter{Head: "b6"}, state.Window{}, nil, 0},
		{"a text", state.PullFilter{State: "all", Text: "B9"}, state.Window{}, []int{10}, 1},
		{"somebody's", state.PullFilter{Author: "ALICE"}, state.Window{Limit: 1}, []int{10}, 5},
		{"nobody's", state.PullFilter{Author: "bob"}, state.Window{}, nil, 0},
	} {
		pulls, total, err := store.PullsIn("alice/ops", tt.filter, tt.window)
		var got []int
		for _, p := range pulls {
			got = append(got, p.Number)
		}
		if err != nil || !slices.Equal(got, tt.want) || total != tt.total {
			t.Errorf("%s: %v of %d, %v; want %v of %d", tt.name, got, total, err, tt.want, tt.total)
		}
	}
}
