package region

import (
	"fmt"
	"unsafe"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/wait"
)

// The table of waits: a row per participant says which words its calls sleep
// on, how many and since when, so that a process that looks into the region can
// name who waits for what. No operation depends on it.
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
// once that is not: a process that dies or leaves while it sleeps takes nothing
// down. Which object a word belongs to is the directory's to say.
const (
	WaitOffsetBits = 46 // maxSize
	WaitCallsMax   = 1<<(64-WaitOffsetBits) - 1
)

// A Board is the row of a process, which writes it: a wait.Board.
type Board struct {
	row  mem.Area
	base uintptr // of the region
	size uint64
}

// Board is the row of participant p.
func (w *Memory) Board(p uint32) *Board {
	return &Board{w.Sub(w.Geo.WaitsAt(p), WaitsSize), uintptr(w.Ptr(0, 0)), w.Geo.Size}
}

// Since says since when one of the calls of a slot has slept.
//
//go:norace
func (b *Board) Since(slot int, t int64) {
	mem.Store64(b.row.W64(WaitsSlots+uint64(slot)*SlotSize+SlotSince), uint64(t))
}

// Show says that n calls sleep on word.
//
//go:norace
func (b *Board) Show(slot int, word *uint32, n int) {
	v := uint64(0)
	// A word elsewhere is nobody else's to see.
	if off := uint64(uintptr(unsafe.Pointer(word)) - b.base); n > 0 && off < b.size {
		v = uint64(min(n, WaitCallsMax))<<WaitOffsetBits | off
	}
	mem.Store64(b.row.W64(WaitsSlots+uint64(slot)*SlotSize+slotWord), v)
}

// ShowRest says how many calls sleep that have no slot.
//
//go:norace
func (b *Board) ShowRest(n int) { mem.Store64(b.row.W64(waitsRest), uint64(n)) }

// A Sleep is a slot's.
type Sleep struct {
	Off   uint64 // of a word in the region
	N     int
	Since int64
}

// Sleeps are those of participant p, and how many calls have no slot.
func (w *Memory) Sleeps(p uint32) (ss []Sleep, rest int) {
	row := w.Sub(w.Geo.WaitsAt(p), WaitsSize)
	for i := range uint64(wait.BoardSlots) {
		at := WaitsSlots + i*SlotSize
		v := mem.Load64(row.W64(at + slotWord))
		since := mem.Load64(row.W64(at + SlotSince))
		if s := unpackSleep(v); s.N > 0 && w.Has(s.Off, 4) {
			s.Since = int64(since)
			ss = append(ss, s)
		}
	}
	const most = 1 << 31 // more goroutines than there can be
	return ss, int(min(mem.Load64(row.W64(waitsRest)), most))
}

func unpackSleep(v uint64) Sleep {
	return Sleep{Off: v & (1<<WaitOffsetBits - 1), N: int(v >> WaitOffsetBits)}
}

// CheckWaits sees that attached participants sleep on words of the region.
func (w *Memory) CheckWaits() (errs []error) {
	for p := range w.Geo.Participants {
		if !Present(w.Rec(p).Word()) {
			continue
		}
		row := w.Sub(w.Geo.WaitsAt(p), WaitsSize)
		for i := range uint64(wait.BoardSlots) {
			v := mem.Load64(row.W64(WaitsSlots + i*SlotSize + slotWord))
			if s := unpackSleep(v); v != 0 && (s.N == 0 || s.Off%4 != 0 || !w.Has(s.Off, 4)) {
				errs = append(errs, fmt.Errorf("participant %d: %d calls that sleep at %d of %d bytes: %w", p, s.N, s.Off, w.Geo.Size, ErrCorrupt))
			}
		}
	}
	return errs
}
