package region

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
//	Free → Removed     create, of what has no name (shm/object_unnamed.go)
//	Live → Removed     remove, by its first store
//	Removed → Void     collect, when it saw no opener bit
//	Void → Free        collect, when it saw none again; what is used again in place goes
//	                   on from there at once (shm/object_shelf.go)
//	Void → Removed     collect, when it did see one; repair
//
// Changes are made by the holder of the directory's lock, an engine mutex, and
// are bracketed by two increments of seq (BeginChange, EndChange). A lookup
// takes no lock: it reads seq, even, walks a bounded number of steps, and reads
// seq again; if it is the same, all that it saw was there at one instant. All
// words are stored and loaded one by one, in order, which the bracket needs on
// arm64.
//
// Openers: a process sets its bit for an entry (openers.go) before it touches
// the object's memory, and then looks at the entry again; a process that takes
// memory back makes the entry Removed and then looks at the bits. Of the two
// looks one comes second, so memory that somebody may touch is not taken back.
// A process sets a bit for nothing when its first look was too old; it clears
// it when it notices, its death's recovery does if it dies before.
//
// Void is for the recovery of the dead, which acts on the word of a bit alone:
// it sees the bit, then Removed, and goes to work. If the bit was there for
// nothing, set after collect's first look, collect's second look sees it.
//
// Death: at every instant the entries are true, so a process that finds the
// lock abandoned rebuilds the rest. An object whose making was not finished has
// a Free entry; its memory, if it had any already, is in no entry and so is
// free.

// MaxGen is out of reach: 200 years of a billion objects a second.
const MaxGen = 1 << 62

// An Entry is a private copy of a directory entry's words.
type Entry struct {
	I       uint32
	State   uint32
	Kind    engine.Kind
	Gen     uint64
	Hash    uint64
	Off     uint64
	Size    uint64
	Words   uint64
	Fields  uint32
	next    uint32
	Since   int64
	NameLen uint32
	Name    [EntNameMax]byte
}

// Text is the name.
func (e *Entry) Text() string { return string(e.Name[:min(e.NameLen, EntNameMax)]) }

// InitDirectory makes an empty directory in zeroed memory.
func (w *Memory) InitDirectory() {
	engine.InitMutex(w.Sub(HdrDirLock, engine.MutexSize))
	mem.Store32(w.Dir32(DirFree), 1) // all, see nextFree
	w.setExtent(0, Extent{w.Geo.HeapOff, w.Geo.HeapSize()})
	mem.Store32(w.Dir32(dirExtents), 1)
	mem.Store64(w.Dir64(DirSeq), 2)
}

// Dir32 and Dir64 are words of the directory's line, by their offsets (Dir…).
func (w *Memory) Dir32(f uint64) *uint32 { return w.W32(HdrDir + f) }
func (w *Memory) Dir64(f uint64) *uint64 { return w.W64(HdrDir + f) }

// Ent32 and Ent64 are words of entry i (Ent…).
func (w *Memory) Ent32(i uint32, f uint64) *uint32 { return w.W32(w.Geo.EntryAt(i) + f) }
func (w *Memory) Ent64(i uint32, f uint64) *uint64 { return w.W64(w.Geo.EntryAt(i) + f) }

// EntryState is one of EntFree to EntVoid, or what is none.
func (w *Memory) EntryState(i uint32) uint32 { return mem.Load32(w.Ent32(i, EntState)) }

// Bucket is the word that begins the chain of a name's hash.
func (w *Memory) Bucket(hash uint64) *uint32 {
	return w.W32(w.Geo.BucketsOff + (hash&(w.Geo.Buckets-1))*4)
}

// FreeEnd ends the chain of free entries. A link of 0 leads to the entry
// that follows in the table, so that zeroed entries are a chain already.
const FreeEnd = ^uint32(0)

// NextFree is the entry, +1, that follows free entry i in its chain, or FreeEnd.
func (w *Memory) NextFree(i uint32) uint32 {
	n := mem.Load32(w.Ent32(i, EntNext))
	if n == 0 {
		if n = i + 2; n > w.Geo.Objects {
			n = FreeEnd
		}
	}
	return n
}

