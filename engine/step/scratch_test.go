package step

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

func TestRunnersShareARoot(t *testing.T) {
	root := t.TempDir()
	one, err := New(Config{Dir: root})
	if err != nil {
		t.Fatal(err)
	}
	two, err := New(Config{Dir: root})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Runner{one, two} {
		expect(t, r.Run(t.Context(), shell(t, "true"), nil), runbook.Succeeded, "")
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		mustNotExist(t, r.scratch.dir)
	}
}

// What a killed runner leaves is a directory whose lock nobody holds.
func TestNewRemovesWhatKilledRunnersLeft(t *testing.T) {
	root := t.TempDir()
	left := filepath.Join(root, "runner-dead", "attempt-1", "work", "sealed")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(left, "file"), nil, 0o400); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(left, 0); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(root, "not-ours")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	r, err := New(Config{Dir: root})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	mustNotExist(t, filepath.Join(root, "runner-dead"))
	if _, err := os.Stat(other); err != nil {
		t.Errorf("a foreign directory is gone: %v", err)
	}
}

// The variable makes a second process of this test's binary the engine that is about to be killed.
const engineRoot = "STEP_TEST_ENGINE_ROOT"

func TestMain(m *testing.M) {
	if root := os.Getenv(engineRoot); root != "" {
		os.Exit(doomedEngine(root))
	}
	os.Exit(m.Run())
}

// doomedEngine runs a step that starts a daemon and ends, and then one that starts a program, writes down its process id and hangs.
func doomedEngine(root string) int {
	r, err := New(Config{Dir: root})
	if err != nil {
		return 1
	}
	for _, script := range []string{
		"setsid sh -c 'echo pid $$ >$0/new; mv $0/new $0/daemon; exec sleep 60' $0 >/dev/null 2>&1 & until [ -e $0/daemon ]; do :; done",
		"sleep 60 & echo pid $$ >$0/new; mv $0/new $0/pid; exec sleep 60",
	} {
		r.Run(context.Background(), job("exec", map[string]any{"command": []string{"sh", "-c", script, root}}), nil)
	}
	return 1
}

// What the program of a killed engine had started is ended by the next runner; what a step left that had ended lives on.
func TestKilledEngineTakesItsProgramAlong(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells a program that its parent has died")
	}
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("needs sh: ", err)
	}
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("needs setsid: ", err)
	}
	root := t.TempDir()
	engine := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	engine.Env = append(os.Environ(), engineRoot+"="+root)
	if err := engine.Start(); err != nil {
		t.Fatal(err)
	}
	var pid []byte
	for deadline := time.Now().Add(30 * time.Second); len(pid) == 0 && time.Now().Before(deadline); runtime.Gosched() {
		pid, _ = os.ReadFile(filepath.Join(root, "pid"))
	}
	if err := engine.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = engine.Wait() // it was killed
	r, err := New(Config{Dir: root})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	mustBeDead(t, pidIn(t, string(pid)))
	if r.Ended() == 0 {
		t.Error("it is not told that something was left running")
	}
	if left, err := filepath.Glob(filepath.Join(root, "runner-*")); err != nil || len(left) != 1 {
		t.Errorf("directories: %v, %v", left, err)
	}
	text, err := os.ReadFile(filepath.Join(root, "daemon"))
	if err != nil {
		t.Fatal(err)
	}
	if daemon := pidIn(t, string(text)); syscall.Kill(daemon, syscall.SIGKILL) != nil {
		t.Error("the daemon of a step that had ended is gone")
	}
}
