package shm

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

func (w *words) setOpener(p, i uint32) {
	at, bit := w.g.opener(p, i)
	mem.Or64(w.W64(at), bit)
}

func (w *words) clearOpener(p, i uint32) {
	at, bit := w.g.opener(p, i)
	mem.And64(w.W64(at), ^bit)
}

func (w *words) isOpener(p, i uint32) bool {
	at, bit := w.g.opener(p, i)
	return mem.Load64(w.W64(at))&bit != 0
}

// opened reports whether anybody has the entry's object open.
func (w *words) opened(i uint32) bool {
	for p := range w.g.participants {
		if w.isOpener(p, i) {
			return true
		}
	}
	return false
}

// openers returns the participants that have the entry's object open.
func (w *words) openers(i uint32) (ps []uint32) {
	for p := range w.g.participants {
		if w.isOpener(p, i) {
			ps = append(ps, p)
		}
	}
	return ps
}

// removedOpenIn returns the participants that have removed objects open.
func (w *words) removedOpenIn() (ps []uint32) {
	in := map[uint32]bool{}
	w.eachRemoved(func(k, removed uint64) {
		for p := range w.g.participants {
			if at, _ := w.g.opener(p, uint32(k*64)); mem.Load64(w.W64(at))&removed != 0 && !in[p] {
				in[p] = true
				ps = append(ps, p)
			}
		}
	})
	return ps
}

// eachRemoved calls f with the bits of removed entries, for each 64 entries that
// have some.
func (w *words) eachRemoved(f func(k, removed uint64)) {
	if mem.Load32(w.dir32(dirRemoved)) == 0 {
		return
	}
	for k := range w.g.bitWords {
		var removed uint64
		for b := range min(64, uint64(w.g.objects)-k*64) {
			if st := w.state(uint32(k*64 + b)); st == entRemoved || st == entVoid {
				removed |= 1 << b
			}
		}
		if removed != 0 {
			f(k, removed)
		}
	}
}

// eachOpen calls f for every object that participant p may have open, live or
// removed, with the memory of its words, in bounds whatever the region says. It
// goes on after an error and returns all of them. The caller is p's recoverer,
// or p itself on its way out, so the bits stay until clearOpeners, and as long
// as they do, so does the memory.
//
// No second look at an entry is needed, and one that compared its state would be
// wrong, since a live object may be removed while this is at it. Who collects
// sees the bit, so under it nothing that is Live or Removed becomes Free: the
// object that is found here stays, and the copy is all of it. What was beyond
// Removed when the bit was set, for nothing, is Void or Free here, or another
// object that is found and has nothing of p's.
func (w *words) eachOpen(p uint32, f func(i uint32, kind engine.Kind, area mem.Area) error) error {
	var errs []error
	for k := range w.g.bitWords {
		at, _ := w.g.opener(p, uint32(k*64))
		for row := mem.Load64(w.W64(at)); row != 0; row &= row - 1 {
			i := uint32(k*64) + uint32(bits.TrailingZeros64(row))
			if i >= w.g.objects {
				continue
			}
			e := w.read(i)
			if e.state == entFree || e.state == entVoid {
				continue // the bit was set for nothing
			}
			if err := w.valid(&e); err != nil {
				errs = append(errs, err)
				continue
			}
			if err := f(i, e.kind, w.area(&e)); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// clearOpeners closes all objects in the name of participant p, whose recovery
// is complete.
func (w *words) clearOpeners(p uint32) {
	for k := range w.g.bitWords {
		at, _ := w.g.opener(p, uint32(k*64))
		if row := w.W64(at); mem.Load64(row) != 0 {
			mem.Store64(row, 0)
		}
	}
}

// openCount is how many objects participant p has open.
func (w *words) openCount(p uint32) (n int) {
	for k := range w.g.bitWords {
		at, _ := w.g.opener(p, uint32(k*64))
		n += bits.OnesCount64(mem.Load64(w.W64(at)))
	}
	return n
}
