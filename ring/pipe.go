package ring

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"

	"example.com/tandem/internal/codec"
	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/wait"
	"example.com/tandem/shm"
)

// A Conn is one end of a pipe, through which messages go to the other end: whole ones, in
// their order, empty ones too. Any number of processes may have an end, and any number of
// goroutines use a Conn; each message is one Send's, and goes to one Recv.
//
// An end is held by every process that has a Conn on it, from [OpenPipe] to the Close of
// the last one, or until the collector finds that nothing reaches it; and until the process
// closes the region or dies. A Conn in the argument of a child is held by the parent until
// the child has it, so that the parent may close its own at once; the bytes of MarshalBinary
// alone hold nothing. When the last holder of an end is gone, the end is, for good: the
// other end receives what was sent, then io.EOF, and its Send is syscall.EPIPE. An end
// that was never opened is not gone.
//
// A message is copied into the pipe and out of it with a lock held, one for each end and
// way. A process that is killed in the middle has sent the whole message or nothing, and
// holds up nobody. One that is stopped there, which is not dead, holds up the others that
// send from the same end, or receive at it, until it goes on.
//
// In the terminology of the [Go memory model], a call of [Conn.Send] synchronizes before
// the return of the [Conn.Recv] that returns its message, in whatever processes. Nothing
// else is ordered.
//
// [Go memory model]: https://go.dev/ref/mem
type Conn[T any] struct {
	end    *engine.PipeEnd
	core   *object.Core
	closed *atomic.Bool // nil: OpenPipe did not make it
	at     End
	most   int
	lines
}

const opOpenPipe = "ring.OpenPipe"

var (
	errNoConn   = fmt.Errorf("the handle was not made by OpenPipe: %w", fs.ErrInvalid)
	errEndGone  = fmt.Errorf("%w: %w", engine.ErrPeerGone, syscall.EPIPE)
	errPeerGone = fmt.Errorf("the other end is gone: %w", syscall.EPIPE)
)

// openPipeTries is how often somebody may make a pipe anew and end it again just then.
const openPipeTries = 16

// OpenPipe opens an end of the pipe of this name, or makes the pipe. nil options take the
// defaults, or what is there.
//
// syscall.EPIPE if the end is gone. But when both are, the pipe has had its day, and a new
// one is made in its place, of whatever T and options; not through Region.Existing, which
// makes nothing.
//
// It blocks only as shm.OpenObject does. Another T, direction, buffer or codec than the
// pipe has is shm.ErrMismatch, naming what differs. A T that no codec is given for and that
// has unexported fields or such is [ErrCodec], naming the first. Another end than Left
// and Right, a Buffer below 8, or too short for a plain T, is fs.ErrInvalid.
func OpenPipe[T any](r *shm.Region, name string, end End, o *PipeOptions) (c *Conn[T], err error) {
	if o == nil {
		o = &PipeOptions{}
	}
	s, f, err := o.spec(name, end, reflect.TypeFor[T]())
	if err != nil {
		return nil, &shm.Error{Op: opOpenPipe, Region: r.Name(), Object: name, Err: err}
	}
	for range openPipeTries {
		over := false
		_, err = object.Open(r, s, func(core *object.Core) (err error) {
			if o.Codec != nil {
				RegisterCodec(o.Codec)
			}
			c, err = newConn[T](core, f, end, *o)
			if err == engine.ErrPeerGone {
				over, err = engine.PipeOver(core.Area), errEndGone
			}
			return err
		})
		if err == nil {
			return c, nil
		}
		if !over && !(s.Over == nil && errors.Is(err, shm.ErrMismatch)) {
			break
		}
		s.Over = engine.PipeOver
	}
	return nil, err
}

func newConn[T any](core *object.Core, f form, at End, o PipeOptions) (*Conn[T], error) {
	eng, err := pipeOf(core)
	if err != nil {
		return nil, err
	}
	c := &Conn[T]{core: core, closed: core.Closed, at: at, most: eng.MaxMessage()}
	c.lines = lines{form: f, codec: o.Codec, spinner: wait.NewSpinner(wait.Adaptive), size: int(reflect.TypeFor[T]().Size())}
	if f == encoded && c.codec == nil {
		c.codec = cborCodec{codec.EncoderOf(reflect.TypeFor[T](), c.most)}
	}
	if c.end, err = eng.Open(at.side(), core.Closed); err != nil {
		return nil, err
	}
	runtime.AddCleanup(core, connected.end, connected{c.end, core.Whole()})
	return c, nil
}

// A connected is what ends with a handle.
type connected struct {
	handle *engine.PipeEnd
	core   *object.Core // the whole one
}

func (c connected) end() {
	c.handle.Close()
	c.core.KeepAlive()
}

