package cueval

import "syscall"

// peakOfChildren is the most memory that a child of this process held, in bytes.
func peakOfChildren() int64 {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_CHILDREN, &r) != nil {
		return 0
	}
	return int64(r.Maxrss) << 10
}
