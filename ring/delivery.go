package ring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync/atomic"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/shm"
)

// A Delivery is a message that this process holds on lease. Copies of it are
// the same lease.
type Delivery[T any] struct {
	q       *Queue[T]
	p       *T                   // the message, if it is not small and not in place
	in      place                // or where it is
	small   [slotMost / 8]uint64 // or the message as it lay in its slot
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
func (q *Queue[T]) Lease(ctx context.Context) (d Delivery[T], err error) {
	if err = ctx.Err(); err != nil {
		return d, q.fail(opLease, err)
	}
	if q.off() {
		return d, q.fail(opLease, shm.ErrClosed)
	}
	s, err := q.eng.TryLease()
	if err == ErrEmpty {
		w := q.waiter(ctx)
		s, err = q.eng.Take(w, true)
		w.Done()
	}
	if err != nil {
		return d, q.fail(opLease, err)
	}
	err = q.leased(opLease, s, &d)
	return d, err
}

// TryLease is Lease without waiting: ErrEmpty where Lease would. It never blocks.
func (q *Queue[T]) TryLease() (d Delivery[T], err error) {
	if q.off() {
		return d, q.fail(opTryLease, shm.ErrClosed)
	}
	s, err := q.eng.Take(nil, true)
	if err != nil {
		return d, q.fail(opTryLease, err)
	}
	err = q.leased(opTryLease, s, &d)
	return d, err
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

// leased makes d the delivery of a slot that was leased.
func (q *Queue[T]) leased(o operation, s engine.Slot, d *Delivery[T]) (err error) {
	slot := q.eng.Index(s)
	d.attempt = q.eng.Attempt(s)
	if q.form == inSlot {
		*(*T)(unsafe.Pointer(&d.small)) = *(*T)(body(q.eng, s))
		if q.mend != nil {
			q.mend.Mend(unsafe.Pointer(&d.small))
		}
	} else if err = q.leasedBytes(s, d, slot); err != nil && err != shm.ErrClosed && q.eng.Ack(slot) == nil { // or it would be in everybody's way for ever
		*d = Delivery[T]{}
		return q.core.Err(o.String(), err) // and nobody else is told
	}
	if (err == nil || err == shm.ErrClosed) && q.closed.Load() {
		err = shm.ErrClosed // Close of the region gives it to another
		q.core.Gate.Undo(func() { q.eng.Nack(slot) })
	}
	if err = q.done(o, err); err != nil {
		*d = Delivery[T]{}
		return err
	}
	d.q, d.slot, d.lease = q, slot, q.leases.number(q.eng.Cap(), slot)
	return nil
}

// leasedBytes notes where a message is that is not as it is in its slot, or copies it.
//
//go:noinline
func (q *Queue[T]) leasedBytes(s engine.Slot, d *Delivery[T], slot int) error {
	if q.form == raw || q.form == asBytes {
		n, err := q.eng.Length(s)
		if err != nil || q.form == raw && n != q.size {
			return shm.ErrCorrupt
		}
		at, whole, err := q.eng.InPlace(s, n)
		if err != nil {
			return err
		}
		if whole {
			d.in = readAt(at, n)
			return nil
		}
	}
	v := new(T)
	d.p = v
	switch q.form {
	case raw:
		return q.readRaw(s, unsafe.Pointer(v))
	case asBytes, asText:
		b, err := q.clone(s)
		setBytes(q.form, unsafe.Pointer(v), b)
		return err
	}
	b := takeBuffer()
	if err := q.readInto(s, b); err != nil {
		giveBuffer(b)
		return err
	}
	if err := q.core.Seen(nil); err != nil { // these may be zeroes: no decoder is to see them
		giveBuffer(b)
		return err
	}
	return q.decode(b, v, func() { q.eng.Ack(slot) })
}

// Value returns the message. It stays after Ack and Nack.
//
// A []byte that is longer than 112 bytes, or a plain T larger than a slot, is copied
// when Value is first called, or by Ack or Nack if it was not read before. So it is
// zero if View or Ptr was called, and Value only after Ack or Nack; or only after
// Close of the region.
func (d Delivery[T]) Value() (v T) {
	switch {
	case d.q == nil:
	case d.p != nil:
		v = *d.p
	case d.in.r == nil:
		v = *(*T)(unsafe.Pointer(&d.small))
	default:
		if c, ok := d.in.value(func() any { return d.q.copied(d.in) }).(*T); ok {
			v = *c
		}
	}
	return v
}

// copied is a copy of a message that lies in blocks; nil if the region may be gone.
func (q *Queue[T]) copied(in place) any {
	v := new(T)
	if q.form == raw {
		mem.Copy(unsafe.Pointer(v), in.at, uintptr(in.n))
		if q.mend != nil {
			q.mend.Mend(unsafe.Pointer(v))
		}
	} else {
		setBytes(asBytes, unsafe.Pointer(v), mem.Clone(in.at, in.n))
	}
	seen := q.core.Gate.Stands()
	q.core.KeepAlive()
	if !seen {
		return nil
	}
	return v
}

// View returns the bytes of a []byte where they are: nothing is copied, so it takes
// as long for a megabyte as for a byte. They are to be read, until Ack or Nack, and
// as long as d is reachable; afterwards View is nil, and what it returned before is
// somebody else's, or zeroes of this process's own where the region was closed.
// Bytes that lie in a slot (112 at most), or in several pieces since there was no
// room in one, were copied by Lease: of these View returns what Value does. It is
// nil of any other T.
//
// For the sake of what it returned, the address space of the region stays in use
// until the process ends.
func (d Delivery[T]) View() []byte {
	if d.in.r == nil {
		if d.q == nil || d.q.form != asBytes {
			return nil
		}
		return *(*[]byte)(unsafe.Pointer(d.p))
	}
	if d.q.form != asBytes {
		return nil
	}
	if mem.RaceEnabled || !d.in.viewed() {
		d.q.core.Pin()
		if !d.in.view() {
			return nil
		}
	}
	return unsafe.Slice((*byte)(d.in.at), d.in.n)
}

// Ptr is View for a plain T that is larger than a slot (128 bytes): the message
// where it is; nil after Ack or Nack. In a bool's place there a peer may leave any
// byte, of which the compiler takes it that it is 0 or 1; what Value returns is valid.
// Of any other T Ptr is a pointer to a copy of Value.
func (d Delivery[T]) Ptr() *T {
	if d.q == nil || d.in.r == nil || d.q.form != raw {
		v := d.Value()
		return &v
	}
	if mem.RaceEnabled || !d.in.viewed() {
		d.q.core.Pin()
		if !d.in.view() {
			return nil
		}
	}
	return (*T)(d.in.at)
}

// Attempt counts the message's deliveries, this one included: 1 the first
// time. A message that kills its consumers is told by it.
func (d Delivery[T]) Attempt() int { return d.attempt }

// Ack says that the message is done: it is gone from the queue, and counts as
// done for Join. [shm.ErrNotOwner] if the delivery was acknowledged or given
// back before, through this copy or another. It never blocks. A process that
// dies in it has acknowledged the message, or another consumer gets it.
func (d Delivery[T]) Ack() error { return d.q.ended(opAck, d.slot, d.lease, d.in) }

// Nack gives the message back: the next consumer gets it, out of order and
// with a higher Attempt. Errors as Ack. It never blocks. A process that dies in
// it has the message on lease or has given it back, and it goes back in either
// case.
func (d Delivery[T]) Nack() error { return d.q.ended(opNack, d.slot, d.lease, d.in) }

// ended ends a lease; q is nil of a zero Delivery.
func (q *Queue[T]) ended(o operation, slot int, lease uint32, in place) (err error) {
	if q == nil {
		return &shm.Error{Op: o.String(), Err: fmt.Errorf("a zero Delivery: %w", shm.ErrNotOwner)}
	}
	if in.r != nil {
		in.end(func() any { return q.copied(in) })
	}
	if !q.leases.end(q.eng.Cap(), slot, lease) {
		return q.fail(o, fmt.Errorf("acknowledged or given back before: %w", shm.ErrNotOwner))
	}
	if o == opAck {
		err = q.eng.Ack(slot)
	} else {
		err = q.eng.Nack(slot)
	}
	return q.done(o, err)
}
