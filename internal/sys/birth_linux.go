package sys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// How a file is made whole before it has its name.

// ErrNoTemp says that a directory's file system has no files without a name.
var ErrNoTemp = errors.New("no files without a name here")

// Temp opens a new file in dir that has no name and goes with its last
// descriptor; Link gives it one.
func Temp(dir string) (*os.File, error) {
	if Forced("notmpfile") {
		return nil, ErrNoTemp
	}
	fd, err := retry(func() (int, error) {
		return unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	})
	switch err {
	case nil:
		return os.NewFile(uintptr(fd), dir+"/(unnamed)"), nil
	case unix.EOPNOTSUPP, unix.EISDIR, unix.EINVAL: // the file system, or a kernel, that does not know O_TMPFILE
		return nil, ErrNoTemp
	}
	return nil, &fs.PathError{Op: "create in", Path: dir, Err: err}
}

// Link gives the file that Temp opened a name; fs.ErrExist where it is taken.
func Link(f *os.File, path string) error {
	_, err := retry(func() (int, error) {
		return 0, unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
	})
	if err == unix.ENOENT || err == unix.ENOTDIR { // no /proc; a privileged process may link the descriptor itself
		if e := unix.Linkat(int(f.Fd()), "", unix.AT_FDCWD, path, unix.AT_EMPTY_PATH); e == nil || e == unix.EEXIST {
			err = e
		}
	}
	if err != nil {
		return &fs.PathError{Op: "link (through /proc/self/fd)", Path: path, Err: NoProc(err)}
	}
	return nil
}

// New makes a file that must not be there.
func New(path string) (*os.File, error) {
	fd, err := retry(func() (int, error) {
		return unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	})
	if err != nil {
		return nil, &fs.PathError{Op: "create", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// Rename gives a file another name; fs.ErrExist where that is taken. Killed
// in the middle it may leave both.
func Rename(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if err == unix.EINVAL || err == unix.ENOSYS {
		if err = unix.Link(from, to); err == nil {
			err = unix.Unlink(from)
		}
	}
	if err != nil {
		return &fs.PathError{Op: "rename to", Path: to, Err: err}
	}
	return nil
}

// Truncate sets the length of f.
func Truncate(f *os.File, size int64) error {
	_, err := retry(func() (int, error) { return 0, unix.Ftruncate(int(f.Fd()), size) })
	if err != nil {
		return fmt.Errorf("make a file of %d bytes: %w", size, err)
	}
	return nil
}

// Chmod sets the permissions of f, whatever the umask, and its sticky bit.
func Chmod(f *os.File, mode fs.FileMode) error {
	bits := uint32(mode.Perm())
	if mode&fs.ModeSticky != 0 {
		bits |= unix.S_ISVTX
	}
	return unix.Fchmod(int(f.Fd()), bits)
}

// Memfd makes a file that is in memory only and can be sealed.
func Memfd(name string) (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // before Linux 6.3
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	return os.NewFile(uintptr(fd), "memfd:"+name), nil
}

const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW

// Seal fixes the size of a memfd for ever.
func Seal(f *os.File) error {
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals|unix.F_SEAL_SEAL); err != nil {
		return fmt.Errorf("seal the memory file: %w", err)
	}
	return nil
}

// Sealed reports whether f is a memfd whose size is fixed for ever.
func Sealed(f *os.File) bool {
	s, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0)
	return err == nil && s&seals == seals
}
