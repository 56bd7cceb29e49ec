package ring

import (
	"context"
	"fmt"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// Recv returns the next message, and waits while there is none. Who calls it while another
// waits may be the one who gets it.
//
// io.EOF when the other end is gone and all that it sent was received: once, and for good.
// [ErrCodec] where a message does not decode, which then is gone, as it is if its decoder
// panics. [ErrDirection] where messages do not go this way, [shm.ErrClosed] after Close,
// ctx's error when ctx ends; then nothing was received.
//
// It spins for moments, then sleeps; and in a fast stream some microseconds may pass before
// it looks. A process that dies in Recv has received the message, which is gone with it, or
// has left it for the next.
func (c *Conn[T]) Recv(ctx context.Context) (v T, err error) {
	if !object.Endless(ctx) {
		if err := ctx.Err(); err != nil {
			return v, c.fail(opRecv, err)
		}
	}
	if c.closed == nil || c.closed.Load() {
		return v, c.fail(opRecv, shm.ErrClosed)
	}
	if c.end.RecvsClose() {
		c.end.RecvLate(c.spinner.Defers())
	}
	m, err := c.end.RecvNow()
	if err == ErrEmpty {
		return c.recvLate(ctx)
	}
	if err != nil {
		return v, c.fail(opRecv, err)
	}
	return c.take(m)
}

// recvLate is Recv that has found nothing.
//
//go:noinline
func (c *Conn[T]) recvLate(ctx context.Context) (v T, err error) {
	err = c.recvWait(ctx, opRecv, func(m engine.Received) (err error) {
		v, err = c.take(m)
		return err
	})
	return v, err
}

// recvWait waits for a message, which take has.
func (c *Conn[T]) recvWait(ctx context.Context, o operation, take func(engine.Received) error) error {
	if c.end.RecvSoon(c.spinner.Lulls(), c.spinner.Looks()) {
		c.spinner.Seen()
		if m, err := c.end.RecvNow(); err == nil {
			return take(m)
		}
	}
	w := c.core.WaiterWith(ctx, c.spinner)
	defer w.Done() // not with the lock in hand: it runs what is the context's
	m, err := c.end.Recv(w)
	if err != nil {
		return c.fail(o, err)
	}
	return take(m)
}

// take ends the receiving of what was found.
func (c *Conn[T]) take(m engine.Received) (v T, err error) {
	if c.form != raw {
		return c.takeBytes(m)
	}
	if err := c.sized(opRecv, m); err != nil {
		return v, err
	}
	m.Read(unsafe.Slice((*byte)(unsafe.Pointer(&v)), c.size))
	if c.mend != nil {
		c.mend.Mend(unsafe.Pointer(&v))
	}
	if err := c.took(opRecv, m.Took()); err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

// sized is an error, and m left, where it has not a T's bytes.
func (c *Conn[T]) sized(o operation, m engine.Received) error {
	if m.Len() == c.size {
		return nil
	}
	m.Left()
	return c.fail(o, fmt.Errorf("a message of %d bytes, of %d each: %w", m.Len(), c.size, shm.ErrCorrupt))
}

// took says whether what was taken was taken in the region.
func (c *Conn[T]) took(o operation, pos uint64) error {
	if c.closed.Load() && c.tookInZeroes(pos) {
		return c.fail(o, shm.ErrClosed)
	}
	c.core.KeepAlive()
	return nil
}

//go:noinline
func (c *Conn[T]) tookInZeroes(pos uint64) bool {
	return !c.core.Gate.Gave(func() bool { return c.end.TookInZeroes(pos) })
}

// takeBytes is take of a message of varying length.
//
//go:noinline
func (c *Conn[T]) takeBytes(m engine.Received) (v T, err error) {
	if c.form == encoded {
		return c.takeDecoded(m)
	}
	b := make([]byte, m.Len()) // what is empty is not nil
	m.Read(b)
	if err = c.took(opRecv, m.Took()); err == nil {
		setBytes(c.form, unsafe.Pointer(&v), b)
	}
	return v, err
}

// takeDecoded is apart, so that what others return is no garbage.
//
//go:noinline
func (c *Conn[T]) takeDecoded(m engine.Received) (v T, err error) {
	if err = c.decode(opRecv, m, &v); err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

// decode is for a message by a codec. It is out when it is decoded, and the lock free.
func (c *Conn[T]) decode(o operation, m engine.Received, dst *T) error {
	b := takeBuffer()
	fit(b, m.Len())
	m.Read(*b)
	err := c.took(o, m.Took())
	if err != nil {
		giveBuffer(b)
		return err
	}
	err = c.codec.Decode(*b, dst)
	giveBuffer(b) // only here: of a decoder that panicked nobody knows what still reads it
	if err != nil {
		return c.fail(o, codecError(err))
	}
	return nil
}

// fit makes *b n bytes long, in new memory if it has too little.
func fit(b *[]byte, n int) {
	if cap(*b) < n || *b == nil { // what is empty is not nil
		*b = make([]byte, n)
		return
	}
	*b = (*b)[:n]
}

// Poll waits until Recv would not: a message is there, or the other end is gone and all
// was received. It takes nothing, so that another may be first. [ErrDirection] where
// messages do not go this way, ctx's error when ctx ends, [shm.ErrClosed] after Close.
//
// It spins for moments, then sleeps. A process that
// dies in it leaves nothing.
func (c *Conn[T]) Poll(ctx context.Context) error {
	if !object.Endless(ctx) {
		if err := ctx.Err(); err != nil {
			return c.fail(opPollConn, err)
		}
	}
	if c.closed == nil || c.closed.Load() {
		return c.fail(opPollConn, shm.ErrClosed)
	}
	var err error
	if !c.end.Ready() {
		w := c.core.WaiterWith(ctx, c.spinner)
		err = c.end.Poll(w)
		w.Done()
	}
	if err = c.core.Seen(err); err != nil {
		return c.fail(opPollConn, err)
	}
	c.core.KeepAlive()
	return nil
}
