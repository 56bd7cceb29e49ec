package ring

import (
	"context"
	"fmt"
	"io/fs"
	"reflect"
	"runtime"
	"sync"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// A Loan is memory of the region that this process has for a message to come, to be
// filled in place: what is put by it is copied nowhere. It holds no place in the queue
// meanwhile, and so holds up nobody, however long it takes; it takes room of the
// queue's Buffer. Copies of a Loan are the same loan.
//
// It ends with Put or Drop. If the process dies or closes the region before, the
// memory goes back; and so it does some time after nothing in the process reaches the
// Loan any more. What is kept of Loans that have ended may put that last off: so keep
// them no longer than others.
type Loan[T any] struct {
	q   *Queue[T]
	l   engine.Loan
	n   int // bytes
	own *lending
}

// A lending is what a Loan is reached by: when nothing reaches it any more while
// it is out, the memory goes back. One that is in is used again, so that a loan
// allocates nothing; a copy of an ended Loan that the program has kept reaches the one
// of another, then, which goes back no sooner than that copy.
type lending struct{ out *outstanding }

// outstanding is what the collector gives back, once nothing reaches the lending:
// when no call that writes it is under way any more.
type outstanding struct {
	core *object.Core // nil: nothing is out
	eng  *engine.Queue
	l    engine.Loan
}

// lendings are those to be used again. There are none for the race detector, as
// there are no buffers.
var lendings sync.Pool

func newLending() *lending {
	if !mem.RaceEnabled {
		if w, ok := lendings.Get().(*lending); ok {
			return w
		}
	}
	w := &lending{new(outstanding)}
	runtime.AddCleanup(w, (*outstanding).giveBack, w.out)
	return w
}

// lend notes what is out.
//
//go:norace
func (w *lending) lend(core *object.Core, eng *engine.Queue, l engine.Loan) {
	w.out.core, w.out.eng, w.out.l = core, eng, l
	runtime.KeepAlive(w)
}

// ended is called by the one call that has ended the loan.
func (w *lending) ended() {
	w.lend(nil, nil, engine.Loan{})
	if !mem.RaceEnabled {
		lendings.Put(w)
	}
}

//go:norace
func (o *outstanding) giveBack() {
	if o.core != nil {
		o.core.Gate.Undo(func() { o.eng.DropLoan(o.l) })
		o.core.KeepAlive()
	}
}

// Loan lends memory for one message: n bytes for a T that is []byte, 0 to the queue's
// MaxMessage. For a plain T that is larger than a slot (128 bytes) n is 1. Any
// other T is [shm.ErrNotPlain]. What stands in the memory is what was left there by
// whoever had it before.
//
// It waits while there is not so much in one piece, which may be longer than a Put
// waits, whose message may lie in several; and it waits for no place in the queue.
// ErrShutdown, ErrTooLarge, fs.ErrInvalid for any other n; ctx's error when ctx ends,
// with nothing lent.
//
// A process that dies in it leaves nothing.
func (q *Queue[T]) Loan(ctx context.Context, n int) (Loan[T], error) {
	if err := ctx.Err(); err != nil {
		return Loan[T]{}, q.fail(opLoan, err)
	}
	if q.off() {
		return Loan[T]{}, q.fail(opLoan, shm.ErrClosed)
	}
	n, err := q.lendable(n)
	if err != nil {
		return Loan[T]{}, q.fail(opLoan, err)
	}
	l, err := q.eng.Loan(nil, n)
	if err == ErrFull {
		w := q.waiter(ctx)
		l, err = q.eng.Loan(w, n)
		w.Done()
	}
	if err == nil && q.closed.Load() {
		err = shm.ErrClosed
		q.core.Gate.Undo(func() { q.eng.DropLoan(l) })
	}
	if err != nil {
		return Loan[T]{}, q.fail(opLoan, err)
	}
	if q.mend != nil {
		q.mend.Mend(q.eng.Memory(l)) // what was left there may be of another message's middle
	}
	q.core.Pin()
	lent := Loan[T]{q, l, n, newLending()}
	lent.own.lend(q.core, q.eng, l)
	q.core.KeepAlive()
	return lent, nil
}

// lendable is how many bytes a loan of n takes.
func (q *Queue[T]) lendable(n int) (int, error) {
	switch {
	case q.form == raw && n == 1:
		return q.size, nil
	case q.form == raw:
		return 0, fmt.Errorf("a loan of %d, of a plain type it is of 1: %w", n, fs.ErrInvalid)
	case q.form == inSlot:
		return 0, fmt.Errorf("a loan of %v, which lies in its slot: %w", reflect.TypeFor[T](), shm.ErrNotPlain)
	case q.form != asBytes:
		return 0, fmt.Errorf("a loan of %v, which has no memory of its own in a message: %w", reflect.TypeFor[T](), shm.ErrNotPlain)
	case n < 0:
		return 0, fmt.Errorf("a loan of %d bytes: %w", n, fs.ErrInvalid)
	case n > q.eng.MaxMessage():
		return 0, fmt.Errorf("a loan of %d bytes, at most %d: %w", n, q.eng.MaxMessage(), ErrTooLarge)
	}
	return n, nil
}

// at is where the memory is; nil after Put and Drop. After Close of the region it is
// in zeroes of this process's own.
func (l Loan[T]) at() unsafe.Pointer {
	if l.q == nil || !l.q.eng.Lent(l.l) && !l.q.gone() {
		return nil
	}
	return l.q.eng.Memory(l.l)
}

// gone reports whether there are zeroes in the region's place. A Close comes to that
// some time after it has begun, or never if it fails; until then what has ended is
// another's.
func (q *Queue[T]) gone() bool { return q.core.Gate.Closed() && q.eng.Gone() }

// Bytes returns the memory that was lent, for a T that is []byte, else nil. It is the
// loan's until Put or Drop, and as long as l is reachable; afterwards Bytes is nil, and
// what it returned before is somebody else's, not to be touched. After Close of the
// region it is zeroes of this process's own, which nobody else sees.
//
// For the sake of what it returned, the address space of the region stays in use
// until the process ends.
func (l Loan[T]) Bytes() []byte {
	p := l.at()
	if p == nil || l.q.form != asBytes {
		return nil
	}
	return unsafe.Slice((*byte)(p), l.n)[:l.n:l.n]
}

// Ptr is Bytes for a plain T.
func (l Loan[T]) Ptr() *T {
	p := l.at()
	if p == nil || l.q.form != raw {
		return nil
	}
	return (*T)(p)
}

// Put makes the first n bytes of the loan a message, as [Queue.Put] does, and waits
// for a place in the queue; for a plain T n is 1. With nil the loan has ended. With
// ErrShutdown and ctx's error it stands, to be put again or dropped; fs.ErrInvalid
// for an n that was not lent. [shm.ErrNotOwner] if it was put or dropped before,
// through this copy or another, or is being put.
//
// A process that dies in it has put the whole message, or nothing, and the memory
// goes back.
func (l Loan[T]) Put(ctx context.Context, n int) error {
	q := l.q
	if q == nil {
		return noLoan(opLoanPut)
	}
	if err := ctx.Err(); err != nil {
		return q.fail(opLoanPut, err)
	}
	if q.off() {
		return q.fail(opLoanPut, shm.ErrClosed)
	}
	size := n
	if q.form == raw && n == 1 {
		size = q.size
	}
	if size < 0 || size > l.n || q.form == raw && n != 1 {
		return q.fail(opLoanPut, fmt.Errorf("a message of %d in a loan of %d: %w", n, l.n, fs.ErrInvalid))
	}
	s, err := q.eng.PutLoan(nil, l.l, size)
	if err == ErrFull {
		w := q.waiter(ctx)
		s, err = q.eng.PutLoan(w, l.l, size)
		w.Done()
	}
	if err == nil && q.closed.Load() && q.inZeroes(s) {
		err = shm.ErrClosed
	}
	return l.ended(opLoanPut, err)
}

// Drop gives the memory back, with nothing put. [shm.ErrNotOwner] if the loan was put
// or dropped before, or is being put. It never blocks, and can be called when the
// handle was closed. A process that dies in it has given the memory back, or it goes
// back.
func (l Loan[T]) Drop() error {
	q := l.q
	if q == nil {
		return noLoan(opLoanDrop)
	}
	return l.ended(opLoanDrop, q.core.Here(func() error { return q.eng.DropLoan(l.l) }))
}

// ended ends a call that ends the loan, if err is nil.
func (l Loan[T]) ended(o operation, err error) error {
	switch err {
	case nil:
		l.own.ended()
	case engine.ErrNoLoan:
		err = fmt.Errorf("put or dropped before: %w", shm.ErrNotOwner)
	}
	err = l.q.done(o, err)
	runtime.KeepAlive(l.own)
	return err
}

func noLoan(o operation) error {
	return &shm.Error{Op: o.String(), Err: fmt.Errorf("a zero Loan: %w", shm.ErrNotOwner)}
}
