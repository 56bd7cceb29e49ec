package sys

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Locks of bytes of a file that belong to the open file description (fcntl(2),
// "Open file description locks"): they end when its last descriptor is closed,
// so with the process, and a second description in the same process conflicts
// with the first. Nobody needs to read or write the bytes, nor need the file
// have them.

// errNoOFD is what all of these return where the kernel or a sandbox does not
// have the locks.
var errNoOFD = fmt.Errorf("this kernel or sandbox has no open file description locks (F_OFD_SETLK), without which a dead process cannot be told from a live one: %w", errors.ErrUnsupported)

// Lock locks n bytes of f at off, shared or exclusive, and returns
// ErrLocked where another description has a lock in the way; it never
// waits. A lock that this description has there already is converted in one
// step, or stays as it was. An exclusive lock needs f writable.
func Lock(f *os.File, off, n int64, exclusive bool) error {
	typ := int16(unix.F_RDLCK)
	if exclusive {
		typ = unix.F_WRLCK
	}
	_, err := ofd(f, unix.F_OFD_SETLK, typ, off, n)
	return err
}

// Unlock gives n bytes of f at off back, all from there on if n is 0; those not
// locked are left alone.
func Unlock(f *os.File, off, n int64) error {
	_, err := ofd(f, unix.F_OFD_SETLK, unix.F_UNLCK, off, n)
	return err
}

// Test reports whether another description has a lock of any kind on the byte
// of f at off. It takes none, and a read-only f will do.
func Test(f *os.File, off int64) (held bool, err error) {
	_, held, err = FirstLocked(f, off, 1)
	return held, err
}

// Exclusive reports whether another description has an exclusive lock on the
// byte of f at off, and whether it has any.
func Exclusive(f *os.File, off int64) (exclusive, held bool, err error) {
	l, err := ofd(f, unix.F_OFD_GETLK, unix.F_WRLCK, off, 1)
	if err != nil {
		return false, false, err
	}
	return l.Type == unix.F_WRLCK, l.Type != unix.F_UNLCK, nil
}

// FirstLocked returns the first of n bytes of f at off on which another
// description has a lock of any kind.
func FirstLocked(f *os.File, off, n int64) (at int64, held bool, err error) {
	l, err := ofd(f, unix.F_OFD_GETLK, unix.F_WRLCK, off, n)
	if err != nil || l.Type == unix.F_UNLCK {
		return 0, false, err
	}
	return max(l.Start, off), true, nil
}

func ofd(f *os.File, cmd int, typ int16, off, n int64) (unix.Flock_t, error) {
	l := unix.Flock_t{Type: typ, Whence: io.SeekStart, Start: off, Len: n}
	if Forced("noofd") {
		return l, errNoOFD
	}
	for {
		err := control(f, func(fd int) error { return unix.FcntlFlock(uintptr(fd), cmd, &l) })
		switch err {
		case unix.EINTR:
			continue
		case unix.EINVAL, unix.ENOSYS, unix.EOPNOTSUPP:
			err = errNoOFD
		case unix.EACCES: // POSIX allows both for "another has it"
			err = ErrLocked
		}
		return l, err
	}
}

// Descriptor is f's, for a Vigil, while f stays open.
func Descriptor(f *os.File) (n uintptr, err error) {
	err = control(f, func(fd int) error { n = uintptr(fd); return nil })
	return n, err
}