// Entry copies entry i out, word by word. The copy is of one instant if the
// caller's check of seq, or of the state and the generation, says so.
func (w *Memory) Entry(i uint32) (e Entry) {
	e.I = i
	e.State = mem.Load32(w.Ent32(i, EntState))
	e.Kind = engine.Kind(mem.Load32(w.Ent32(i, EntKind)))
	e.Gen = mem.Load64(w.Ent64(i, EntGen))
	e.Hash = mem.Load64(w.Ent64(i, EntHash))
	e.Off = mem.Load64(w.Ent64(i, EntOff))
	e.Size = mem.Load64(w.Ent64(i, EntSize))
	e.Words = mem.Load64(w.Ent64(i, EntWords))
	e.Fields = mem.Load32(w.Ent32(i, EntFields))
	e.next = mem.Load32(w.Ent32(i, EntNext))
	e.Since = int64(mem.Load64(w.Ent64(i, entSince)))
	e.NameLen = mem.Load32(w.Ent32(i, EntNameLen))
	for k := uint64(0); k < min(uint64(e.NameLen), EntNameMax); k += 8 {
		binary.LittleEndian.PutUint64(e.Name[k:], mem.Load64(w.Ent64(i, EntName+k)))
	}
	return e
}

// PutEntry fills a free entry; its state stays Free.
func (w *Memory) PutEntry(e *Entry) {
	i := e.I
	mem.Store32(w.Ent32(i, EntKind), uint32(e.Kind))
	mem.Store64(w.Ent64(i, EntGen), e.Gen)
	mem.Store64(w.Ent64(i, EntHash), e.Hash)
	mem.Store64(w.Ent64(i, EntOff), e.Off)
	mem.Store64(w.Ent64(i, EntSize), e.Size)
	mem.Store64(w.Ent64(i, EntWords), e.Words)
	mem.Store32(w.Ent32(i, EntFields), e.Fields)
	mem.Store64(w.Ent64(i, entSince), uint64(e.Since))
	mem.Store32(w.Ent32(i, EntNameLen), e.NameLen)
	for k := uint64(0); k < EntNameMax; k += 8 {
		mem.Store64(w.Ent64(i, EntName+k), binary.LittleEndian.Uint64(e.Name[k:]))
	}
}

// Valid says what is impossible in a copy of an entry that is not free.
func (w *Memory) Valid(e *Entry) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("entry %d: %s: %w", e.I, fmt.Sprintf(format, args...), ErrCorrupt)
	}
	switch {
	case e.State != EntLive && e.State != EntRemoved && e.State != EntVoid:
		return bad("state %d", e.State)
	case e.NameLen > EntNameMax || !ValidName(e.Text()):
		return bad("name of %d bytes: %q", e.NameLen, e.Text())
	case e.Hash != HashName(e.Text()):
		return bad("hash %#x of %q, want %#x", e.Hash, e.Text(), HashName(e.Text()))
	case e.Kind == 0:
		return bad("kind 0")
	case e.Size == 0 || e.Size%HeapUnit != 0 || e.Off%HeapUnit != 0 || e.Off < w.Geo.HeapOff || !w.Geo.has(e.Off, e.Size):
		return bad("%d bytes at %d, of a heap from %d to %d", e.Size, e.Off, w.Geo.HeapOff, w.Geo.Size)
	case e.Words > e.Size || uint64(e.Fields) > e.Size-e.Words:
		return bad("%d+%d bytes in %d", e.Words, e.Fields, e.Size)
	case e.Gen == 0 || e.Gen > MaxGen:
		return bad("generation %d", e.Gen)
	}
	return nil
}

// Words is the memory of the engine's words of a valid entry.
func (w *Memory) Words(e *Entry) mem.Area { return w.Sub(e.Off, e.Words) }

// Still reports whether the entry is still what e says: the same object, in the
// same state. The state is loaded first: a live object's generation was stored
// before its state and does not return, so with the old generation after it
// the state was the old object's. (The other way round, the entry could have
// been freed before the first load, and made anew before the second.)
func (w *Memory) Still(e *Entry) bool {
	return w.EntryState(e.I) == e.State && mem.Load64(w.Ent64(e.I, EntGen)) == e.Gen
}

