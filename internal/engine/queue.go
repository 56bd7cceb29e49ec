package engine

import (
	"errors"
	"sync/atomic"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// Queue is a bounded queue of messages for any number of producers and
// consumers: a ring of slots, each with a turn ([Vyukov's bounded MPMC queue]),
// whose claims name their holders, so that a death at any instruction can be
// repaired. This file has its rules, queue_layout.go its words; queue_walk.go finds
// the front, queue_slots.go moves the slots, and queue_room.go steps over some;
// queue_blocks.go keeps what is too long for a slot, and queue_loan.go lends room
// for it; queue_put.go, queue_get.go and queue_batch.go are the operations;
// queue_join.go waits until all is done; queue_recover.go takes back what the dead
// left; queue_look.go shows and checks. What queue_lull.go and queue_apart.go do costs
// time on purpose, where that makes a stream faster; nothing rests on it.
//
// # Costs
//
// Put and Get where nobody is in the way: a CAS to claim and a store to publish; a
// CAS to take, a locked add to the own row, a store to release. Batches: one CAS a
// message on either side, and one locked add for 32 that are gotten. No line is
// written by both sides but the slot's, and once in 64 messages that of a hint; each
// looks at a bell of the other's, which is written where one sleeps. A line goes there
// and back once for the slots that are in it: four of messages of a word.
//
// # Slots
//
// Position p = lap·N + i, for lap = 0, 1, …, is slot i in that lap. A slot's word:
//
//	 63        33 32   30 29     20 19       0
//	+------------+-------+---------+----------+
//	|    turn    | phase |  index  |  epoch   |
//	+------------+-------+---------+----------+
//	turn         the lap that the slot is in; it only grows, modulo 2^31
//	index,epoch  its holder (rule 1); 0 where it has none
//
//	empty     nobody's, takes a message of this lap
//	writing   a producer's, which is filling it
//	full      nobody's, a committed message
//	reading   a consumer's, which is copying the message out
//	leased    a consumer's, until it acknowledges, gives back or dies
//	returned  nobody's, a message that was given back; out of order
//	draining  a consumer's: the message is done, its blocks are being freed
//	sealed    nobody's, for ever: the queue was shut down and ends here
//
//	empty{t} → writing{t} → full{t} → reading{t} → (draining{t} →) empty{t+1}
//	writing{t} → empty{t+1}                        its producer died: a hole
//	full{t} → leased{t} → (draining{t} →) empty{t+1}
//	reading, leased{t} → returned{t} → reading, leased{t}
//	leased, returned{t} → the same{t+1}            stepped over by a producer
//	empty{t} → sealed{t}
//
// Every step is a CAS, but for writing → full and reading → empty, which are stores
// of the one that the word names (queue_store.go). All safety is in these words.
//
// # Positions
//
// Where to look is said by hints of the tail and of the head, from which a walk
// goes to the first position that is not passed; queue_walk.go has the rules,
// H1 to H7, and why order holds. No claim rests on a hint:
//
//	I1  a producer claims only at the put front F, the first position p with
//	    turn(p) < lap, or = lap and phase empty or sealed; and only empty{lap}
//	I2  a consumer takes full messages only at the get front G, the first
//	    position never passed by turn(p) > lap, or = lap and phase reading,
//	    leased, draining
//	I3  full: slot(F) is of an older lap and cannot be stepped over. Empty:
//	    slot(G) is empty{lap} or writing{lap}, or of an older lap
//	I4  nobody acts on an older turn, except to step over
//
// I3 holds although a walk reads one slot after the other: what it has seen
// passed stays passed, so at the instant at which the last slot was read the
// front was there.
//
// An older lap's slot at F holds a message that is not done. If it is leased or
// returned, which may be for long, the producer moves its turn into the present
// lap: that position is void, and walks pass it. It does so only after a look
// ahead has shown an empty slot that it can so reach; thus leases cost room by
// their number and not by their position, and a full queue burns no turns. A
// stale claim would need its claimer to be held up for 2^31 laps to the very
// lap, and would then put one message out of order.
//
// # Giving back
//
// A returned slot may lie behind the head. A process that returns one then sets
// pending in the state word, counting its generation up; a consumer that sees
// pending scans all slots first, and clears it, after a fruitless scan, by CAS
// on the generation that it saw before the scan: what was returned since is not
// missed. (To set it before the slot as well would be of no use: a scan comes
// between.)
//
// # Ending
//
// Shutdown sets a flag, which producers look at before they claim. A claim
// that raced with it is a message like any other: a consumer that finds
// empty{lap} at the head with the flag set seals it by CAS, and either no
// message can come any more, for nobody claims at or beyond a sealed slot and
// tail never passes it, or there is one and the consumer goes on. The end is:
// sealed, and no slot writing, full, reading, leased or returned. Messages do
// not move between slots, so a look at one slot after the other is exact.
//
// # Sleeping
//
// Three bells. space: a slot or blocks became free. items: a message came, by
// publishing or giving back, and after Shutdown also whenever one is done.
// idle: see queue_join.go. A message rings for one sleeper. The consumer that
// is woken may be unable to take it, since the producer of an earlier one is
// still writing, and sleeps again. So a consumer that does take a message and
// sees that another can be taken rings once more, and so does a sleeper that
// leaves with an error. The same for producers and space. Where messages have
// blocks all producers are woken, since one free block is enough for one and
// not for another.
//
// # Stops
//
// Nobody spins for a process that is stopped, and nothing is lost by it. At
// writing, which lasts a few stores, it hides what was put after. At reading
// or draining it keeps its slot, of a batch up to 32, and producers have no room
// once the tail has come round to one. Both last until it goes on or dies, and while
// it is writing or reading the queue is neither done nor at its end. Giving back,
// between the slot and pending, it hides that one message: from calls that wait, until a
// sleep ends for which nobody rang, after which all slots are looked at; from
// calls that try, and from Len, until the tail comes round to the slot. Where
// messages flow the one happens, else the other. A rest that it alone has seen
// may stay untold: a Join looks by itself after a while, and ends then, or at
// the next. Anywhere else it holds up nobody, but keeps what it has: leases,
// blocks, and the wake-up of one that it was given or about to give, which
// others make good by looking again after a while (Sleeper).
//
// # Death
//
// Of a producer: before full, nothing was put; its slot becomes a hole, its
// blocks are found by their owner. Of a consumer that was reading or leasing:
// the message is returned; it had its attempt. Draining: finished for it, and
// never delivered again. Between any change and its ring: recovery rings all.
//
// [Vyukov's bounded MPMC queue]: https://www.1024cores.net/home/lock-free-algorithms/queues/bounded-mpmc-queue
type Queue struct {
	env   Env
	who   uint64 // claims of this process, to be or'ed into a slot's word
	n     uint32 // slots
	marks uint32 // laps less one between two marks of a hint
	room  uint32 // bytes of a message that fit a slot
	fixed bool   // all messages are of room bytes, and there are no blocks
	most  uint32 // bytes of the longest message
	wakes int    // how many producers a free slot wakes

	config *uint32 // how many slots: never 0 in the region
	stride uintptr
	body   uintptr
	counts unsafe.Pointer // of the slots; nil: each is in its slot
	shift  uint8
	slots  unsafe.Pointer
	state  *uint64
	rests  *uint64
	row    *uint64
	rows   rows
	pool   pool

	items, space, idle Bell
	unfenced           *atomic.Bool // how slots are stored: queue_store.go

	head, tail hint
	gets, puts lull

	getsApart, putsApart apart

	scan   atomic.Uint32 // slot where the next scan for returned ones begins
	heldAt atomic.Uint32 // and for any that is held
	races  []uint64      // what the race detector knows slots by; else nil
	rested uint64        // and what is done, by which Join
}

// What a Queue's operations end with, beside ErrCorrupt and what Sleep returns.
var (
	ErrFull     = errors.New("no room for a message now")
	ErrEmpty    = errors.New("no message now")
	ErrShutdown = errors.New("shut down")
	ErrTooLarge = errors.New("message is too large")
	ErrOverDone = errors.New("more done than gotten")
	// io.EOF is the end of a queue that was shut down.
)

// AttachQueue is a process's use of a queue. It writes nothing, and keeps its
// own copy of the configuration, so that nothing that happens to the region
// later leads it astray.
func AttachQueue(a mem.Area, env Env) (*Queue, error) {
	c, l, err := queueConfig(a)
	if err != nil {
		return nil, err
	}
	q := &Queue{
		env: env, who: whoBits(env.Self),
		n: uint32(c.Slots), room: uint32(c.Room), fixed: c.Blocks == 0, most: uint32(c.MaxMessage), wakes: 1,
		config: a.W32(queueSlots), stride: uintptr(l.stride), slots: a.Ptr(l.slots, uint64(c.Slots)*l.stride),
		body: uintptr(l.body), shift: l.shift,
		head: hint{shared: a.W64(queueHead)}, tail: hint{shared: a.W64(queueTail)},
		state: a.W64(queueState), rests: a.W64(queueRests),
		rows:  rows{a.Ptr(queueTable, rowsSize(c.Rows)), uint32(c.Rows)},
		items: patientBell(a.W32(queueItems), env), space: patientBell(a.W32(queueSpace), env), idle: patientBell(a.W32(queueIdle), env),
		unfenced: &never,
	}
	if env.Unfenced != nil && env.Sync != nil {
		q.unfenced = env.Unfenced
	}
	if env.Self.Index >= uint32(c.Rows) {
		return nil, ErrCorrupt
	}
	q.marks = markLaps(q.n)
	if l.shift != 0 {
		q.counts = a.Ptr(l.counts, 4*uint64(c.Slots))
	}
	for _, h := range []*hint{&q.head, &q.tail} {
		if p, ok := q.read(h); ok {
			h.own = p
		}
	}
	q.row = q.rows.at(env.Self.Index)
	if mem.RaceEnabled {
		q.races = make([]uint64, min(c.Slots, 1024))
	}
	if c.Blocks > 0 {
		q.wakes = -1
		q.pool = newPool(a, c, l, env.Self)
		q.pool.apart(env.Self)
	}
	return q, nil
}

// Cap is how many messages the queue holds at most, MaxMessage how many bytes
// one may have.
func (q *Queue) Cap() int        { return int(q.n) }
func (q *Queue) MaxMessage() int { return int(q.most) }

// Holds reports that all messages are of n bytes and lie in their slots.
func (q *Queue) Holds(n int) bool { return q.fixed && int(q.room) == n }

// InSlot reports whether a message of n bytes lies in its slot, and takes no blocks.
func (q *Queue) InSlot(n int) bool { return n <= int(q.room) }

// Len is how many messages wait to be taken: exact when nobody changes the
// queue. Leased ones are not among them.
func (q *Queue) Len() int {
	n := 0
	if mem.Load64(q.state)&statePending != 0 { // they may lie anywhere
		for i := range q.n {
			if untaken(mem.Load64(q.word(i))) {
				n++
			}
		}
		return n
	}
	p, s, ok := q.getFront()
	for range q.n {
		d := ahead(s, p)
		if !ok || d < 0 || d == 0 && (phaseOf(s) == slotEmpty || phaseOf(s) == slotSealed) {
			break // the put front
		}
		if untaken(s) {
			n++
		}
		p = q.next(p)
		s = mem.Load64(q.word(posSlot(p)))
	}
	return n
}

// Shutdown ends the queue for all: no more messages are put, and when those
// that are there are done, takers get io.EOF.
func (q *Queue) Shutdown() {
	mem.Or64(q.state, stateShut)
	q.items.Bump()
	q.space.Bump()
}

// IsShut reports whether somebody called Shutdown.
func (q *Queue) IsShut() bool { return mem.Load64(q.state)&stateShut != 0 }
