package shm

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

	headerSize = 4096
	recordSize = 256
	entrySize  = 320
	extentSize = 16
	waitsSize  = 512

	// Header fields. Those up to hdrSum never change once the file has its name.
	hdrMagic        = 0  // u64
	hdrVersion      = 8  // u32
	hdrFlags        = 12 // u32: flag…
	hdrSize         = 16 // u64, bytes of the file
	hdrID           = 24 // [16]byte, random
	hdrParticipants = 40 // u32
	hdrObjects      = 44 // u32
	hdrBoot         = 48 // [16]byte, the kernel's boot id at creation
	hdrPageSize     = 64 // u32
	hdrCreated      = 72 // i64, Unix nanoseconds
	hdrInode        = 80 // u64, the file's own: a copy of it has another
	hdrSum          = 88 // u64, FNV-1a of bytes 0 to 23, 40 to 47 and 64 to 71

	hdrChanges = 128 // u32 futex: bumped when all are to look at the participants; see bell.go
	hdrNext    = 132 // u32: where the search for a free record starts (oldest first)
	hdrEnds    = 136 // u32 futex: bumped when a participant is gone
	hdrAnswers = 140 // u32 futex: bumped when a participant has dropped what it was asked to, or is gone; see ask.go
	hdrLife    = 192 // u32: lifeGone once an ephemeral region has ended
	hdrDirLock = 256 // an engine mutex, 128 bytes
	hdrDir     = 384 // the directory's line: dir…

	hdrDuty = 512 // dutyPosts posts of 16 bytes: who is on duty, see duty.go

	// The directory's line, at hdrDir. All but dirSeq change under hdrDirLock only.
	dirSeq     = 0  // u64: odd while the directory changes; for lookups without the lock
	dirFree    = 8  // u32: first unused entry +1, chained through entNext: 0 there is the entry that follows, 1<<32-1 (here too) none
	dirRemoved = 12 // u32: first removed entry that still has memory, +1
	dirLive    = 16 // u32: live objects
	dirExtents = 20 // u32: rows of the extents table in use
	dirGen     = 24 // u64: the last generation given to an entry

	flagEphemeral = 1 << 0
	flagAnonymous = 1 << 1

	lifeGone = 1

	// A participant's record.
	recWord      = 0   // u64: {epoch:32, state:32}
	recAlive     = 8   // u32 futex: the guard's thread id | FUTEX_WAITERS; the kernel sets FUTEX_OWNER_DIED
	recPID       = 12  // u32
	recExits     = 56  // u64: {epoch:32, deaths:32}: the last exit, and which of the last 32 were deaths, bit k that of epoch-k
	recRecoverer = 16  // u64: who recovers the dead one; see records.go
	recPIDNS     = 24  // u64: inodes of its pid namespace and, in the high half, its time namespace
	recStart     = 32  // u64: its start time, in clock ticks since boot (/proc/PID/stat, field 22)
	recSince     = 40  // i64: when it attached, Unix nanoseconds
	recNameLen   = 48  // u32
	recName      = 64  // [64]byte
	recSum       = 128 // u64: of pid, namespaces, start time and epoch; 0 while they change
	recEnded     = 136 // i64: when its last user's end was taken down, Unix nanoseconds
	recRecovered = 192 // u64: recoveries it has done
	recRescued   = 200 // u64: deaths it found that nobody told it of
	recBell      = 208 // u32 futex: bumped when its guard is to look at the participants
	recAsked     = 212 // u32: grows with each request to drop what it does not use
	recAnswered  = 216 // u32: the request that it has answered
	recTold      = 220 // u32: the last epoch whose end those who listen were told of
	recNameMax   = 64

	// A row of the table of waits.
	waitsRest  = 0  // u64: calls that sleep and have no slot
	waitsSlots = 16 // slots of 16 bytes
	slotWord   = 0  // u64: {calls:18, offset of the word they sleep on:46}; 0: free
	slotSince  = 8  // u64: since when one of them has slept, CLOCK_MONOTONIC nanoseconds
	slotSize   = 16

	// A directory entry.
	entState   = 0  // u32: entFree…; stored last when an object is made
	entKind    = 4  // u32: engine.Kind
	entGen     = 8  // u64: differs for every object that ever was in this entry
	entHash    = 16 // u64: of the name
	entOff     = 24 // u64: the object's memory, from the start of the region
	entSize    = 32 // u64: bytes of it taken from the heap, a multiple of 128
	entWords   = 40 // u64: bytes of the engine's words, from entOff on; the fields' text follows
	entFields  = 48 // u32: bytes of the fields' text
	entNext    = 52 // u32: next entry +1 in its chain (bucket, free or removed)
	entSince   = 56 // i64: when it was made, Unix nanoseconds
	entNameLen = 64 // u32
	entName    = 72 // [200]byte
	entNameMax = 200

	entFree    = 0 // not in use
	entLive    = 1
	entRemoved = 2 // no name; its memory comes back when no live process has it open
	entVoid    = 3 // removed, and its memory is just being taken back
)

