package engine

import (
	"errors"
	"fmt"

	"example.com/tandem/internal/mem"
)

// A Barrier lets parties meet, round after round. An arrival is not a count
// but a claim (rule 1): each party of a round has a slot with its name in it,
// so it is known at any instant who has arrived.
//
//	  0  B 64 | parties 32                      parties is written once by Init
//	128  next 64 | bell turn 32 | bell left 32
//	192  waits | breaks | recoveries            slow paths only
//	256  bank 0: a slot 64 for each party; then, on a line of its own, bank 1
//
//	      63        31 30        20 19       3  2   1   0
//	     +------------+------------+-----------+---+----+----+
//	B    | generation |          zero          | X | P1 | P0 |
//	slot | generation |  index+1   |         epoch           |
//	next | generation |            below                     |
//	     +------------+------------+-------------------------+
//	generation  B's grows by one with the end of each round, by a trip or a
//	         Reset, and names the round under way, the first being 2. A slot's is
//	         that of the last round in which it was claimed, 0 at first
//	X        broken: nobody arrives any more until a Reset
//	P0, P1   how many rounds of bank 0, of bank 1 were tripped: the lowest bit
//	index, epoch  the party that has claimed the slot and has not left it; 0 is nobody
//	next     a hint: in that round all slots below it were claimed. It only grows
//
// Round g has bank g&1, and its slots are claimed in their order, so that a
// slot's number says who came as which. The party that claims the last slot
// ends the round.
//
//	A1 load B: w, of round g; X: ErrBroken
//	A2 find the first slot that is not of g; nobody's: A3. All are: the round is
//	   full; sleep on turn until B is not w. It is of an older round, whose
//	   party has not left: sleep on left until it has. Of a later one: w is not
//	   B any more. Then A1
//	A3 CAS the slot, as it was found, to {g, me}
//	T1 the party with the last slot: CAS B from w to {g+1, P of the bank flipped}
//	T2 ring both bells
//	W1 the others: sleep on turn until B is not w. Then, by B: of g: it is
//	   broken. Later: P of the bank is another than in w: tripped; else: reset
//	X1 break, for whatever reason: CAS B from {g} to {g, X}; T2
//	Z1 Reset: CAS B from {g} to {g+1, not X}, P as they are; T2
//	L1 leave: the slot to {g, nobody}  L2 ring left
//
// Of A3 and the end of g one comes first. If A3 does, the claim is one of those
// that the trip of g counts. If the end does, the end was a Reset, as is shown
// next. The Reset came during this wait, so this wait is told of it, like the waits
// that had arrived before.
//
// P is exact. A round r of the same bank, g or later, is tripped only when
// each slot was claimed for r. Before A2 mine was not: it is of an older round
// there. Between A2 and A3 it was not, or A3 would fail: a slot never comes
// back to a word that it was, as its generation only grows. From A3 to L1 it
// is mine, and of g. So since A1 only g can have been tripped, and only with my
// claim; P has changed just then. (This is why a slot that is left keeps its
// generation. Were it 0, a claim for g that came when all had left g would
// pass for one that they had counted.)
//
// No lapping: a party that has passed round g finds B later, so it takes no
// second slot of g; and g+2 takes each slot of the bank only when its party has
// left it.
//
// More goroutines than parties: the first so many are the round, in the order
// of A3, the others wait for the next one. One of them that is stopped between
// A3 and L1 holds up the next round of the bank but one, as one that is stopped
// on its way to its arrival may do: nothing is taken from a live process.
// Others get out of the wait by their contexts, and by Abort.
//
// A wake-up cannot be lost: whatever a sleeper looks at, B on turn, B and a
// slot on left, is changed by a CAS or a fenced store (T1, X1, Z1, L1) before
// its bell is rung (T2, L2), and Bell has the rest. All sleepers are woken:
// there is no wake-up that one could take from another.
//
// A context that ends in W1 is X1, unless B was first, and then the wait has
// come to B's end. One that ends in A2 breaks the round under way, full or not.
//
// Death: before A3 nothing is left. After A3, if the slot is of B's round,
// recovery does X1 on just that B; a claim for a round that is over breaks
// nothing. Then it empties the slots of the dead in both banks as L1 does, and
// bumps both bells, since the dead may have changed B or a slot and not rung.
// In this order: an empty slot of a round that goes on would be passed over,
// and its round complete without it. All is done by CAS from what was seen,
// and twice is once. A party that dies with the last slot, at an Action or
// before T1, is like the others.
//
// B is 0 once in 2^33 rounds, and in zeroes: see Env.change. So a party that finds it
// other than 0 has seen the region's. One that finds 0 as its process closes the region asks
// what was there (BarrierLeft): its slot was its own still, and what became of the round is
// exact by it, as above. Nobody arrives in the zeroes: an A3 from 0 is made in the region
// or not at all (Env.change), and no slot there is ever other than 0, for L1 is a CAS from the
// claim. Close breaks the round there and then, as recovery would: else it might be tripped
// later, with one who has been told nothing. A process that dies in that is recovered as ever.
//
// Generations have 33 bits. A slot that was not claimed for 2^32 rounds looks
// like one of a later round; it is not, if B is still w after A2. Held by one
// that was stopped for so long, it is taken for damage.
type Barrier struct {
	b, hint    *uint64
	turn, left Bell
	n          uint64 // parties
	me         uint64
	a          mem.Area
	env        Env

	// Arriving, if it is set, is called before each A3, with the bank: for the
	// race detector.
	Arriving func(bank int)
}

