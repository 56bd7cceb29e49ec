package region

import (
	"fmt"

	"example.com/tandem/internal/mem"
)

// The heap, from heapOff to the region's end: objects' memory, and what is
// free, which the table of extents lists by address.
//
//	row  {off u64, size u64}   a free run; no two touch, so there is at most
//	                           one more of them than there are objects
//
// Units are of heapUnit bytes; an object of a page or more begins on a page.
// The first run that fits is taken. The table is derived: free is whatever no
// entry has.
//
// The file is sparse. An object's pages are allocated when it is made (provide),
// since touching a hole of a full tmpfs is a SIGBUS, and are given back when it
// is gone and no object has a part of them (giveBack). Free memory may hold
// anything; provide zeroes it.

// HeapPage is the size from which on objects are aligned to pages, of that size.
const HeapPage = 4096

// An Extent is a run of the region's bytes.
type Extent struct{ Off, Size uint64 }

// End is the first byte behind it.
func (x Extent) End() uint64 { return x.Off + x.Size }

// HeapSize is the heap's, in bytes.
func (g *Geometry) HeapSize() uint64 { return (g.Size - g.HeapOff) &^ (HeapUnit - 1) }

// Extent is row k of the table, whatever it says.
func (w *Memory) Extent(k uint32) Extent {
	at := w.Geo.ExtentsOff + uint64(k)*ExtentSize
	return Extent{mem.Load64(w.W64(at)), mem.Load64(w.W64(at + 8))}
}

func (w *Memory) setExtent(k uint32, x Extent) {
	at := w.Geo.ExtentsOff + uint64(k)*ExtentSize
	mem.Store64(w.W64(at), x.Off)
	mem.Store64(w.W64(at+8), x.Size)
}

// Rows is how many rows there are, checked.
func (w *Memory) Rows() (uint32, error) {
	n := mem.Load32(w.Dir32(dirExtents))
	if n > w.Geo.Objects+1 {
		return 0, fmt.Errorf("%d free runs in a table of %d: %w", n, w.Geo.Objects+1, ErrCorrupt)
	}
	return n, nil
}

// CheckExtent says what is impossible in row k, which follows a run that ends
// at prev (0: it is the first).
func (w *Memory) CheckExtent(k uint32, x Extent, prev uint64) error {
	if x.Size == 0 || x.Size%HeapUnit != 0 || x.Off%HeapUnit != 0 || x.Off < w.Geo.HeapOff || !w.Has(x.Off, x.Size) || x.Off <= prev {
		return fmt.Errorf("free run %d: %d bytes at %d, after one that ends at %d: %w", k, x.Size, x.Off, prev, ErrCorrupt)
	}
	return nil
}

// A Place is where an object of some size would go: a part of row k.
type Place struct {
	k   uint32
	Row Extent // as it is
	Extent
}

// Place finds room for n bytes. ok is false if there is none; free is then all
// there is.
func (w *Memory) Place(n uint64) (p Place, ok bool, free uint64, err error) {
	rows, err := w.Rows()
	if err != nil {
		return p, false, 0, err
	}
	align := uint64(HeapUnit)
	if n >= HeapPage {
		align = HeapPage
	}
	var prev uint64
	for k := range rows {
		x := w.Extent(k)
		if err := w.CheckExtent(k, x, prev); err != nil {
			return p, false, 0, err
		}
		prev = x.End()
		free += x.Size
		at := (x.Off + align - 1) &^ (align - 1)
		if at <= x.End() && n <= x.End()-at {
			return Place{k, x, Extent{at, n}}, true, 0, nil
		}
	}
	return p, false, free, nil
}

// Take takes a place out of the table. The lock has been held since place.
func (w *Memory) Take(p Place) error {
	before := Extent{p.Row.Off, p.Off - p.Row.Off}
	after := Extent{p.End(), p.Row.End() - p.End()}
	switch {
	case before.Size == 0 && after.Size == 0:
		return w.shift(p.k+1, -1)
	case before.Size == 0:
		w.setExtent(p.k, after)
	default:
		w.setExtent(p.k, before)
		if after.Size > 0 {
			if err := w.shift(p.k+1, 1); err != nil {
				return err
			}
			w.setExtent(p.k+1, after)
		}
	}
	return nil
}

// Put puts x back into the table and returns the free run that it is part of
// then.
func (w *Memory) Put(x Extent) (run Extent, err error) {
	rows, err := w.Rows()
	if err != nil {
		return run, err
	}
	lo, hi := uint32(0), rows // the first row behind x
	for lo < hi {
		if m := lo + (hi-lo)/2; w.Extent(m).Off < x.Off {
			lo = m + 1
		} else {
			hi = m
		}
	}
	run = x
	var joinsBefore, joinsAfter bool
	if lo > 0 {
		before := w.Extent(lo - 1)
		if err := w.CheckExtent(lo-1, before, 0); err != nil {
			return run, err
		}
		if before.End() > x.Off {
			return run, fmt.Errorf("%d bytes at %d are in use and free: %w", x.Size, x.Off, ErrCorrupt)
		}
		if joinsBefore = before.End() == x.Off; joinsBefore {
			run = Extent{before.Off, before.Size + run.Size}
		}
	}
	if lo < rows {
		after := w.Extent(lo)
		if err := w.CheckExtent(lo, after, 0); err != nil {
			return run, err
		}
		if after.Off < x.End() {
			return run, fmt.Errorf("%d bytes at %d are in use and free: %w", x.Size, x.Off, ErrCorrupt)
		}
		if joinsAfter = after.Off == x.End(); joinsAfter {
			run.Size += after.Size
		}
	}
	switch {
	case joinsBefore && joinsAfter:
		w.setExtent(lo-1, run)
		return run, w.shift(lo+1, -1)
	case joinsBefore:
		w.setExtent(lo-1, run)
	case joinsAfter:
		w.setExtent(lo, run)
	default:
		if err := w.shift(lo, 1); err != nil {
			return run, err
		}
		w.setExtent(lo, run)
	}
	return run, nil
}

// shift moves the rows from k on by one, up or down, and changes their number.
func (w *Memory) shift(k uint32, by int) error {
	rows, err := w.Rows()
	if err != nil {
		return err
	}
	if by < 0 {
		for ; k < rows; k++ {
			w.setExtent(k-1, w.Extent(k))
		}
		mem.Store32(w.Dir32(dirExtents), rows-1)
		return nil
	}
	if rows > w.Geo.Objects {
		return fmt.Errorf("more free runs than %d objects allow: %w", w.Geo.Objects, ErrCorrupt)
	}
	for j := rows; j > k; j-- {
		w.setExtent(j, w.Extent(j-1))
	}
	mem.Store32(w.Dir32(dirExtents), rows+1)
	return nil
}

// FreeBytes is how many bytes no object has.
func (w *Memory) FreeBytes() uint64 {
	n, _ := w.Pieces()
	return n
}

// Pieces says how many bytes no object has, and how many are in one piece.
func (w *Memory) Pieces() (all, largest uint64) {
	rows, err := w.Rows()
	if err != nil {
		return 0, 0
	}
	for k := range rows {
		if x := w.Extent(k); x.Size <= w.Geo.Size-all {
			all += x.Size
			largest = max(largest, x.Size)
		}
	}
	return all, largest
}
