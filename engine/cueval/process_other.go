//go:build !linux

package cueval

import "os/exec"

// limitProcess does nothing: the parent's deadline and the watch over the memory are portable.
func limitProcess(memory, cpu uint64) {}

// detach leaves the child as it is: it starts no process of its own, so killing it is enough.
func detach(*exec.Cmd) {}

func outOfTime(*exec.Cmd) bool { return false }
