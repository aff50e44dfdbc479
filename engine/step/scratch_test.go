package step

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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

// doomedEngine runs a step that writes down its process id and then hangs.
func doomedEngine(root string) int {
	r, err := New(Config{Dir: root})
	if err != nil {
		return 1
	}
	script := "echo $$ > $0/new && mv $0/new $0/pid; exec sleep 60"
	r.Run(context.Background(), job("exec", map[string]any{"command": []string{"sh", "-c", script, root}}), nil)
	return 1
}

func TestKilledEngineTakesItsProgramAlong(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells a program that its parent has died")
	}
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("needs sh: ", err)
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
	mustBeDead(t, pidIn(t, "pid "+string(pid)))
	r, err := New(Config{Dir: root})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if left, err := filepath.Glob(filepath.Join(root, "runner-*")); err != nil || len(left) != 1 {
		t.Errorf("directories: %v, %v", left, err)
	}
}
