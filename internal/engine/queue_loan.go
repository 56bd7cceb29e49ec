package engine

import (
	"errors"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// A Loan is a piece of the pool that this process has taken for a message to
// come, and fills in place, for as long as it likes: no slot is held meanwhile,
// so that others put and take as if there were nothing. queue_blocks.go has the
// pieces.
//
//	LN1  the piece is claimed, under a tag of its own, whole
//	LN2  an end: CAS owner: the loan's tag → another. One call has it by that,
//	     whatever copies of the loan there are, for its tag is used again after
//	     2^33 others, if at all
//
//	Put  LN3  a slot, as for any message, which may be waited for
//	     LN4  what the message does not need is cut off; one that fits its slot
//	          is copied there, and needs nothing
//	     LN5  publish, as P3 of queue_put.go. From here on the piece is the
//	          message's
//	     LN6  what was not needed is free: ring space
//	     no slot: CAS owner: back to the loan's tag. It stands
//	Drop LN7  the piece is freed: ring space
//
// Death: a tag that is in no slot, dead: the piece is free (queue_recover.go, R3).
// Between LN4 and LN5 there is a piece more, of the same tag, or it is free.
//
// Close: every change is a CAS from a tag, which no word of the zeroes has. An
// LN2 that succeeds and is overtaken ends with a slot that says so.
type Loan struct {
	first, blocks uint32
	tag           uint64
}

// ErrNoLoan is of a loan that was put or dropped before, or is being put.
var ErrNoLoan = errors.New("the loan was put or dropped before")

// Loan takes memory for a message of n bytes, and waits for it; without a Sleeper
// it makes one attempt. ErrFull, ErrShutdown, ErrTooLarge.
func (q *Queue) Loan(by Sleeper, n int) (Loan, error) {
	if q.fixed || n < 0 || uint64(n) > uint64(q.most) {
		return Loan{}, ErrTooLarge
	}
	l := Loan{blocks: q.pool.blocks(uint32(n)), tag: q.newTag()}
	first, err := q.claimBlocks(l.blocks, l.tag, true) // LN1
	if err == ErrFull && by != nil {
		if e := q.awaitSpace(by, func() bool {
			first, err = q.claimBlocks(l.blocks, l.tag, true)
			return err != ErrFull
		}); e != nil {
			err = e
		}
	}
	if err != nil {
		return Loan{}, err
	}
	l.first = first
	return l, nil
}

// Memory is what was lent, of one byte at least: as it was left by whoever had it
// before.
func (q *Queue) Memory(l Loan) unsafe.Pointer { return mem.Place(q.pool.at(l.first)) }

// Lent reports whether the loan has not ended, nor is being put.
func (q *Queue) Lent(l Loan) bool { return mem.Load64(q.pool.owner(l.first)) == l.tag }

// Gone reports whether there are zeroes in the region's place. They come all at once:
// who has found them in one word finds them in all from then on.
func (q *Queue) Gone() bool { return q.gone() }

// own is LN2.
func (q *Queue) own(l Loan) (Loan, error) {
	to := l
	to.tag = q.newTag()
	if l.tag == 0 || l.first >= q.pool.n || !mem.CAS64(q.pool.owner(l.first), l.tag, to.tag) {
		return Loan{}, ErrNoLoan
	}
	return to, nil
}

// PutLoan makes the first n bytes of what was lent a message, and waits for a
// slot; without a Sleeper it makes one attempt. The loan stands if there is an
// error, unless that is ErrNoLoan or ErrCorrupt.
func (q *Queue) PutLoan(by Sleeper, l Loan, n int) (Slot, error) {
	need := q.pool.blocks(uint32(n))
	if n < 0 || need > l.blocks {
		return Slot{}, ErrTooLarge
	}
	own, err := q.own(l)
	if err != nil {
		return Slot{}, err
	}
	s, err := q.Claim(by) // LN3
	if err != nil {
		mem.CAS64(q.pool.owner(l.first), own.tag, l.tag)
		return s, err
	}
	q.publishLoan(s, own, uint32(n), need)
	return s, nil
}

func (q *Queue) publishLoan(s Slot, own Loan, n, need uint32) {
	*s.len() = n
	small := n <= q.room
	if small { // LN4
		mem.Copy(q.Body(s), q.pool.at(own.first), uintptr(n))
	} else {
		if need < own.blocks {
			q.pool.cut(own.first, own.blocks, need, own.tag, 0)
		}
		*s.tag(), *s.first() = own.tag, own.first
	}
	q.Publish(s) // LN5
	if small {
		q.pool.giveBack(own.first, own.tag, own.blocks)
	}
	if small || need < own.blocks {
		q.space.Ring(-1) // LN6
	}
}

// DropLoan gives a loan back. ErrNoLoan if it is none any more.
func (q *Queue) DropLoan(l Loan) error {
	own, err := q.own(l)
	if err != nil {
		return err
	}
	q.pool.giveBack(own.first, own.tag, own.blocks) // LN7
	q.space.Ring(-1)
	return nil
}

// InPlace is where a message that this process has taken lies, of as many bytes as
// Length said, if it lies in one piece of the pool. ErrCorrupt if it lies nowhere.
func (q *Queue) InPlace(s Slot, n int) (p unsafe.Pointer, whole bool, err error) {
	if n <= int(q.room) {
		return nil, false, nil
	}
	p, whole = q.pool.whole(*s.first(), *s.tag(), uint32(n))
	if p == nil {
		return nil, false, ErrCorrupt
	}
	return mem.Place(p), whole, nil
}

// Clone is a copy of a message, of as many bytes as Length said, in memory that is
// not zeroed before.
func (q *Queue) Clone(s Slot, n int) ([]byte, error) {
	if n <= int(q.room) {
		return mem.Clone(q.Body(s), n), nil
	}
	p, whole := q.pool.whole(*s.first(), *s.tag(), uint32(n))
	if whole {
		return mem.Clone(p, n), nil
	}
	b := make([]byte, n)
	return b, q.pool.read(*s.first(), *s.tag(), b)
}