// named reports whether entry i has the name, without a copy.
func (w *Memory) named(i uint32, hash uint64, name string) bool {
	if mem.Load64(w.Ent64(i, EntHash)) != hash || mem.Load32(w.Ent32(i, EntNameLen)) != uint32(len(name)) {
		return false
	}
	for k := 0; k < len(name); k += 8 {
		var b [8]byte
		copy(b[:], name[k:])
		if mem.Load64(w.Ent64(i, EntName+uint64(k))) != binary.LittleEndian.Uint64(b[:]) {
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
func (w *Memory) walk(hash uint64, name string, seq uint64) (i uint32, ok bool, err error) {
	n := mem.Load32(w.Bucket(hash))
	for steps := uint32(0); n != 0; steps++ {
		if n > w.Geo.Objects || steps >= w.Geo.Objects {
			return 0, false, fmt.Errorf("chain of %q: link to %d of %d after %d steps: %w", name, n, w.Geo.Objects, steps, ErrCorrupt)
		}
		if w.named(n-1, hash, name) {
			return n - 1, true, nil
		}
		if steps%walkLook == walkLook-1 && seq != 0 && mem.Load64(w.Dir64(DirSeq)) != seq {
			return 0, false, nil
		}
		n = mem.Load32(w.Ent32(n-1, EntNext))
	}
	return 0, false, nil
}

// Looks without the lock before the lock is taken: a change takes some
// microseconds.
const lookupTries = 100

// Lookup finds a live object without the lock, and copies its entry. stable is
// false if the directory would not stay still: a process that changes it is
// slow, or dead.
func (w *Memory) Lookup(hash uint64, name string) (e Entry, ok, stable bool, err error) {
	for try := range lookupTries {
		seq := mem.Load64(w.Dir64(DirSeq))
		if seq&1 == 0 {
			var i uint32
			if i, ok, err = w.walk(hash, name, seq); ok {
				e = w.Entry(i)
			}
			if mem.Load64(w.Dir64(DirSeq)) == seq {
				if ok && err == nil {
					err = w.Valid(&e)
				}
				if ok && err == nil && e.State != EntLive {
					err = fmt.Errorf("entry %d: state %d in a chain of live ones: %w", i, e.State, ErrCorrupt)
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
	return Entry{}, false, false, nil
}

// Find is Lookup for the holder of the lock.
func (w *Memory) Find(hash uint64, name string) (e Entry, ok bool, err error) {
	i, ok, err := w.walk(hash, name, 0)
	if !ok || err != nil {
		return e, false, err
	}
	e = w.Entry(i)
	if err = w.Valid(&e); err == nil && e.State != EntLive {
		err = fmt.Errorf("entry %d: state %d in a chain of live ones: %w", i, e.State, ErrCorrupt)
	}
	return e, err == nil, err
}

// BeginChange and EndChange bracket a change of what a lookup may see. A change that meets
// an error does not end: seq stays odd, and the next holder of the lock
// repairs.
func (w *Memory) BeginChange() { mem.Store64(w.Dir64(DirSeq), mem.Load64(w.Dir64(DirSeq))|1) }
func (w *Memory) EndChange()   { mem.Store64(w.Dir64(DirSeq), (mem.Load64(w.Dir64(DirSeq))|1)+1) }

// steadyTries is more often than an entry is remade while one reads it.
const steadyTries = 8

// Steady copies an entry that is live or removed, and valid, as it was at one
// instant.
func (w *Memory) Steady(i uint32) (Entry, bool) {
	for range steadyTries {
		if s := w.EntryState(i); s != EntLive && s != EntRemoved {
			return Entry{}, false
		}
		e := w.Entry(i)
		if w.Still(&e) {
			return e, (e.State == EntLive || e.State == EntRemoved) && w.Valid(&e) == nil
		}
	}
	return Entry{}, false
}

// Unchain takes entry i out of the chain that begins at link.
func (w *Memory) Unchain(link *uint32, i uint32) error {
	for range w.Geo.Objects {
		n := mem.Load32(link)
		if n == 0 || n > w.Geo.Objects {
			break
		}
		if n == i+1 {
			mem.Store32(link, mem.Load32(w.Ent32(i, EntNext)))
			return nil
		}
		link = w.Ent32(n-1, EntNext)
	}
	return fmt.Errorf("entry %d is not in its chain: %w", i, ErrCorrupt)
}
