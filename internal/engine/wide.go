package engine

import (
	"fmt"
	"math"
	"math/bits"

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
//	192  drains       K words of each participant
//	     cells        a word each, n
//	     copies       n + rows·K: the tag and, from 8 on, T's bytes
//
//	 63            b b-1      0
//	+---------------+----------+
//	|   tag's low   |   copy   |    cell: which copy counts, and the tag it has. Never 0
//	+---------------+----------+
//	 63        44 43      34 33                    0
//	+------------+----------+-----------------------+
//	|   epoch    |  index   |       sequence        |    tag: who prepared the value
//	+------------+----------+-----------------------+
//	b      bits that the number of copies takes, 30 at most
//	tag    0: the copy is free. No two values of an object ever have the same
//	drain  a tag: of the value that its participant is about to take out of a cell, or
//	       took out last. Written by its participant, by recovery after it
//
// Private to a process: K seats, each with a drain of the row and a spare {copy, tag};
// a goroutine has one from S1 to S6 to itself (wide_seats.go). A seat does what the
// proof calls a participant: those of one process die together, and that is all that
// they have in common. Seats take turns, so that a spare is used as late as can be.
//
// At any instant each copy is one of: in one cell; free; somebody's, who has tagged it
// or whose drain has its tag.
//
// # Steps
//
//	load   L1  w = cell
//	       L2  T = tag of w's copy. Not w's? From L1
//	       L3  copy the bytes out; FenceLoad
//	       L4  the tag is T still? Else from L1
//	store  S1  CAS the spare's tag to t, a new one. It fails if recovery has freed the
//	           spare meanwhile: then, and if there is none, CAS 0 → t of any free copy
//	       S2  FenceStore; write the bytes
//	       S3  w = cell, T = tag of w's copy. Not w's? Again
//	       S4  drain = T
//	       S5  CAS cell: w → {t, mine}. Else from S3
//	       S6  the spare is now w's copy, of tag T. The drain stays
//	change     load, keeping w and T; compare, or call the user's function; then S1, S2,
//	           S4 and S5 with that w and T. If S5 fails the copy is the spare, by its
//	           own tag, and all begins anew
//
// WHOLE    L2 shows T to be the tag of the value that w named: tags do not come again.
// Bytes are written by those only who have changed the tag before (S1). So a tag that
// is T after the copy has been T since L1, and nothing was written in between. The
// value was the cell's at L1. The cell may have changed since: no matter.
//
// ONE ORDER  all changes are CASes of the cell's word, which never has the same value
// twice. A change that depends on what was there replaces the very w that it read.
//
// NEVER HELD UP  no step leaves anything that another has to wait for. Whoever stops or
// dies between S1 and S5 has a copy of its own; after S5 it is done. An attempt to
// load fails at L2 only if the cell changed within two loads, and at L4 only if the value
// was replaced and its copy came round as a spare: K more stores by that process, all
// within the copying. So who fails has been overtaken by others who succeeded.
//
// NO COPY IS LOST  exactly one CAS takes a value out of its cell, and its author's drain
// has the value's tag by then. If the author lives the copy is its spare. If it dies,
// recovery frees what has its tags, or the tag in its drain, and is in no cell. A value
// that a dead one has taken out, or put in, may be in another's drain as well: then
// either may free it. So S1 is a CAS, and who finds its spare gone claims another. Each
// seat has one copy beyond those in cells at most, so that n + rows·K are enough.
//
// Death: before S1 nothing. From S1 to S5 a copy that has the dead one's tag and is in
// no cell. After S5 one that has the tag in its drain. recovery frees both. The cell
// is whole at all times, and there is nobody to wake.
//
// Close: there are zeroes, in which a cell's word is 0; and it never is. From 0 a tag is
// changed with Env.Here only. So who finds a 0 is told, and what has succeeded was in
// the region.
//
// Tried, and wrong: no L4; no second condition at L2 or S3 (T may be the tag of one who is
// preparing); no drain; S1 as a store; to read the old value after S5; a recovery that
// does not look at the cells.
type Wide struct {
	env Env
	a   mem.Area
	wideLayout
	drains [maxSpares]*uint64
	who    uint64 // the tags' part that names this participant

	seats   [maxSpares]seat
	turn    uint64 // the seat that was taken last
	entered uint64 // wideOut, wideEntering, wideIn
}

// Offsets in the line, behind value.go's.
const (
	wideRows   = 16
	wideSpares = 20
)

const (
	maxSpares   = 3   // K, where a copy takes no more than
	sparesWidth = 256 // so many bytes; of longer values 1
	maxCopies   = 1 << 30

	wideTag  = 8 // offset of the bytes in a copy
	tagSeq   = 1<<34 - 1
	tagIndex = 34
	tagEpoch = 44
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
	l.bits = uint8(bits.Len64(l.count - 1))
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
func (l *wideLayout) copy(c uint64) uint64 { return l.first + c*l.stride }

// A cell's word, and its parts.
func (l *wideLayout) word(tag, c uint64) uint64 { return tag<<l.bits | c }
func (l *wideLayout) copyOf(w uint64) uint64    { return w & (1<<l.bits - 1) }
func (l *wideLayout) names(w, tag uint64) bool  { return tag<<l.bits == w>>l.bits<<l.bits }

func tagWhoOf(s Self) uint64 {
	return uint64(s.Index)<<tagIndex | uint64(s.Epoch)<<tagEpoch
}

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

// InitWide writes the words of a new object, whose memory is zero: cell i has copy i,
// all of it zero, by a tag of nobody's.
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
		*a.W64(l.copy(i)) = i + 1
		*a.W64(l.cell(i)) = l.word(i+1, i)
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
	c := &Wide{env: env, a: a, wideLayout: *r.wide, who: tagWhoOf(env.Self)}
	if env.Self.Index >= c.rows {
		return nil, fmt.Errorf("%w: participant %d of %d", ErrCorrupt, env.Self.Index, c.rows)
	}
	for k := range c.spares {
		c.drains[k] = a.W64(c.drain(env.Self.Index, k))
	}
	return c, nil
}
