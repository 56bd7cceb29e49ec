package engine

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// An SPSC is a bounded queue of messages of one size between one producer and one
// consumer, in any two processes: [Lamport's ring], each side with the other's index
// cached. What is added is that a side has a holder, whose place another takes when it
// is dead, and that the stream has an end. This file has the words, and why they are
// right; spsc_side.go is what a process knows of a side, spsc_put.go and spsc_get.go are the
// operations, spsc_now.go the part of them that is in the caller's code, spsc_end.go is how
// the stream ends, spsc_recover.go what any process can do.
//
//	  0  slots 32 | size 32                    written once by Init
//	128  items 32 | flags 32 | space 32 | zero 32 | end 64
//	256  producer 64 | tail 64                 the producer's
//	384  consumer 64 | head 64                 the consumer's
//	512  message n lies in slot n mod slots
//
//	          63        33 32     31  2  1   0
//	         +------------+-------+-----+---+---+
//	look     |     zero       | X | sequence, Q, S |   items and flags, as one word
//	producer | index + 1 32       | epoch 32       |   consumer likewise
//	         +------------+-------+-----+---+---+
//	X         shut down: set by Shutdown, for good
//	producer  who has the side (rule 1); 0 is nobody
//	tail      messages put so far, by all producers; it only grows
//	head      messages got so far
//	end       0, or one more than how many messages the stream has: set once, by CAS,
//	          by either side, and only after X
//
// Positions have 64 bits and do not wrap. Empty: tail − head = 0, full: = slots. Each
// index is written by the holder of its side and by nobody else, by a store-release.
// The holder has the index in memory of its own, and the other's as it was seen last:
// so what it does rests on nothing that a hostile peer could have changed since it was
// checked, and the two touch each other's line once in so many messages. Another's
// index is never further than slots away, or it is ErrCorrupt; and a slot is always at
// a position mod slots.
//
//	Take a side  T1 CAS producer, 0 → me; another's: ErrBusy, but a call that waits
//	                sleeps on its bell while that one is dead, and not recovered yet
//	             T2 only then load tail, where it goes on
//	Put   P0 load look; X: ErrShutdown
//	      P1 no room by the cached head: load head; none: ErrFull, or sleep on space
//	      P2 the messages' bytes
//	      P3 publish: tail + n, store-release (rule 3)
//	      P4 load look; X: E1, S: ring items
//	Get   G1 nothing by the cached tail: load tail, then end: what lies at end or
//	         beyond is not there. At end: io.EOF
//	      G2 nothing: load look; X: E2. Else ErrEmpty, or sleep on items
//	      G3 the messages' bytes
//	      G4 head + n, store-release
//	      G5 S of space: ring it
//	Shutdown  S1 set X  S2 bump both bells
//	End   E1 the producer, with n just stored: end is 0: CAS to all that it stored.
//	         Those of the n below end are in, the others ErrShutdown
//	      E2 the consumer: the fence of the producer (Env.Sync), then tail again; nothing
//	         came: end is 0: CAS to what it has got. Then G1
//
// # Order, and once
//
// An index has one live writer (T1), which advances it after the bytes are written
// (P2, P3), or copied out (G3, G4), and it begins where the last one left it (T2 after
// T1: one that had read tail before might overwrite what the last holder put
// meanwhile). A room computed from an old head is too small at most.
//
// # The end
//
// A flag alone would not do: the consumer may see it, and no message, while a Put that
// did not see it stores tail. So both ask end, and one CAS decides for both. Let the
// consumer be at E2. A Put whose P4 did not see X has stored tail before X was set, so
// the fence, which comes after, makes it visible: the consumer finds it. A Put whose P4
// saw X asks end, and says what that says. What lies at end or beyond is nobody's: each
// look at tail is followed by one at end.
//
// P0 is for a Put that begins after a Shutdown has returned, which is ErrShutdown
// though nothing has been decided yet.
//
// # Sleeping
//
// Two bells, items and space, on which the holder of a side sleeps, and those who wait
// for a dead one's. They are patient ones (Bell): the publisher's store and its look at S
// are in this order (queue_store.go, F1 and F2), and a wake-up cannot be lost. A ring is
// for all, so none goes to one who can do nothing. Shutdown changes what both look at, X,
// before it bumps them; recovery does so with the names.
//
// # What a Try says
//
// ErrFull and ErrEmpty are so by the words at some instant of the call, and by every Put
// or Get of which the caller can know. A Put that has returned elsewhere may be under
// way to this processor still, for nanoseconds: nobody makes a fence for an ErrEmpty.
//
// # Death
//
// Before P3 nothing was put, before G4 nothing got; the next holder does it again, in the
// same slot. After G4 what was got is gone with its process. Between P3 and P4, G4 and
// G5, S1 and S2 somebody may sleep who should not: recovery bumps both bells (rule 5).
// No step leaves anything to repair but the names: recovery makes producer and consumer
// 0 by CAS where they are the dead one's. Its stores that left its processor are seen
// before its death can be proven; one that did not was never made.
//
// A store that comes late, from one that has lost its side and lives, is the one thing
// that could harm. So a side is given up at death; at Close of the region, whose late
// stores go to zeroes; and when nothing in the process reaches a handle, so that no call
// is under way: not before. (And by one who is taken for dead and is not, see Death in
// queue_store.go, which is damage as there.)
//
// # Zeroes
//
// T1 and the CAS of end are made by Env.change: in the region or not at all. After one
// that did happen, all that is read may be zeroes: then so are tail and head, which a
// call stores later. A call that has stored and finds its handle closed asks where it did
// (object.Gate.Gave): tail, or head, is what it stored in the zeroes, and that is no
// other call's, since positions grow and a side has one goroutine. It was in the region:
// then a Get has got. A Put may have made its P4 in the zeroes, which say nothing of X.
// So the region's end decides for it, which Close looks at before it lets such calls
// ask: Leave, which is E1 where the producer could not do it.
//
// [Lamport's ring]: https://lamport.azurewebsites.net/pubs/proving.pdf
type SPSC struct {
	env  Env
	me   uint64
	n    uint64  // slots
	size uintptr // of a message
	span uintptr // of all slots

	slots        unsafe.Pointer
	look, end    *uint64
	items, space Bell
	unfenced     *atomic.Bool // how indexes are stored: queue_store.go
	races        []uint64     // what the race detector knows slots by; else nil
	lastEnd      uint64       // the region's, of one who has left it: Leave

	// Leaves reports of a holder of a side that it is dead, or about to go, so that it
	// will soon have none; nil: nobody is. Set before the first call, by who makes the SPSC
	// a handle's.
	Leaves func(who Self) bool

	_   [128]byte // each side has lines of its own: both may be in use here
	put spscSide
	_   [128]byte
	get spscSide
}

