package ring

import (
	"context"
	"errors"
	"io"
	"iter"
	"unsafe"

	"example.com/tandem/shm"
)

// Get takes the first message, and waits while there is none. The message is this
// process's: if it dies, it is gone.
//
// io.EOF after Shutdown, when no message is left. [ErrBusy] while another process has
// this side. ctx's error when ctx ends; then nothing was taken. It waits as the handle's
// [Wait] says: it spins for moments, then sleeps; and in a fast stream some microseconds
// may pass before it looks.
//
// [shm.ErrClosed] after Close. A process that dies in Get has taken the message, or has
// left it for the next one.
func (s *SPSC[T]) Get(ctx context.Context) (v T, err error) {
	if !endless(ctx) {
		return s.getUnder(ctx)
	}
	if s.off() {
		return v, s.fail(opSPSCGet, shm.ErrClosed)
	}
	e := s.eng
	p, ok := next(e)
	if !ok {
		if p = e.NextAgain(); p == nil {
			return s.getWait(ctx)
		}
	}
	v = *(*T)(p)
	if !advanceNow(e) {
		return s.getRest(v, opSPSCGet)
	}
	if s.closed.Load() {
		return s.getEnd(v, opSPSCGet)
	}
	if s.mend != nil {
		return s.valid(v), nil
	}
	return v, nil
}

// getUnder is Get under a context that may end.
//
//go:noinline
func (s *SPSC[T]) getUnder(ctx context.Context) (v T, err error) {
	if err := ctx.Err(); err != nil {
		return v, s.fail(opSPSCGet, err)
	}
	if s.off() {
		return v, s.fail(opSPSCGet, shm.ErrClosed)
	}
	p, ok := next(s.eng)
	if !ok {
		if p = s.eng.NextAgain(); p == nil {
			return s.getWait(ctx)
		}
	}
	return s.take(opSPSCGet, p)
}

// getRest and getEnd are the rest of a Get which has v, and of one that is over but for the
// look at closed.
//
//go:noinline
func (s *SPSC[T]) getRest(v T, o operation) (T, error) {
	s.eng.AdvanceRest()
	return s.getEnd(v, o)
}

//go:noinline
func (s *SPSC[T]) getEnd(v T, o operation) (T, error) {
	if s.closed.Load() && s.gotInZeroes() {
		var zero T
		return zero, s.fail(o, shm.ErrClosed)
	}
	s.core.KeepAlive()
	if s.mend != nil {
		return s.valid(v), nil
	}
	return v, nil
}

// getWait is Get that has not found a message at once.
//
//go:noinline
func (s *SPSC[T]) getWait(ctx context.Context) (v T, err error) {
	s.getLate(1)
	p, err := s.eng.TryNext()
	if err == ErrEmpty && s.soon() {
		p, err = s.eng.TryNext()
	}
	if err == ErrEmpty || err == ErrBusy {
		w := s.waiter(ctx)
		p, err = s.eng.AwaitNext(w)
		w.Done() // before it is got: it runs what is the context's
	}
	if err != nil {
		return v, s.fail(opSPSCGet, err)
	}
	return s.take(opSPSCGet, p)
}

// soon is the first of a wait for a message, and whether that has come.
func (s *SPSC[T]) soon() bool {
	return s.seen(s.eng.GetSoon(s.spinner.Lulls(), s.spinner.Looks()))
}

// getLate is before a Get of so many: see engine.SPSC.GetLate.
func (s *SPSC[T]) getLate(n int) {
	if s.eng.GetsClose(n) {
		s.eng.GetLate(s.spinner.Defers())
	}
}

// seen notes that what a call looked for came soon, if it did.
func (s *SPSC[T]) seen(soon bool) bool {
	if soon {
		s.spinner.Seen()
	}
	return soon
}

