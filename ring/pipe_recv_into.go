package ring

import (
	"context"
	"fmt"
	"io/fs"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// RecvInto is Recv into what *dst has already, and allocates nothing where that is
// enough: of a []byte its capacity, which is replaced where it is too small; of a
// T that goes by a codec whatever the codec reuses. By CBOR what the message has
// is overwritten, and what it has not stays as it was: keys of a map, and fields
// that the sender left out. A string is new memory.
//
// Long messages are several times as fast by it as by [Conn.Recv], whose memory is
// allocated, cleared and collected for each.
//
// It waits, ends and leaves what Recv does, and what *dst then has after an error is of no
// use. A dst that is nil is fs.ErrInvalid.
func (c *Conn[T]) RecvInto(ctx context.Context, dst *T) error {
	if !object.Endless(ctx) {
		if err := ctx.Err(); err != nil {
			return c.fail(opRecvInto, err)
		}
	}
	if dst == nil {
		return c.fail(opRecvInto, fmt.Errorf("nothing to receive it into: %w", fs.ErrInvalid))
	}
	if c.closed == nil || c.closed.Load() {
		return c.fail(opRecvInto, shm.ErrClosed)
	}
	mem.Touched(unsafe.Pointer(dst), unsafe.Sizeof(*dst)) // it may be no memory to write to: not with the lock in hand
	if c.end.RecvsClose() {
		c.end.RecvLate(c.spinner.Defers())
	}
	m, err := c.end.RecvNow()
	if err == ErrEmpty {
		return c.recvIntoLate(ctx, dst)
	}
	if err != nil {
		return c.fail(opRecvInto, err)
	}
	return c.takeInto(m, dst)
}

// recvIntoLate is RecvInto that has found nothing.
//
//go:noinline
func (c *Conn[T]) recvIntoLate(ctx context.Context, dst *T) error {
	return c.recvWait(ctx, opRecvInto, func(m engine.Received) error { return c.takeInto(m, dst) })
}

// takeInto ends the receiving of what was found.
func (c *Conn[T]) takeInto(m engine.Received, dst *T) error {
	switch c.form {
	case encoded:
		return c.decode(opRecvInto, m, dst)
	case raw:
		if err := c.sized(opRecvInto, m); err != nil {
			return err
		}
	}
	c.intoCallers(m, dst)
	return c.took(opRecvInto, m.Took())
}

// intoCallers reads m to the caller's memory. If that is none, and the fault a panic
// (debug.SetPanicOnFault), m is there for the next, and the lock is free.
func (c *Conn[T]) intoCallers(m engine.Received, dst *T) {
	whole := false
	defer func() {
		if !whole {
			m.Left()
		}
	}()
	switch c.form {
	case raw:
		m.Read(unsafe.Slice((*byte)(unsafe.Pointer(dst)), c.size))
		if c.mend != nil {
			c.mend.Mend(unsafe.Pointer(dst))
		}
	case asBytes:
		b := (*[]byte)(unsafe.Pointer(dst))
		fit(b, m.Len())
		m.Read(*b)
	case asText:
		b := make([]byte, m.Len())
		m.Read(b)
		setBytes(asText, unsafe.Pointer(dst), b)
	}
	whole = true
}
