package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestDiskFull lets the disk under an engine refuse all writes while incidents go on: alerts are refused, so that who sends them sends
// them again, and none is answered 202 that is not stored. When there is room again all goes on, and nothing has happened twice. An engine that
// is started on the full disk says so, or waits.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	t.Run("writes fail", func(t *testing.T) {
		t.Parallel()
		playOnFullDisk(t, func(s *scene) disk { return &limited{s} }, false)
	})
	if place := t.TempDir(); unix.Mount("tmpfs", place, "tmpfs", 0, "size=64k") != nil || unix.Unmount(place, unix.MNT_DETACH) != nil {
		t.Log("no file system can be mounted here, so none is filled up")
		return
	}
	t.Run("no room", func(t *testing.T) {
		t.Parallel()
		playOnFullDisk(t, newSmallDisk(t), true)
	})
}

// disk is what an engine's directory lies on.
type disk interface {
	fill(t *testing.T)
	free(t *testing.T)
}

// limited lets every write of the engine's process to a file fail with EFBIG, wherever it may not mount anything.
type limited struct{ s *scene }

func (l *limited) set(t *testing.T, most uint64) {
	t.Helper()
	if err := unix.Prlimit(l.s.engine.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: most, Max: unix.RLIM_INFINITY}, nil); err != nil {
		t.Fatal(err)
	}
}

func (l *limited) fill(t *testing.T) { l.set(t, 0) }
func (l *limited) free(t *testing.T) { l.set(t, unix.RLIM_INFINITY) }

// smallDisk is a file system of a few MiB that somebody fills up.
type smallDisk struct{ dir string }

func newSmallDisk(t *testing.T) func(s *scene) disk {
	return func(s *scene) disk {
		d := smallDisk{filepath.Join(s.world.dir, "engine")}
		if err := errors.Join(os.Mkdir(d.dir, 0o700), unix.Mount("tmpfs", d.dir, "tmpfs", 0, "size=8m")); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Unmount(d.dir, unix.MNT_DETACH) })
		return d
	}
}

func (d smallDisk) fill(t *testing.T) {
	t.Helper()
	f, err := os.Create(filepath.Join(d.dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

func (d smallDisk) free(t *testing.T) {
	t.Helper()
	if err := os.Remove(filepath.Join(d.dir, "filler")); err != nil {
		t.Fatal(err)
	}
}

// playOnFullDisk plays three incidents, two of which are under way when the disk is full.
func playOnFullDisk(t *testing.T, under func(*scene) disk, restart bool) {
	s, marks := newMarked(t)
	d := under(s)
	s.serve(t)
	var all []*ordeal
	for i := range 3 {
		all = append(all, newOrdeal(s, marks, i+1))
	}
	all[0].raise(t)
	all[1].raise(t)
	waitFor(t, "the first step runs", func() bool { return len(marksOf(t, marks, "1", "one")) > 0 })

	d.fill(t)
	for range 20 {
		if _, err := s.offer(t, alarm{Name: "Marked", Group: "marked 3", Labels: map[string]string{"service": "marked", "n": "3"}}); err == nil || !strings.Contains(err.Error(), "answered 503") {
			t.Errorf("on a full disk: %v", err)
		}
		all[0].goOn(t)
		all[1].goOn(t)
		time.Sleep(50 * time.Millisecond)
	}
	if len(marksOf(t, marks, "1", "two"))+len(marksOf(t, marks, "2", "two")) > 0 {
		t.Error("a step was begun that could not be written down")
	}
	if restart {
		s.startFull(t)
	}
	d.free(t)
	if restart {
		s.restart()
	}
	s.awaitHealth(t)
	all[2].raise(t)
	s.playAll(t, all)
	for _, o := range all {
		checkMarks(t, marks, o.n)
	}
	s.verify(t, len(all))
}

// startFull kills the engine and starts it on the full disk.
func (s *scene) startFull(t *testing.T) {
	t.Helper()
	s.restart()
	select {
	case <-s.exited:
		if said := s.log.String(); !strings.Contains(said, "full") && !strings.Contains(said, "no space left") {
			t.Errorf("it does not say why it did not start:\n%s", said)
		}
	case <-time.After(2 * time.Second): // it stands, and takes nothing
		if _, err := s.offer(t, alarm{Name: "Marked", Group: "marked 3", Labels: map[string]string{"service": "marked", "n": "3"}}); err == nil {
			t.Error("it takes an alert that it cannot store")
		}
	}
}
