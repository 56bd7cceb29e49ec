package shm

import (
	"fmt"
	"os"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sys"
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

const heapPage = 4096 // objects of that size and more are aligned to it

var pageSize = uint64(os.Getpagesize())

type extent struct{ off, size uint64 }

func (x extent) end() uint64 { return x.off + x.size }

func (g *geometry) heapSize() uint64 { return (g.size - g.heapOff) &^ (heapUnit - 1) }

func (w *words) extent(k uint32) extent {
	at := w.g.extentsOff + uint64(k)*extentSize
	return extent{mem.Load64(w.W64(at)), mem.Load64(w.W64(at + 8))}
}

func (w *words) setExtent(k uint32, x extent) {
	at := w.g.extentsOff + uint64(k)*extentSize
	mem.Store64(w.W64(at), x.off)
	mem.Store64(w.W64(at+8), x.size)
}

// extents is how many rows there are, checked.
func (w *words) extents() (uint32, error) {
	n := mem.Load32(w.dir32(dirExtents))
	if n > w.g.objects+1 {
		return 0, fmt.Errorf("%d free runs in a table of %d: %w", n, w.g.objects+1, ErrCorrupt)
	}
	return n, nil
}

// checkExtent says what is impossible in row k, which follows a run that ends
// at prev (0: it is the first).
func (w *words) checkExtent(k uint32, x extent, prev uint64) error {
	if x.size == 0 || x.size%heapUnit != 0 || x.off%heapUnit != 0 || x.off < w.g.heapOff || !w.Has(x.off, x.size) || x.off <= prev {
		return fmt.Errorf("free run %d: %d bytes at %d, after one that ends at %d: %w", k, x.size, x.off, prev, ErrCorrupt)
	}
	return nil
}

// A place is where an object of some size would go: a part of row k.
type place struct {
	k   uint32
	row extent // as it is
	extent
}

// place finds room for n bytes. ok is false if there is none; free is then all
// there is.
func (w *words) place(n uint64) (p place, ok bool, free uint64, err error) {
	rows, err := w.extents()
	if err != nil {
		return p, false, 0, err
	}
	align := uint64(heapUnit)
	if n >= heapPage {
		align = heapPage
	}
	var prev uint64
	for k := range rows {
		x := w.extent(k)
		if err := w.checkExtent(k, x, prev); err != nil {
			return p, false, 0, err
		}
		prev = x.end()
		free += x.size
		at := (x.off + align - 1) &^ (align - 1)
		if at <= x.end() && n <= x.end()-at {
			return place{k, x, extent{at, n}}, true, 0, nil
		}
	}
	return p, false, free, nil
}

// take takes a place out of the table. The lock has been held since place.
func (w *words) take(p place) error {
	before := extent{p.row.off, p.off - p.row.off}
	after := extent{p.end(), p.row.end() - p.end()}
	switch {
	case before.size == 0 && after.size == 0:
		return w.shift(p.k+1, -1)
	case before.size == 0:
		w.setExtent(p.k, after)
	default:
		w.setExtent(p.k, before)
		if after.size > 0 {
			if err := w.shift(p.k+1, 1); err != nil {
				return err
			}
			w.setExtent(p.k+1, after)
		}
	}
	return nil
}

// put puts x back into the table and returns the free run that it is part of
// then.
func (w *words) put(x extent) (run extent, err error) {
	rows, err := w.extents()
	if err != nil {
		return run, err
	}
	lo, hi := uint32(0), rows // the first row behind x
	for lo < hi {
		if m := lo + (hi-lo)/2; w.extent(m).off < x.off {
			lo = m + 1
		} else {
			hi = m
		}
	}
	run = x
	var joinsBefore, joinsAfter bool
	if lo > 0 {
		before := w.extent(lo - 1)
		if err := w.checkExtent(lo-1, before, 0); err != nil {
			return run, err
		}
		if before.end() > x.off {
			return run, fmt.Errorf("%d bytes at %d are in use and free: %w", x.size, x.off, ErrCorrupt)
		}
		if joinsBefore = before.end() == x.off; joinsBefore {
			run = extent{before.off, before.size + run.size}
		}
	}
	if lo < rows {
		after := w.extent(lo)
		if err := w.checkExtent(lo, after, 0); err != nil {
			return run, err
		}
		if after.off < x.end() {
			return run, fmt.Errorf("%d bytes at %d are in use and free: %w", x.size, x.off, ErrCorrupt)
		}
		if joinsAfter = after.off == x.end(); joinsAfter {
			run.size += after.size
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
func (w *words) shift(k uint32, by int) error {
	rows, err := w.extents()
	if err != nil {
		return err
	}
	if by < 0 {
		for ; k < rows; k++ {
			w.setExtent(k-1, w.extent(k))
		}
		mem.Store32(w.dir32(dirExtents), rows-1)
		return nil
	}
	if rows > w.g.objects {
		return fmt.Errorf("more free runs than %d objects allow: %w", w.g.objects, ErrCorrupt)
	}
	for j := rows; j > k; j-- {
		w.setExtent(j, w.extent(j-1))
	}
	mem.Store32(w.dir32(dirExtents), rows+1)
	return nil
}

// free is how many bytes no object has.
func (w *words) free() uint64 {
	n, _ := w.pieces()
	return n
}

// pieces says how many bytes no object has, and how many are in one piece.
func (w *words) pieces() (all, largest uint64) {
	rows, err := w.extents()
	if err != nil {
		return 0, 0
	}
	for k := range rows {
		if x := w.extent(k); x.size <= w.g.size-all {
			all += x.size
			largest = max(largest, x.size)
		}
	}
	return all, largest
}

// provideStep is how much is asked for at a time; a signal starts it over.
const provideStep = 64 << 20

// provide puts zeroed memory behind an extent that no object has. Failing, it
// may have got some of it.
func (a *attachment) provide(x extent) error {
	if a.fd == nil { // a region in ordinary memory
		mem.Zero(a.Ptr(x.off, x.size), uintptr(x.size))
		return nil
	}
	first := (x.off + pageSize - 1) &^ (pageSize - 1)
	zeroed := first < x.end() && x.end()-first >= pageSize && sys.PunchHole(a.fd, int64(x.off), int64(x.size)) == nil
	for off := x.off; off < x.end(); off += provideStep {
		n := min(provideStep, x.end()-off)
		err := sys.Fallocate(a.fd, int64(off), int64(n))
		if noFallocate(err) {
			err = writeZeroes(a.fd, extent{off, n})
		}
		if err != nil {
			return err
		}
	}
	if !zeroed {
		mem.Zero(a.Ptr(x.off, x.size), uintptr(x.size))
	}
	return nil
}

// giveBack gives the pages under x to the file system, but for those that
// reach out of run, the free run around it. Failing, it costs memory until the
// next use of x and nothing else.
func (a *attachment) giveBack(x, run extent) {
	if a.fd == nil {
		return
	}
	from := max(x.off&^(pageSize-1), (run.off+pageSize-1)&^(pageSize-1))
	to := min((x.end()+pageSize-1)&^(pageSize-1), run.end()&^(pageSize-1))
	if from < to {
		sys.PunchHole(a.fd, int64(from), int64(to-from))
	}
}

// noSpace is ErrNoSpace with the figures.
func (a *attachment) noSpace(need, free uint64, cause error) error {
	files := "unknown"
	if a.fd != nil {
		if n, err := sys.FreeBytes(a.fd); err == nil {
			files = fmt.Sprint(n)
		}
	}
	pieces := ""
	if _, largest := a.pieces(); need <= free && cause == nil {
		pieces = fmt.Sprintf(" in pieces of at most %d", largest)
	}
	err := fmt.Errorf("%w: %d bytes needed, %d free in the region (of %d)%s, %s free in its file system", ErrNoSpace, need, free, a.g.heapSize(), pieces, files)
	if n, size, who := a.stillOpen(); n > 0 {
		err = fmt.Errorf("%w; %d bytes are in %d removed objects that somebody has open%s", err, size, n, who)
	}
	if cause != nil {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return err
}