// An Arrival is a slot of a round.
type Arrival struct {
	b     uint64 // as it was at A1
	slot  *uint64
	index int
}

// ErrBroken says that a round will not come about.
var ErrBroken = errors.New("barrier is broken")

// MaxParties bounds a barrier's parties.
const MaxParties = 1 << 20

const (
	barrierOne    = 1 << 31 // of the generation
	barrierRound  = 1<<64 - barrierOne
	barrierBelow  = barrierOne - 1 // next's, and the party of a slot
	barrierBroken = 1 << 2
	barrierP      = 1 << 0 // bank 1: << 1
	barrierFirst  = 2 * barrierOne

	barrierStep = 8 // next moves a line at a time; few parties do without it
)

// Offsets.
const (
	barrierParties    = 8
	barrierNext       = 128
	barrierTurn       = 136
	barrierLeft       = 140
	barrierWaits      = 192
	barrierBreaks     = 200
	barrierRecoveries = 208
	barrierSlots      = 256
)

func barrierBank(parties uint64) uint64 { return (8*parties + 127) &^ 127 }

// BarrierSize is the size of a barrier of so many parties, at most MaxParties.
func BarrierSize(parties int) uint64 { return barrierSlots + 2*barrierBank(uint64(parties)) }

// InitBarrier writes a barrier that nobody has come to; a is zeroed.
func InitBarrier(a mem.Area, parties int) {
	mem.Store32(a.W32(barrierParties), uint32(parties))
	mem.Store64(a.W64(0), barrierFirst)
}

// AttachBarrier is this process's use of the barrier in a.
func AttachBarrier(a mem.Area, env Env) (*Barrier, error) {
	if !a.Has(0, barrierSlots) {
		return nil, fmt.Errorf("barrier of %d bytes: %w", a.Size(), ErrCorrupt)
	}
	n := uint64(mem.Load32(a.W32(barrierParties)))
	if n < 1 || n > MaxParties || !a.Has(0, BarrierSize(int(n))) {
		return nil, fmt.Errorf("barrier of %d parties in %d bytes: %w", n, a.Size(), ErrCorrupt)
	}
	return &Barrier{b: a.W64(0), hint: a.W64(barrierNext),
		turn: NewBell(a.W32(barrierTurn), env), left: NewBell(a.W32(barrierLeft), env),
		n: n, me: barrierWho(env.Self), a: a, env: env}, nil
}

