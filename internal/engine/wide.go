package engine

import (
	"fmt"
	"math"
	"math/bits"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// Wide is the cells of a Value or an Array whose T is no machine word: of any size.
// A value lies in a copy that nobody writes to as long as it is a cell's. A writer
// prepares a copy of its own, and puts it in the place of the cell's by one CAS.
//
// # Words
//
//	  0  mutex        the user's, as in every Value and Array
//	128  line         n, width, scalar (value.go); written once, as what follows
//	                  rows    uint32 @16   participants
//	                  spares  uint32 @20   K, of each
//	                  hurry   uint64 @24   Stores that are to begin with a pause: a hint
//	192  drains       K words of each participant
//	     cells        a word each, n
//	     copies       n + rows·K, from number 1 on: the tag and, from 8 on, T's bytes
//
//	 63            b b-1      0
//	+---------------+----------+
//	| sequence, low |   copy   |     cell: which copy counts, and its sequence. Never 0
//	+---------------+----------+
//	 63    53 52  51 50        0
//	+--------+------+----------+
//	|  who   | seat | sequence |     tag
//	+--------+------+----------+
//	b         bits that the number of copies takes, and one number more
//	sequence  of the copy: how often it was taken to be written
//	who       0: the copy is free. Who wrote it last, or does: index and 1. 2047: nobody,
//	          the value is the first
//	seat      of that participant
//	drain     a cell's word, that its participant is about to take out of the cell, or
//	          took out last. Written by its participant, by recovery after it
//
// Private to a process: K seats, each with a drain of the row, and a spare, which is told
// by the word that had it in a cell, or would have (wide_seats.go). A seat does what the
// proof calls a participant: those of one process die together, and that is all that
// they have in common. Seats take turns, so that a spare is used as late as can be.
//
// At any instant each copy is one of: in one cell; free; somebody's, who has tagged it
// or whose drain names it.
//
// # Steps
//
//	load   L1  w = cell
//	       L2  copy the bytes of w's copy out; FenceLoad
//	       L3  its tag has w's sequence? Else from L1
//	store  S1  the spare's tag has the spare's sequence, and is not free? CAS it to
//	           {me, the next}. Else, and if there is no spare, CAS any free copy's tag so
//	       S2  FenceStore; write the bytes
//	       S3  w = cell
//	       S4  drain = w
//	       S5  CAS cell: w → the copy, its sequence. Else from S3
//	       S6  the spare is w's copy now. The drain stays
//	change     load, keeping w; compare, or call the user's function; then S1, S2, S4 and
//	           S5 with that w. If S5 fails the copy is the spare, and all begins anew
//
// ONCE  a copy's sequence only grows, whoever takes the copy, and stays when it is freed.
// So no word comes again, in any cell: a copy and its sequence are put into a cell once.
// The count goes round after 2^51 times that one copy was taken, or 2^(64-b), whichever is
// less: some years of stores without a pause where there are no more than 8000 copies;
// days, with a million of them.
//
// WHOLE    bytes are written only after the sequence was changed (S1), and w was put into
// the cell after its bytes were written. So a sequence that is w's still, after the copying,
// has been w's since L1, and nothing was written in between. The value was the cell's at
// L1. The cell may have changed since: no matter.
//
// ONE ORDER  all changes are CASes of the cell's word, which never has the same value
// twice. A change that depends on what was there replaces the very w that it read.
//
// NEVER HELD UP  no step leaves anything that another has to wait for. Whoever stops or
// dies between S1 and S5 has a copy of its own; after S5 it is done. An attempt to
// load fails only if the value was replaced and its copy came round as a spare: K more
// stores by that process, all within the copying. A store fails only where another came
// between S3 and S5. So who fails has been overtaken by others who succeeded. But a
// writer that never rests may be faster than a reader every time: its lines are near. So
// who has failed to load hurryAfter times says so in hurry, and the next hurryStores Stores
// are each begun with a pause that is long enough for a Load, while their process has
// nothing: whoever dies or stops there is not waited for.
//
// NO COPY IS LOST  exactly one CAS takes a value out of its cell, and its author's drain
// names it by then. If the author lives the copy is its spare. If it dies,
// recovery frees what has its tag, or is named by its drain, and is in no cell. A value
// that a dead one has taken out, or put in, may be in another's drain as well: then
// either may free it. So S1 is a CAS, and who finds its spare gone claims another. Each
// seat has one copy beyond those in cells at most, so that n + rows·K are enough.
//
// Death: before S1 nothing. From S1 to S5 a copy that has the dead one's tag and is in
// no cell. After S5 one that the drain names. recovery frees both. The cell
// is whole at all times, and there is nobody to wake. An index is given again when all is
// freed: so the tag needs no epoch.
//
// Close: there are zeroes, in which a cell's word is 0; and it never is. From 0 a tag is
// changed with Env.Here only. So who finds a 0 is told, and what has succeeded was in
// the region.
//
// Tried, and wrong: no L3; no drain; S1 as a store; to read the old value after S5; a
// recovery that does not look at the cells, or frees what a drain names whatever its
// sequence; sequences of each process's own, of which two are the same one day, and one
// comes again in minutes; a sequence that begins anew when a copy is freed. A design whose
// word has not the tag's sequence has two more ways to be wrong: it takes the tag from the
// copy, before L2 and before S4, and must look at the cell again, or has the tag of one who
// is preparing. Here w says it, so that L3 is the only look, and S4 needs none.
type Wide struct {
	env Env
	a   mem.Area
	wideLayout
	hurry  *uint64
	words  unsafe.Pointer // the cells
	copies unsafe.Pointer

	_       [64]byte
	turn    uint64 // the seat that was taken last
	entered uint64 // wideOut, wideEntering, wideIn
	_       [48]byte
	seats   [maxSpares]seat
}

// Offsets in the line, behind value.go's.
const (
	wideRows   = 16
	wideSpares = 20
	wideHurry  = 24
)

const (
	maxSpares   = 3   // K, where a copy takes no more than
	sparesWidth = 256 // so many bytes; of longer values 1
	maxCopies   = 1 << 30

	wideTag    = 8 // offset of the bytes in a copy
	copyWho    = 53
	copySeat   = 51
	copySeq    = 1<<copySeat - 1
	copyNobody = 2047 << copyWho
)

// IsWord reports whether values of so many bytes are machine words: cells by
// themselves (cellops.go).
func IsWord(width uint64) bool { return width == 1 || width == 2 || width == 4 || width == 8 }

// A wideLayout is a checked, private copy of where everything lies.
type wideLayout struct {
	n, width     uint64
	rows, spares uint32
	count        uint64 // copies
	bits         uint8  // of a copy's number
	stride       uint64 // from a copy to the next
	cells, first uint64 // offsets; the first copy's
	size         uint64
}

// wideLayoutOf is where things are; false where no memory is that large. A copy is on
// as few lines as can be: up to 64 bytes have the next power of two, more whole lines.
func wideLayoutOf(n, width uint64, rows, spares uint32) (l wideLayout, ok bool) {
	if rows < 1 || rows > MaxParticipants || spares != 1 && spares != maxSpares || n > maxCopies || width > math.MaxUint32 {
		return l, false
	}
	l = wideLayout{n: n, width: width, rows: rows, spares: spares}
	l.count = n + uint64(rows)*uint64(spares)
	l.bits = uint8(bits.Len64(l.count + 1)) // none has only ones
	l.stride = wideTag + (width+7)&^7
	if l.stride <= 64 {
		l.stride = 1 << bits.Len64(l.stride-1)
	} else {
		l.stride = (l.stride + 63) &^ 63
	}
	perLine := 64 / l.rowSize()
	l.cells = lineOf(KindValue) + cellsLine + (uint64(rows)+perLine-1)/perLine*64
	l.first = l.cells + (8*n+63)&^63
	if l.count > maxCopies || l.stride > (math.MaxInt64-l.first)/l.count {
		return l, false
	}
	l.size = l.first + l.count*l.stride
	return l, true
}

// rowSize is the bytes of a participant's drains.
func (l *wideLayout) rowSize() uint64 {
	if l.spares == 1 {
		return 8
	}
	return 32
}

// drain is where the participant's k'th drain is. Neighbours are on different lines.
func (l *wideLayout) drain(index, k uint32) uint64 {
	size := l.rowSize()
	perLine := 64 / size
	lines := (uint64(l.rows) + perLine - 1) / perLine
	i := uint64(index)
	return lineOf(KindValue) + cellsLine + i%lines*64 + i/lines*size + 8*uint64(k)
}

func (l *wideLayout) cell(i uint64) uint64 { return l.cells + 8*i }
func (l *wideLayout) copy(c uint64) uint64 { return l.first + (c-1)*l.stride }

// A cell's word: its copy's number, which is none in words that are damaged, and
// whether the tag has its sequence.
func (l *wideLayout) word(c, tag uint64) uint64 { return tag&copySeq<<(l.bits&63) | c }
func (l *wideLayout) copyOf(w uint64) uint64    { return w & (1<<(l.bits&63) - 1) }
func (l *wideLayout) is(c uint64) bool          { return c-1 < l.count }
func (l *wideLayout) names(w, tag uint64) bool  { return (tag&copySeq<<(l.bits&63)^w)>>(l.bits&63) == 0 }

func tagWhoOf(s Self) uint64 { return uint64(s.Index+1) << copyWho }

// nextTag is for a copy that who takes.
func nextTag(who, tag uint64) uint64 { return who | (tag+1)&copySeq }

// WideSize is the size of an object of n values of so many bytes, none of 1, 2, 4 or 8,
// in a region of so many participants; false where no memory is that large.
func WideSize(n, width uint64, participants int) (uint64, bool) {
	l, ok := newWideLayout(n, width, participants)
	return l.size, ok
}

func newWideLayout(n, width uint64, participants int) (wideLayout, bool) {
	spares := uint32(maxSpares)
	if width > sparesWidth {
		spares = 1
	}
	if participants < 0 || IsWord(width) {
		return wideLayout{}, false
	}
	return wideLayoutOf(n, width, uint32(min(participants, math.MaxInt32)), spares)
}

// InitWide writes the words of a new object, whose memory is zero: cell i has copy i+1,
// all of it zero.
func InitWide(a mem.Area, k Kind, n, width uint64, participants int) {
	l, ok := newWideLayout(n, width, participants)
	if !ok {
		return
	}
	InitCells(a, k, n, width, ScalarBytes)
	line := a.Sub(lineOf(k), cellsLine)
	*line.W32(wideRows) = l.rows
	*line.W32(wideSpares) = l.spares
	for i := range n {
		*a.W64(l.copy(i + 1)) = copyNobody | 1
		*a.W64(l.cell(i)) = l.word(i+1, 1)
	}
}

// wideOf reads and checks the line.
func wideOf(a mem.Area, r run) (wideLayout, error) {
	line := a.Sub(lineOf(KindValue), cellsLine)
	l, ok := wideLayoutOf(r.n, r.width, mem.Load32(line.W32(wideRows)), mem.Load32(line.W32(wideSpares)))
	if !ok || l.size > a.Size() {
		return l, fmt.Errorf("%w: %d values of %d bytes for %d participants in %d bytes", ErrCorrupt, r.n, r.width, l.rows, a.Size())
	}
	return l, nil
}

// AttachWide is this process's use of the cells in a. There is one at a time, for
// all handles.
func AttachWide(a mem.Area, k Kind, n, width uint64, env Env) (*Wide, error) {
	r, err := cellsOf(a, k)
	if err != nil {
		return nil, err
	}
	if r.n != n || r.width != width || r.wide == nil {
		return nil, fmt.Errorf("%w: %d cells of %d bytes, %d of %d in the directory", ErrCorrupt, r.n, r.width, n, width)
	}
	c := &Wide{env: env, a: a, wideLayout: *r.wide, hurry: a.W64(lineOf(k) + wideHurry)}
	c.words, c.copies = a.Ptr(c.cells, 8*c.n), a.Ptr(c.first, c.count*c.stride)
	if env.Self.Index >= c.rows {
		return nil, fmt.Errorf("%w: participant %d of %d", ErrCorrupt, env.Self.Index, c.rows)
	}
	for k := range c.spares {
		c.seats[k].who, c.seats[k].drain = tagWhoOf(env.Self)|uint64(k)<<copySeat, a.W64(c.drain(env.Self.Index, k))
	}
	return c, nil
}

// wordAt is cell i's, and tagAt is copy k's tag, behind which the bytes are; the copy's number
// was checked.
func (c *Wide) wordAt(i uint64) *uint64 { return (*uint64)(unsafe.Add(c.words, 8*i)) }
func (c *Wide) tagAt(k uint64) *uint64  { return (*uint64)(unsafe.Add(c.copies, (k-1)*c.stride)) }
func (c *Wide) bytesAt(k uint64) unsafe.Pointer {
	return unsafe.Add(c.copies, (k-1)*c.stride+wideTag)
}
