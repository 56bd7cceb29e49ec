package region

import (
	"errors"
	"math/bits"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

// Openers: a row of bits per participant, a bit per entry. A bit set says that
// the participant may touch that object's memory, or may have left something
// in it: recovery visits these objects, and their memory is not given back.
//
// A row is written by its participant, and by the recovery of it once it is
// dead or has let go. Bits change by Or and And, fenced: see directory.go.

// SetOpener, ClearOpener and IsOpener set, clear and read the bit of participant p
// for entry i.
func (w *Memory) SetOpener(p, i uint32) {
	at, bit := w.Geo.opener(p, i)
	mem.Or64(w.W64(at), bit)
}

func (w *Memory) ClearOpener(p, i uint32) {
	at, bit := w.Geo.opener(p, i)
	mem.And64(w.W64(at), ^bit)
}

func (w *Memory) IsOpener(p, i uint32) bool {
	at, bit := w.Geo.opener(p, i)
	return mem.Load64(w.W64(at))&bit != 0
}

// Opened reports whether anybody has the entry's object open.
func (w *Memory) Opened(i uint32) bool {
	for p := range w.Geo.Participants {
		if w.IsOpener(p, i) {
			return true
		}
	}
	return false
}

// Openers returns the participants that have the entry's object open.
func (w *Memory) Openers(i uint32) (ps []uint32) {
	for p := range w.Geo.Participants {
		if w.IsOpener(p, i) {
			ps = append(ps, p)
		}
	}
	return ps
}

// RemovedOpenIn returns the participants that have removed objects open.
func (w *Memory) RemovedOpenIn() (ps []uint32) {
	in := map[uint32]bool{}
	w.EachRemoved(func(k, removed uint64) {
		for p := range w.Geo.Participants {
			if at, _ := w.Geo.opener(p, uint32(k*64)); mem.Load64(w.W64(at))&removed != 0 && !in[p] {
				in[p] = true
				ps = append(ps, p)
			}
		}
	})
	return ps
}

// EachRemoved calls f with the bits of removed entries, for each 64 entries that
// have some.
func (w *Memory) EachRemoved(f func(k, removed uint64)) {
	if mem.Load32(w.Dir32(DirRemoved)) == 0 {
		return
	}
	for k := range w.Geo.bitWords {
		var removed uint64
		for b := range min(64, uint64(w.Geo.Objects)-k*64) {
			if st := w.EntryState(uint32(k*64 + b)); st == EntRemoved || st == EntVoid {
				removed |= 1 << b
			}
		}
		if removed != 0 {
			f(k, removed)
		}
	}
}

// EachOpen calls f for every object that participant p may have open, live or
// removed, with the memory of its words, in bounds whatever the region says. It
// goes on after an error and returns all of them. The caller is p's recoverer,
// or p itself on its way out, so the bits stay until clearOpeners, and as long
// as they do, so does the memory.
//
// No second look at an entry is needed, and one that compared its state would be
// wrong, since a live object may be removed while this is at it. A process that
// collects sees the bit, so under it nothing that is Live or Removed becomes
// Free: the object that is found here stays, and the copy is all of it. What
// was beyond Removed when the bit was set, for nothing, is Void or Free here,
// or another object that is found and has nothing of p's.
func (w *Memory) EachOpen(p uint32, f func(i uint32, kind engine.Kind, area mem.Area) error) error {
	var errs []error
	for k := range w.Geo.bitWords {
		at, _ := w.Geo.opener(p, uint32(k*64))
		for row := mem.Load64(w.W64(at)); row != 0; row &= row - 1 {
			i := uint32(k*64) + uint32(bits.TrailingZeros64(row))
			if i >= w.Geo.Objects {
				continue
			}
			e := w.Entry(i)
			if e.State == EntFree || e.State == EntVoid {
				continue // the bit was set for nothing
			}
			if err := w.Valid(&e); err != nil {
				errs = append(errs, err)
				continue
			}
			if err := f(i, e.Kind, w.Words(&e)); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// ClearOpeners closes all objects in the name of participant p, whose recovery
// is complete.
func (w *Memory) ClearOpeners(p uint32) {
	for k := range w.Geo.bitWords {
		at, _ := w.Geo.opener(p, uint32(k*64))
		if row := w.W64(at); mem.Load64(row) != 0 {
			mem.Store64(row, 0)
		}
	}
}

// OpenCount is how many objects participant p has open.
func (w *Memory) OpenCount(p uint32) (n int) {
	for k := range w.Geo.bitWords {
		at, _ := w.Geo.opener(p, uint32(k*64))
		n += bits.OnesCount64(mem.Load64(w.W64(at)))
	}
	return n
}
