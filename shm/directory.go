package shm

import (
	"encoding/binary"
	"fmt"
	"runtime"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

// The directory: which objects there are, under which names, and where.
//
//	header line  {seq, free, removed, live, extents, gen}, layout.go
//	entries      one an object; the truth
//	buckets      hash table of the live ones, chained through entNext
//	extents      what is free of the heap (heap.go)
//
// Everything but the entries is derived: from any bytes there, repair.go makes
// it anew. An entry's state says which of its fields mean anything:
//
//	Free     nothing, but for entNext
//	Live     all; its bucket's chain has it
//	Removed  all; no chain has its name, the chain of removed ones has it
//	Void     as Removed: somebody is about to give its memory back
//
//	Free → Live        create, by the last store of the making
//	Live → Removed     remove, by its first store
//	Removed → Void     collect, when it saw no opener bit
//	Void → Free        collect, when it saw none again
//	Void → Removed     collect, when it did see one; repair
//
// Changes are made by who holds the directory's lock, an engine mutex, and are
// bracketed by two increments of seq (dirlock.go). A lookup takes no lock: it
// reads seq, even, walks a bounded number of steps, and reads seq again; if it
// is the same, all that it saw was there at one instant. All words are stored
// and loaded one by one, in order, which the bracket needs on arm64.
//
// Openers: a process sets its bit for an entry (openers.go) before it touches
// the object's memory, and then looks at the entry again; who takes memory
// back makes the entry Removed and then looks at the bits. Of the two looks
// one comes second, so memory that somebody may touch is not taken back. A
// process sets a bit for nothing when its first look was too old; it clears it
// when it notices, its death's recovery does if it dies before.
//
// Void is for the recovery of the dead, which acts on the word of a bit alone:
// it sees the bit, then Removed, and goes to work. If the bit was there for
// nothing, set after collect's first look, collect's second look sees it.
//
// Death: at every instant the entries are true, so whoever finds the lock
// abandoned rebuilds the rest. An object whose making was not finished has a
// Free entry; its memory, if it had any already, is in no entry and so is free.

// maxGen is out of reach: 200 years of a billion objects a second.
const maxGen = 1 << 62

// An entry is a private copy of a directory entry's words.
type entry struct {
	i       uint32
	state   uint32
	kind    engine.Kind
	gen     uint64
	hash    uint64
	off     uint64
	size    uint64
	words   uint64
	fields  uint32
	next    uint32
	since   int64
	nameLen uint32
	name    [entNameMax]byte
}

func (e *entry) text() string { return string(e.name[:min(e.nameLen, entNameMax)]) }

// initDirectory makes an empty directory in zeroed memory.
func (w *words) initDirectory() {
	engine.InitMutex(w.Sub(hdrDirLock, engine.MutexSize))
	mem.Store32(w.dir32(dirFree), 1) // all, see nextFree
	w.setExtent(0, extent{w.g.heapOff, w.g.heapSize()})
	mem.Store32(w.dir32(dirExtents), 1)
	mem.Store64(w.dir64(dirSeq), 2)
}

func (w *words) dir32(f uint64) *uint32 { return w.W32(hdrDir + f) }
func (w *words) dir64(f uint64) *uint64 { return w.W64(hdrDir + f) }

func (w *words) ent32(i uint32, f uint64) *uint32 { return w.W32(w.g.entry(i) + f) }
func (w *words) ent64(i uint32, f uint64) *uint64 { return w.W64(w.g.entry(i) + f) }

func (w *words) state(i uint32) uint32 { return mem.Load32(w.ent32(i, entState)) }

func (w *words) bucket(hash uint64) *uint32 {
	return w.W32(w.g.bucketsOff + (hash&(w.g.buckets-1))*4)
}

// The chain of free entries ends with freeEnd. A link of 0 leads to the entry
// that follows in the table, so that zeroed entries are a chain already.
const freeEnd = ^uint32(0)

func (w *words) nextFree(i uint32) uint32 {
	n := mem.Load32(w.ent32(i, entNext))
	if n == 0 {
		if n = i + 2; n > w.g.objects {
			n = freeEnd
		}
	}
	return n
}

// hashName is 64-bit FNV-1a.
func hashName(name string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return h
}

// read copies entry i out, word by word. The copy is of one instant if the
// caller's check of seq, or of the state and the generation, says so.
func (w *words) read(i uint32) (e entry) {
	e.i = i
	e.state = mem.Load32(w.ent32(i, entState))
	e.kind = engine.Kind(mem.Load32(w.ent32(i, entKind)))
	e.gen = mem.Load64(w.ent64(i, entGen))
	e.hash = mem.Load64(w.ent64(i, entHash))
	e.off = mem.Load64(w.ent64(i, entOff))
	e.size = mem.Load64(w.ent64(i, entSize))
	e.words = mem.Load64(w.ent64(i, entWords))
	e.fields = mem.Load32(w.ent32(i, entFields))
	e.next = mem.Load32(w.ent32(i, entNext))
	e.since = int64(mem.Load64(w.ent64(i, entSince)))
	e.nameLen = mem.Load32(w.ent32(i, entNameLen))
	for k := uint64(0); k < min(uint64(e.nameLen), entNameMax); k += 8 {
		binary.LittleEndian.PutUint64(e.name[k:], mem.Load64(w.ent64(i, entName+k)))
	}
	return e
}

// write fills a free entry; its state stays Free.
func (w *words) write(e *entry) {
	i := e.i
	mem.Store32(w.ent32(i, entKind), uint32(e.kind))
	mem.Store64(w.ent64(i, entGen), e.gen)
	mem.Store64(w.ent64(i, entHash), e.hash)
	mem.Store64(w.ent64(i, entOff), e.off)
	mem.Store64(w.ent64(i, entSize), e.size)
	mem.Store64(w.ent64(i, entWords), e.words)
	mem.Store32(w.ent32(i, entFields), e.fields)
	mem.Store64(w.ent64(i, entSince), uint64(e.since))
	mem.Store32(w.ent32(i, entNameLen), e.nameLen)
	for k := uint64(0); k < entNameMax; k += 8 {
		mem.Store64(w.ent64(i, entName+k), binary.LittleEndian.Uint64(e.name[k:]))
	}
}

// valid says what is impossible in a copy of an entry that is not free.
func (w *words) valid(e *entry) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("entry %d: %s: %w", e.i, fmt.Sprintf(format, args...), ErrCorrupt)
	}
	switch {
	case e.state != entLive && e.state != entRemoved && e.state != entVoid:
		return bad("state %d", e.state)
	case e.nameLen > entNameMax || checkObjectName(e.text()) != nil:
		return bad("name of %d bytes: %q", e.nameLen, e.text())
	case e.hash != hashName(e.text()):
		return bad("hash %#x of %q, want %#x", e.hash, e.text(), hashName(e.text()))
	case e.kind == 0:
		return bad("kind 0")
	case e.size == 0 || e.size%heapUnit != 0 || e.off%heapUnit != 0 || e.off < w.g.heapOff || !w.g.has(e.off, e.size):
		return bad("%d bytes at %d, of a heap from %d to %d", e.size, e.off, w.g.heapOff, w.g.size)
	case e.words > e.size || uint64(e.fields) > e.size-e.words:
		return bad("%d+%d bytes in %d", e.words, e.fields, e.size)
	case e.gen == 0 || e.gen > maxGen:
		return bad("generation %d", e.gen)
	}
	return nil
}

