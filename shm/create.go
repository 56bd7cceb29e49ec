package shm

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"
	"unsafe"

	"github.com/edsrzf/mmap-go"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/wait"
)

// Create makes a region and attaches to it. If something has its name already
// the error is fs.ErrExist, and nothing was changed.
//
// A region is born whole: a file without a name is given its size, memory for
// everything but the heap, its header and an empty directory; this process
// attaches to it; and then, in one step, it gets its name. A process that opens
// the name sees a region with a participant in it. A process that is killed in
// Create leaves nothing, or the region.
//
// A file system without room for header and directory is [ErrNoSpace], with the
// figures. The heap's memory is taken object by object, later. Options that cannot
// be are fs.ErrInvalid. Create waits for no other process.
func Create(name string, o *Options) (*Region, error) {
	return named("shm.Create", name, o, create)
}

// OpenOrCreate opens the region, or creates it with o where there is none.
// Processes that race for it get the same one. An existing region's own size,
// mode and limits win. Errors are those of [Open] and [Create], and syscall.EBUSY where for
// ten seconds others have made the region and removed it in turn; a death in it
// leaves what one in them leaves.
func OpenOrCreate(name string, o *Options) (*Region, error) {
	return named("shm.OpenOrCreate", name, o, openOrCreate)
}

func openOrCreate(path, name string, o *Options) (*Region, error) {
	if _, err := o.plan(); err != nil {
		return nil, err
	}
	// Each turn that fails both ways means that another process made or ended
	// the region in between. That can go on only while others are at it.
	for try, end := 0, time.Now().Add(raceLimit); ; try++ {
		r, err := open(path, name, o)
		if !errors.Is(err, fs.ErrNotExist) {
			return r, err
		}
		r, err = create(path, name, o)
		if !errors.Is(err, fs.ErrExist) {
			return r, err
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("made and ended by others for %v, want a moment in which it is neither: %w", raceLimit, syscall.EBUSY)
		}
		backOff(try)
	}
}

// raceLimit bounds what only goes on while other processes keep changing the
// name, or one was stopped in the few microseconds of an unlinking.
const raceLimit = 10 * time.Second

func backOff(try int) {
	if try > 0 {
		time.Sleep(min(time.Duration(try)*50*time.Microsecond, 10*time.Millisecond))
	}
}

// named is what Create, Open and OpenOrCreate have in common.
func named(op, name string, o *Options, f func(path, name string, o *Options) (*Region, error)) (*Region, error) {
	if !sys.Supported {
		return nil, &Error{Op: op, Region: name, Err: errors.ErrUnsupported}
	}
	path, err := resolve(name)
	if err != nil {
		return nil, &Error{Op: op, Region: name, Err: err}
	}
	if o == nil {
		o = new(Options)
	}
	r, err := f(path, name, o)
	if err != nil {
		return nil, &Error{Op: op, Region: name, Err: err}
	}
	return r, nil
}

const (
	defaultSize         = 1 << 30
	defaultParticipants = 64
	defaultObjects      = 1024
)

// plan is the header that o asks for, or what in it is not possible.
func (o *Options) plan() (region.Header, error) {
	size, participants, objects := o.Size, o.Participants, o.Objects
	if size == 0 {
		size = defaultSize
	}
	if participants == 0 {
		participants = defaultParticipants
	}
	if objects == 0 {
		objects = defaultObjects
	}
	switch {
	case o.ReadOnly:
		return region.Header{}, fmt.Errorf("a new region, read-only: %w", fs.ErrInvalid)
	case size < 0:
		return region.Header{}, fmt.Errorf("size %d, want at least 1, or 0 for %d: %w", size, int64(defaultSize), fs.ErrInvalid)
	case participants < 0 || participants > engine.MaxParticipants:
		return region.Header{}, fmt.Errorf("%d participants, want 1 to %d, or 0 for %d: %w", participants, engine.MaxParticipants, defaultParticipants, fs.ErrInvalid)
	case objects < 0 || objects > region.MaxObjects:
		return region.Header{}, fmt.Errorf("%d objects, want 1 to %d, or 0 for %d: %w", objects, region.MaxObjects, defaultObjects, fs.ErrInvalid)
	case o.Mode&^fs.ModePerm != 0 || o.Mode != 0 && o.Mode&0o600 != 0o600:
		return region.Header{}, fmt.Errorf("mode %#o, want permissions only, and the owner's reading and writing among them: %w", uint32(o.Mode), fs.ErrInvalid)
	}
	page := uint64(sys.PageSize())
	g, err := region.NewGeometry((uint64(size)+page-1)&^(page-1), uint32(participants), uint32(objects))
	if err != nil {
		return region.Header{}, err
	}
	h := region.Header{Geometry: g, Boot: sys.BootID(), Created: time.Now()}
	if o.Ephemeral {
		h.Flags |= region.FlagEphemeral
	}
	if wait.FencesOthers() {
		h.Flags |= region.FlagUnfenced
	}
	rand.Read(h.ID[:])
	return h, nil
}

