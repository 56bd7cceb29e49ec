package shm

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

func (w *words) repair() error {
	used, gen, err := w.survey()
	if err != nil {
		return fmt.Errorf("repair of the directory: %w", err)
	}
	w.beginChange()
	mem.Store64(w.dir64(dirGen), gen)
	w.rebuildChains()
	w.rebuildExtents(used)
	w.endChange()
	return nil
}

// repair also gives back the memory that the dead one had taken for an object
// that was never made, or was about to give back.
func (a *attachment) repair() error {
	if err := a.words.repair(); err != nil {
		return err
	}
	rows, err := a.extents()
	if err != nil {
		return err
	}
	for k := range rows {
		x := a.extent(k)
		if err := a.checkExtent(k, x, 0); err != nil {
			return err
		}
		a.giveBack(x, x)
	}
	return nil
}

// survey validates all entries. It returns the extents of the objects by
// address, and the highest generation that was given to one.
func (w *words) survey() (used []extent, gen uint64, err error) {
	names := map[string]uint32{}
	for i := range w.g.objects {
		e := w.read(i)
		if e.state == entFree {
			if e.gen <= maxGen { // else it was not written by create
				gen = max(gen, e.gen)
			}
			continue
		}
		if err := w.valid(&e); err != nil {
			return nil, 0, err
		}
		gen = max(gen, e.gen)
		used = append(used, extent{e.off, e.size})
		if e.state != entLive {
			continue
		}
		if j, ok := names[e.text()]; ok {
			return nil, 0, fmt.Errorf("entries %d and %d: both are %q: %w", j, i, e.text(), ErrCorrupt)
		}
		names[e.text()] = i
	}
	sortExtents(used)
	for k := 1; k < len(used); k++ {
		if x, y := used[k-1], used[k]; x.end() > y.off {
			return nil, 0, fmt.Errorf("%d bytes at %d and %d bytes at %d overlap: %w", x.size, x.off, y.size, y.off, ErrCorrupt)
		}
	}
	return used, gen, nil
}

func (w *words) rebuildChains() {
	for b := range w.g.buckets {
		if at := w.bucket(b); mem.Load32(at) != 0 {
			mem.Store32(at, 0)
		}
	}
	var live uint32
	free, removed := freeEnd, uint32(0)
	for i := w.g.objects; i > 0; { // from behind: the chain of free ones then begins in front
		i--
		next := w.ent32(i, entNext)
		switch w.state(i) {
		case entFree:
			mem.Store32(next, free)
			free = i + 1
		case entLive:
			live++
			at := w.bucket(mem.Load64(w.ent64(i, entHash)))
			mem.Store32(next, mem.Load32(at))
			mem.Store32(at, i+1)
		default:
			mem.Store32(w.ent32(i, entState), entRemoved)
			mem.Store32(next, removed)
			removed = i + 1
		}
	}
	mem.Store32(w.dir32(dirFree), free)
	mem.Store32(w.dir32(dirRemoved), removed)
	mem.Store32(w.dir32(dirLive), live)
}

// rebuildExtents lists what lies between the extents in use.
func (w *words) rebuildExtents(used []extent) {
	rows := uint32(0)
	at := w.g.heapOff
	gap := func(end uint64) {
		if at < end {
			w.setExtent(rows, extent{at, end - at})
			rows++
		}
	}
	for _, x := range used {
		gap(x.off)
		at = x.end()
	}
	gap(w.g.heapOff + w.g.heapSize())
	mem.Store32(w.dir32(dirExtents), rows)
}

func sortExtents(xs []extent) {
	slices.SortFunc(xs, func(x, y extent) int { return cmp.Compare(x.off, y.off) })
}