// area is the memory of the engine's words of a valid entry.
func (w *words) area(e *entry) mem.Area { return w.Sub(e.off, e.words) }

// is reports whether the entry is still what e says: the same object, in the
// same state. The state is loaded first: a live object's generation was stored
// before its state and does not return, so with the old generation after it
// the state was the old object's. (The other way round, the entry could have
// been freed before the first load, and made anew before the second.)
func (w *words) is(e *entry) bool {
	return w.state(e.i) == e.state && mem.Load64(w.ent64(e.i, entGen)) == e.gen
}

// named reports whether entry i has the name, without a copy.
func (w *words) named(i uint32, hash uint64, name string) bool {
	if mem.Load64(w.ent64(i, entHash)) != hash || mem.Load32(w.ent32(i, entNameLen)) != uint32(len(name)) {
		return false
	}
	for k := 0; k < len(name); k += 8 {
		var b [8]byte
		copy(b[:], name[k:])
		if mem.Load64(w.ent64(i, entName+uint64(k))) != binary.LittleEndian.Uint64(b[:]) {
			return false
		}
	}
	return true
}

// A walk that is longer than walkLook steps looks at seq from time to time.
const walkLook = 64

// walk finds the live entry called name in its bucket's chain. The caller
// knows that nothing changes (seq 0), or names the seq that must stay; a walk
// that has lost it ends somewhere.
func (w *words) walk(hash uint64, name string, seq uint64) (i uint32, ok bool, err error) {
	n := mem.Load32(w.bucket(hash))
	for steps := uint32(0); n != 0; steps++ {
		if n > w.g.objects || steps >= w.g.objects {
			return 0, false, fmt.Errorf("chain of %q: link to %d of %d after %d steps: %w", name, n, w.g.objects, steps, ErrCorrupt)
		}
		if w.named(n-1, hash, name) {
			return n - 1, true, nil
		}
		if steps%walkLook == walkLook-1 && seq != 0 && mem.Load64(w.dir64(dirSeq)) != seq {
			return 0, false, nil
		}
		n = mem.Load32(w.ent32(n-1, entNext))
	}
	return 0, false, nil
}

// Looks without the lock before the lock is taken: a change takes some
// microseconds.
const lookupTries = 100

// lookup finds a live object without the lock, and copies its entry. stable is
// false if the directory would not stay still: one who changes it is slow, or
// dead.
func (w *words) lookup(hash uint64, name string) (e entry, ok, stable bool, err error) {
	for try := range lookupTries {
		seq := mem.Load64(w.dir64(dirSeq))
		if seq&1 == 0 {
			var i uint32
			if i, ok, err = w.walk(hash, name, seq); ok {
				e = w.read(i)
			}
			if mem.Load64(w.dir64(dirSeq)) == seq {
				if ok && err == nil {
					err = w.valid(&e)
				}
				if ok && err == nil && e.state != entLive {
					err = fmt.Errorf("entry %d: state %d in a chain of live ones: %w", i, e.state, ErrCorrupt)
				}
				return e, ok, true, err
			}
		}
		if try%8 == 7 {
			runtime.Gosched()
		} else {
			mem.RelaxMicro()
		}
	}
	return entry{}, false, false, nil
}

// find is lookup for who holds the lock.
func (w *words) find(hash uint64, name string) (e entry, ok bool, err error) {
	i, ok, err := w.walk(hash, name, 0)
	if !ok || err != nil {
		return e, false, err
	}
	e = w.read(i)
	if err = w.valid(&e); err == nil && e.state != entLive {
		err = fmt.Errorf("entry %d: state %d in a chain of live ones: %w", i, e.state, ErrCorrupt)
	}
	return e, err == nil, err
}
