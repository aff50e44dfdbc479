package cueval

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// spent is what loading a hostile file came to.
type spent struct {
	Stopped string `json:"stopped"` // deadline, memory, or refused by CUE or the checks; other is none of these
	Error   string `json:"error"`
	Peak    int64  `json:"peak"` // the most memory that the child held, in bytes; 0 where the system does not tell
}

// loadBomb loads the file on its input under the limits of an engine, and writes what that came to. It is a process of its own
// since what the system tells of a child's memory begins with that of its parent.
func loadBomb() int {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return 1
	}
	exe, err := os.Executable()
	if err != nil {
		return 1
	}
	src := runbook.Source{Runbook: "runbooks/b.cue", Files: map[string][]byte{"runbooks/b.cue": text}}
	_, ps, err := New(Config{Child: []string{exe, "eval-child"}}).Load(context.Background(), src)
	out := spent{Peak: peakOfChildren()}
	switch {
	case errors.Is(err, ErrDeadline):
		out.Stopped = "deadline"
	case errors.Is(err, ErrMemory):
		out.Stopped = "memory"
	case err == nil && len(ps) > 0:
		out.Stopped = "refused"
	default:
		out.Stopped, out.Error = "other", fmt.Sprint(err)
	}
	if json.NewEncoder(os.Stdout).Encode(out) != nil {
		return 1
	}
	return 0
}

// TestBombs loads every hostile file under the limits of an engine: each is refused, or stopped at 2 s or for its memory, and
// none ever held more than it may. Beside them a good runbook is loaded again and again.
func TestBombs(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	good := inChild(t, Config{Wall: 5 * time.Minute}) // it waits for its share of the machine
	stop, beside := make(chan struct{}), make(chan int)
	go func() {
		loads := 0
		for {
			if _, ps, err := good.Load(t.Context(), checkoutQuery().Source); err != nil || len(ps) > 0 {
				t.Errorf("the good runbook: %v, %v", err, ps)
			}
			loads++
			select {
			case <-stop:
				beside <- loads
				return
			default:
			}
		}
	}()
	var mu sync.Mutex
	how := map[string]string{}
	t.Run("all", func(t *testing.T) {
		for name, text := range bombs(t) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				c := exec.CommandContext(t.Context(), exe, "load-bomb")
				c.Stdin = strings.NewReader(text)
				var out bytes.Buffer
				c.Stdout = &out
				if err := c.Run(); err != nil {
					t.Fatal(err)
				}
				var s spent
				if err := json.Unmarshal(out.Bytes(), &s); err != nil {
					t.Fatal(err)
				}
				t.Logf("%s, peak %d MiB", s.Stopped, s.Peak>>20)
				if s.Stopped == "other" {
					t.Errorf("it is loaded, or stopped with %s", s.Error)
				}
				if s.Peak > 256<<20 && !instrumented {
					t.Errorf("it held %d MiB", s.Peak>>20)
				}
				mu.Lock()
				defer mu.Unlock()
				how[name] = s.Stopped
			})
		}
	})
	close(stop)
	t.Logf("the good runbook was loaded %d times beside them", <-beside)
	for _, name := range []string{"laughs", "product", "doubling", "doubling_structs", "doubling_lists", "disjunctions", "steps"} {
		if !slices.Contains([]string{"deadline", "memory"}, how[name]) {
			t.Errorf("%s was not stopped by a limit, but %s: it tests nothing", name, how[name])
		}
	}
}