func barrierWho(s Self) uint64 { return 1<<20 + whoBits(s) }

func (b *Barrier) slot(bank int, i uint64) *uint64 {
	return b.a.W64(barrierSlots + uint64(bank)*barrierBank(b.n) + 8*i)
}

func bankOf(w uint64) int { return int(w >> 31 & 1) }

// barrierLegal is what B must look like at any instant.
func barrierLegal(w uint64) bool { return w&barrierBelow < 2*barrierBroken }

// older reports whether v's generation is before w's.
func older(v, w uint64) bool { return int64(w&barrierRound-v&barrierRound) > 0 }

// tripped reports whether the round of w was tripped; now is B. Of a round that
// is not over, but broken, P is what it was.
func tripped(w, now uint64) bool { return (w^now)>>bankOf(w)&barrierP != 0 }

// Parties is how many make a round.
func (b *Barrier) Parties() int { return int(b.n) }

// Broken reports X.
func (b *Barrier) Broken() bool { return mem.Load64(b.b)&barrierBroken != 0 }

// Arrive takes a slot of the round under way, and waits by s only if there is
// none to be had yet. An error, ErrBroken or s's, says that there is no
// arrival. It is for the caller to Abort then, if it was a context that ended.
func (b *Barrier) Arrive(s Sleeper) (Arrival, error) {
	for {
		w := mem.Load64(b.b) // A1
		if !barrierLegal(w) {
			return Arrival{}, ErrCorrupt
		}
		if w&barrierBroken != 0 {
			return Arrival{}, ErrBroken
		}
		i, v, err := b.find(w, true) // A2
		if err != nil {
			return Arrival{}, err
		}
		full, held, bell := i == b.n, v&barrierBelow != 0, b.turn
		if !full && !older(v, w) {
			if mem.Load64(b.b) != w {
				continue
			}
			if held {
				return Arrival{}, ErrCorrupt
			}
		}
		if !full && !held {
			if b.Arriving != nil {
				b.Arriving(bankOf(w))
			}
			a := Arrival{w, b.slot(bankOf(w), i), int(i)}
			switch ok, err := b.env.change(a.slot, v, w&barrierRound|b.me); { // A3
			case err != nil:
				return Arrival{}, err
			case ok:
				return a, nil
			}
			continue
		}
		if !full {
			bell = b.left
		}
		if _, err := bell.Await(s, func() bool {
			return mem.Load64(b.b) != w || !full && mem.Load64(b.slot(bankOf(w), i)) != v
		}); err != nil {
			return Arrival{}, err
		}
	}
}

// find is the first slot that is not of w's round, and its word; or all are.
// With help it moves the hint on for those who come later.
func (b *Barrier) find(w uint64, help bool) (i, v uint64, err error) {
	var h uint64
	if b.n > barrierStep {
		if h = mem.Load64(b.hint); h&barrierRound == w&barrierRound {
			if i = h & barrierBelow; i > b.n {
				return 0, 0, ErrCorrupt
			}
		}
	}
	for bank := bankOf(w); i < b.n; {
		if v = mem.Load64(b.slot(bank, i)); (v^w)&barrierRound != 0 {
			break
		}
		if i++; help && i%barrierStep == 0 && b.n > barrierStep && int64((w&barrierRound|i)-h) > 0 {
			mem.CAS64(b.hint, h, w&barrierRound|i)
			h = mem.Load64(b.hint)
			if k := h & barrierBelow; h&barrierRound == w&barrierRound && k > i && k <= b.n {
				i = k // others have come further
			}
		}
	}
	return i, v, nil
}

// Index is as which of the round a party came, from 0 on. Bank is the round's.
func (a Arrival) Index() int { return a.index }
func (a Arrival) Bank() int  { return bankOf(a.b) }

