package sys

import (
	"errors"
	"fmt"
	"math"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Fallocate puts memory behind n bytes of f at off; ENOSPC where there is none. Some of it
// may have been put there by then.
func Fallocate(f *os.File, off, n int64) error {
	if Forced("nofallocate") { // as on ramfs
		return unix.EOPNOTSUPP
	}
	return control(f, func(fd int) error {
		return inSteps(off, n, func(off, n int64) error { return unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, off, n) })
	})
}

// inSteps calls f for all n bytes at off: at once, and in ever smaller steps where signals
// come. A tmpfs before Linux 6.10 undoes on a signal what a call has done by then, so that a
// call that takes longer than the time between two, of a profiler's timer say, would never
// end.
func inSteps(off, n int64, f func(off, n int64) error) error {
	page := int64(PageSize())
	for step := n; ; {
		switch err := f(off, min(step, n)); err {
		case nil:
			if off, n = off+step, n-step; n <= 0 {
				return nil
			}
		case unix.EINTR:
			step = max(step/2&^(page-1), page)
		default:
			return err
		}
	}
}

// PunchHole gives the memory of n bytes of f at off back; they read as zeroes.
func PunchHole(f *os.File, off, n int64) error {
	return control(f, func(fd int) error {
		return unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
	})
}

// FreeBytes is what the file system of f can still give to this user; an error
// where it has no limit of its own (ramfs, a memfd, a tmpfs of size=0).
func FreeBytes(f *os.File) (int64, error) {
	var st unix.Statfs_t
	if err := control(f, func(fd int) error { return unix.Fstatfs(fd, &st) }); err != nil {
		return 0, err
	}
	if st.Blocks == 0 {
		return 0, errors.ErrUnsupported
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

// NextData is the first byte from off on that the file system does not know to be
// zero: off itself where it cannot tell, beyond the end where there is none. The
// file's position stays.
func NextData(f *os.File, off int64) (data int64) {
	data = off
	control(f, func(fd int) error {
		at, err := unix.Seek(fd, 0, unix.SEEK_CUR)
		if err != nil {
			return err
		}
		defer unix.Seek(fd, at, unix.SEEK_SET)
		switch n, err := unix.Seek(fd, off, unix.SEEK_DATA); err {
		case nil:
			data = max(n, off)
		case unix.ENXIO:
			data = math.MaxInt64
		}
		return nil
	})
	return data
}

// FreeInodes is how many files the file system of dir has room for, and how
// many it can have at most; an error where it has no limit.
func FreeInodes(dir string) (free, limit uint64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, err
	}
	if st.Files == 0 {
		return 0, 0, errors.ErrUnsupported
	}
	return st.Ffree, st.Files, nil
}

// Reopen opens the file behind f once more: a new open file description, so
// that locks on it are apart from those on f. It needs /proc.
func Reopen(f *os.File, writable bool) (*os.File, error) {
	mode := unix.O_RDONLY
	if writable {
		mode = unix.O_RDWR
	}
	fd := -1
	err := control(f, func(of int) (err error) {
		fd, err = unix.Open(fmt.Sprintf("/proc/self/fd/%d", of), mode|unix.O_CLOEXEC, 0)
		return err
	})
	if err = NoProc(err); err != nil {
		return nil, fmt.Errorf("reopen through /proc/self/fd: %w", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// control calls op with f's descriptor, which stays f's meanwhile: after a
// Close in another goroutine the number could be another file's.
func control(f *os.File, op func(fd int) error) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var operr error
	if c.Control(func(fd uintptr) { operr = op(int(fd)) }) != nil {
		return os.ErrClosed // its one reason
	}
	return operr
}

// FileID tells two files apart.
type FileID struct{ Dev, Ino uint64 }

// ID of the file behind f.
func ID(f *os.File) (FileID, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return FileID{}, err
	}
	return FileID{uint64(st.Dev), st.Ino}, nil
}

// ReadNow is read(2) of a file, and WriteNow write(2): they wait for no more than a disk.
func ReadNow(fd uintptr, p []byte) (n int, err error)  { return insist(unix.Read, fd, p) }
func WriteNow(fd uintptr, p []byte) (n int, err error) { return insist(unix.Write, fd, p) }

// PeekNow is ReadNow that takes nothing.
func PeekNow(fd uintptr, p []byte) (n int, err error) {
	at, err := unix.Seek(int(fd), 0, unix.SEEK_CUR)
	if err != nil {
		return 0, err
	}
	return insist(func(fd int, p []byte) (int, error) { return unix.Pread(fd, p, at) }, fd, p)
}

// RecvNow is recv(2) of a socket, SendNow send(2), RecvPeekNow one that takes nothing. None
// waits, EAGAIN where it would, whether the descriptor may wait or not: that is a matter of
// all descriptors of the socket, and File.Fd, of any, changes it.
func RecvNow(fd uintptr, p []byte) (n int, err error) {
	return insist(transfer(unix.SYS_RECVFROM, 0), fd, p)
}
func SendNow(fd uintptr, p []byte) (n int, err error) {
	return insist(transfer(unix.SYS_SENDTO, unix.MSG_NOSIGNAL), fd, p)
}
func RecvPeekNow(fd uintptr, p []byte) (n int, err error) {
	return insist(transfer(unix.SYS_RECVFROM, unix.MSG_PEEK), fd, p)
}

func transfer(call, flags uintptr) func(int, []byte) (int, error) {
	return func(fd int, p []byte) (int, error) {
		at := unsafe.SliceData(p)
		n, _, e := unix.Syscall6(call, uintptr(fd), uintptr(unsafe.Pointer(at)), uintptr(len(p)), flags|unix.MSG_DONTWAIT, 0, 0)
		if e != 0 {
			return 0, e
		}
		return int(n), nil
	}
}

func insist(f func(int, []byte) (int, error), fd uintptr, p []byte) (n int, err error) {
	for {
		if n, err = f(int(fd), p); err != unix.EINTR {
			return max(n, 0), err
		}
	}
}
