package cueval

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// arena is what Go's heap takes from the system at a time, in bytes; the first one is there already.
const arena = 64 << 20

// beyond is what the process may map beyond what it may hold, in bytes: stacks of threads, Go's own tables, and the parts
// of the heap that are not used up.
const beyond = 2*arena + 24<<20

// limitProcess sets the system's limits. Failing to set one is no reason to stop: the parent's deadline and the watch
// over the memory hold without them. One text that doubles is faster than any watch: there the limit on the address space
// decides. It counts from what the process has mapped at its start, most of which Go only reserves. RLIMIT_DATA would not
// do: Linux does not count a mapping that takes the place of a reserved one, and Go reserves first.
func limitProcess(memory, cpu uint64) {
	set := func(what int, to uint64) { _ = syscall.Setrlimit(what, &syscall.Rlimit{Cur: to, Max: to}) }
	if mapped := mappedBytes(); mapped > 0 && memory > arena && !instrumented {
		set(syscall.RLIMIT_AS, mapped+memory-arena+beyond)
	}
	set(syscall.RLIMIT_CPU, cpu)
	set(syscall.RLIMIT_CORE, 0)
}

// mappedBytes is the size of the process's address space, 0 if the system does not tell.
func mappedBytes() uint64 {
	text, err := os.ReadFile("/proc/self/statm") // proc(5): the first number counts pages
	if err != nil {
		return 0
	}
	var pages uint64
	if _, err := fmt.Sscan(string(text), &pages); err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
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
