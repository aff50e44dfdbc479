package inbox

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// childPath makes this test binary an engine that holds the inbox at that path and is to be killed.
const childPath = "PULLBOOK_INBOX_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		fmt.Println("failed:", engineToBeKilled(path))
		os.Exit(1)
	}
	if path := os.Getenv(poweredPath); path != "" {
		if err := poweredEngine(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// engineToBeKilled puts messages for ever and says on standard output, a line each, what it has been told and asked to do.
func engineToBeKilled(path string) error {
	ctx := context.Background()
	in, err := Open(ctx, at(path))
	if err != nil {
		return err
	}
	for _, repeatable := range []bool{false, true} {
		incident := "once"
		if repeatable {
			incident = "repeatable"
		}
		if err := in.StartStep(ctx, Step{Key: incident, Incident: incident, Repeatable: repeatable}); err != nil {
			return err
		}
	}
	failed := make(chan error, 1)
	go func() {
		failed <- in.Run(ctx, script{
			handle: func(_ context.Context, m Message) error {
				fmt.Printf("handled %s\n", m.Body)
				return nil
			},
			step: func(_ context.Context, s Step) (json.RawMessage, error) {
				fmt.Println("running", s.Key)
				select {}
			},
		})
	}()
	for i := 0; len(failed) == 0; i++ {
		body := strconv.Quote(fmt.Sprint(os.Getpid(), "-", i))
		if _, err := in.PutOnce(ctx, body, Message{Kind: "alert", Key: fmt.Sprint(i % 5), Body: []byte(body)}); err != nil {
			return err
		}
		fmt.Println("stored", body)
	}
	return <-failed
}

// killed starts an engine on path, kills it when it has said enough, and returns all that it said.
func killed(t *testing.T, path string, enough func(lines []string) bool) (lines []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0])
	child.Env = append(os.Environ(), childPath+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	dead := false
	for scanner := bufio.NewScanner(out); scanner.Scan(); {
		lines = append(lines, scanner.Text())
		if !dead && enough(lines) {
			dead = true
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); !dead {
		t.Fatalf("engine was not killed in time: %v; it said %d lines, last %q", err, len(lines), lines[max(0, len(lines)-3):])
	}
	return lines
}

func has(lines []string, want string) bool {
	for _, line := range lines {
		if line == want {
			return true
		}
	}
	return false
}

func TestKillLosesNothing(t *testing.T) {
	path := place(t)
	pending := map[string]bool{}
	for _, stored := range []int{1, 17, 40} {
		for _, line := range killed(t, path, func(lines []string) bool { return len(lines) >= stored*2 }) {
			// The kill may cut the last line short.
			what, body, _ := strings.Cut(line, " ")
			switch {
			case !strings.HasSuffix(body, `"`):
			case what == "stored":
				if _, handled := pending[body]; !handled {
					pending[body] = true
				}
			case what == "handled":
				pending[body] = false
			}
		}
	}
	in := open(t, path)
	if got := in.Recovered(); got != "" {
		t.Fatalf("a kill damaged the database: %s", got)
	}
	handled := make(chan string)
	start(t, in, script{
		handle: func(_ context.Context, m Message) error { handled <- string(m.Body); return nil },
		step:   func(context.Context, Step) (json.RawMessage, error) { return nil, nil },
	})
	for left(pending) > 0 {
		pending[receive(t, handled)] = false
	}
	go func() {
		for range handled { // what the engine stored without living to say so
		}
	}()
	waitUntil(t, func() bool { return count(t, in, "SELECT count(*) FROM message") == 0 })
}

func left(pending map[string]bool) (n int) {
	for _, p := range pending {
		if p {
			n++
		}
	}
	return n
}

func TestKillDuringSteps(t *testing.T) {
	path := place(t)
	killed(t, path, func(lines []string) bool { return has(lines, "running once") && has(lines, "running repeatable") })
	in := open(t, path)
	if r := stepIn(t, in, "once", StepLost); r.Starts != 1 || r.Ended.IsZero() {
		t.Errorf("step that was not repeatable is %+v", r)
	}
	stepIn(t, in, "repeatable", StepQueued)
	looked := make(chan string, 10)
	start(t, in, script{handle: looks(looked), step: func(_ context.Context, s Step) (json.RawMessage, error) {
		if s.Key != "repeatable" {
			t.Errorf("step %s was started again", s.Key)
		}
		return []byte(`"again"`), nil
	}})
	if r := stepIn(t, in, "repeatable", StepEnded); r.Starts != 2 || string(r.Outcome) != `"again"` {
		t.Errorf("repeatable step is %+v", r)
	}
	seen := map[string]bool{}
	for len(seen) < 2 {
		seen[receive(t, looked)] = true
	}
	if !seen["once"] || !seen["repeatable"] {
		t.Errorf("looks at %v, want at both incidents", seen)
	}
}

// bare opens the database of an inbox without its lock.
func bare(place string) (*sql.DB, error) {
	if url, schema, found := strings.Cut(place, "#"); found {
		return sql.Open("pgx", url+"&search_path="+schema)
	}
	return dial(place)
}

func TestCancelOfARepeatableStepSurvivesAKill(t *testing.T) {
	path := place(t)
	killed(t, path, func(lines []string) bool { return has(lines, "running repeatable") })
	db, err := bare(path)
	if err != nil {
		t.Fatal(err)
	}
	// What CancelStep writes while the step runs.
	if _, err := db.ExecContext(t.Context(), "UPDATE step SET cancel = 1 WHERE key = 'repeatable' AND state = 'running'"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	stepIn(t, open(t, path), "repeatable", StepCancelled)
}

func TestLockDiesWithItsProcess(t *testing.T) {
	path := place(t)
	killed(t, path, func(lines []string) bool {
		if len(lines) == 1 {
			if _, err := Open(t.Context(), at(path)); err == nil {
				t.Error("a second engine got the inbox of a living one")
			}
		}
		return len(lines) >= 1
	})
	begin := time.Now()
	open(t, path)
	if took := time.Since(begin); took > patience {
		t.Errorf("taking over a dead engine's inbox took %s", took)
	}
}
