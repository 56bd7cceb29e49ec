package atomics

import (
	"reflect"
	"sync"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// A Slice is memory shared by all processes that open it, and nothing else:
// what multiprocessing calls a RawArray. It orders nothing.
type Slice[T any] struct {
	core   *object.Core
	shared *shared
	base   unsafe.Pointer
	n      int
}

// OpenSlice finds the slice of this name, or makes it with n elements of zero.
// T is any plain type, of any size; else [shm.ErrNotPlain], naming the field. n,
// the other errors and whom it waits for are as in [OpenArray].
func OpenSlice[T any](r *shm.Region, name string, n int) (*Slice[T], error) {
	q := request{op: "atomics.OpenSlice", kind: engine.KindSlice, name: name, typ: reflect.TypeFor[T](), n: n}
	w, err := q.open(r)
	if err != nil {
		return nil, err
	}
	return &Slice[T]{w.core, sharedOf(w.core), w.base, w.n}, nil
}

// Data returns the memory itself; it does not block. Nothing synchronises what
// is done to it, and the race detector does not see it: guard it with a lock, or
// hand it over by a queue. Another process may write anything there, so a bool in it need not
// be one. A process that dies while it writes leaves what it had written.
//
// The slice is valid for the life of the process: for its sake the region
// stays mapped and the object in use, even when the handle is dropped. So what
// the object has of the region's memory does not come back, though the slice was
// closed and the object removed, before this process closes the region or ends;
// and its address space not before it ends. After Region.Close it is memory of
// zeroes of the process's own.
func (s *Slice[T]) Data() []T {
	if s.core == nil || s.core.Ended() {
		return nil
	}
	pin(s.core, s.shared)
	return unsafe.Slice((*T)(s.base), s.n)
}

// Close ends this handle: Data returns nil from then on. What it has returned
// before stays valid, and for its sake the object stays in use, and its memory
// taken when it has been removed, until this process closes the region or ends.
// Of a slice whose Data was never called the memory comes back as that of every
// other object. A second Close does nothing.
func (s *Slice[T]) Close() error {
	if s.core == nil {
		return s.core.Done("slice.Close", errNoHandle)
	}
	s.core.Close()
	return nil
}

// pinned are the cores, and with them the mappings, of which a slice was given
// out: a slice of mapped memory keeps nothing alive by itself.
var pinned struct {
	sync.Mutex
	cores map[*object.Core]bool
}

//go:noinline
func pin(core *object.Core, s *shared) {
	mem.RaceDisable() // or all who call Data would be in each other's order
	defer mem.RaceEnable()
	if s.pinned.Load() {
		return
	}
	pinned.Lock()
	defer pinned.Unlock()
	if pinned.cores == nil {
		pinned.cores = map[*object.Core]bool{}
	}
	pinned.cores[core] = true
	s.pinned.Store(true)
}