// pipeOf is what this process has once of a pipe.
func pipeOf(core *object.Core) (*engine.Pipe, error) {
	var err error
	v := core.SharedOnce(func() any {
		var eng *engine.Pipe
		eng, err = engine.AttachPipe(core.Area, core.Env)
		return eng
	})
	core.KeepAlive()
	if eng := v.(*engine.Pipe); eng != nil {
		return eng, nil
	}
	if err == nil { // another was told
		err = shm.ErrCorrupt
	}
	return nil, err
}

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
// it, each Send for a millisecond at most: so a long message gets through among many short
// ones, as long as receivers are faster than that.
//
// A process that dies in Send has sent the whole message, or nothing.
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

// looked reads of each page of a user's memory that is to be copied with a lock held: what
// cannot be read is found out before.
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
	pos, err = c.end.Send(w, msg)
	w.Done()
	return pos, err
}

//go:noinline
func (c *Conn[T]) sentInZeroes(pos uint64) bool {
	return !c.core.Gate.Gave(func() bool { return c.end.SentInZeroes(pos) })
}

// Recv returns the next message, and waits while there is none. Who calls it while another
// waits may be the one who gets it.
//
// io.EOF when the other end is gone and all that it sent was received: once, and for good.
// [ErrCodec] where a message does not decode, which then is gone, as it is if its decoder
// panics. [ErrDirection] where messages do not go this way, ctx's error when ctx ends;
// then nothing was received.
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
		return c.recvWait(ctx)
	}
	if err != nil {
		return v, c.fail(opRecv, err)
	}
	return c.take(m)
}

// recvWait is Recv that has found nothing.
//
//go:noinline
func (c *Conn[T]) recvWait(ctx context.Context) (v T, err error) {
	if c.end.RecvSoon(c.spinner.Lulls(), c.spinner.Looks()) {
		c.spinner.Seen()
		if m, err := c.end.RecvNow(); err == nil {
			return c.take(m)
		}
	}
	w := c.core.WaiterWith(ctx, c.spinner)
	defer w.Done() // not with the lock in hand: it runs what is the context's
	m, err := c.end.Recv(w)
	if err != nil {
		return v, c.fail(opRecv, err)
	}
	return c.take(m)
}

// take ends the receiving of what was found.
func (c *Conn[T]) take(m engine.Received) (v T, err error) {
	if c.form != raw {
		return c.takeBytes(m)
	}
	if m.Len() != c.size {
		m.Left()
		return v, c.fail(opRecv, fmt.Errorf("a message of %d bytes, of %d each: %w", m.Len(), c.size, shm.ErrCorrupt))
	}
	m.Read(unsafe.Slice((*byte)(unsafe.Pointer(&v)), c.size))
	if err := c.took(m.Took()); err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

// took says whether what was taken was taken in the region.
func (c *Conn[T]) took(pos uint64) error {
	if c.closed.Load() && c.tookInZeroes(pos) {
		return c.fail(opRecv, shm.ErrClosed)
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
	if err = c.took(m.Took()); err == nil {
		setBytes(c.form, unsafe.Pointer(&v), b)
	}
	return v, err
}

// takeDecoded is apart, so that what others return is no garbage. The message is out when it
// is decoded, and the lock free.
//
//go:noinline
func (c *Conn[T]) takeDecoded(m engine.Received) (v T, err error) {
	b := takeBuffer()
	if n := m.Len(); cap(*b) < n {
		*b = make([]byte, n)
	} else {
		*b = (*b)[:n]
	}
	m.Read(*b)
	if err = c.took(m.Took()); err != nil {
		giveBuffer(b)
		return v, err
	}
	err = c.codec.Decode(*b, &v)
	giveBuffer(b) // only here: of a decoder that panicked nobody knows what still reads it
	if err != nil {
		var zero T
		return zero, c.fail(opRecv, codecError(err))
	}
	return v, nil
}

// Poll waits until Recv would not: a message is there, or the other end is gone and all
// was received. It takes nothing, so that another may be first. [ErrDirection] where
// messages do not go this way, ctx's error when ctx ends.
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

// Close ends this handle: its calls return shm.ErrClosed from then on, those that wait in
// other goroutines, too, with nothing sent or received. With the last handle of the process
// on this end the process does not hold it any more; then Close waits for a call of this
// process that is just copying a message, and for nobody else. A second Close does nothing.
func (c *Conn[T]) Close() error {
	if c.core == nil {
		return c.fail(opCloseConn, shm.ErrClosed)
	}
	c.core.Close()
	c.end.Close()
	c.core.KeepAlive()
	return nil
}

// fail makes the error of an operation.
//
//go:noinline
func (c *Conn[T]) fail(o operation, err error) error {
	if c.core == nil {
		return c.core.Done(o.String(), errNoConn)
	}
	switch {
	case err == engine.ErrPeerGone:
		err = errPeerGone
	case err == engine.ErrLeft:
		err = shm.ErrClosed
	case o == opRecv && errors.Is(err, ErrCodec):
		return c.core.Err(o.String(), err) // of the message, whatever has become of the handle
	}
	return c.core.Done(o.String(), err)
}
