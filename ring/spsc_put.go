package ring

import (
	"context"
	"unsafe"

	"example.com/tandem/shm"
)

// Put adds v as the last message, and waits while the ring is full: also while it is so
// because there is no consumer, or a dead one. When it returns nil the message can be got
// by whoever has the other side.
//
// [ErrShutdown] once somebody called Shutdown, [ErrBusy] while another process has this
// side, ctx's error when ctx ends; then nothing was put. Where the one that has it is dead
// it waits for the side, which is milliseconds. It waits as the handle's [Wait] says: it
// spins for moments, then sleeps; and in a fast stream it may let some microseconds pass.
//
// [shm.ErrClosed] after Close. A process that dies in Put has put the whole message, or
// nothing.
func (s *SPSC[T]) Put(ctx context.Context, v T) error {
	if !endless(ctx) {
		return s.putUnder(ctx, v)
	}
	if s.off() {
		return s.fail(opSPSCPut, shm.ErrClosed)
	}
	e := s.eng
	p, ok := room(e)
	if !ok {
		return s.putWait(ctx, v)
	}
	*(*T)(p) = v
	if !publishNow(e) {
		return s.putRest(opSPSCPut)
	}
	if s.closed.Load() {
		return s.putEnd(opSPSCPut, true)
	}
	return nil
}

// putUnder is Put under a context that may end.
//
//go:noinline
func (s *SPSC[T]) putUnder(ctx context.Context, v T) error {
	if err := ctx.Err(); err != nil {
		return s.fail(opSPSCPut, err)
	}
	if s.off() {
		return s.fail(opSPSCPut, shm.ErrClosed)
	}
	p, ok := room(s.eng)
	if !ok {
		return s.putWait(ctx, v)
	}
	*(*T)(p) = v
	return s.putEnd(opSPSCPut, s.eng.Publish())
}

// putRest is the rest of a Put whose message is written.
//
//go:noinline
func (s *SPSC[T]) putRest(o operation) error { return s.putEnd(o, s.eng.PublishRest()) }

// putWait is Put that has not found room at once.
//
//go:noinline
func (s *SPSC[T]) putWait(ctx context.Context, v T) error {
	if p := s.eng.RoomAgain(); p != nil {
		*(*T)(p) = v
		return s.putEnd(opSPSCPut, s.eng.Publish())
	}
	s.putLate(1)
	p, err := s.eng.TryRoom()
	if err == ErrFull && s.roomSoon() {
		p, err = s.eng.TryRoom()
	}
	if err == ErrFull || err == ErrBusy {
		w := s.waiter(ctx)
		p, err = s.eng.AwaitRoom(w)
		w.Done()
	}
	if err != nil {
		return s.fail(opSPSCPut, err)
	}
	*(*T)(p) = v
	return s.putEnd(opSPSCPut, s.eng.Publish())
}

// putLate is before a Put of so many: see engine.SPSC.PutLate.
func (s *SPSC[T]) putLate(n int) {
	if s.eng.PutsClose(n) {
		s.eng.PutLate(s.spinner.Lulls())
	}
}

// roomSoon is the first of a wait for room, and whether there is some.
func (s *SPSC[T]) roomSoon() bool {
	return s.seen(s.eng.PutSoon(s.spinner.Lulls(), s.spinner.Looks()))
}

// TryPut is Put without waiting: ErrFull where Put would, and ErrBusy also where it would
// for the side of a dead one. It never blocks.
//
// It sees room that a Get has made as soon as its caller can know of that Get.
func (s *SPSC[T]) TryPut(v T) error {
	if s.off() {
		return s.fail(opSPSCTryPut, shm.ErrClosed)
	}
	p, ok := room(s.eng)
	if !ok {
		var err error
		if p, err = s.eng.TryRoom(); err != nil {
			return s.fail(opSPSCTryPut, err)
		}
	}
	*(*T)(p) = v
	if !publishNow(s.eng) {
		return s.putRest(opSPSCTryPut)
	}
	if s.closed.Load() {
		return s.putEnd(opSPSCTryPut, true)
	}
	return nil
}

// putEnd ends a Put whose message was published; in: by what Publish said.
//
//go:noinline
func (s *SPSC[T]) putEnd(o operation, in bool) error {
	switch {
	case !in:
		return s.fail(o, ErrShutdown)
	case s.closed.Load() && s.putIn(1) == 0:
		return s.fail(o, shm.ErrClosed)
	}
	return s.done(o, nil)
}

// putIn is how many of the n messages are in that were published last, while the handle
// or the region was closed.
//
//go:noinline
func (s *SPSC[T]) putIn(n int) int {
	in := n
	s.core.Gate.Gave(func() bool {
		in = s.eng.PutIn(n)
		return in == 0
	})
	return in
}

// PutBatch puts the first of vs, waiting for room as Put does, and with it as many of the
// others as there is room for; all become visible at once. It returns how many it has put,
// at least one unless there is an error; with an error those before it are put.
//
// [shm.ErrClosed] after Close. A process that dies in PutBatch has put all of those, or
// none.
func (s *SPSC[T]) PutBatch(ctx context.Context, vs []T) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, s.fail(opSPSCPutBatch, err)
	}
	if s.off() {
		return 0, s.fail(opSPSCPutBatch, shm.ErrClosed)
	}
	if len(vs) == 0 {
		return 0, nil
	}
	s.putLate(len(vs))
	n, err := s.eng.PutRun(unsafe.Pointer(unsafe.SliceData(vs)), len(vs))
	if err == ErrFull || err == ErrBusy {
		n, err = s.putBatchWait(ctx, vs, err)
	}
	s.core.KeepAlive()
	if err != nil {
		return n, s.fail(opSPSCPutBatch, err)
	}
	if s.closed.Load() {
		if in := s.putIn(n); in < n {
			return in, s.fail(opSPSCPutBatch, shm.ErrClosed)
		}
	}
	return n, nil
}

//go:noinline
func (s *SPSC[T]) putBatchWait(ctx context.Context, vs []T, err error) (int, error) {
	if err == ErrFull && s.roomSoon() {
		if n, err := s.eng.PutRun(unsafe.Pointer(unsafe.SliceData(vs)), len(vs)); err != ErrFull {
			return n, err
		}
	}
	w := s.waiter(ctx)
	_, err = s.eng.AwaitRoom(w)
	w.Done()
	if err != nil {
		return 0, err
	}
	return s.eng.PutRun(unsafe.Pointer(unsafe.SliceData(vs)), len(vs))
}
