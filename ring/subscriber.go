package ring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"runtime"
	"sync/atomic"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/wait"
	"example.com/tandem/shm"
)

// A Subscriber sees the messages of a [Broadcast], one after the other. It may be used by
// any number of goroutines, each message going to one of them. It is of this process: it
// cannot be an argument of a child, which has the Broadcast for one, and subscribes itself.
type Subscriber[T any] struct {
	sub    *engine.Subscription
	core   *object.Core
	closed *atomic.Bool // nil: Subscribe did not make it
	forget runtime.Cleanup
	lines
}

var errNoSubscriber = fmt.Errorf("the subscriber was not made by Subscribe: %w", fs.ErrInvalid)

// A subscribed is what the collector ends of a subscriber that nothing reaches.
type subscribed struct {
	sub  *engine.Subscription
	core *object.Core
}

func newSubscriber[T any](sub *engine.Subscription, core *object.Core, l lines) *Subscriber[T] {
	l.spinner = wait.NewSpinner(l.mode)
	s := &Subscriber[T]{sub: sub, core: core, closed: core.Closed, lines: l}
	s.forget = runtime.AddCleanup(s, subscribed.end, subscribed{sub, core})
	return s
}

func (s subscribed) end() {
	s.core.Close()
	s.sub.Close()
	s.core.KeepAlive()
}

// Next returns the next message, and waits while there is none. missed is how many were
// lost between the last message that Next returned and this one, exactly: 0 of a Reliable
// broadcast.
//
// io.EOF after Shutdown, when the last message was seen; missed are those that were lost
// before the end. ErrCodec where a message does not decode, which then counts as seen. ctx's
// error when ctx ends, and shm.ErrClosed. An error other than io.EOF has missed 0, and what
// was missed is told by the next call.
//
// Of a Lossy broadcast it gets a message unless as many as the ring has are published, again
// and again, while it copies the newest: with a Capacity of 1, and publishers that make no
// pause, it may get none.
//
// It waits as the handle's [Wait] says, and where several goroutines call it for the one of
// them that is copying its message. A process that dies in it leaves nothing.
func (s *Subscriber[T]) Next(ctx context.Context) (v T, missed uint64, err error) {
	if !object.Endless(ctx) {
		if err := ctx.Err(); err != nil {
			return v, 0, s.fail(opNext, err)
		}
	}
	if s.closed == nil || s.closed.Load() {
		return v, 0, s.fail(opNext, shm.ErrClosed)
	}
	for looked := false; ; {
		if s.form == raw {
			missed, err = s.copyOut(unsafe.Slice((*byte)(unsafe.Pointer(&v)), s.size))
			if s.mend != nil {
				s.mend.Mend(unsafe.Pointer(&v))
			}
		} else {
			v, missed, err = s.takeBytes()
		}
		if err == nil {
			runtime.KeepAlive(s)
			return v, missed, nil
		}
		if err == ErrEmpty && !looked {
			if looked = true; s.soon() {
				continue
			}
		}
		switch err {
		case ErrEmpty:
			err = s.wait(ctx)
		case errOvertaken: // the call may end, and Close come by
			if err = ctx.Err(); s.closed.Load() {
				err = shm.ErrClosed
			}
		}
		if err == nil {
			continue
		}
		var zero T
		if err = s.fail(opNext, err); !errors.Is(err, io.EOF) {
			missed = 0
		}
		return zero, missed, err
	}
}

// soon is the first of a wait, and whether something has come.
func (s *Subscriber[T]) soon() bool {
	if !s.sub.Soon(s.spinner.Lulls(), s.spinner.Looks()) {
		return false
	}
	s.spinner.Seen()
	return true
}

// wait waits until there is something.
//
//go:noinline
func (s *Subscriber[T]) wait(ctx context.Context) error {
	w := s.core.WaiterWith(ctx, s.spinner)
	err := s.sub.Wait(w)
	w.Done()
	return err
}

// errOvertaken says that the message was replaced during each of some copies.
var errOvertaken = errors.New("overtaken")

const copies = 64

