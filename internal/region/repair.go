package region

import (
	"cmp"
	"fmt"
	"slices"

	"example.com/tandem/internal/mem"
)

// Repair: all that is derived is made anew from the entries. The caller holds
// the directory's lock. It first looks at all entries, on private copies, and
// if one is impossible it changes nothing: ErrCorrupt. It then writes derived
// words only, but for Void, which becomes Removed again; so a death in it
// leaves what there was to repair before, and the lock abandoned.

// Repair makes the directory whole again, or says with ErrCorrupt what is impossible
// in it.
func (w *Memory) Repair() error {
	used, gen, err := w.survey()
	if err != nil {
		return fmt.Errorf("repair of the directory: %w", err)
	}
	w.BeginChange()
	mem.Store64(w.Dir64(DirGen), gen)
	w.rebuildChains()
	w.rebuildExtents(used)
	w.EndChange()
	return nil
}

// survey validates all entries. It returns the extents of the objects by
// address, and the highest generation that was given to one.
func (w *Memory) survey() (used []Extent, gen uint64, err error) {
	names := map[string]uint32{}
	for i := range w.Geo.Objects {
		e := w.Entry(i)
		if e.State == EntFree {
			if e.Gen <= MaxGen { // else it was not written by create
				gen = max(gen, e.Gen)
			}
			continue
		}
		if err := w.Valid(&e); err != nil {
			return nil, 0, err
		}
		gen = max(gen, e.Gen)
		used = append(used, Extent{e.Off, e.Size})
		if e.State != EntLive {
			continue
		}
		if j, ok := names[e.Text()]; ok {
			return nil, 0, fmt.Errorf("entries %d and %d: both are %q: %w", j, i, e.Text(), ErrCorrupt)
		}
		names[e.Text()] = i
	}
	sortExtents(used)
	for k := 1; k < len(used); k++ {
		if x, y := used[k-1], used[k]; x.End() > y.Off {
			return nil, 0, fmt.Errorf("%d bytes at %d and %d bytes at %d overlap: %w", x.Size, x.Off, y.Size, y.Off, ErrCorrupt)
		}
	}
	return used, gen, nil
}

func (w *Memory) rebuildChains() {
	for b := range w.Geo.Buckets {
		if at := w.Bucket(b); mem.Load32(at) != 0 {
			mem.Store32(at, 0)
		}
	}
	var live uint32
	free, removed := FreeEnd, uint32(0)
	for i := w.Geo.Objects; i > 0; { // from behind: the chain of free ones then begins in front
		i--
		next := w.Ent32(i, EntNext)
		switch w.EntryState(i) {
		case EntFree:
			mem.Store32(next, free)
			free = i + 1
		case EntLive:
			live++
			at := w.Bucket(mem.Load64(w.Ent64(i, EntHash)))
			mem.Store32(next, mem.Load32(at))
			mem.Store32(at, i+1)
		default:
			mem.Store32(w.Ent32(i, EntState), EntRemoved)
			mem.Store32(next, removed)
			removed = i + 1
		}
	}
	mem.Store32(w.Dir32(DirFree), free)
	mem.Store32(w.Dir32(DirRemoved), removed)
	mem.Store32(w.Dir32(DirLive), live)
}

// rebuildExtents lists what lies between the extents in use.
func (w *Memory) rebuildExtents(used []Extent) {
	rows := uint32(0)
	at := w.Geo.HeapOff
	gap := func(end uint64) {
		if at < end {
			w.setExtent(rows, Extent{at, end - at})
			rows++
		}
	}
	for _, x := range used {
		gap(x.Off)
		at = x.End()
	}
	gap(w.Geo.HeapOff + w.Geo.HeapSize())
	mem.Store32(w.Dir32(dirExtents), rows)
}

func sortExtents(xs []Extent) {
	slices.SortFunc(xs, func(x, y Extent) int { return cmp.Compare(x.Off, y.Off) })
}
