package cueval

import (
	"os/exec"
	"syscall"
)

// beyond is what the process may reserve beyond what it may hold, in bytes: Go's own tables and stacks. Go takes its heap
// from the system 64 MiB at a time and never uses all of it.
const beyond = 40 << 20

// limitProcess sets the system's limits. Failing to set one is no reason to stop: the parent's deadline and the watch
// over the memory hold without them. One text that doubles is faster than any watch: there the system's limit decides.
func limitProcess(memory, cpu uint64) {
	set := func(what int, to uint64) { _ = syscall.Setrlimit(what, &syscall.Rlimit{Cur: to, Max: to}) }
	if !instrumented {
		set(syscall.RLIMIT_DATA, memory+beyond)
	}
	set(syscall.RLIMIT_CPU, cpu)
	set(syscall.RLIMIT_CORE, 0)
}

// detach puts the child into a process group of its own, which is killed as a whole, and ties its life to ours.
func detach(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
}

// outOfTime reports whether the system ended the process because it had used up its processor time.
func outOfTime(c *exec.Cmd) bool {
	s, ok := c.ProcessState.Sys().(syscall.WaitStatus)
	return ok && s.Signaled() && s.Signal() == syscall.SIGXCPU
}