// copyOut gets the next message, whose length is known, if there is one. missed is 0 with
// an error, but io.EOF.
func (s *Subscriber[T]) copyOut(dst []byte) (missed uint64, err error) {
	s.sub.Lock()
	defer s.sub.Unlock()
	var m engine.Incoming
	for range copies {
		if err := s.sub.Look(&m); err != nil {
			return s.none(err)
		}
		got, err := s.sub.Take(&m, m.Len() == len(dst) && s.sub.Read(&m, dst))
		if err != nil {
			return 0, err
		}
		if got {
			return s.sub.Missed(), nil
		}
	}
	return 0, errOvertaken
}

// none is how that ends without a message.
func (s *Subscriber[T]) none(err error) (missed uint64, _ error) {
	if err == io.EOF {
		missed = s.sub.Missed()
	}
	return missed, err
}

// takeBytes is that of a message of varying length.
//
//go:noinline
func (s *Subscriber[T]) takeBytes() (v T, missed uint64, err error) {
	if s.form == encoded {
		return s.takeDecoded()
	}
	var b []byte
	if missed, err = s.fetch(&b); err == nil {
		setBytes(s.form, unsafe.Pointer(&v), b)
	}
	return v, missed, err
}

// takeDecoded is apart, so that what others return is no garbage.
//
//go:noinline
func (s *Subscriber[T]) takeDecoded() (v T, missed uint64, err error) {
	b := takeBuffer()
	if missed, err = s.fetch(b); err != nil {
		giveBuffer(b)
		return v, missed, err
	}
	if err = s.decode(b, &v, missed); err != nil {
		var zero T
		return zero, 0, err
	}
	return v, missed, nil
}

// fetch copies the next message to *b, which grows where it must.
func (s *Subscriber[T]) fetch(b *[]byte) (missed uint64, err error) {
	s.sub.Lock()
	defer s.sub.Unlock()
	var m engine.Incoming
	for range copies {
		if err := s.sub.Look(&m); err != nil {
			return s.none(err)
		}
		if n := m.Len(); cap(*b) < n || *b == nil { // what is empty is not nil
			*b = make([]byte, n)
		} else {
			*b = (*b)[:n]
		}
		got, err := s.sub.Take(&m, s.sub.Read(&m, *b))
		if err != nil {
			return 0, err
		}
		if got {
			return s.sub.Missed(), nil
		}
	}
	return 0, errOvertaken
}

// decode sets *v, and gives the buffer back. What does not decode, or whose decoder does not
// return, counts as seen, and what was missed before it is told later.
func (s *Subscriber[T]) decode(b *[]byte, v *T, missed uint64) error {
	told := false
	defer func() {
		if !told {
			s.sub.Lock()
			s.sub.Keep(missed)
			s.sub.Unlock()
		}
	}()
	err := s.codec.Decode(*b, v)
	giveBuffer(b) // only here: of a decoder that panicked nobody knows what still reads it
	if err != nil {
		return codecError(err)
	}
	told = true
	return nil
}

// All yields messages as Next returns them, without what was missed, until the end of the
// broadcast. Any other error than io.EOF is yielded once: after ErrCodec, which is of one
// message, it goes on; after any other it ends.
func (s *Subscriber[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			v, _, err := s.Next(ctx)
			if errors.Is(err, io.EOF) || !yield(v, err) || err != nil && !errors.Is(err, ErrCodec) {
				return
			}
		}
	}
}

// Close ends the subscriber: nobody waits for it any more, and its calls return
// shm.ErrClosed, those that wait in other goroutines, too. It waits for no other process,
// and of this one for a Next that is copying its message. A second Close does nothing.
func (s *Subscriber[T]) Close() error {
	if s.core == nil {
		return s.fail(opCloseSubscriber, shm.ErrClosed)
	}
	subscribed{s.sub, s.core}.end()
	s.forget.Stop()
	runtime.KeepAlive(s)
	return nil
}

// fail makes the error of an operation.
//
//go:noinline
func (s *Subscriber[T]) fail(o operation, err error) error {
	if s.core == nil {
		return s.core.Done(o.String(), errNoSubscriber)
	}
	s.core.Over(err, io.EOF)
	if err == engine.ErrEnded {
		err = shm.ErrClosed
	}
	if errors.Is(err, ErrCodec) {
		return s.core.Err(o.String(), err) // of the message, whatever has become of the handle
	}
	return s.core.Done(o.String(), err)
}