// Stands reports whether a's round is under way, and not broken.
func (b *Barrier) Stands(a Arrival) bool { return mem.Load64(b.b) == a.b }

// Last reports whether the round ends by a's Trip, or Fail; all others Await it.
func (b *Barrier) Last(a Arrival) bool { return uint64(a.index) == b.n-1 }

// Trip is T1, and L1. ErrBroken if the round was over before.
func (b *Barrier) Trip(a Arrival) error {
	ok, err := b.env.change(b.b, a.b, (a.b+barrierOne)^barrierP<<a.Bank()) // T1
	if ok {
		b.tell()
	} else if err == nil {
		err = ErrBroken
	}
	b.leave(a)
	return err
}

// Fail is X1, and L1.
func (b *Barrier) Fail(a Arrival) {
	b.breaks(a.b)
	b.leave(a)
}

// Await waits by s for the end of a's round, and leaves: nil if it was
// tripped, even if s had to end at the same time, else ErrBroken or what s
// said, which has broken the round. If it was not here, it may be that of zeroes.
func (b *Barrier) Await(a Arrival, s Sleeper) (here bool, err error) {
	slept := false
	if b.Stands(a) {
		if slept, err = b.turn.Await(s, func() bool { return !b.Stands(a) }); err != nil {
			b.breaks(a.b)
		}
	}
	x := mem.Load64(b.b)
	b.leave(a)
	if slept {
		mem.Add64(b.a.W64(barrierWaits), 1)
	}
	switch {
	case tripped(a.b, x):
		err = nil
	case err == nil:
		err = ErrBroken
	}
	return x != 0, err
}

// leave is L1 and L2.
func (b *Barrier) leave(a Arrival) {
	if !mem.CAS64(a.slot, a.b&barrierRound|b.me, a.b&barrierRound) {
		b.leaveWhat(a)
	}
	b.left.Ring(-1)
}

// leaveWhat is L1 of a slot that does not say whose it is: in zeroes, which stay as they are,
// or scribbled on, and nobody else would empty it.
//
//go:noinline
func (b *Barrier) leaveWhat(a Arrival) {
	empty := func() {
		if v := mem.Load64(a.slot); (v^a.b)&barrierRound == 0 && v&barrierBelow != 0 {
			mem.CAS64(a.slot, v, a.b&barrierRound)
		}
	}
	if b.env.Here == nil {
		empty()
	} else {
		b.env.Here(empty)
	}
}

// breaks is X1 on w, which has no X. It reports false if B is not w any more.
//
//go:noinline
func (b *Barrier) breaks(w uint64) (bool, error) {
	ok, err := b.env.change(b.b, w, w|barrierBroken)
	if ok {
		mem.Add64(b.a.W64(barrierBreaks), 1)
		b.tell()
	}
	return ok, err
}

// tell is T2.
func (b *Barrier) tell() {
	b.turn.Ring(-1)
	b.left.Ring(-1)
}

// Abort breaks the barrier, as it is.
func (b *Barrier) Abort() error {
	for {
		w := mem.Load64(b.b)
		if w&barrierBroken != 0 {
			return nil
		}
		if ok, err := b.breaks(w); ok || err != nil {
			return err
		}
	}
}

// Reset begins a new round, with nobody in it. Where there is one already it
// does nothing. It reports whether it did.
func (b *Barrier) Reset() (began bool, err error) {
	for {
		w := mem.Load64(b.b)
		if w&barrierBroken == 0 && (mem.Load64(b.slot(bankOf(w), 0))^w)&barrierRound != 0 {
			return false, nil
		}
		if ok, err := b.env.change(b.b, w, (w+barrierOne)&^barrierBroken); err != nil { // Z1
			return false, err
		} else if ok {
			b.tell()
			return true, nil
		}
	}
}
