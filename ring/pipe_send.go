package ring

import (
	"context"
	"fmt"
	"unsafe"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// Send sends v, and waits while the pipe has no room for it. When it returns nil the
// message can be received at the other end, also if this process dies.
//
// syscall.EPIPE when the other end is gone. [ErrTooLarge], at once, where v would never
// fit, [ErrCodec] where it does not encode, [ErrDirection] where messages do not go this
// way, ctx's error when ctx ends; then nothing was sent.
//
// It spins for moments, then sleeps; and in a fast stream it may let some microseconds
// pass. Of several that wait for room whoever comes first when there is some takes it. But
// where one has waited for a millisecond, while others sent, those that come stand back for
// it, each Send for a millisecond, or now and then for ten, where spins have been in vain:
// so a long message gets through among many short ones, as long as receivers are faster
// than that.
//
// [shm.ErrClosed] after Close. A process that dies in Send has sent the whole message, or
// nothing.
func (c *Conn[T]) Send(ctx context.Context, v T) error {
	if !object.Endless(ctx) {
		if err := ctx.Err(); err != nil {
			return c.fail(opSend, err)
		}
	}
	if c.closed == nil || c.closed.Load() {
		return c.fail(opSend, shm.ErrClosed)
	}
	var msg []byte
	switch c.form {
	case raw:
		msg = unsafe.Slice((*byte)(unsafe.Pointer(&v)), c.size)
	case asBytes:
		msg = *(*[]byte)(unsafe.Pointer(&v))
		looked(msg)
	case asText:
		s := *(*string)(unsafe.Pointer(&v))
		msg = unsafe.Slice(unsafe.StringData(s), len(s))
		looked(msg)
	case encoded:
		return c.sendEncoded(ctx, &v)
	}
	return c.send(ctx, msg)
}

// looked reads of each page of a user's memory that is to be copied with a lock held, or a
// slot: what cannot be read is found out before, and what must be read from a disk is read.
func looked(b []byte) {
	const page = 4096
	for ; len(b) > page; b = b[page:] {
		mem.Looked(unsafe.Pointer(unsafe.SliceData(b)), page)
	}
	mem.Looked(unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b)))
}

// sendEncoded has no lock while the user's code runs, which may take its time, and panic.
//
//go:noinline
func (c *Conn[T]) sendEncoded(ctx context.Context, v *T) error {
	buf := takeBuffer()
	var err error
	if *buf, err = c.codec.Append((*buf)[:0], *v); err != nil {
		giveBuffer(buf)
		return c.fail(opSend, codecError(err))
	}
	err = c.send(ctx, *buf)
	giveBuffer(buf)
	return err
}

func (c *Conn[T]) send(ctx context.Context, msg []byte) error {
	if len(msg) > c.most {
		return c.fail(opSend, fmt.Errorf("%d bytes, at most %d: %w", len(msg), c.most, ErrTooLarge))
	}
	if c.end.SendsClose(len(msg)) {
		c.end.SendLate(c.spinner.Lulls())
	}
	pos, err := c.end.SendNow(msg)
	if err == ErrFull {
		pos, err = c.sendWait(ctx, msg)
	}
	if err == nil && c.closed.Load() && c.sentInZeroes(pos) {
		err = shm.ErrClosed
	}
	if err != nil {
		return c.fail(opSend, err)
	}
	c.core.KeepAlive()
	return nil
}

//go:noinline
func (c *Conn[T]) sendWait(ctx context.Context, msg []byte) (pos uint64, err error) {
	w := c.core.WaiterWith(ctx, c.spinner)
	defer w.Done()
	return c.end.Send(w, msg)
}

//go:noinline
func (c *Conn[T]) sentInZeroes(pos uint64) bool {
	return !c.core.Gate.Gave(func() bool { return c.end.SentInZeroes(pos) })
}
