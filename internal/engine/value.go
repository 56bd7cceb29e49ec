package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// Value, Array and Slice are cells behind a line that says what they are. A
// Value has one.
//
//	Value, Array        Slice
//	  0  mutex            0  n, width, scalar   written once by Init, then read-only
//	128  n, width, …     64  data
//	192  cells
//
//	n       uint64 @0    cells
//	width   uint32 @8    bytes of each
//	scalar  uint32 @12   how a tool prints them: Scalar…
//
// Values of 1, 2, 4 or 8 bytes are the cells. For those of another width, in a Value or
// an Array, there is more (wide.go). After the last cell there are zeroes up to a multiple of 8. The mutex is the
// user's (Value.Lock): no operation on cells takes it. The data of a Slice is
// the user's altogether.
//
// A process that uses cells knows n and width from its own description of the
// object, and AttachCells checks the two against the line once, so that a
// line that is overwritten later cannot lead out of the object.
//
// Death: cells that are words need no repair (cellops.go); recovery is the mutex's.
const (
	cellsLine  = 64
	cellsN     = 0
	cellsWidth = 8
	cellsShow  = 12
)

// A Scalar says how a cell is shown; no operation depends on it.
type Scalar uint32

const (
	ScalarBytes Scalar = iota
	ScalarInt
	ScalarUint
	ScalarFloat
	ScalarBool
)

func lineOf(k Kind) uint64 {
	if k == KindSlice {
		return 0
	}
	return MutexSize
}

// CellsSize is the size of an object of n cells, or false where no memory is
// that large.
func CellsSize(k Kind, n, width uint64) (uint64, bool) {
	head := lineOf(k) + cellsLine
	if width != 0 && n > (math.MaxInt64-head-8)/width {
		return 0, false
	}
	return head + (n*width+7)&^7, true
}

// InitCells writes the words of a new object, whose memory is zero.
func InitCells(a mem.Area, k Kind, n, width uint64, show Scalar) {
	if k != KindSlice {
		InitMutex(a.Sub(0, MutexSize))
	}
	line := a.Sub(lineOf(k), cellsLine)
	mem.Store64(line.W64(cellsN), n)
	mem.Store32(line.W32(cellsWidth), uint32(width))
	mem.Store32(line.W32(cellsShow), uint32(show))
}

// AttachCells returns where the cells begin, all n of which lie in the area.
func AttachCells(a mem.Area, k Kind, n, width uint64) (unsafe.Pointer, error) {
	r, err := cellsOf(a, k)
	if err != nil {
		return nil, err
	}
	if r.n != n || r.width != width || r.wide != nil {
		return nil, fmt.Errorf("%w: %d cells of %d bytes, %d of %d in the directory", ErrCorrupt, r.n, r.width, n, width)
	}
	return a.Ptr(r.at, n*width), nil
}

// CellsLock is the mutex of a Value or an Array.
func CellsLock(a mem.Area) mem.Area { return a.Sub(0, MutexSize) }

// A run is a private, checked copy of the line.
type run struct {
	at, n, width uint64
	show         Scalar
	wide         *wideLayout // nil: values are the cells
}

func cellsOf(a mem.Area, k Kind) (run, error) {
	off := lineOf(k)
	if !a.Has(off, cellsLine) {
		return run{}, fmt.Errorf("%w: a row of cells in %d bytes", ErrCorrupt, a.Size())
	}
	line := a.Sub(off, cellsLine)
	r := run{
		at:    off + cellsLine,
		n:     mem.Load64(line.W64(cellsN)),
		width: uint64(mem.Load32(line.W32(cellsWidth))),
		show:  Scalar(mem.Load32(line.W32(cellsShow))),
	}
	if k == KindValue && r.n != 1 {
		return r, fmt.Errorf("%w: a Value of %d cells", ErrCorrupt, r.n)
	}
	if k != KindSlice && !IsWord(r.width) {
		wide, err := wideOf(a, r)
		r.wide = &wide
		return r, err
	}
	if size, ok := CellsSize(k, r.n, r.width); !ok || size > a.Size() {
		return r, fmt.Errorf("%w: %d cells of %d bytes in %d bytes", ErrCorrupt, r.n, r.width, a.Size())
	}
	return r, nil
}

