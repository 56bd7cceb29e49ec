package engine

import (
	"math/bits"
	"sync/atomic"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// Broadcast is a bounded ring of messages, of which every subscriber sees every one
// from some message on, for any number of publishers and subscribers. A message is
// prepared in blocks that are its publisher's by their tag, and then comes into the
// ring, in the place of the one a lap before it, by one CAS. There is no state in
// between, so a publisher that is stopped or dead at any instruction holds up nobody,
// and a position is a message: what a subscriber has missed is a difference. This
// file has the words and the rules, broadcast_layout.go where they lie;
// broadcast_ring.go finds the front, broadcast_publish.go, broadcast_collect.go and
// broadcast_next.go are the operations; broadcast_limit.go has how far publishers may go, and whom that wakes;
// broadcast_recover.go takes back what the dead left; broadcast_look.go shows and checks.
//
// # Words
//
// Position p = lap·N + i is slot i in that lap; laps begin at 2. A slot's word says
// which position of the slot was filled last:
//
//	 63          33 32            2  1   0
//	+--------------+---------------+---+---+
//	|     turn     |  first block  | 1 | S |    full: a message
//	+--------------+---------------+---+---+
//	|             lap              | 0 | S |    void: there was one
//	+------------------------------+---+---+
//	turn  the lap, modulo 2^31
//	S     the end: nothing comes into the slot any more. Never taken away
//
//	full{p-N}, void{p-N} → full{p}   at the front, p = F: a publisher
//	full{q} → void{q}                a publisher that is short of blocks
//	S set                            at the front, after Shutdown
//
// Each is a CAS. F, the front, is the first position that was not filled. No word is
// ever 0.
//
//	block       owner and extent, see queue_blocks.go. A tag is of one message; it is
//	            never used a second time
//	message     in its first block: position u64, length u64; then its bytes
//	drain       of each participant: the tag of the message that it removes, or that
//	            it has removed last
//	row         of each subscriber: who, and its cursor, the next position to read
//	state       the shut flag
//	front       a hint: a position that was the front, see broadcast_ring.go
//	items       bell: a message came, or the end
//	space       bell: a cursor moved or went, or blocks became free
//
//	row  free → joining → active → free, by its subscriber; → free also by recovery
//
// A slot's position is that of its first block, or lap·N+i: always of 64 bits, so that
// nothing wraps, and a subscriber that was stopped for 2^31 laps counts exactly.
//
// # Rules
//
//	B1  Prepare first: claim all blocks, write the message, and only then look for the
//	    front. Nobody waits for blocks with blocks in hand. With its message whole,
//	    a publisher may wait for a subscriber
//	B2  Install: w = slot(F); the tag T of its message; slot(F) still w; drain := T;
//	    CAS w → full{F}. So T is of the message that goes: what is read under another
//	    w may be the tag of one that is just being prepared
//	B3  Free what went, after the CAS: each of its pieces by CAS T → free. Who finds
//	    that a piece is not T's any more, since a recovery has freed it, looks at all
//	    blocks, and frees what is T's wherever it is
//	B4  Short of blocks: remove the oldest message, as B2, by CAS full{q} → void{q};
//	    then B3, or its pieces, by CAS T → one's own tag. Reliable: only what is below the
//	    limit. See broadcast_collect.go
//	B5  Next: w = slot(c), copy, slot(c) still w but for S: it is whole. Else look
//	    again. What is void, or was replaced, is missed
//	B6  Reliable: then the cursor, by a store-release, and a look at space. Whoever finds
//	    it armed fences, takes the limit anew, and rings if that is more than the cursor
//	    was and lets somebody on
//	B7  Recovery: broadcast_recover.go
//	B8  Limit (Reliable): a position that was the front, and then the cursors of all
//	    rows that are active: the least of them. Install only below limit + N. It
//	    stays true, for cursors only grow, and who subscribes later begins later
//	B9  Subscribe: row joining; cursor := the front; row active; cursor := the front
//	    anew. So either a publisher sees the row, or the row begins behind what that
//	    publisher went by
//	B10 Shutdown: the flag, then S at the front, then both bells. If it dies between,
//	    the first subscriber that comes to the front sets S. Who sets S rings
//	B11 Sleep: a subscriber on items; messages come by CAS, so no fence is needed. A
//	    publisher on space, which makes the fences of those who store their cursors
//	    (patient, see Bell)
//
// The five rules of the house: 1, a tag and a row name their holder. 2, a
// subscriber's cursor is in a row of its own. 3, B1 and B2. 4 is not needed: nothing is
// repaired but by CAS. 5, each change has its bell behind it, recovery rings both.
//
// # Why it is right
//
// One order: an install succeeds only if slot(p) still says p-N, so p was not filled,
// and all below p were: at the front only. A Publish that begins when another has
// returned finds the front behind that one's.
//
// Whole: while slot(c) is the same the message was not removed, so its blocks are not
// free: the second look proves the copy. Bytes are only ever written to blocks that
// one has claimed, and those were freed after the slot changed.
//
// Once: a message leaves its slot by one CAS, whose author has its tag in drain
// before. Frees are by tag, so that two who free, or one who comes late, do nothing
// to what came there since. A publisher's remover and its recovery may both be at it,
// and either may die: whoever is left makes sure of all of it (B3).
//
// None is overrun: a row that was active before the look at it has its cursor in the
// limit. One that became active later had its second walk after that, and so its cursor
// is at or beyond the position with which the limit began.
//
// The end: S at c, and c = F. Nothing is installed over S, and a removal keeps it.
//
// The same word: a full slot's is the same again after 2^31 laps, if its message lies in
// the same block then. A subscriber that was stopped so long finds another position (N3).
// A publisher that was stopped between B2's second look and its CAS for exactly so many
// messages, to the one, would put its own into another lap.
//
// # A wake-up is not lost
//
// items: a publisher's W1 is its CAS. space: a subscriber stores its cursor and looks at
// space; a publisher arms, makes the fences, and looks at all rows anew. Every ring is for
// all who sleep.
//
// A ring is left out where the limit has not changed, or lets nobody on. Several
// subscribers may be the slowest at once: each that finds space armed fences before it
// takes the limit, so that the last of them sees all the others' stores (F3 of
// queue_store.go), and finds a limit that is beyond where it was itself. One that has found
// it unarmed stored its cursor before the fences of the publisher that armed it. So what
// lets a publisher on at last, of all that has happened, rings: a cursor that was the last
// of the slowest; or a row that goes, or a subscriber that has come to its place, which
// ring always. Blocks are freed by CAS, and then the limit is taken (stir): where that lets
// nobody on, what moves it later rings, and comes after the CAS.
//
// # Stops
//
// A publisher keeps what it has prepared, and a message that it has removed, until it
// goes on or dies; for the others that is so much less room. A subscriber that is
// stopped is, where the broadcast is Reliable, the slowest live one: Publish waits for
// it. Nobody else waits for anybody.
//
// # Death
//
// Of a publisher before its CAS: nothing was published, its blocks are found by their
// tag. After it: the message stands, the tag of the one that went is in drain. Of a
// subscriber: its row is freed and counts no more. Between any change and its ring:
// recovery rings both.
//
// # Close
//
// Every change is a CAS from what is not 0, so none is made in the zeroes that come in
// the region's place, and what has succeeded was in the region. A message whose second
// look found its slot was copied from the region. The stores (bytes, drain, cursors)
// do no harm there. A claim in the zeroes is of a piece that was cut there, and its
// claimer finds that the region is gone, as in a Queue.
type Broadcast struct {
	env      Env
	who      uint64
	n        uint64 // slots
	shift    uint   // n is 1<<shift, or not
	reliable bool
	fixed    bool   // all messages are of most bytes
	most     uint32 // bytes of the longest message
	whole    uint32 // blocks that it takes

	config *uint32 // never 0 in the region
	slots  unsafe.Pointer
	state  *uint64
	front  frontHint
	drain  *uint64 // this process's
	drains unsafe.Pointer
	rows   uint32 // participants
	subs   subRows
	pool   pool

	items, space Bell
	unfenced     *atomic.Bool

	// From drain := T to the end of B3, since drain is one word, and a process's
	// goroutines share it. Never over a copy, or a user's code.
	mu latch

	limit  atomic.Uint64 // the last one (B8)
	oldest atomic.Uint64 // below it nothing is full but what came a lap later
	races  []uint64
	lull   lull // of those who publish
}

// subRows are the subscribers' rows: who, close together, and cursors, apart.
type subRows struct {
	owners, cursors unsafe.Pointer
	n               uint32
}

const (
	rowFree    = 1
	rowJoining = 2
	rowActive  = 3
	rowState   = 3 // mask

	cursorBytes = 128
)

func (r subRows) owner(i uint32) *uint64 { return (*uint64)(unsafe.Add(r.owners, uintptr(i)*8)) }
func (r subRows) cursor(i uint32) *uint64 {
	return (*uint64)(unsafe.Add(r.cursors, uintptr(i)*cursorBytes))
}

func rowOf(who uint64, state uint64) uint64 { return who<<2 | state }
func rowWho(row uint64) uint64              { return row >> 2 }

// drainOf is the drain of participant i.
func (b *Broadcast) drainOf(i uint32) *uint64 {
	return (*uint64)(unsafe.Add(b.drains, uintptr(i)*drainBytes))
}

// AttachBroadcast is a process's use of a broadcast. It writes nothing, and keeps its
// own copy of the configuration.
func AttachBroadcast(a mem.Area, env Env) (*Broadcast, error) {
	c, l, err := broadcastConfig(a)
	if err != nil {
		return nil, err
	}
	if env.Self.Index >= uint32(c.Rows) {
		return nil, ErrCorrupt
	}
	b := &Broadcast{
		env: env, who: whoBits(env.Self),
		n: uint64(c.Slots), reliable: c.Reliable, fixed: c.Fixed, most: uint32(c.MaxMessage),
		config: a.W32(broadcastSlots), slots: a.Ptr(l.slots, 8*uint64(c.Slots)),
		state: a.W64(broadcastState), front: frontHint{shared: a.W64(broadcastFront)},
		drains: a.Ptr(l.drains, drainBytes*uint64(c.Rows)), rows: uint32(c.Rows),
		subs:  subRows{a.Ptr(l.owners, 8*uint64(c.Subscribers)), a.Ptr(l.cursors, cursorBytes*uint64(c.Subscribers)), uint32(c.Subscribers)},
		pool:  newPool(a, c.pool(), queueLayout{heads: l.heads, bytes: l.bytes}, env.Self),
		items: NewBell(a.W32(broadcastItems), env), space: patientBell(a.W32(broadcastSpace), env),
		unfenced: &never,
	}
	b.shift, b.whole = uint(bits.Len64(b.n-1)), b.pool.blocks(b.most+messageBody)
	b.drain = b.drainOf(env.Self.Index)
	b.pool.apart(env.Self)
	if env.Unfenced != nil && env.Sync != nil {
		b.unfenced = env.Unfenced
	}
	b.front.own = mem.Load64(b.front.shared)
	if mem.RaceEnabled {
		b.races = make([]uint64, min(c.Slots, 1024))
	}
	return b, nil
}

// Cap is how many messages the ring has at most, MaxMessage how many bytes one may have.
func (b *Broadcast) Cap() int        { return int(b.n) }
func (b *Broadcast) MaxMessage() int { return int(b.most) }
func (b *Broadcast) Reliable() bool  { return b.reliable }

// blocks is how many a message of n bytes takes, its first words included.
func (b *Broadcast) blocks(n uint32) uint32 {
	if n == b.most {
		return b.whole // it saves a division
	}
	return b.pool.blocks(n + messageBody)
}

// Holds reports that all messages are of n bytes.
func (b *Broadcast) Holds(n int) bool { return b.fixed && int(b.most) == n }

// gone reports that there are zeroes in the region's place.
func (b *Broadcast) gone() bool { return mem.Load32(b.config) == 0 }

// lost is what a call ends with that finds what cannot be.
func (b *Broadcast) lost() error {
	if b.gone() {
		return ErrGone
	}
	return ErrCorrupt
}

// isShut reports the flag.
func (b *Broadcast) isShut() bool { return mem.Load64(b.state)&stateShut != 0 }

// bound bounds what is tried again and again, so that it ends in a corrupt ring.
func (b *Broadcast) bound() int { return 1<<20 + 16*int(b.n) }

// The call that reads a message comes after the one that published it. No more is told
// to the race detector.
func (b *Broadcast) raceAcquire(p uint64) {
	if mem.RaceEnabled {
		mem.RaceAcquire(unsafe.Pointer(&b.races[p%uint64(len(b.races))]))
	}
}

func (b *Broadcast) raceRelease(p uint64) {
	if mem.RaceEnabled {
		mem.RaceReleaseMerge(unsafe.Pointer(&b.races[p%uint64(len(b.races))]))
	}
}

// load and save are of a position that this process alone uses, and that orders nothing
// for the race detector.
func load(p *atomic.Uint64) uint64 {
	mem.RaceDisable()
	v := p.Load()
	mem.RaceEnable()
	return v
}

func save(p *atomic.Uint64, v uint64) {
	mem.RaceDisable()
	p.Store(v)
	mem.RaceEnable()
}
