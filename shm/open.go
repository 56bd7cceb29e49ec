package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
)

// Open attaches to a region that is there; fs.ErrNotExist if it is not.
//
// What has the name must be a regular file, no symbolic link, owned by this
// user or root (or Options.AnyOwner), with a header that fits the file: else
// the error is ErrNotRegion, fs.ErrPermission, ErrVersion or ErrCorrupt, with
// both values. Nothing is created or changed, whatever is there, and opening
// something that is no file does not block. ReadOnly, it may also be what a process has
// open, /proc/PID/fd/N: an anonymous region has no other name.
//
// A copy of a region's file (cp --sparse) may lack memory for what is zero. A
// process that comes into a region in which nobody is sees to it that there is
// some for all that the region uses; ErrNoSpace, with the figures, if there is
// not enough.
//
// Open blocks while it recovers the dead that no living process is recovering,
// and where all places are taken ([ErrTooManyParticipants]) for five seconds;
// and while another goroutine of this process opens or closes the region. A process that
// dies in it is recovered by the others, or by the next that comes.
//
// An ephemeral region in which no process lives does not exist; Open takes
// what is left of it away, unless it is ReadOnly.
func Open(name string, o *Options) (*Region, error) {
	return named("shm.Open", name, o, func(path, name string, o *Options) (*Region, error) {
		if !o.ReadOnly {
			sweepNow(filepath.Dir(path))
		}
		return open(path, name, o)
	})
}

// goneTries is how often a region may have ended when it was found: its end is
// under way then, by a process that is stopped, perhaps.
const goneTries = 32

func open(path, name string, o *Options) (*Region, error) {
	for try := 0; ; try++ {
		r, err := openOnce(path, name, o)
		if !errors.Is(err, errGone) {
			return r, err
		}
		if try == goneTries {
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		}
		backOff(try)
	}
}

func openOnce(path, name string, o *Options) (*Region, error) {
	f, st, err := openFile(path, !o.ReadOnly)
	if err != nil {
		return nil, err
	}
	v := regionFile{f: f, id: st.FileID, path: path, name: name}
	if err := v.ready(st, o); err != nil {
		f.Close()
		return nil, err
	}
	return attach(v, o)
}

// A regionFile is a region's file on its way from its opening to its
// attachment, and what is known of it by then.
type regionFile struct {
	f    *os.File
	id   sys.FileID // which file it is
	h    region.Header
	path string // its name; "" where it has none, or none that matters
	name string // as errors print it
}

// ready reads the header, and is nil if the file may be attached to: it is a
// region, this user may have it, somebody lives in it if it is ephemeral, and all
// that it uses has memory.
func (v *regionFile) ready(st sys.FileStat, o *Options) (err error) {
	if v.h, err = examine(v.f, st, o); err != nil {
		return err
	}
	if v.h.Flags&region.FlagEphemeral != 0 {
		if err := v.lives(o.ReadOnly); err != nil {
			return err
		}
	}
	return v.backCopy(st, o.ReadOnly)
}

// openFile opens path if it is a regular file. It looks before it opens, since
// opening a device may do something; it looks again after, since what it saw
// may have been replaced.
//
// A link is not followed, but to look at what a process has open: /proc/PID/fd/N is the one
// way to an anonymous region.
func openFile(path string, writable bool) (*os.File, sys.FileStat, error) {
	if !writable && isDescriptor(path) {
		return openDescriptor(path)
	}
	st, err := sys.Lstat(path)
	if err != nil {
		return nil, st, err
	}
	if err := regular(path, st); err != nil {
		return nil, st, err
	}
	f, err := sys.Open(path, writable)
	switch {
	case errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ENXIO):
		return nil, st, fmt.Errorf("%w: %w", err, ErrNotRegion)
	case err != nil:
		return nil, st, err
	}
	if st, err = sys.Stat(f); err == nil {
		err = regular(path, st)
	}
	if err != nil {
		f.Close()
		return nil, st, err
	}
	return f, st, nil
}

// isDescriptor reports whether path is how /proc names a process's descriptor.
func isDescriptor(path string) bool {
	var rest string
	if _, err := fmt.Sscanf(path, "/proc/self/fd/%s", &rest); err != nil {
		var pid int
		if _, err := fmt.Sscanf(path, "/proc/%d/fd/%s", &pid, &rest); err != nil {
			return false
		}
	}
	_, err := strconv.ParseUint(rest, 10, 31)
	return err == nil
}

