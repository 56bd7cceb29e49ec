package sys

import (
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A FileStat is what the owner of a region file needs to know of a file.
type FileStat struct {
	FileID
	Mode   fs.FileMode
	Size   int64
	Memory int64 // bytes that the file system gave it
	UID    int
	Links  uint64
}

// Stat looks at the file behind f.
func Stat(f *os.File) (FileStat, error) {
	var st unix.Stat_t
	if err := control(f, func(fd int) error { return unix.Fstat(fd, &st) }); err != nil {
		return FileStat{}, &fs.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	return fileStat(&st), nil
}

// Lstat looks at what has the name path, be it a symbolic link.
func Lstat(path string) (FileStat, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return FileStat{}, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return fileStat(&st), nil
}

func fileStat(st *unix.Stat_t) FileStat {
	m := fs.FileMode(st.Mode & 0o777)
	if st.Mode&unix.S_ISVTX != 0 {
		m |= fs.ModeSticky
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		m |= fs.ModeDir
	case unix.S_IFLNK:
		m |= fs.ModeSymlink
	case unix.S_IFIFO:
		m |= fs.ModeNamedPipe
	case unix.S_IFSOCK:
		m |= fs.ModeSocket
	case unix.S_IFCHR:
		m |= fs.ModeDevice | fs.ModeCharDevice
	case unix.S_IFBLK:
		m |= fs.ModeDevice
	default:
		m |= fs.ModeIrregular
	}
	return FileStat{
		FileID: FileID{uint64(st.Dev), st.Ino},
		Mode:   m,
		Size:   st.Size,
		Memory: st.Blocks * 512,
		UID:    int(st.Uid),
		Links:  uint64(st.Nlink),
	}
}

// Open opens what has the name path, which must be there. It follows no
// symbolic link and never waits, whatever it meets: a fifo, a device.
func Open(path string, writable bool) (*os.File, error) {
	mode := unix.O_RDONLY
	if writable {
		mode = unix.O_RDWR
	}
	fd, err := retry(func() (int, error) {
		return unix.Open(path, mode|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	// The description may travel to others; it has no use for O_NONBLOCK.
	if err := unix.SetNonblock(fd, false); err != nil {
		unix.Close(fd)
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// Dup is a new descriptor of the same description.
func Dup(f *os.File) (*os.File, error) {
	fd := -1
	err := control(f, func(old int) (err error) {
		fd, err = unix.FcntlInt(uintptr(old), unix.F_DUPFD_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, &fs.PathError{Op: "dup", Path: f.Name(), Err: err}
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// Writable reports whether f was opened for writing.
func Writable(f *os.File) (bool, error) {
	fl, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	return fl&unix.O_ACCMODE == unix.O_RDWR, err
}

// PathOf is the name that the file behind f has in this process's view of the
// file system; "" where it has none, or /proc does not tell.
func PathOf(f *os.File) string {
	p, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	if err != nil || !strings.HasPrefix(p, "/") {
		return ""
	}
	id, err := ID(f)
	if err != nil {
		return ""
	}
	if st, err := Lstat(p); err != nil || st.FileID != id {
		return "" // deleted, or another mount namespace's
	}
	return p
}

// EUID is the user whose permissions this process has.
func EUID() int { return unix.Geteuid() }

// Unlink takes a name away.
func Unlink(path string) error {
	if err := unix.Unlink(path); err != nil {
		return &fs.PathError{Op: "remove", Path: path, Err: err}
	}
	return nil
}

func retry(f func() (int, error)) (int, error) {
	for {
		n, err := f()
		if err != unix.EINTR {
			return n, err
		}
	}
}
