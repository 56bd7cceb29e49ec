package shm

import (
	"sync/atomic"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/region"
)

// The shelf. Connections come and go quickly, each with half a megabyte: to take that from
// the file system, have it zeroed, and give it back takes many times as long as all else
// that a connection needs. So the memory of the last few that have ended is kept, and who
// makes one of the same kind and size takes it as it is, with the pages that both ends have
// mapped already; it zeroes the words and no more.
//
//	shelve V1 own bit is cleared; another's is set: that one sees to it
//	       V2 CAS a free place of the shelf to {generation, entry}; none is free: the
//	          memory goes back as that of all removed objects does
//	       V3 see to the shelf
//	again  G1 take a word down, CAS to 0: the entry is Removed, of that generation, what is
//	          wanted, and nobody has it open  G2 Void  G3 an opener bit: Removed again, and
//	          on with G1
//	       G4 Free  G5 words  G6 entry, a new generation, own opener bit  G7 Removed
//	see    T1 after a while: CAS to 0 what is there as it was then  T2 reclaim
//	       T3 until nothing is there
//
// again is collect and making in one, without the heap and the chains: extent and entry
// stay where they are, in the chain of removed ones. It holds the directory's lock. As
// there, of an opener's bit and the second look at the bits (G3) one comes second, and the
// recovery of the dead finds an entry Void or Free, or a whole new object in which the dead
// one has nothing.
//
// A word of the shelf is a hint: G1 looks at the entry, under the lock. Two may name the
// same object, if both ends saw that the other had gone (V1): the first to be taken down
// makes the other stale. Collect, and who looks whether there is something to collect,
// leave alone what is on the shelf; where there is no room nothing stays on it
// (ClearShelf). A snapshot counts it as free.
//
// # In the end it goes back
//
// Whoever puts something there sees to it, and reclaim does whenever it runs: also after
// the recovery of a dead one, which may have put something there, and died. One that leaves
// the region and has ever put something there clears the shelf before it reclaims: of a V3
// that comes after the Close nothing comes. So after two turns
// without a connection nothing is kept; a death between V1 and V2 leaves to recovery what
// every death between the last bit and its reclaim does. Between G1 and G7 a death leaves an
// entry that repair makes Removed, or that is Free, and its memory in no entry.
//
// # What lies in it
//
// The bytes that the last two processes exchanged lie in the memory still, as they do in
// all that is free until it is made an object of, and whoever has the region mapped can read
// them, as it could when they were written. Its peers are no others: W = R = 0 hides from
// Read what lies there.
type shelf struct {
	used   atomic.Bool  // this process has put something there
	seenTo atomic.Bool  // a turn is going to come
	before region.Shelf // as it was in the last turn; the turn's own
	faster int          // of tests: so many times as fast, if not 0
}

// shelfTurn is how long something is kept, at least, that nobody takes.
const shelfTurn = time.Second

func (s *shelf) turn() time.Duration { return shelfTurn / time.Duration(max(s.faster, 1)) }

// shelve sees to entry i, whose bit this process has just cleared.
func (a *attachment) shelve(i uint32, gen uint64) {
	if a.Opened(i) { // V1
		return
	}
	a.shelf.used.Store(true)
	word := region.ShelfWord(i, gen)
	for k := range region.ShelfPlaces {
		if at := a.ShelfPlace(k); mem.Load64(at) == 0 && mem.CAS64(at, 0, word) { // V2
			a.seeToShelf()
			return
		}
	}
	a.reclaimSoon()
}

// again makes an object of what is on the shelf: nil if nothing there will do. The lock, and
// uses.mu, are held.
func (a *attachment) again(s *object.Spec, p *plan) (*object.Core, error) {
	for k := range region.ShelfPlaces {
		at := a.ShelfPlace(k)
		word := mem.Load64(at)
		n := region.ShelfEntry(word)
		if n == 0 || n > a.Geo.Objects {
			continue
		}
		e := a.Entry(n - 1)
		is := e.State == region.EntRemoved && region.ShelfWord(e.I, e.Gen) == word && a.Valid(&e) == nil
		if is && (a.Opened(e.I) || e.Kind != s.Kind || e.Size != p.size || e.Words != p.words || e.Fields != uint32(len(p.text))) {
			continue
		}
		if !mem.CAS64(at, word, 0) || !is { // G1
			continue
		}
		if core, err := a.anew(s, p, &e); core != nil || err != nil {
			return core, err
		}
	}
	return nil, nil
}

// anew makes the object in place of the removed one; nil if somebody has that open.
func (a *attachment) anew(s *object.Spec, p *plan, old *region.Entry) (*object.Core, error) {
	e, err := a.entryFor(s, region.HashName(s.Name), p, old.I, region.Extent{Off: old.Off, Size: old.Size})
	if err != nil {
		return nil, err
	}
	state := a.Ent32(e.I, region.EntState)
	a.BeginChange()
	mem.Store32(state, region.EntVoid) // G2
	if a.Opened(e.I) {                 // G3
		mem.Store32(state, region.EntRemoved)
		a.EndChange()
		return nil, nil
	}
	mem.Store32(state, region.EntFree) // G4
	zero := p.zeroed
	if zero == 0 {
		zero = e.Size
	}
	mem.Zero(a.Ptr(e.Off, zero), uintptr(zero)) // G5
	a.write(p, e.Off)
	mem.Store64(a.Dir64(region.DirGen), e.Gen)
	a.PutEntry(&e) // G6
	a.SetOpener(a.self.Index, e.I)
	mem.Store32(state, region.EntRemoved) // G7
	a.EndChange()
	e.State = region.EntRemoved
	return a.unnamed(s, &e, p.fields), nil
}

// seeToShelf has a turn come, if there is something on the shelf. It does not block.
func (a *attachment) seeToShelf() {
	if a.fd == nil || a.shelf.seenTo.Load() {
		return
	}
	if s := a.Shelf(); !s.Empty() && !a.shelf.seenTo.Swap(true) {
		time.AfterFunc(a.shelf.turn(), a.airShelf)
	}
}

// airShelf is a turn.
func (a *attachment) airShelf() {
	if a.gate.Closed() {
		return
	}
	now := a.Shelf()
	cleared := false
	for k, word := range now {
		if word != 0 && word == a.shelf.before[k] && mem.CAS64(a.ShelfPlace(k), word, 0) { // T1
			now[k], cleared = 0, true
		}
	}
	if a.shelf.before = now; now.Empty() {
		a.shelf.seenTo.Store(false)
		a.seeToShelf() // what came after the look
	} else {
		time.AfterFunc(a.shelf.turn(), a.airShelf) // T3
	}
	if cleared {
		a.reclaimSoon() // T2
	}
}
