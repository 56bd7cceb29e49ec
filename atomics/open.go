package atomics

import (
	"fmt"
	"io/fs"
	"reflect"
	"strconv"
	"sync"
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
	cells  []uint64 // the race detector's names for the cells; nil without it

	mu   sync.Mutex
	wide *engine.Wide // made once, for a T that is no word
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
	bytes   []byte // its initial, where T is no word
}

// A row is what was opened: n cells at base, and their lock, which a Slice has
// none of.
type row struct {
	core *object.Core
	typ  *plain.Type
	base unsafe.Pointer
	n    int
	mu   *engine.Mutex
	wide *engine.Wide // and no base
}

// wide reports whether the cells are no words.
func wide(k engine.Kind, t *plain.Type) bool {
	return k != engine.KindSlice && !engine.IsWord(uint64(t.Size))
}

// open finds or makes the object.
func (q request) open(r *shm.Region) (w row, err error) {
	if w.typ, err = q.check(); err != nil {
		return row{}, &shm.Error{Op: q.op, Region: r.Name(), Object: q.name, Err: err}
	}
	w.core, err = object.Open(r, q.spec(w.typ), func(c *object.Core) error { return w.attach(c, q.kind) })
	return w, err
}

// check refuses what there can be no cells of.
func (q request) check() (*plain.Type, error) {
	t, err := plain.Describe(q.typ)
	switch {
	case err != nil:
		return nil, err
	case q.n < 0:
		return nil, fmt.Errorf("length %d: %w", q.n, fs.ErrInvalid)
	}
	return t, nil
}

func (q request) spec(t *plain.Type) object.Spec {
	fields := []object.Field{{Name: "type", Value: t.Text}}
	if q.kind != engine.KindValue {
		length := ""
		if q.n > 0 {
			length = strconv.Itoa(q.n)
		}
		fields = append(fields, object.Field{Name: "length", Value: length})
	}
	return object.Spec{Op: q.op, Kind: q.kind, Name: q.name, Fields: fields,
		Create: func(participants int) ([]object.Field, uint64, func(mem.Area), error) {
			if q.n == 0 {
				return nil, 0, nil, fmt.Errorf("there is none to take the length from: %w", fs.ErrNotExist)
			}
			size, ok := engine.CellsSize(q.kind, uint64(q.n), uint64(t.Size))
			if wide(q.kind, t) {
				size, ok = engine.WideSize(uint64(q.n), uint64(t.Size), participants)
			}
			if !ok {
				return nil, 0, nil, fmt.Errorf("%d elements of %d bytes, more than any region holds: %w", q.n, t.Size, shm.ErrNoSpace)
			}
			return fields, size, func(a mem.Area) { q.init(a, t, participants) }, nil
		}}
}

// attach takes the words of the object c.
func (w *row) attach(c *object.Core, kind engine.Kind) (err error) {
	w.n = 1
	if kind != engine.KindValue {
		w.n, err = strconv.Atoi(c.Field("length"))
		if err != nil || w.n < 1 {
			return fmt.Errorf("length %q: %w", c.Field("length"), shm.ErrCorrupt)
		}
	}
	if wide(kind, w.typ) {
		w.wide, err = sharedOf(c).attach(c, kind, uint64(w.n), uint64(w.typ.Size))
	} else {
		w.base, err = engine.AttachCells(c.Area, kind, uint64(w.n), uint64(w.typ.Size))
	}
	if err != nil {
		return err
	}
	if kind != engine.KindSlice {
		w.mu, err = engine.AttachMutex(engine.CellsLock(c.Area), c.Env)
	}
	return err
}

// attach is the process's use of the cells of c.
func (s *shared) attach(c *object.Core, kind engine.Kind, n, width uint64) (w *engine.Wide, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wide == nil {
		if w, err = engine.AttachWide(c.Area, kind, n, width, c.Env); err != nil {
			return nil, err
		}
		s.wide = w
	}
	return s.wide, nil
}

// init writes a new object, which nobody else knows of.
func (q request) init(a mem.Area, t *plain.Type, participants int) {
	n, width := uint64(q.n), uint64(t.Size)
	if wide(q.kind, t) {
		engine.InitWide(a, q.kind, n, width, participants)
		if len(q.bytes) > 0 {
			t.ZeroPadding(unsafe.Pointer(&q.bytes[0]))
			engine.SetWide(a, q.kind, q.bytes)
		}
		return
	}
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

// handle opens what has cells, with their lock.
func (q request) handle(r *shm.Region) (handle, error) {
	w, err := q.open(r)
	if err != nil {
		return handle{}, err
	}
	return w.handle(), nil
}

func (w *row) handle() handle {
	return handle{
		locker: locker{core: w.core, mu: w.mu, shared: sharedOf(w.core), closed: w.core.Closed},
		base:   w.base,
		wide:   w.wide,
		typ:    w.typ,
		index:  make([]struct{}, w.n),
		data:   w.typ.Mask(),
		mended: w.wide != nil && w.typ.Mended(),
		padded: w.wide != nil && w.typ.HasPadding() || w.wide == nil && w.typ.Mask() != ^uint64(0)>>(64-8*w.typ.Size),
	}
}
