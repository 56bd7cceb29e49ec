package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"

	"example.com/tandem/internal/object"
	"example.com/tandem/internal/sys"
)

// Options say how a region is made or opened. The zero value, and nil, are
// the defaults.
type Options struct {
	Size         int64       // bytes of address space; the file is sparse and memory is taken object by object. 0: 1 GiB. Create only
	Mode         fs.FileMode // permissions of the file, set past the umask. 0: 0o600. Create only
	AnyOwner     bool        // accept a region that another user owns
	Participants int         // processes attached at once. 0: 64, at most 1024. Create only
	Objects      int         // directory entries: what has a name, removed ones that somebody has open, connections. 0: 1024. Create only
	ReadOnly     bool        // map PROT_READ: for inspection; takes no participant slot
	Ephemeral    bool        // the region ends with its last participant, closed or dead. Create only
}

// A Region is a handle on a mapped file that holds named objects.
type Region struct {
	a        *attachment
	existing bool         // OpenX only finds
	only     uint64       // and that of this generation alone, if not 0
	closed   *atomic.Bool // this handle's
}

// Error is the type of this module's errors (all but those that [ErrClosed] and its
// neighbours name): what was tried, on which region and object, and what came of it.
//
//	type Error struct {
//		Op     string // "shm.Open", "mutex.Lock"
//		Region string // as Region.Name has it; "" where there is none yet
//		Object string // "" where the whole region is meant
//		Err    error  // wraps a sentinel: of these packages, or of fs, io, context or syscall
//	}
//
// Its text is "mutex.Lock region/object: " and Err's. errors.Is sees what Err
// wraps, and errors.As finds an *Error.
type Error = object.Error

// Name is what errors call the region: the name it was opened by, or for one
// without a name "anonymous-" and the first digits of its id.
func (r *Region) Name() string {
	if !r.made() {
		return ""
	}
	return r.a.name
}

// Size is the region's size in bytes of address space. It stays the same, after
// Close too.
func (r *Region) Size() int64 {
	if !r.made() {
		return 0
	}
	return int64(r.a.Geo.Size)
}

// File returns a new descriptor of the region's file, the caller's to send to
// another process, which attaches to it with OpenFile, and to close. It is
// closed on exec. ErrClosed after Close. An ephemeral region does not wait for
// a process that has no more than a descriptor.
func (r *Region) File() (*os.File, error) {
	err := r.check()
	if err == nil {
		var f *os.File
		if f, err = r.a.openNamed(); err != nil {
			f, err = sys.Dup(r.a.fd)
		}
		if err == nil && r.check() == nil {
			return f, nil
		}
		if err == nil {
			f.Close() // the name, and the file's number, may be another's
		}
		if closed := r.check(); closed != nil {
			err = closed // and not what became of the file
		}
	}
	return nil, &Error{Op: "region.File", Region: r.Name(), Err: err}
}

// openNamed opens the region's file by its name, if that is still its own.
// The description that its creator has was opened before there was a name,
// and /proc/self/fd never tells it.
func (a *attachment) openNamed() (*os.File, error) {
	f, err := sys.Open(a.where(), !a.readOnly)
	if err != nil {
		return nil, err
	}
	if id, err := sys.ID(f); err != nil || id != a.file {
		f.Close()
		return nil, fs.ErrNotExist
	}
	return f, nil
}

// Existing is a view of the region through which OpenX only finds objects:
// fs.ErrNotExist, with the nearest names, for one that is not there. It is the
// same handle: closing either closes both.
func (r *Region) Existing() *Region {
	if !r.made() {
		return r
	}
	return &Region{a: r.a, existing: true, closed: r.closed}
}

// MarshalBinary encodes the handle as an argument for a process that has the
// region open, or gets it handed over (package proc does that). The region
// itself does not travel. It does not block. [ErrClosed] after Close.
func (r *Region) MarshalBinary() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, &Error{Op: "region.MarshalBinary", Region: r.Name(), Err: err}
	}
	return object.Ref{}.On(r.a.key()).Marshal()
}

// UnmarshalBinary makes r a new handle on the region, which this process must
// have open, else it is fs.ErrNotExist; r must be the zero Region, else it is
// fs.ErrInvalid. A handle on an object is [ErrMismatch]. It blocks only while this
// process attaches to a region.
func (r *Region) UnmarshalBinary(b []byte) error {
	const op = "region.UnmarshalBinary"
	ref, err := object.UnmarshalFor(op, 0, b)
	switch {
	case err != nil:
		return err
	case r.a != nil:
		return &Error{Op: op, Region: r.a.name, Err: fmt.Errorf("into a handle that is in use: %w", fs.ErrInvalid)}
	}
	n, err := RegionByKey(ref.Key())
	if err != nil {
		return &Error{Op: op, Err: errors.Unwrap(err)}
	}
	*r = *n
	return nil
}
