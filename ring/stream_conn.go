package ring

import (
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/wait"
)

// A streamConn is one end of a stream, as package net has connections: what [Dial] and
// Accept return. engine.Stream has what the two ends share. What the goroutines of one end
// share is here: a lock each for its reading and its writing (stream_lock.go), and why a
// call of either must not go on (stream_half.go).
//
// Close and its halves end what is under way in this order:
//
//	K1  state: no call goes on that comes to a look
//	K2  rouse: those that sleep, or wait for the lock, look
//	K3  take the lock: no call is under way
//	K4  End: the peer is told, to whom W or R is final now
//	K5  gone, of Close only: the memory may be another's
//
// A call looks at state when it has the lock, and touches the memory only if that is
// open; so after K3 nobody does. The locks are held while one sleeps, and while bytes are
// copied; not while anything runs that is a user's.
//
// A call that Region.Close overtakes looks at its Closed after it has stored W or R, and
// what it stored in the zeroes it has not done (object.Gate): the zeroes have the index
// there that this call alone has left.
//
// The race detector sees the locks, so that two Writes of one end are ordered for it, or two
// Reads, as those of package net's are; a Write and the Read of its bytes by engine.Stream.
type streamConn struct {
	end    *streamEnd
	forget runtime.Cleanup
}

// A streamEnd is all of a streamConn but the handle.
type streamEnd struct {
	eng           *engine.Stream
	core          *object.Core
	local, remote net.Addr
	closed        atomic.Bool
	gone          func()

	_   [128]byte
	in  streamHalf
	_   [128]byte
	out streamHalf
}

// newStreamConn is the connection over an end that is attached, and accepted. gone is
// called once, when the end has been closed, or collected, and the peer has been told.
func newStreamConn(core *object.Core, eng *engine.Stream, local, remote net.Addr, gone func()) *streamConn {
	e := &streamEnd{eng: eng, core: core, local: local, remote: remote, gone: gone}
	e.in.init(e, engine.EndReading)
	e.out.init(e, engine.EndWriting)
	c := &streamConn{end: e}
	c.forget = runtime.AddCleanup(c, func(e *streamEnd) { e.close() }, e)
	return c
}

// Read reads what is there, at most len(p) bytes, and waits while there is nothing.
//
// io.EOF when the peer writes no more, or is gone, and all was read; but
// syscall.ECONNRESET if it is gone and has left bytes unread that were written here. io.EOF
// after CloseRead, net.ErrClosed after Close, os.ErrDeadlineExceeded after the deadline:
// then also if bytes are there.
//
// It spins for moments, then sleeps. A process that dies in Read has read the bytes, or not.
func (c *streamConn) Read(p []byte) (n int, err error) {
	n, err = c.end.in.read(p)
	if err != nil {
		err = c.end.fail(opStreamRead, err)
	}
	runtime.KeepAlive(c)
	return n, err
}

// Write writes all of p, and waits while there is no room. With an error it says how much
// of p was written: the peer can read that, also if this process dies.
//
// syscall.EPIPE when the peer reads no more, or is gone, and after CloseWrite;
// net.ErrClosed after Close, os.ErrDeadlineExceeded after the deadline.
//
// It spins for moments, then sleeps. Writes of several goroutines come one after the other,
// each whole. A process that dies in Write has written a first part of p.
func (c *streamConn) Write(p []byte) (n int, err error) {
	n, err = c.end.out.write(p)
	if err != nil {
		err = c.end.fail(opStreamWrite, err)
	}
	runtime.KeepAlive(c)
	return n, err
}

// Close ends the connection. What was written can still be read by the peer, which finds
// the end after it. Calls that wait in other goroutines return net.ErrClosed; so does
// another Close.
func (c *streamConn) Close() error {
	ok := c.end.close()
	c.forget.Stop()
	runtime.KeepAlive(c)
	if !ok {
		return c.end.fail(opStreamClose, net.ErrClosed)
	}
	return nil
}

// CloseRead ends the reading. A Read that waits returns io.EOF, as all that follow; the
// peer's Write is syscall.EPIPE.
func (c *streamConn) CloseRead() error { return c.closeHalf(&c.end.in) }

// CloseWrite ends the writing. A Write that waits returns syscall.EPIPE, as all that follow;
// the peer reads what was written, then io.EOF.
func (c *streamConn) CloseWrite() error { return c.closeHalf(&c.end.out) }

func (c *streamConn) closeHalf(h *streamHalf) error {
	err := h.close()
	runtime.KeepAlive(c)
	if err != nil {
		return c.end.fail(opStreamClose, err)
	}
	return nil
}

// LocalAddr and RemoteAddr are the two ends.
func (c *streamConn) LocalAddr() net.Addr  { return c.end.local }
func (c *streamConn) RemoteAddr() net.Addr { return c.end.remote }

// SetDeadline is SetReadDeadline and SetWriteDeadline.
func (c *streamConn) SetDeadline(t time.Time) error {
	return c.setDeadline(t, &c.end.in, &c.end.out)
}

// SetReadDeadline has Reads end at t with os.ErrDeadlineExceeded, those as well that wait
// already. The zero time: never.
func (c *streamConn) SetReadDeadline(t time.Time) error { return c.setDeadline(t, &c.end.in) }

// SetWriteDeadline is that of Writes. One that ends so may have written a first part.
func (c *streamConn) SetWriteDeadline(t time.Time) error { return c.setDeadline(t, &c.end.out) }

func (c *streamConn) setDeadline(t time.Time, of ...*streamHalf) error {
	if c.end.closed.Load() {
		return c.end.fail(opStreamSet, net.ErrClosed)
	}
	for _, h := range of {
		h.setDeadline(t)
	}
	runtime.KeepAlive(c)
	return nil
}

// close is K1 to K5. It reports false if that is another's.
func (e *streamEnd) close() bool {
	if e.closed.Swap(true) {
		return false
	}
	e.in.stop(streamClosed)
	e.out.stop(streamClosed)
	e.in.lock.take()
	e.out.lock.take()
	e.eng.End(engine.EndAll) // K4
	e.out.lock.unlock()
	e.in.lock.unlock()
	e.core.KeepAlive()
	e.gone() // K5
	return true
}

// waiter is how a call of the end waits: where a process has thousands, most are idle.
func (e *streamEnd) waiter(h *streamHalf) *wait.Waiter {
	return e.core.List.WaiterWith(background, h.spin).For(h.over).Share()
}