func init() {
	register(KindValue, cellsOps(KindValue, "value"))
	register(KindArray, cellsOps(KindArray, "array"))
	register(KindSlice, Ops{
		Name:    "slice",
		Recover: func(mem.Area, Env, Self) error { return nil },
		Look: func(a mem.Area) Look {
			r, err := cellsOf(a, KindSlice)
			if err != nil {
				return Look{State: "corrupt"}
			}
			l := Look{Len: int(r.n)}
			if r.width == 1 || r.width == 2 || r.width == 4 || r.width == 8 { // words: a longer element is the program's to read
				l.Value = r.text(a)
			}
			return l
		},
		Check: func(a mem.Area) error { _, err := cellsOf(a, KindSlice); return err },
	})
}

func cellsOps(k Kind, name string) Ops {
	return Ops{
		Name: name,
		Recover: func(a mem.Area, env Env, dead Self) error {
			if !a.Has(0, MutexSize) {
				return ErrCorrupt
			}
			if r, err := cellsOf(a, k); err == nil && r.wide != nil {
				r.wide.recover(a, dead)
			}
			return kinds[KindMutex].Recover(CellsLock(a), env, dead)
		},
		Look: func(a mem.Area) Look {
			r, err := cellsOf(a, k)
			if err != nil {
				return Look{State: "corrupt"}
			}
			l := kinds[KindMutex].Look(CellsLock(a))
			if k == KindArray {
				l.Len = int(r.n)
			}
			if r.wide != nil {
				r.wide.look(a, &l)
				return l
			}
			l.Value = r.text(a)
			if r.show == ScalarBytes {
				r.look(a, &l)
			}
			return l
		},
		Check: func(a mem.Area) error {
			r, err := cellsOf(a, k)
			if err == nil && r.wide != nil {
				err = r.wide.check(a)
			}
			if a.Has(0, MutexSize) {
				err = errors.Join(err, kinds[KindMutex].Check(CellsLock(a)))
			}
			return err
		},
	}
}

// shownCells is how many cells of an Array a snapshot shows.
const shownCells = 8

func (r run) text(a mem.Area) string {
	var b strings.Builder
	for i := range min(r.n, shownCells) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(r.show.text(LoadCell(a.Ptr(r.at+i*r.width, r.width), uintptr(r.width)), int(r.width)))
	}
	if r.n > shownCells {
		b.WriteString(" …")
	}
	return b.String()
}

// look adds the bytes of cells that are no numbers.
func (r run) look(a mem.Area, l *Look) {
	for i := range min(r.n, shownCells) {
		b := make([]byte, 8)
		binary.LittleEndian.PutUint64(b, LoadCell(a.Ptr(r.at+i*r.width, r.width), uintptr(r.width)))
		l.Cells = append(l.Cells, b[:r.width])
	}
}

func (s Scalar) text(v uint64, width int) string {
	switch {
	case s == ScalarInt:
		return strconv.FormatInt(int64(v)<<(64-8*width)>>(64-8*width), 10)
	case s == ScalarUint:
		return strconv.FormatUint(v, 10)
	case s == ScalarFloat && width == 8:
		return strconv.FormatFloat(math.Float64frombits(v), 'g', -1, 64)
	case s == ScalarFloat && width == 4:
		return strconv.FormatFloat(float64(math.Float32frombits(uint32(v))), 'g', -1, 32)
	case s == ScalarBool && v < 2:
		return strconv.FormatBool(v == 1)
	}
	return fmt.Sprintf("0x%0*x", 2*width, v)
}
