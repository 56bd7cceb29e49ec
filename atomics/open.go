package atomics

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strconv"
	"sync/atomic"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/plain"
	"example.com/tandem/shm"
)

// shared is what this process keeps once for an object, whatever the number
// of its handles.
type shared struct {
	pinned atomic.Bool
	lock   uint64   // the race detector's name for the lock
	cells  []uint64 // and for the cells; nil without the detector
}

// cellTags is how many names the cells of one object share. Two cells of one
// name order each other, which can hide a race and never invents one.
const cellTags = 64

func sharedOf(core *object.Core) *shared {
	return core.SharedOnce(func() any {
		s := new(shared)
		if mem.RaceEnabled {
			s.cells = make([]uint64, cellTags)
		}
		return s
	}).(*shared)
}

// acquired tells the race detector that cell i was read, releases that it is
// about to be written.
func (h *handle) acquired(i int) {
	mem.RaceAcquire(unsafe.Pointer(&h.shared.cells[i%cellTags]))
}

func (h *handle) releases(i int) {
	mem.RaceReleaseMerge(unsafe.Pointer(&h.shared.cells[i%cellTags]))
}

// A request is an OpenX with T taken out of it.
type request struct {
	op      string
	kind    engine.Kind
	name    string
	typ     reflect.Type
	n       int    // 0: as many as are there
	initial uint64 // of a Value, in bytes
}

// open finds or makes the object, and returns where its n cells are.
func (q request) open(r *shm.Region) (core *object.Core, t *plain.Type, cells unsafe.Pointer, n int, err error) {
	fail := func(err error) (*object.Core, *plain.Type, unsafe.Pointer, int, error) {
		if core != nil && core.Closed.Load() {
			err = shm.ErrClosed // what was seen may have been the zeroes
		}
		return nil, nil, nil, 0, &shm.Error{Op: q.op, Region: r.Name(), Object: q.name, Err: err}
	}
	t, err = plain.Describe(q.typ)
	if err != nil {
		return fail(err)
	}
	if q.kind != engine.KindSlice && t.Word() == 0 {
		return fail(fmt.Errorf("%s has %d bytes; cells have 1, 2, 4 or 8: %w", q.typ, t.Size, errors.ErrUnsupported))
	}
	if q.n < 0 {
		return fail(fmt.Errorf("length %d: %w", q.n, fs.ErrInvalid))
	}
	fields := []object.Field{{Name: "type", Value: t.Text}}
	if q.kind != engine.KindValue {
		length := ""
		if q.n > 0 {
			length = strconv.Itoa(q.n)
		}
		fields = append(fields, object.Field{Name: "length", Value: length})
	}
	core, err = r.OpenObject(object.Spec{Op: q.op, Kind: q.kind, Name: q.name, Fields: fields,
		Create: func(int) ([]object.Field, uint64, func(mem.Area), error) {
			if q.n == 0 {
				return nil, 0, nil, fmt.Errorf("there is none to take the length from: %w", fs.ErrNotExist)
			}
			size, ok := engine.CellsSize(q.kind, uint64(q.n), uint64(t.Size))
			if !ok {
				return nil, 0, nil, fmt.Errorf("%d elements of %d bytes: %w", q.n, t.Size, shm.ErrNoSpace)
			}
			return fields, size, func(a mem.Area) { q.init(a, t) }, nil
		}})
	if err != nil {
		return nil, nil, nil, 0, err
	}
	n = 1
	if q.kind != engine.KindValue {
		n, err = strconv.Atoi(core.Field("length"))
		if err != nil || n < 1 {
			return fail(fmt.Errorf("length %q: %w", core.Field("length"), shm.ErrCorrupt))
		}
	}
	cells, err = engine.AttachCells(core.Area, q.kind, uint64(n), uint64(t.Size))
	core.KeepAlive()
	if err != nil {
		return fail(err)
	}
	return core, t, cells, n, nil
}

// init writes a new object, which nobody else knows of.
func (q request) init(a mem.Area, t *plain.Type) {
	n, width := uint64(q.n), uint64(t.Size)
	engine.InitCells(a, q.kind, n, width, scalar(q.typ))
	if q.initial == 0 {
		return
	}
	if p, err := engine.AttachCells(a, q.kind, n, width); err == nil {
		engine.StoreCell(p, t.Size, q.initial&t.Mask())
	}
}

func scalar(t reflect.Type) engine.Scalar {
	switch k := t.Kind(); {
	case k == reflect.Bool:
		return engine.ScalarBool
	case k >= reflect.Int && k <= reflect.Int64:
		return engine.ScalarInt
	case k >= reflect.Uint && k <= reflect.Uint64:
		return engine.ScalarUint
	case k == reflect.Float32 || k == reflect.Float64:
		return engine.ScalarFloat
	}
	return engine.ScalarBytes
}

// handle opens what has cells of machine words, with their lock.
func (q request) handle(r *shm.Region) (handle, error) {
	core, t, cells, n, err := q.open(r)
	if err != nil {
		return handle{}, err
	}
	mu, err := engine.AttachMutex(engine.CellsLock(core.Area), core.Env)
	if err != nil {
		if core.Closed.Load() {
			err = shm.ErrClosed
		}
		return handle{}, core.Err(q.op, err)
	}
	return handle{
		locker: locker{core: core, mu: mu, shared: sharedOf(core)},
		base:   cells,
		index:  make([]struct{}, n),
		closed: core.Closed,
		data:   t.Mask(),
		padded: t.Mask() != ^uint64(0)>>(64-8*t.Size),
	}, nil
}