// States of a participant, moved by CAS only, together with the epoch:
//
//	Free → Attaching → Alive → Leaving → Free      in the course of things
//	Attaching, Alive, Leaving → Dead               by whoever has the proof
//	Dead → Free                                    by its recoverer, when all is recovered
//
// The epoch grows by one at Free → Attaching.
const (
	stFree = iota
	stAttaching
	stAlive
	stLeaving
	stDead
)

// there is every state but Free and Dead, one that no build writes included:
// only a proof ends it.
func there(w uint64) bool { return stateOf(w) != stFree && stateOf(w) != stDead }

func recordWord(epoch, state uint32) uint64 { return uint64(epoch)<<32 | uint64(state) }
func epochOf(w uint64) uint32               { return uint32(w >> 32) }
func stateOf(w uint64) uint32               { return uint32(w) }

const (
	defaultSize         = 1 << 30
	defaultParticipants = 64
	defaultObjects      = 1024
	maxObjects          = 1 << 20
	minHeap             = 64 << 10
	maxSize             = 1 << 46
	heapUnit            = 128
)

// A geometry is where everything is, computed from three numbers that were
// copied out of the header once and found possible.
type geometry struct {
	size         uint64
	participants uint32
	objects      uint32
	flags        uint32
	bitWords     uint64 // of one openers row
	buckets      uint64
	openersOff   uint64
	waitsOff     uint64
	entriesOff   uint64
	bucketsOff   uint64
	extentsOff   uint64
	heapOff      uint64
}

// has reports whether n bytes from off on lie in the region.
func (g *geometry) has(off, n uint64) bool { return off <= g.size && n <= g.size-off }

func (g *geometry) record(i uint32) uint64 { return headerSize + uint64(i)*recordSize }
func (g *geometry) waits(i uint32) uint64  { return g.waitsOff + uint64(i)*waitsSize }
func (g *geometry) entry(i uint32) uint64  { return g.entriesOff + uint64(i)*entrySize }
func (g *geometry) opener(p, obj uint32) (word uint64, bit uint64) {
	return g.openersOff + (uint64(p)*g.bitWords+uint64(obj/64))*8, 1 << (obj % 64)
}

// newGeometry lays out a region, or says with fs.ErrInvalid what is impossible.
func newGeometry(size uint64, participants, objects uint32) (geometry, error) {
	g := geometry{size: size, participants: participants, objects: objects}
	switch {
	case participants < 1 || participants > engine.MaxParticipants:
		return g, fmt.Errorf("%d participants, want 1 to %d: %w", participants, engine.MaxParticipants, fs.ErrInvalid)
	case objects < 1 || objects > maxObjects:
		return g, fmt.Errorf("%d objects, want 1 to %d: %w", objects, maxObjects, fs.ErrInvalid)
	case size > maxSize:
		return g, fmt.Errorf("size %d, want at most %d: %w", size, uint64(maxSize), fs.ErrInvalid)
	}
	g.buckets = 8
	for g.buckets < uint64(objects) {
		g.buckets *= 2
	}
	g.bitWords = (uint64(objects) + 63) / 64
	off := uint64(headerSize) + uint64(participants)*recordSize
	take := func(n uint64) (at uint64) {
		off = (off + 127) &^ 127
		at, off = off, off+n
		return at
	}
	g.openersOff = take(uint64(participants) * g.bitWords * 8)
	g.waitsOff = take(uint64(participants) * waitsSize)
	g.entriesOff = take(uint64(objects) * entrySize)
	g.bucketsOff = take(g.buckets * 4)
	g.extentsOff = take((uint64(objects) + 1) * extentSize)
	g.heapOff = (off + 4095) &^ 4095
	if size < g.heapOff+minHeap {
		return g, fmt.Errorf("size %d, want at least %d for %d participants and %d objects: %w", size, g.heapOff+minHeap, participants, objects, fs.ErrInvalid)
	}
	return g, nil
}

// words gives named access to a region's memory.
type words struct {
	mem.Area
	g geometry
}