// ErrBusy is what one gets whose side another live process has.
var ErrBusy = errors.New("another process has this side")

// The offsets of an SPSC's words.
const (
	spscSlots    = 0
	spscSize     = 4
	spscItems    = 128
	spscSpace    = 136
	spscEnd      = 144
	spscProducer = 256
	spscTail     = 264
	spscConsumer = 384
	spscHead     = 392
	spscTable    = 512
)

// X, of look.
const spscShut = 1 << 32

// SPSCConfig is what an SPSC is made with, and keeps.
type SPSCConfig struct {
	Slots int // messages
	Room  int // bytes of each
}

const spscMost = 1 << 44 // bytes of all slots

func (c SPSCConfig) valid() bool {
	return c.Slots >= 1 && c.Slots <= 1<<28 && c.Room >= 0 && c.Room <= 1<<30 && uint64(c.Slots)*uint64(c.Room) <= spscMost
}

// Size is how many bytes the SPSC needs; 0 if it cannot be made.
func (c SPSCConfig) Size() uint64 {
	if !c.valid() {
		return 0
	}
	return spscTable + uint64(c.Slots)*uint64(c.Room)
}

// Init writes the words, on zeroed memory of Size bytes: empty, nobody's.
func (c SPSCConfig) Init(a mem.Area) {
	*a.W32(spscSlots) = uint32(c.Slots)
	*a.W32(spscSize) = uint32(c.Room)
}

// spscConfig reads and checks the configuration.
func spscConfig(a mem.Area) (c SPSCConfig, err error) {
	if !a.Has(0, spscTable) {
		return c, fmt.Errorf("spsc of %d bytes: %w", a.Size(), ErrCorrupt)
	}
	c = SPSCConfig{Slots: int(mem.Load32(a.W32(spscSlots))), Room: int(mem.Load32(a.W32(spscSize)))}
	if !c.valid() || c.Size() > a.Size() {
		return c, badSPSC("%d slots of %d bytes in %d", c.Slots, c.Room, a.Size())
	}
	return c, nil
}

func badSPSC(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, a...))
}

// spscName is a claim of a side.
func spscName(s Self) uint64 { return uint64(s.Index+1)<<32 | uint64(s.Epoch) }

// AttachSPSC is a process's use of an SPSC. There is one for all handles of the process:
// it has where each side goes on. It writes nothing.
func AttachSPSC(a mem.Area, env Env) (*SPSC, error) {
	c, err := spscConfig(a)
	if err != nil {
		return nil, err
	}
	s := &SPSC{
		env: env, me: spscName(env.Self), n: uint64(c.Slots), size: uintptr(c.Room), span: uintptr(c.Slots) * uintptr(c.Room),
		slots: a.Ptr(spscTable, uint64(c.Slots)*uint64(c.Room)), look: a.W64(spscItems), end: a.W64(spscEnd),
		items: patientBell(a.W32(spscItems), env), space: patientBell(a.W32(spscSpace), env),
		unfenced: &never,
		put:      spscSide{own: a.W64(spscTail), other: a.W64(spscHead), claim: a.W64(spscProducer)},
		get:      spscSide{own: a.W64(spscHead), other: a.W64(spscTail), claim: a.W64(spscConsumer)},
	}
	if env.Unfenced != nil && env.Sync != nil {
		s.unfenced = env.Unfenced
	}
	if mem.RaceEnabled {
		s.races = make([]uint64, min(c.Slots, 1024))
	}
	return s, nil
}

// Cap is how many messages there can be, Holds whether each is of n bytes.
func (s *SPSC) Cap() int { return int(s.n) }

func (s *SPSC) Holds(n int) bool { return s.size == uintptr(n) }

// Len is how many messages wait to be got: exact when nobody changes the ring.
func (s *SPSC) Len() int {
	head := mem.Load64(s.put.other)
	tail := mem.Load64(s.put.own)
	if end := mem.Load64(s.end); end != 0 {
		tail = min(tail, end-1)
	}
	if tail < head {
		return 0
	}
	return int(min(tail-head, s.n))
}

// The call that fills a slot comes after the one that emptied it, and the call that
// takes from it after the one that filled it. No more is told to the race detector.
func (s *SPSC) raceAcquire(pos uint64) {
	if mem.RaceEnabled {
		mem.RaceAcquire(unsafe.Pointer(&s.races[pos%s.n%uint64(len(s.races))]))
	}
}

func (s *SPSC) raceRelease(pos uint64) {
	if mem.RaceEnabled {
		mem.RaceReleaseMerge(unsafe.Pointer(&s.races[pos%s.n%uint64(len(s.races))]))
	}
}
