package ring

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"runtime"
	"sync/atomic"
	"syscall"

	"example.com/tandem/internal/codec"
	"example.com/tandem/internal/engine"
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
// the return of the [Conn.Recv] that returns its message, in whatever processes, and the
// [Conn.Close] that was an end's last before that of a call which ends with io.EOF or EPIPE
// by it. Nothing else is ordered.
//
// [Go memory model]: https://go.dev/ref/mem
type Conn[T any] struct {
	end    *engine.PipeEnd
	core   *object.Core
	forget runtime.Cleanup // which reaches what all handles have in common
	closed *atomic.Bool    // nil: OpenPipe did not make it
	at     End
	most   int
	lines
}

const opOpenPipe = "ring.OpenPipe"

var (
	errNoConn   = fmt.Errorf("the handle was not made by OpenPipe: %w", fs.ErrInvalid)
	errPeerGone = fmt.Errorf("the other end is gone: %w", syscall.EPIPE)
)

// openPipeTries is how often somebody may make a pipe anew and end it again just then.
const openPipeTries = 16

// OpenPipe opens an end of the pipe of this name, or makes the pipe. nil options take the
// defaults, or what is there.
//
// syscall.EPIPE if the end is gone. But when both are, the pipe has had its day, and a new
// one is made in its place, of whatever T and options; not through Region.Existing, which
// makes nothing. Where there is no room for it without what the old one has, that is taken,
// and if shm.ErrNoSpace comes nevertheless, the old one is gone.
//
// It blocks, and fails, as every OpenX does (package shm). Another T, direction, buffer or codec than the
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
				over, err = engine.PipeOver(core.Area), fmt.Errorf("the %v end is gone: %w", end, syscall.EPIPE)
			}
			return err
		})
		if err == nil {
			return c, nil
		}
		if !over && !(s.Over == nil && errors.Is(err, shm.ErrMismatch)) {
			break
		}
		s.Over, s.Past = engine.PipeOver, true
	}
	return nil, err
}

func newConn[T any](core *object.Core, f form, at End, o PipeOptions) (*Conn[T], error) {
	eng, err := pipeOf(core)
	if err != nil {
		return nil, err
	}
	c := &Conn[T]{core: core, closed: core.Closed, at: at, most: eng.MaxMessage()}
	c.lines = lines{form: f, codec: o.Codec, spinner: wait.NewSpinner(wait.Adaptive), size: int(reflect.TypeFor[T]().Size()), mend: mends(f, reflect.TypeFor[T]())}
	if f == encoded && c.codec == nil {
		c.codec = cborCodec{codec.EncoderOf(reflect.TypeFor[T](), c.most)}
	}
	if c.end, err = eng.Open(at.side(), core.Closed); err != nil {
		return nil, err
	}
	c.forget = runtime.AddCleanup(core, connected.end, connected{c.end, core.Whole()})
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

// Close ends this handle: its calls return shm.ErrClosed from then on, those that wait in
// other goroutines, too, with nothing sent or received. With the last handle of the process
// on this end the process does not hold it any more; then Close waits for a call of this
// process that is just copying a message, and for nobody else. A second Close does nothing.
func (c *Conn[T]) Close() error {
	if c.core == nil {
		return c.fail(opCloseConn, shm.ErrClosed)
	}
	c.core.Close()
	c.core.Release()
	c.end.Close()
	c.forget.Stop()
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
	c.core.Over(err, io.EOF, engine.ErrPeerGone)
	switch {
	case err == engine.ErrPeerGone:
		err = errPeerGone
	case err == engine.ErrLeft:
		err = shm.ErrClosed
	case (o == opRecv || o == opRecvInto) && errors.Is(err, ErrCodec):
		return c.core.Err(o.String(), err) // of the message, whatever has become of the handle
	}
	return c.core.Done(o.String(), err)
}
