package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var (
	damages    = flag.Int("damages", 8, "how often TestDamagedInbox damages what an engine has on disk")
	damageSeed = flag.Uint64("damageseed", 0, "seed of TestDamagedInbox; 0: a new one")
)

// TestDamagedInbox kills the engine at random moments while incidents go on, and damages what it has on disk: the inbox and its log are
// deleted, cut, or have a bit flipped, and bookmarks are emptied. Whoever sent an alert of which nothing is seen sends it again, as
// monitoring tools do: if the first one had been taken after all, the second one may be of another incident. All that git holds goes on and
// ends, what is not idempotent happens once in each incident, and a loss is told.
func TestDamagedInbox(t *testing.T) {
	t.Parallel()
	seed := *damageSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("go test -run TestDamagedInbox -damages %d -damageseed %d", *damages, seed)
	s, marks := newMarked(t)
	s.serve(t)
	v := &vandal{scene: s, dice: rand.New(rand.NewPCG(seed, 1)), left: *damages, did: map[string]int{}}
	incidents := 0
	for v.left > 0 {
		var open []*ordeal
		for range 4 {
			incidents++
			open = append(open, newOrdeal(s, marks, incidents))
		}
		for _, o := range open {
			o.raise(t)
		}
		for most := 8; most > 0 && v.left > 0; most-- {
			time.Sleep(time.Duration(v.dice.Int64N(int64(700 * time.Millisecond)))) // the random moment itself
			v.damage(t)
			for _, o := range open {
				if !o.goOn(t) && o.seeSlot(t, o.slot).pull == nil {
					o.raise(t)
				}
			}
		}
		s.playAll(t, open)
	}
	for n := range incidents {
		checkMarks(t, marks, fmt.Sprint(n+1))
	}
	s.verifyMany(t, s.world.bareRepo(), func(n int) bool { return n >= incidents })
	s.end(syscall.SIGTERM)
	said := s.log.String()
	anew, end := strings.Count(said, "the inbox begins anew"), strings.Count(said, "the end of the inbox's log is missing")
	if anew < v.did["delete it"] {
		t.Errorf("the inbox was deleted %d times, and it was told %d times", v.did["delete it"], anew)
	}
	if end+anew < v.did["delete its log"]+v.did["delete it"] {
		t.Errorf("the inbox or its log were deleted %d times, and %d losses were told", v.did["delete its log"]+v.did["delete it"], end+anew)
	}
	t.Logf("%v; %d incidents; told of %d inboxes and %d ends of logs that were lost", v.did, incidents, anew, end)
}

// vandal damages what an engine has on disk.
type vandal struct {
	*scene
	dice *rand.Rand
	left int
	did  map[string]int
}

// damage kills the engine, does one thing to its files, and starts it again.
func (v *vandal) damage(t *testing.T) {
	t.Helper()
	v.end(syscall.SIGKILL)
	v.left--
	inbox := filepath.Join(v.world.dir, "engine", "inbox.sqlite")
	log := inbox + "-wal"
	deeds := []struct {
		name string
		do   func() error
	}{
		{"delete it", func() error { return errors.Join(os.Remove(inbox), remove(log), remove(inbox+"-shm")) }},
		{"delete its log", func() error { return remove(log) }},
		{"cut it", func() error { return v.cut(inbox) }},
		{"cut its log", func() error { return v.cut(log) }},
		{"flip a bit of it", func() error { return v.flip(inbox) }},
		{"flip a bit of its log", func() error { return v.flip(log) }},
		{"flip a bit of its log", func() error { return v.flip(log) }},
		{"empty the bookmarks", func() error { return v.emptyBookmarks() }},
	}
	deed := deeds[v.dice.IntN(len(deeds))]
	if err := deed.do(); err != nil {
		t.Fatalf("%s: %v", deed.name, err)
	}
	v.did[deed.name]++
	v.begin(t)
}

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// cut shortens a file. An engine that was killed at once may have none.
func (v *vandal) cut(path string) error {
	file, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && file.Size() == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Truncate(path, v.dice.Int64N(file.Size()))
}

func (v *vandal) flip(path string) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(data) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	data[v.dice.IntN(len(data))] ^= 1 << v.dice.IntN(8)
	return os.WriteFile(path, data, 0o600)
}

// emptyBookmarks leaves what a power cut may leave of files that were never synced.
func (v *vandal) emptyBookmarks() error {
	files, err := filepath.Glob(filepath.Join(v.world.dir, "engine", "bookmarks", "*"))
	for _, file := range files {
		err = errors.Join(err, os.Truncate(file, 0))
	}
	return err
}
