package step

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownGroup puts a program into a process group of its own and ties its life to the engine's.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// awaitExit returns when the program has ended, without reaping it: as long as it is a zombie, nobody else can get its
// number, and a signal to its group reaches no stranger.
func awaitExit(cmd *exec.Cmd) {
	for {
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// killStrays kills every process whose environment holds the mark, wherever it moved to, and returns how many there were.
func killStrays(mark string) int {
	const rounds = 10 // what is killed may have forked meanwhile
	killed := map[int]bool{}
	for range rounds {
		found := false
		// The pattern is constant and well formed.
		dirs, _ := filepath.Glob("/proc/[0-9]*")
		for _, dir := range dirs {
			pid, err := strconv.Atoi(filepath.Base(dir))
			if err == nil && !killed[pid] && killMarked(pid, mark) {
				killed[pid], found = true, true
			}
		}
		if !found {
			break
		}
	}
	return len(killed)
}

// killMarked takes hold of the process before it looks whose it is, so that a number that is given anew in between does
// no harm (os.FindProcess holds a pidfd).
func killMarked(pid int, mark string) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer p.Release()
	env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil || !hasEntry(env, mark) {
		return false
	}
	return p.Kill() == nil
}

func hasEntry(env []byte, entry string) bool {
	for e := range bytes.SplitSeq(env, []byte{0}) {
		if string(e) == entry {
			return true
		}
	}
	return false
}
