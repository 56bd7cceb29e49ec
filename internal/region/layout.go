package region

import (
	"fmt"
	"io/fs"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

// A region's bytes, from offset 0 on; docs/layout.md specifies them for
// readers in other languages, and testdata holds images of them.
//
//	header        4,096 bytes
//	participants  a record of 256 bytes each
//	openers       a row of bits per participant: the objects it has open
//	waits         a row of 512 bytes per participant: what its calls sleep on
//	entries       the directory, 320 bytes an object
//	buckets       its hash table, uint32 entry numbers plus 1
//	extents       free runs of the heap, 16 bytes each: derived from the entries
//	heap          the objects' memory, from a page boundary on
//
// Everything is little-endian and an offset; no pointer is stored. Words that
// different processes write often are 128 bytes apart.
const (
	layoutMagic   = 0x4d45444e41540a1a // "\x1a\nTANDEM": not text, and not any other format
	layoutVersion = 2

	HeaderSize = 4096
	RecordSize = 256
	EntrySize  = 320
	ExtentSize = 16
	WaitsSize  = 512

	// Header fields. Those up to hdrSum never change once the file has its name.
	HdrMagic        = 0  // u64
	HdrVersion      = 8  // u32
	hdrFlags        = 12 // u32: flag…
	HdrSize         = 16 // u64, bytes of the file
	HdrID           = 24 // [16]byte, random
	hdrParticipants = 40 // u32
	hdrObjects      = 44 // u32
	HdrBoot         = 48 // [16]byte, the kernel's boot id at creation
	HdrPageSize     = 64 // u32
	HdrCreated      = 72 // i64, Unix nanoseconds
	hdrInode        = 80 // u64, the file's own: a copy of it has another
	hdrSum          = 88 // u64, FNV-1a of bytes 0 to 23, 40 to 47 and 64 to 71

	HdrChanges = 128 // u32 futex: bumped when all are to look at the participants; see shm/bell.go
	HdrNext    = 132 // u32: where the search for a free record starts (oldest first)
	HdrEnds    = 136 // u32 futex: bumped when a participant is gone
	HdrAnswers = 140 // u32 futex: bumped when a participant has dropped what it was asked to, or is gone; see shm/ask.go
	HdrLife    = 192 // u32: lifeGone once an ephemeral region has ended
	HdrDirLock = 256 // an engine mutex, 128 bytes
	HdrDir     = 384 // the directory's line: dir…

	hdrDuty = 512 // DutyPosts posts of 16 bytes: who is on duty, see shm/duty.go

	// The directory's line, at hdrDir. All but dirSeq change under hdrDirLock only.
	DirSeq     = 0  // u64: odd while the directory changes; for lookups without the lock
	DirFree    = 8  // u32: first unused entry +1, chained through entNext: 0 there is the entry that follows, 1<<32-1 (here too) none
	DirRemoved = 12 // u32: first removed entry that still has memory, +1
	DirLive    = 16 // u32: live objects
	dirExtents = 20 // u32: rows of the extents table in use
	DirGen     = 24 // u64: the last generation given to an entry

	FlagEphemeral = 1 << 0
	FlagAnonymous = 1 << 1

	LifeGone = 1

	// A participant's record.
	RecWord      = 0   // u64: {epoch:32, state:32}
	RecAlive     = 8   // u32 futex: the guard's thread id | FUTEX_WAITERS; the kernel sets FUTEX_OWNER_DIED
	RecPID       = 12  // u32
	RecExits     = 56  // u64: {epoch:32, deaths:32}: the last exit, and which of the last 32 were deaths, bit k that of epoch-k
	RecRecoverer = 16  // u64: who recovers the dead one; see records.go
	RecPIDNS     = 24  // u64: inodes of its pid namespace and, in the high half, its time namespace
	RecStart     = 32  // u64: its start time, in clock ticks since boot (/proc/PID/stat, field 22)
	recSince     = 40  // i64: when it attached, Unix nanoseconds
	RecNameLen   = 48  // u32
	RecName      = 64  // [64]byte
	RecSum       = 128 // u64: of pid, namespaces, start time and epoch; 0 while they change
	RecEnded     = 136 // i64: when its last user's end was taken down, Unix nanoseconds
	RecRecovered = 192 // u64: recoveries it has done
	RecRescued   = 200 // u64: deaths it found that nobody told it of
	RecBell      = 208 // u32 futex: bumped when its guard is to look at the participants
	RecAsked     = 212 // u32: grows with each request to drop what it does not use
	RecAnswered  = 216 // u32: the request that it has answered
	RecTold      = 220 // u32: the last epoch whose end those who listen were told of
	recNameMax   = 64

	DutyPosts  = 6
	DutyStride = 16
	dutyHolder = 0
	dutyBeat   = 8

	// A row of the table of waits.
	waitsRest  = 0  // u64: calls that sleep and have no slot
	WaitsSlots = 16 // slots of 16 bytes
	slotWord   = 0  // u64: {calls:18, offset of the word they sleep on:46}; 0: free
	SlotSince  = 8  // u64: since when one of them has slept, CLOCK_MONOTONIC nanoseconds
	SlotSize   = 16

	// A directory entry.
	EntState   = 0  // u32: entFree…; stored last when an object is made
	EntKind    = 4  // u32: engine.Kind
	EntGen     = 8  // u64: differs for every object that ever was in this entry
	EntHash    = 16 // u64: of the name
	EntOff     = 24 // u64: the object's memory, from the start of the region
	EntSize    = 32 // u64: bytes of it taken from the heap, a multiple of 128
	EntWords   = 40 // u64: bytes of the engine's words, from entOff on; the fields' text follows
	EntFields  = 48 // u32: bytes of the fields' text
	EntNext    = 52 // u32: next entry +1 in its chain (bucket, free or removed)
	entSince   = 56 // i64: when it was made, Unix nanoseconds
	EntNameLen = 64 // u32
	EntName    = 72 // [200]byte
	EntNameMax = 200

	EntFree    = 0 // not in use
	EntLive    = 1
	EntRemoved = 2 // no name; its memory comes back when no live process has it open
	EntVoid    = 3 // removed, and its memory is just being taken back
)

// States of a participant, moved by CAS only, together with the epoch:
//
//	Free → Attaching → Alive → Leaving → Free      in the course of things
//	Attaching, Alive, Leaving → Dead               by whoever has the proof
//	Dead → Free                                    by its recoverer, when all is recovered
//
// The epoch grows by one at Free → Attaching.
const (
	StFree = iota
	StAttaching
	StAlive
	StLeaving
	StDead
)

// there is every state but Free and Dead, one that no build writes included:
// only a proof ends it.
func Present(w uint64) bool { return StateOf(w) != StFree && StateOf(w) != StDead }

func RecordWord(epoch, state uint32) uint64 { return uint64(epoch)<<32 | uint64(state) }
func EpochOf(w uint64) uint32               { return uint32(w >> 32) }
func StateOf(w uint64) uint32               { return uint32(w) }

const (
	MaxObjects = 1 << 20
	MinHeap    = 64 << 10
	MaxSize    = 1 << 46
	HeapUnit   = 128
)

// A geometry is where everything is, computed from three numbers that were
// copied out of the header once and found possible.
type Geometry struct {
	Size         uint64
	Participants uint32
	Objects      uint32
	Flags        uint32
	bitWords     uint64 // of one openers row
	Buckets      uint64
	openersOff   uint64
	waitsOff     uint64
	EntriesOff   uint64
	BucketsOff   uint64
	ExtentsOff   uint64
	HeapOff      uint64
}

// has reports whether n bytes from off on lie in the region.
func (g *Geometry) has(off, n uint64) bool { return off <= g.Size && n <= g.Size-off }

func (g *Geometry) RecordAt(i uint32) uint64 { return HeaderSize + uint64(i)*RecordSize }
func (g *Geometry) WaitsAt(i uint32) uint64  { return g.waitsOff + uint64(i)*WaitsSize }
func (g *Geometry) EntryAt(i uint32) uint64  { return g.EntriesOff + uint64(i)*EntrySize }
func (g *Geometry) opener(p, obj uint32) (word uint64, bit uint64) {
	return g.openersOff + (uint64(p)*g.bitWords+uint64(obj/64))*8, 1 << (obj % 64)
}

// newGeometry lays out a region, or says with fs.ErrInvalid what is impossible.
func NewGeometry(size uint64, participants, objects uint32) (Geometry, error) {
	g := Geometry{Size: size, Participants: participants, Objects: objects}
	switch {
	case participants < 1 || participants > engine.MaxParticipants:
		return g, fmt.Errorf("%d participants, want 1 to %d: %w", participants, engine.MaxParticipants, fs.ErrInvalid)
	case objects < 1 || objects > MaxObjects:
		return g, fmt.Errorf("%d objects, want 1 to %d: %w", objects, MaxObjects, fs.ErrInvalid)
	case size > MaxSize:
		return g, fmt.Errorf("size %d, want at most %d: %w", size, uint64(MaxSize), fs.ErrInvalid)
	}
	g.Buckets = 8
	for g.Buckets < uint64(objects) {
		g.Buckets *= 2
	}
	g.bitWords = (uint64(objects) + 63) / 64
	off := uint64(HeaderSize) + uint64(participants)*RecordSize
	take := func(n uint64) (at uint64) {
		off = (off + 127) &^ 127
		at, off = off, off+n
		return at
	}
	g.openersOff = take(uint64(participants) * g.bitWords * 8)
	g.waitsOff = take(uint64(participants) * WaitsSize)
	g.EntriesOff = take(uint64(objects) * EntrySize)
	g.BucketsOff = take(g.Buckets * 4)
	g.ExtentsOff = take((uint64(objects) + 1) * ExtentSize)
	g.HeapOff = (off + 4095) &^ 4095
	if size < g.HeapOff+MinHeap {
		return g, fmt.Errorf("size %d, want at least %d for %d participants and %d objects: %w", size, g.HeapOff+MinHeap, participants, objects, fs.ErrInvalid)
	}
	return g, nil
}

// words gives named access to a region's memory.
type Memory struct {
	mem.Area
	Geo Geometry
}

func (w *Memory) Post(k int) *uint64 { return w.W64(hdrDuty + uint64(k)*DutyStride + dutyHolder) }
func (w *Memory) Beat(k int) *uint32 { return w.W32(hdrDuty + uint64(k)*DutyStride + dutyBeat) }

// on is the memory in area, laid out as g says.
func On(area mem.Area, g Geometry) Memory { return Memory{area, g} }