// TryGet is Get without waiting: ErrEmpty where Get would, and ErrBusy also where it would
// for the side of a dead one. It never blocks; once or twice in the life of an SPSC, at its end, it
// may take a millisecond, where this process cannot make others' stores visible (Linux before
// 4.16, some sandboxes).
//
// It sees a message as soon as its caller can know of the Put. Of two processes that each
// put into one SPSC, and then try to get from another's, both may find nothing.
func (s *SPSC[T]) TryGet() (v T, err error) {
	if s.off() {
		return v, s.fail(opSPSCTryGet, shm.ErrClosed)
	}
	p, ok := next(s.eng)
	if !ok {
		if p, err = s.eng.TryNext(); err != nil {
			return v, s.fail(opSPSCTryGet, err)
		}
	}
	return s.take(opSPSCTryGet, p)
}

// take ends the getting of the message at p. Get has it written out.
func (s *SPSC[T]) take(o operation, p unsafe.Pointer) (v T, err error) {
	v = *(*T)(p)
	if !advanceNow(s.eng) {
		return s.getRest(v, o)
	}
	if s.closed.Load() {
		return s.getEnd(v, o)
	}
	if s.mend != nil {
		return s.valid(v), nil
	}
	return v, nil
}

// valid is v whatever a peer has left in the places of its bools.
//
//go:noinline
func (s *SPSC[T]) valid(v T) T {
	s.mend.Mend(unsafe.Pointer(&v))
	return v
}

// gotInZeroes reports, of what was got while the handle or the region was closed, that it
// was in the zeroes that came in the region's place.
//
//go:noinline
func (s *SPSC[T]) gotInZeroes() bool { return !s.core.Gate.Gave(s.eng.GotInZeroes) }

// All yields messages as Get returns them, until the end. Any other error than io.EOF is
// yielded once, and ends it. What was yielded has been got, however the body of the loop
// ends.
func (s *SPSC[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			v, err := s.Get(ctx)
			if errors.Is(err, io.EOF) || !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// GetBatch gets one message into vs, waiting for it as Get does, and with it as many more
// as there are and vs has room for. It returns how many, at least one unless there is an
// error, and then none.
//
// [shm.ErrClosed] after Close. A process that dies in GetBatch has taken all of those, or
// none.
func (s *SPSC[T]) GetBatch(ctx context.Context, vs []T) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, s.fail(opSPSCGetBatch, err)
	}
	if s.off() {
		return 0, s.fail(opSPSCGetBatch, shm.ErrClosed)
	}
	if len(vs) == 0 {
		return 0, nil
	}
	s.getLate(len(vs))
	n, err := s.eng.GetRun(unsafe.Pointer(unsafe.SliceData(vs)), len(vs))
	if err == ErrEmpty || err == ErrBusy {
		n, err = s.getBatchWait(ctx, vs, err)
	}
	s.core.KeepAlive()
	if err != nil {
		return 0, s.fail(opSPSCGetBatch, err)
	}
	if s.closed.Load() && s.gotInZeroes() {
		return s.gotNone(vs, n)
	}
	if s.mend != nil {
		s.validAll(vs, n)
	}
	return n, nil
}

// validAll is valid of the first n.
//
//go:noinline
func (s *SPSC[T]) validAll(vs []T, n int) {
	for i := range vs[:n] {
		s.mend.Mend(unsafe.Pointer(&vs[i]))
	}
}

// gotNone takes back n that were got in zeroes.
//
//go:noinline
func (s *SPSC[T]) gotNone(vs []T, n int) (int, error) {
	clear(vs[:n])
	return 0, s.fail(opSPSCGetBatch, shm.ErrClosed)
}

//go:noinline
func (s *SPSC[T]) getBatchWait(ctx context.Context, vs []T, err error) (int, error) {
	if err == ErrEmpty && s.soon() {
		if n, err := s.eng.GetRun(unsafe.Pointer(unsafe.SliceData(vs)), len(vs)); err != ErrEmpty {
			return n, err
		}
	}
	w := s.waiter(ctx)
	_, err = s.eng.AwaitNext(w)
	w.Done()
	if err != nil {
		return 0, err
	}
	return s.eng.GetRun(unsafe.Pointer(unsafe.SliceData(vs)), len(vs))
}
