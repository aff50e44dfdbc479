package inbox

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ErrLocked means that another engine has this inbox open.
var ErrLocked = errors.New("inbox is held by another engine")

// lockFile takes an exclusive flock(2) on path without waiting. The kernel releases it with the process, whatever kills it.
// existed tells whether the file was there before, that is, whether an inbox has been opened at this place earlier.
// The file is never deleted: two engines that lock two files of the same name would both believe that they are alone.
func lockFile(path string) (f *os.File, existed bool, err error) {
	f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		existed = true
		f, err = os.OpenFile(path, os.O_RDWR, 0o600)
	}
	if err != nil {
		return nil, false, fmt.Errorf("open lock file: %w", err)
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, false, fmt.Errorf("lock %s: %w", path, ErrLocked)
		}
		return nil, false, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, existed, nil
}
