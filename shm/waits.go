package shm

import (
	"fmt"
	"unsafe"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/wait"
)

// The table of waits: a row per participant says which words its calls sleep
// on, how many and since when, so that whoever looks into the region can name
// who waits for what. No operation depends on it.
//
//	row   0  rest   u64  calls that sleep and found no slot
//	     16  31 slots:
//	          0  word   u64  {calls, offset}; 0: free
//	          8  since  u64  since when one of them has slept
//
//	 63         46 45                         0
//	+-------------+----------------------------+
//	|    calls    |           offset           |   of the futex word, from the region's start
//	+-------------+----------------------------+
//
// A row is written by its own process alone, under the lock of its list of
// sleepers (wait.List), so there is nothing to race for. Since is stored before
// the word. It is zeroed before its participant is attached, and of no meaning
// once it is not: whoever dies or leaves while it sleeps takes nothing down.
// Which object a word belongs to is the directory's to say.
const (
	waitOffsetBits = 46 // maxSize
	waitCallsMax   = 1<<(64-waitOffsetBits) - 1
)

var _ [waitsSize - waitsSlots - wait.BoardSlots*slotSize]byte
var _ [waitsSlots + wait.BoardSlots*slotSize - waitsSize]byte

// A board is this process's row.
type board struct {
	row  mem.Area
	base uintptr // of the region
	size uint64
}

func (a *attachment) newBoard() *board {
	return &board{a.Sub(a.g.waits(a.self.Index), waitsSize), uintptr(a.Ptr(0, 0)), a.g.size}
}

//go:norace
func (b *board) Since(slot int, t int64) {
	mem.Store64(b.row.W64(waitsSlots+uint64(slot)*slotSize+slotSince), uint64(t))
}

//go:norace
func (b *board) Show(slot int, word *uint32, n int) {
	v := uint64(0)
	// A word elsewhere is nobody else's to see.
	if off := uint64(uintptr(unsafe.Pointer(word)) - b.base); n > 0 && off < b.size {
		v = uint64(min(n, waitCallsMax))<<waitOffsetBits | off
	}
	mem.Store64(b.row.W64(waitsSlots+uint64(slot)*slotSize+slotWord), v)
}

//go:norace
func (b *board) ShowRest(n int) { mem.Store64(b.row.W64(waitsRest), uint64(n)) }

// A sleep is a slot's.
type sleep struct {
	off   uint64 // of a word in the region
	n     int
	since int64
}

// sleeps are those of participant p, and how many calls have no slot.
func (w *words) sleeps(p uint32) (ss []sleep, rest int) {
	row := w.Sub(w.g.waits(p), waitsSize)
	for i := range uint64(wait.BoardSlots) {
		at := waitsSlots + i*slotSize
		v := mem.Load64(row.W64(at + slotWord))
		since := mem.Load64(row.W64(at + slotSince))
		if s := unpackSleep(v); s.n > 0 && w.Has(s.off, 4) {
			s.since = int64(since)
			ss = append(ss, s)
		}
	}
	const most = 1 << 31 // more goroutines than there can be
	return ss, int(min(mem.Load64(row.W64(waitsRest)), most))
}

func unpackSleep(v uint64) sleep {
	return sleep{off: v & (1<<waitOffsetBits - 1), n: int(v >> waitOffsetBits)}
}

// checkWaits sees that who is attached sleeps on words of the region.
func (w *words) checkWaits() (errs []error) {
	for p := range w.g.participants {
		if !there(w.rec(p).word()) {
			continue
		}
		row := w.Sub(w.g.waits(p), waitsSize)
		for i := range uint64(wait.BoardSlots) {
			v := mem.Load64(row.W64(waitsSlots + i*slotSize + slotWord))
			if s := unpackSleep(v); v != 0 && (s.n == 0 || s.off%4 != 0 || !w.Has(s.off, 4)) {
				errs = append(errs, fmt.Errorf("participant %d: %d calls that sleep at %d of %d bytes: %w", p, s.n, s.off, w.g.size, ErrCorrupt))
			}
		}
	}
	return errs
}
