package ring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync/atomic"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/shm"
)

// A Delivery is a message that this process holds on lease. Copies of it are
// the same lease.
type Delivery[T any] struct {
	q       *Queue[T]
	v       T
	slot    int
	lease   uint32
	attempt int
}

// leases numbers this process's leases of each slot. The number of a slot
// moves on when its lease ends, so every copy of a Delivery sees that. Made
// with the first lease.
type leases struct {
	n atomic.Pointer[[]atomic.Uint32]
}

// of makes them if need be, and publishes them without an order that the race
// detector could take for the callers'.
//
//go:norace
func (l *leases) of(slots int) []atomic.Uint32 {
	mem.RaceDisable()
	defer mem.RaceEnable()
	p := l.n.Load()
	if p == nil {
		n := make([]atomic.Uint32, slots)
		l.n.CompareAndSwap(nil, &n)
		p = l.n.Load()
	}
	return *p
}

// number is that of the present lease of a slot, which this process holds.
func (l *leases) number(slots, slot int) uint32 {
	n := &l.of(slots)[slot]
	mem.RaceDisable()
	defer mem.RaceEnable()
	return n.Load()
}

// end reports whether the lease was still on, once.
func (l *leases) end(slots, slot int, lease uint32) bool {
	n := &l.of(slots)[slot]
	mem.RaceDisable()
	defer mem.RaceEnable()
	return n.CompareAndSwap(lease, lease+1)
}

// Lease takes the first message and leaves it in the queue, held by this
// process, until Ack or Nack of the Delivery. If the process dies or closes
// the region before that, another consumer gets the message. It waits while
// there is none, and ends as Get does.
//
// A message that does not decode is ErrCodec, once, and gone: given back it
// would come for ever, and the end of the queue and Join never. The same if its
// decoder panics, or ends its goroutine: that is how the caller is told.
//
// A process that dies in Lease has left the message to others; one that dies of
// a decoder's panic had taken it out before.
func (q *Queue[T]) Lease(ctx context.Context) (Delivery[T], error) {
	if err := ctx.Err(); err != nil {
		return Delivery[T]{}, q.fail(opLease, err)
	}
	if q.off() {
		return Delivery[T]{}, q.fail(opLease, shm.ErrClosed)
	}
	s, err := q.eng.TryLease()
	if err == ErrEmpty {
		w := q.waiter(ctx)
		s, err = q.eng.Take(w, true)
		w.Done()
	}
	if err != nil {
		return Delivery[T]{}, q.fail(opLease, err)
	}
	return q.leased(opLease, s)
}

// TryLease is Lease without waiting: ErrEmpty where Lease would. It never blocks.
func (q *Queue[T]) TryLease() (Delivery[T], error) {
	if q.off() {
		return Delivery[T]{}, q.fail(opTryLease, shm.ErrClosed)
	}
	s, err := q.eng.Take(nil, true)
	if err != nil {
		return Delivery[T]{}, q.fail(opTryLease, err)
	}
	return q.leased(opTryLease, s)
}

// Leases yields leases until the end of the queue; errors as All.
//
// If the body of the loop panics, or ends its goroutine, the message that it
// was given goes back, as by Nack, unless it was ended before; so it would if
// the process died of it. A body that is left by break or return keeps its
// message on lease.
func (q *Queue[T]) Leases(ctx context.Context) iter.Seq2[Delivery[T], error] {
	return func(yield func(Delivery[T], error) bool) {
		var d Delivery[T]
		inside := false
		defer func() {
			if inside && d.q != nil {
				d.Nack()
			}
		}()
		for {
			var err error
			if d, err = q.Lease(ctx); errors.Is(err, io.EOF) {
				return
			}
			inside = true
			more := yield(d, err)
			inside = false
			if !more || err != nil && !errors.Is(err, ErrCodec) {
				return
			}
		}
	}
}

// leased makes the delivery of a slot that was leased.
func (q *Queue[T]) leased(o operation, s engine.Slot) (Delivery[T], error) {
	d := Delivery[T]{q: q, slot: q.eng.Index(s), attempt: s.Attempt()}
	d.lease = q.leases.number(q.eng.Cap(), d.slot)
	var err error
	if q.form == inSlot {
		d.v = *(*T)(body(s))
	} else if d.v, err = q.leasedBytes(s, d.slot); err != nil && q.eng.Ack(d.slot) == nil { // or it would be in everybody's way for ever
		return Delivery[T]{}, q.core.Err(o.String(), err) // and nobody else is told
	}
	if err == nil && q.closed.Load() {
		err = shm.ErrClosed // Close of the region gives it to another
		q.core.Gate.Here(func() { q.eng.Nack(d.slot) })
	}
	if err = q.done(o, err); err != nil {
		return Delivery[T]{}, err
	}
	return d, nil
}

//go:noinline
func (q *Queue[T]) leasedBytes(s engine.Slot, slot int) (v T, err error) {
	b, err := q.read(s, &v)
	if err == nil {
		err = q.decode(b, &v, func() { q.eng.Ack(slot) })
	}
	return v, err
}

// Value returns the message. It stays after Ack.
func (d Delivery[T]) Value() T { return d.v }

// Attempt counts the message's deliveries, this one included: 1 the first
// time. A message that kills its consumers is told by it.
func (d Delivery[T]) Attempt() int { return d.attempt }

// Ack says that the message is done: it is gone from the queue, and counts as
// done for Join. [shm.ErrNotOwner] if the delivery was acknowledged or given
// back before, through this copy or another. It never blocks. A process that
// dies in it has acknowledged the message, or another consumer gets it.
func (d Delivery[T]) Ack() error { return d.end(opAck, (*engine.Queue).Ack) }

// Nack gives the message back: the next consumer gets it, out of order and
// with a higher Attempt. Errors as Ack. It never blocks. A process that dies in
// it has the message on lease or has given it back, and it goes back in either
// case.
func (d Delivery[T]) Nack() error { return d.end(opNack, (*engine.Queue).Nack) }

func (d Delivery[T]) end(o operation, end func(*engine.Queue, int) error) error {
	q := d.q
	if q == nil {
		return &shm.Error{Op: o.String(), Err: fmt.Errorf("a zero Delivery: %w", shm.ErrNotOwner)}
	}
	if !q.leases.end(q.eng.Cap(), d.slot, d.lease) {
		return q.fail(o, fmt.Errorf("acknowledged or given back before: %w", shm.ErrNotOwner))
	}
	return q.done(o, end(q.eng, d.slot))
}