func openDescriptor(path string) (*os.File, sys.FileStat, error) {
	is, err := os.Stat(path)
	if err == nil && !is.Mode().IsRegular() {
		err = regular(path, sys.FileStat{Mode: is.Mode()})
	}
	if err != nil {
		return nil, sys.FileStat{}, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may be another by now, which blocks
	if err != nil {
		return nil, sys.FileStat{}, err
	}
	st, err := sys.Stat(f)
	if err == nil {
		err = regular(path, st)
	}
	if err != nil {
		f.Close()
	}
	return f, st, err
}

func regular(path string, st sys.FileStat) error {
	what := "no regular file"
	switch t := st.Mode.Type(); {
	case t == 0:
		return nil
	case t == fs.ModeSymlink:
		what = "a symbolic link, and links are not followed"
	case t == fs.ModeDir:
		what = "a directory"
	case t == fs.ModeNamedPipe:
		what = "a fifo"
	case t == fs.ModeSocket:
		what = "a socket"
	case t&fs.ModeDevice != 0:
		what = "a device"
	}
	return fmt.Errorf("%s is %s: %w", path, what, ErrNotRegion)
}

// examine reads the header of f and decides whether this user may attach to it.
func examine(f *os.File, st sys.FileStat, o *Options) (region.Header, error) {
	h, err := readHeader(f, st.Size)
	if err != nil {
		return h, err
	}
	if me := sys.EUID(); st.UID != me && st.UID != 0 && !o.AnyOwner {
		return h, fmt.Errorf("owned by uid %d, want %d or root (Options.AnyOwner accepts others): %w", st.UID, me, fs.ErrPermission)
	}
	if !o.ReadOnly && h.Flags&region.FlagAnonymous != 0 && !sys.Sealed(f) {
		return h, fmt.Errorf("an anonymous region's file whose size is not sealed: %w", ErrNotRegion)
	}
	return h, nil
}

// OpenFile attaches to the region in f, a descriptor that came from another
// process (Region.File); f stays the caller's, and may be closed at once. It checks,
// blocks and fails as [Open] does, and leaves what that leaves when the process dies in it.
// f must be open for reading and writing, unless Options.ReadOnly is set: else
// fs.ErrPermission. fs.ErrInvalid of nil; fs.ErrNotExist of an ephemeral region that has
// ended.
func OpenFile(f *os.File, o *Options) (*Region, error) {
	const op = "shm.OpenFile"
	if !sys.Supported {
		return nil, &Error{Op: op, Err: errors.ErrUnsupported}
	}
	if f == nil {
		return nil, &Error{Op: op, Err: fmt.Errorf("no file: %w", fs.ErrInvalid)}
	}
	if o == nil {
		o = new(Options)
	}
	v, err := arrive(f, o)
	var r *Region
	if err == nil {
		r, err = v.enter(o)
	}
	if err != nil {
		return nil, &Error{Op: op, Region: f.Name(), Err: err}
	}
	return r, nil
}

// arrive is a region that has come by the descriptor f, under the name that its
// file has now.
func arrive(f *os.File, o *Options) (v regionFile, err error) {
	st, err := sys.Stat(f)
	if err != nil {
		return v, err
	}
	if err := regular(f.Name(), st); err != nil {
		return v, err
	}
	v.id = st.FileID
	if o.ReadOnly {
		v.f, err = sys.Dup(f)
	} else {
		v.f, err = reopen(f)
	}
	if err != nil {
		return v, err
	}
	v.path = sys.PathOf(v.f)
	if err = v.ready(st, o); errors.Is(err, errGone) {
		err = fmt.Errorf("%w: %w", errNobody, fs.ErrNotExist)
	}
	if err != nil {
		v.f.Close()
		return v, err
	}
	v.name = v.path
	if v.path == "" {
		v.name = anonymousName(v.h.ID)
	} else if p, err := resolve(filepath.Base(v.path)); err == nil && p == v.path {
		v.name = filepath.Base(v.path)
	}
	return v, nil
}

// enter attaches to what has arrived. Whether it has its name still does not matter.
func (v regionFile) enter(o *Options) (*Region, error) {
	path := v.path
	v.path = ""
	r, err := attach(v, o)
	if errors.Is(err, errGone) {
		return nil, fmt.Errorf("it ended meanwhile: %w", fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	r.a.isAt(path)
	return r, nil
}

// reopen opens the file behind f anew, so that its offset and its locks are
// this process's own. A sender that gave away reading only must not be
// outwitted by that.
func reopen(f *os.File) (*os.File, error) {
	w, err := sys.Writable(f)
	if err != nil {
		return nil, err
	}
	if !w {
		return nil, fmt.Errorf("the descriptor is not open for reading and writing (Options.ReadOnly needs only reading): %w", fs.ErrPermission)
	}
	return sys.Reopen(f, true)
}

// readHeader copies the header of f, a file of size bytes, and checks it. The
// file is read, not mapped, so that nothing can fault.
func readHeader(f *os.File, size int64) (h region.Header, err error) {
	if size < region.HeaderSize {
		return h, fmt.Errorf("%d bytes, want at least %d: %w", size, region.HeaderSize, ErrNotRegion)
	}
	var b [128]byte
	if _, err := f.ReadAt(b[:], 0); err != nil {
		return h, err
	}
	return region.DecodeHeader(&b, uint64(size))
}
