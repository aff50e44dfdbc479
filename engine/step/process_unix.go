//go:build unix && !linux

package step

import (
	"os/exec"
	"syscall"
)

// ownGroup puts a program into a process group of its own.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitExit returns when the program has ended, and reaps it.
func awaitExit(cmd *exec.Cmd) {
	// The error only repeats the state, which is asked later.
	_ = cmd.Wait()
}

// killStrays finds nothing: there is no portable way to read another process's environment.
func killStrays(string) int { return 0 }
