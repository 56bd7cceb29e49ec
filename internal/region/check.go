package region

import (
	"fmt"

	"example.com/tandem/internal/mem"
)

// A DirCopy is a private copy of the directory: entries as they were, and all
// derived words, in the order in which they are found.
type DirCopy struct {
	w       *Memory // for the geometry and what does not change: names of errors
	entries []Entry
	buckets []uint32
	extents []Extent
	free    uint32
	removed uint32
	live    uint32
	gen     uint64
	rowsErr error
}

// NewDirCopy copies the directory. It is of one instant if seq says so, or the
// caller holds the lock.
func NewDirCopy(w *Memory) *DirCopy {
	d := &DirCopy{
		w:       w,
		entries: make([]Entry, w.Geo.Objects),
		buckets: make([]uint32, w.Geo.Buckets),
		free:    mem.Load32(w.Dir32(DirFree)),
		removed: mem.Load32(w.Dir32(DirRemoved)),
		live:    mem.Load32(w.Dir32(DirLive)),
		gen:     mem.Load64(w.Dir64(DirGen)),
	}
	for i := range w.Geo.Objects {
		d.entries[i] = w.Entry(i)
	}
	for b := range w.Geo.Buckets {
		d.buckets[b] = mem.Load32(w.Bucket(b))
	}
	rows, err := w.Rows()
	d.rowsErr = err
	for k := range rows {
		d.extents = append(d.extents, w.Extent(k))
	}
	return d
}

// Check returns the entries that are fit to be looked into, and what is wrong.
func (d *DirCopy) Check() (objects []Entry, errs []error) {
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf(format+": %w", append(args, ErrCorrupt)...))
	}
	names := map[string]uint32{}
	var used []Extent
	for i := range d.entries {
		e := &d.entries[i]
		if e.State == EntFree {
			continue
		}
		if err := d.w.Valid(e); err != nil {
			errs = append(errs, err)
			continue
		}
		if e.Gen > d.gen {
			bad("entry %d: generation %d, the last one given is %d", i, e.Gen, d.gen)
		}
		used = append(used, Extent{e.Off, e.Size})
		if e.State == EntLive {
			if j, ok := names[e.Text()]; ok {
				bad("entries %d and %d: both are %q", j, i, e.Text())
			}
			names[e.Text()] = e.I
		}
		if e.State != EntVoid {
			objects = append(objects, *e)
		}
	}
	d.checkChains(uint32(len(names)), bad)
	if d.rowsErr != nil {
		errs = append(errs, d.rowsErr)
	} else {
		d.checkHeap(used, bad)
	}
	return objects, errs
}

// checkChains walks every chain; each entry is in the one that its state says,
// once.
func (d *DirCopy) checkChains(live uint32, bad func(string, ...any)) {
	seen := make([]bool, len(d.entries))
	follow := func(what string, head uint32, next func(*Entry) uint32, fits func(*Entry) bool) {
		for n := head; n != 0 && n != FreeEnd; {
			if n > uint32(len(d.entries)) {
				bad("%s: link to %d of %d", what, n, len(d.entries))
				return
			}
			e := &d.entries[n-1]
			if seen[n-1] {
				bad("%s: entry %d is in two chains, or twice in one", what, n-1)
				return
			}
			seen[n-1] = true
			if !fits(e) {
				bad("%s: entry %d, state %d, does not belong there", what, n-1, e.State)
			}
			n = next(e)
		}
	}
	link := func(e *Entry) uint32 { return e.next }
	for b, head := range d.buckets {
		follow(fmt.Sprintf("bucket %d", b), head, link, func(e *Entry) bool {
			return e.State == EntLive && e.Hash&(d.w.Geo.Buckets-1) == uint64(b)
		})
	}
	follow("removed objects", d.removed, link, func(e *Entry) bool { return e.State == EntRemoved })
	follow("free entries", d.free, func(e *Entry) uint32 {
		if e.next == 0 && e.I+1 < d.w.Geo.Objects {
			return e.I + 2
		}
		return e.next
	}, func(e *Entry) bool { return e.State == EntFree })
	for i, s := range seen {
		if !s {
			bad("entry %d, state %d, is in no chain", i, d.entries[i].State)
		}
	}
	if live != d.live {
		bad("%d live objects, counted as %d", live, d.live)
	}
}

// checkHeap sees that objects and free runs tile the heap.
func (d *DirCopy) checkHeap(used []Extent, bad func(string, ...any)) {
	all := append(used, d.extents...)
	sortExtents(all)
	at := d.w.Geo.HeapOff
	for _, x := range all {
		if x.Off != at {
			bad("heap: %d bytes at %d follow what ends at %d", x.Size, x.Off, at)
		}
		at = x.End()
	}
	if end := d.w.Geo.HeapOff + d.w.Geo.HeapSize(); at != end {
		bad("heap: it ends at %d, want %d", at, end)
	}
	for k := 1; k < len(d.extents); k++ {
		if d.extents[k-1].End() >= d.extents[k].Off {
			bad("free run %d: at %d, after one that ends at %d", k, d.extents[k].Off, d.extents[k-1].End())
		}
	}
}
