package shm

import (
	"fmt"

	"example.com/tandem/internal/mem"
)

// A dirCopy is a private copy of the directory: entries as they were, and all
// derived words, in the order in which they are found.
type dirCopy struct {
	w       *words // for the geometry and what does not change: names of errors
	entries []entry
	buckets []uint32
	extents []extent
	free    uint32
	removed uint32
	live    uint32
	gen     uint64
	rowsErr error
}

func newDirCopy(w *words) *dirCopy {
	d := &dirCopy{
		w:       w,
		entries: make([]entry, w.g.objects),
		buckets: make([]uint32, w.g.buckets),
		free:    mem.Load32(w.dir32(dirFree)),
		removed: mem.Load32(w.dir32(dirRemoved)),
		live:    mem.Load32(w.dir32(dirLive)),
		gen:     mem.Load64(w.dir64(dirGen)),
	}
	for i := range w.g.objects {
		d.entries[i] = w.read(i)
	}
	for b := range w.g.buckets {
		d.buckets[b] = mem.Load32(w.bucket(b))
	}
	rows, err := w.extents()
	d.rowsErr = err
	for k := range rows {
		d.extents = append(d.extents, w.extent(k))
	}
	return d
}

// check returns the entries that are fit to be looked into, and what is wrong.
func (d *dirCopy) check() (objects []entry, errs []error) {
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf(format+": %w", append(args, ErrCorrupt)...))
	}
	names := map[string]uint32{}
	var used []extent
	for i := range d.entries {
		e := &d.entries[i]
		if e.state == entFree {
			continue
		}
		if err := d.w.valid(e); err != nil {
			errs = append(errs, err)
			continue
		}
		if e.gen > d.gen {
			bad("entry %d: generation %d, the last one given is %d", i, e.gen, d.gen)
		}
		used = append(used, extent{e.off, e.size})
		if e.state == entLive {
			if j, ok := names[e.text()]; ok {
				bad("entries %d and %d: both are %q", j, i, e.text())
			}
			names[e.text()] = e.i
		}
		if e.state != entVoid {
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
func (d *dirCopy) checkChains(live uint32, bad func(string, ...any)) {
	seen := make([]bool, len(d.entries))
	follow := func(what string, head uint32, next func(*entry) uint32, fits func(*entry) bool) {
		for n := head; n != 0 && n != freeEnd; {
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
				bad("%s: entry %d, state %d, does not belong there", what, n-1, e.state)
			}
			n = next(e)
		}
	}
	link := func(e *entry) uint32 { return e.next }
	for b, head := range d.buckets {
		follow(fmt.Sprintf("bucket %d", b), head, link, func(e *entry) bool {
			return e.state == entLive && e.hash&(d.w.g.buckets-1) == uint64(b)
		})
	}
	follow("removed objects", d.removed, link, func(e *entry) bool { return e.state == entRemoved })
	follow("free entries", d.free, func(e *entry) uint32 {
		if e.next == 0 && e.i+1 < d.w.g.objects {
			return e.i + 2
		}
		return e.next
	}, func(e *entry) bool { return e.state == entFree })
	for i, s := range seen {
		if !s {
			bad("entry %d, state %d, is in no chain", i, d.entries[i].state)
		}
	}
	if live != d.live {
		bad("%d live objects, counted as %d", live, d.live)
	}
}

// checkHeap sees that objects and free runs tile the heap.
func (d *dirCopy) checkHeap(used []extent, bad func(string, ...any)) {
	all := append(used, d.extents...)
	sortExtents(all)
	at := d.w.g.heapOff
	for _, x := range all {
		if x.off != at {
			bad("heap: %d bytes at %d follow what ends at %d", x.size, x.off, at)
		}
		at = x.end()
	}
	if end := d.w.g.heapOff + d.w.g.heapSize(); at != end {
		bad("heap: it ends at %d, want %d", at, end)
	}
	for k := 1; k < len(d.extents); k++ {
		if d.extents[k-1].end() >= d.extents[k].off {
			bad("free run %d: at %d, after one that ends at %d", k, d.extents[k].off, d.extents[k-1].end())
		}
	}
}
