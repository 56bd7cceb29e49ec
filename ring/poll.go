package ring

import (
	"context"
	"runtime"

	"example.com/tandem/internal/object"
)

// Poll waits until there is something to get, and takes nothing: Len that waits, or
// [shm.WaitAny] for one thing alone. nil says that there was a message, or io.EOF, at some
// time during the call; another may have taken it since. It waits as the handle's [Wait]
// says. An error is ctx's when ctx ends, shm.ErrClosed, or shm.ErrCorrupt.
//
// Who waits for a message in another call is woken as if Poll had not been there. A process
// that dies in it leaves nothing.
func (q *Queue[T]) Poll(ctx context.Context) error {
	return object.Poll(ctx, opPoll.String(), q.WaitSource())
}

// WaitSource is for [shm.WaitAny], which waits for several things at once.
func (q *Queue[T]) WaitSource() object.Source {
	if q.core == nil {
		return object.Source{Err: errNoHandle}
	}
	return object.Source{Core: q.core, Of: q.eng, Spin: q.spinner}
}

// Poll waits until there is something to get, as [Queue.Poll] does. It takes no side, so any
// process may call it, and any number of goroutines: also while another gets.
func (s *SPSC[T]) Poll(ctx context.Context) error {
	return object.Poll(ctx, opSPSCPoll.String(), s.WaitSource())
}

// WaitSource is for [shm.WaitAny], which waits for several things at once.
func (s *SPSC[T]) WaitSource() object.Source {
	if s.core == nil {
		return object.Source{Err: errNoSPSC}
	}
	return object.Source{Core: s.core, Of: s.eng, Spin: s.spinner}
}

// Poll waits until Next would not wait, as [Queue.Poll] does: what Next would return, if no
// other goroutine was faster, is a message, io.EOF, or an ErrCodec.
func (s *Subscriber[T]) Poll(ctx context.Context) error {
	err := object.Poll(ctx, opPollSubscriber.String(), s.WaitSource())
	runtime.KeepAlive(s)
	return err
}

// WaitSource is for [shm.WaitAny], which waits for several things at once.
func (s *Subscriber[T]) WaitSource() object.Source {
	if s.core == nil {
		return object.Source{Err: errNoSubscriber}
	}
	return object.Source{Core: s.core, Of: s.sub, Spin: s.spinner}
}

// WaitSource is for [shm.WaitAny], which waits for several things at once.
func (c *Conn[T]) WaitSource() object.Source {
	if c.core == nil {
		return object.Source{Err: errNoConn}
	}
	if !c.end.Receives() {
		return object.Source{Err: ErrDirection}
	}
	return object.Source{Core: c.core, Of: c.end.Source(), Spin: c.spinner}
}