// publishTries is how often the name may be given to an ephemeral region that has
// ended by the time this process looks.
const publishTries = 8

func create(path, name string, o *Options) (*Region, error) {
	h, err := o.plan()
	if err != nil {
		return nil, err
	}
	sweep(filepath.Dir(path))
	if _, err := sys.Lstat(path); err == nil {
		if room, err := endNamed(path); err != nil {
			return nil, err
		} else if !room {
			return nil, exists(path)
		}
	}
	b, err := newBirth(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer b.end()
	v := regionFile{f: b.f, h: h, name: name}
	if err := v.fill(o.Mode); err != nil {
		v.f.Close()
		return nil, err
	}
	r, err := attach(v, o)
	if err != nil {
		return nil, err
	}
	r.a.isAt(path) // others of this process may find r.a once it has its name
	for try := 0; ; try++ {
		err := b.publish(path)
		if err == nil {
			return r, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			r.Close()
			return nil, err
		}
		room, err := endNamed(path)
		if err == nil && (try == publishTries || !room) {
			err = exists(path)
		}
		if err != nil {
			r.Close()
			return nil, err
		}
	}
}

func exists(path string) error {
	return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
}

// fill makes the file, which is empty, the region that its header says, with an
// empty directory.
func (v *regionFile) fill(mode fs.FileMode) (err error) {
	f, h := v.f, &v.h
	if mode == 0 {
		mode = 0o600
	}
	if err := sys.Truncate(f, int64(h.Size)); err != nil {
		return err
	}
	if err := backNew(f, h.HeapOff); err != nil {
		return err
	}
	if v.id, err = sys.ID(f); err != nil {
		return err
	}
	h.Inode = v.id.Ino
	var m mmap.MMap
	err = withRoom(func() (err error) {
		m, err = mmap.MapRegion(f, int(h.HeapOff), mmap.RDWR, 0, 0)
		return err
	})
	if err != nil {
		return fmt.Errorf("map %d bytes: %w", h.HeapOff, err)
	}
	h.Encode(m)
	w := words{region.On(mem.At(unsafe.Pointer(&m[0]), h.HeapOff), h.Geometry)}
	w.InitDirectory()
	if err := m.Unmap(); err != nil {
		return fmt.Errorf("unmap: %w", err)
	}
	switch {
	case h.Flags&region.FlagAnonymous != 0:
		mode &^= 0o111 // a memfd is sealed against it, and refuses
	case h.Flags&region.FlagEphemeral != 0:
		if sys.Chmod(f, mode|ephemeralMark) == nil {
			return nil
		}
	}
	if err := sys.Chmod(f, mode); err != nil {
		return fmt.Errorf("set mode %#o: %w", uint32(mode), err)
	}
	return nil
}

// Anonymous makes a region without a name, a sealed memfd, and attaches to it.
// It lasts as long as a process has it open, or a descriptor of it
// ([Region.File]), so a process that dies in Anonymous leaves nothing. Errors are
// those of [Create], but for fs.ErrExist. No list has it; shm inspect /proc/PID/fd/N looks
// into it, and so does [Open], ReadOnly.
func Anonymous(o *Options) (*Region, error) {
	const op = "shm.Anonymous"
	if !sys.Supported {
		return nil, &Error{Op: op, Err: errors.ErrUnsupported}
	}
	if o == nil {
		o = new(Options)
	}
	r, err := anonymous(o)
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	return r, nil
}

func anonymous(o *Options) (*Region, error) {
	h, err := o.plan()
	if err != nil {
		return nil, err
	}
	h.Flags = h.Flags&^region.FlagEphemeral | region.FlagAnonymous // it is ephemeral by nature
	f, err := sys.Memfd("tandem")
	if err != nil {
		return nil, err
	}
	v := regionFile{f: f, h: h, name: anonymousName(h.ID)}
	if err = v.fill(o.Mode); err == nil {
		err = sys.Seal(f)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return attach(v, o)
}

// anonymousName is what errors call a region that has no name: the same in
// every process.
func anonymousName(id object.RegionID) string { return fmt.Sprintf("anonymous-%x", id[:4]) }
