package step

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// A watch tells whether the bytes of any file in a directory have changed. It
// only reads, and only what is there: reading a hole through a mapping would
// fill it.
type watch struct {
	dir   string
	files map[uint64]*watched // by inode
}

type watched struct {
	fd      int
	live    []byte // the file, mapped
	extents []extent
}

// An extent is a run of data, and what it was at the last look.
type extent struct {
	off, end int64
	seen     []byte
}

func newWatch(dir string) *watch { return &watch{dir: dir, files: map[uint64]*watched{}} }

// rescan looks anew at which files there are, where they have data, and what.
func (w *watch) rescan() {
	names, err := os.ReadDir(w.dir)
	if err != nil {
		panic(fmt.Sprintf("stepkill: %v", err)) // the harness's own directory
	}
	for _, n := range names {
		if !n.Type().IsRegular() {
			continue
		}
		info, err := n.Info()
		if err != nil {
			continue // gone meanwhile
		}
		ino := info.Sys().(*syscall.Stat_t).Ino
		if w.files[ino] != nil || info.Size() == 0 {
			continue
		}
		fd, err := unix.Open(filepath.Join(w.dir, n.Name()), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if err != nil {
			continue
		}
		live, err := unix.Mmap(fd, 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			unix.Close(fd)
			continue
		}
		w.files[ino] = &watched{fd: fd, live: live}
	}
	for _, f := range w.files {
		f.rescan()
	}
}

func (f *watched) rescan() {
	old := f.extents
	f.extents = nil
	for off := int64(0); off < int64(len(f.live)); {
		off = f.data(off)
		if off < 0 {
			break
		}
		end, err := unix.Seek(f.fd, off, unix.SEEK_HOLE)
		if err != nil {
			break
		}
		e := extent{off: off, end: min(end, int64(len(f.live)))}
		if i := len(f.extents); i < len(old) && old[i].off == e.off && old[i].end == e.end {
			e.seen = old[i].seen
		} else {
			e.seen = make([]byte, e.end-e.off)
		}
		copy(e.seen, f.live[e.off:e.end])
		f.extents = append(f.extents, e)
		off = e.end
	}
}

// data returns where the first data at or after off is, or -1.
func (f *watched) data(off int64) int64 {
	off, err := unix.Seek(f.fd, off, unix.SEEK_DATA)
	if err != nil || off >= int64(len(f.live)) {
		return -1
	}
	return off
}

// changed reports whether anything differs from the last look. Pages that
// were allocated but never written count as holes; that one has become data
// is seen by looking for data where there was none.
func (w *watch) changed() bool {
	changed := false
	for _, f := range w.files {
		end := int64(0)
		moved := false
		for _, e := range f.extents {
			if f.data(end) != e.off {
				moved = true
				break
			}
			if live := f.live[e.off:e.end]; !bytes.Equal(live, e.seen) {
				copy(e.seen, live)
				changed = true
			}
			end = e.end
		}
		if moved || end < int64(len(f.live)) && f.data(end) >= 0 {
			f.rescan()
			changed = true
		}
	}
	return changed
}

func (w *watch) close() {
	for _, f := range w.files {
		unix.Munmap(f.live)
		unix.Close(f.fd)
	}
}
