package sync

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/wait"
	"example.com/tandem/shm"
)

// A Barrier is where a fixed number of parties meet, round after round: Wait
// returns when all have called it. Parties are goroutines, of whatever
// processes. What each did before its Wait is done for all who pass.
//
// A round comes about for all of its parties or for none, and once something
// is amiss all are told at once, and go on being told until Reset. It is
// broken
//
//   - when the context of a waiter ends,
//   - when a process dies, or closes the region, with a party of it waiting in
//     the round. One that dies before it has come is only missed, as it is
//     when it is stopped: give Wait a context that ends, or watch Region.Exits;
//   - when the Action fails, and by Abort.
//
// Goroutines may be more than there are parties: the first to come are of the
// round under way, the others wait for the next.
//
// In the terminology of the [Go memory model], each call of Wait in the n'th
// round synchronizes before that round's Action, and the Action, or without one
// each call of Wait, before every return of nil from a Wait of the round. A
// round that is broken orders nothing.
//
// [Go memory model]: https://go.dev/ref/mem
type Barrier struct {
	handle
	eng    engine.Barrier
	left   *engine.BarrierLeft
	spin   wait.Spinner
	action func() error
}

// BarrierOptions are of a handle, not of the barrier.
type BarrierOptions struct {
	// Action is run once a round, by the Wait that comes last, if it was called
	// by this handle: when all have come and before any Wait returns. If it
	// fails its Wait returns its error, which is ErrBroken too; the others return
	// ErrBroken. A panic, or runtime.Goexit, breaks the barrier and goes on. It
	// must not Wait at the same barrier. What the parties did before is done for it, and what it
	// does is done for all who pass.
	Action func() error
}

// OpenBarrier finds the barrier called name in r, or makes it, for so many
// parties: 1 to 1,048,576, else fs.ErrInvalid. With 0 it takes the barrier that
// is there, however many its parties are; fs.ErrNotExist if there is none.
// Another number than the barrier's is shm.ErrMismatch. It blocks, and
// fails, as every OpenX does: see package shm.
func OpenBarrier(r *shm.Region, name string, parties int, o *BarrierOptions) (*Barrier, error) {
	b := new(Barrier)
	if err := b.open(r, name, parties); err != nil {
		return nil, err
	}
	if o != nil {
		b.action = o.Action
	}
	return b, nil
}

func (b *Barrier) open(r *shm.Region, name string, parties int) error {
	const op = "sync.OpenBarrier"
	if parties < 0 || parties > engine.MaxParties {
		return &shm.Error{Op: op, Region: r.Name(), Object: name,
			Err: fmt.Errorf("%d parties, want 1 to %d: %w", parties, engine.MaxParties, fs.ErrInvalid)}
	}
	fields := []object.Field{{Name: "parties"}}
	if parties > 0 {
		fields[0].Value = strconv.Itoa(parties)
	}
	err := open(&b.handle, &b.eng, r, object.Spec{Op: op, Kind: engine.KindBarrier, Name: name, Fields: fields,
		Create: func(int) ([]object.Field, uint64, func(mem.Area), error) {
			if parties == 0 {
				return nil, 0, nil, fmt.Errorf("0 parties, and there is no barrier to take their number from: %w, %w", fs.ErrInvalid, fs.ErrNotExist)
			}
			return fields, engine.BarrierSize(parties), func(a mem.Area) { engine.InitBarrier(a, parties) }, nil
		}}, b.attach)
	if err == nil {
		b.left = barrierLeft(b.core)
	}
	return err
}

// attach takes the words of the barrier c.
func (b *Barrier) attach(c *object.Core) (*engine.Barrier, error) {
	eng, err := engine.AttachBarrier(c.Area, c.Env)
	if err == nil && strconv.Itoa(eng.Parties()) != c.Field("parties") {
		err = fmt.Errorf("parties %q, and %d: %w", c.Field("parties"), eng.Parties(), shm.ErrCorrupt)
	}
	if err == nil && mem.RaceEnabled {
		eng.Arriving = func(bank int) { mem.RaceReleaseMerge(b.round(bank)) }
	}
	return eng, err
}

// barrierLeft is what this process keeps once for a barrier, and hears of its end there.
func barrierLeft(c *object.Core) *engine.BarrierLeft {
	s := sharedOf(c)
	s.barrier.Do(func() {
		area, env, left := c.Area, c.Env, &s.left
		c.OnLeave(func(in func(mem.Area) mem.Area) { left.Leave(in(area), env) })
	})
	return &s.left
}

// round is the race detector's name for the rounds of a bank. One for all would
// order what a fast party does after a round with what a slow one does when it
// leaves that round.
func (b *Barrier) round(bank int) unsafe.Pointer { return unsafe.Pointer(&b.own.tag[bank]) }

// Wait comes to the barrier and waits until all parties have: it spins for
// moments, then sleeps. It returns as which this one came, from 0 to
// Parties()-1, each once a round. The last does not wait; it runs the Action.
//
// An error comes with -1. It is ErrBroken if the round is broken, or the
// barrier was. If it was ctx that ended first, also when it had ended before the
// call, then that breaks the barrier, and the error is both ErrBroken and ctx's.
// shm.ErrClosed if the region is closed. If the last comes at the same moment
// the round counts: a Wait that returns nil has met all the others.
//
// If the process dies in Wait the others are told ErrBroken within
// milliseconds, or have passed already.
func (b *Barrier) Wait(ctx context.Context) (int, error) {
	const op = "barrier.Wait"
	if err := b.ready(ctx); err != nil {
		err, broke := b.gaveUp(err)
		return -1, b.failed(op, err, broke)
	}
	w := b.core.WaiterWith(ctx, &b.spin)
	a, err := b.eng.Arrive(w)
	last, broke := err == nil && b.eng.Last(a), false
	switch {
	case err != nil:
		err, broke = b.gaveUp(err)
	case !last:
		var here bool
		if here, err = b.eng.Await(a, w); !here && b.core.Closed.Load() {
			err = b.told(a, err)
		}
		if isEnd(err) {
			err = fmt.Errorf("%w: %w", ErrBroken, err)
		}
	}
	w.Done()
	if last {
		err, broke = b.trip(a)
	}
	if err == nil && mem.RaceEnabled {
		mem.RaceAcquire(b.round(a.Bank()))
	}
	if err = b.failed(op, err, broke); err != nil {
		return -1, err
	}
	return a.Index(), nil
}

// failed ends a Wait. What has broken the barrier says so, also if it was closed meanwhile.
func (b *Barrier) failed(op string, err error, broke bool) error {
	if broke {
		b.core.KeepAlive()
		return b.core.Err(op, err)
	}
	return b.core.Done(op, err)
}

// told is what a Wait says that has come to the end of its round while the region was closed,
// and by err if it is still there. Zeroes look like another round.
//
//go:noinline
func (b *Barrier) told(a engine.Arrival, err error) error {
	b.core.Gate.Gave(func() bool {
		if err = nil; !b.left.Tripped(a) {
			err = shm.ErrClosed
		}
		return false
	})
	return err
}

// isEnd reports whether err is a context's, and not what became of the barrier.
func isEnd(err error) bool {
	return err != nil && err != ErrBroken && err != engine.ErrGone && !errors.Is(err, shm.ErrClosed) && !errors.Is(err, shm.ErrCorrupt)
}

// gaveUp is what becomes of a Wait that has not come to the barrier: the others
// need not wait for it. It reports whether it has broken it for that.
//
//go:noinline
func (b *Barrier) gaveUp(err error) (_ error, broke bool) {
	if b.core == nil || !isEnd(err) {
		return err, false
	}
	broke = !b.core.Closed.Load() && b.eng.Abort() == nil
	return fmt.Errorf("%w: %w", ErrBroken, err), broke
}

// trip ends a round, as its last party. It reports whether the Action has broken it.
func (b *Barrier) trip(a engine.Arrival) (err error, broke bool) {
	if b.action != nil {
		switch stood, err := b.act(a); {
		case !stood:
			return ErrBroken, false
		case err != nil:
			return fmt.Errorf("%w: %w", ErrBroken, err), true
		}
	}
	return b.eng.Trip(a), false
}

// act runs the Action. If it does not come to a good end the round is broken,
// and a is left: from then on its slot may be another's.
// It reports whether there was a round to run it for.
func (b *Barrier) act(a engine.Arrival) (stood bool, err error) {
	defer b.core.KeepAlive()
	well := false
	defer func() {
		if !well { // it failed, panics, or ended its goroutine
			b.eng.Fail(a)
		}
	}()
	if !b.eng.Stands(a) {
		return false, nil
	}
	if mem.RaceEnabled {
		mem.RaceAcquire(b.round(a.Bank()))
	}
	if err := b.action(); err != nil {
		return true, err
	}
	if mem.RaceEnabled {
		mem.RaceReleaseMerge(b.round(a.Bank()))
	}
	well = true
	return true, nil
}

// Abort breaks the barrier: all who wait, and all who come, get ErrBroken at
// once, until Reset. It does not block.
func (b *Barrier) Abort() error {
	err := b.readyNow()
	if err == nil {
		err = b.eng.Abort()
	}
	return b.core.Done("barrier.Abort", err)
}

// Reset begins a new round: all waiters get ErrBroken, and a party that comes
// from then on finds the barrier empty and whole. Where nobody waits and
// nothing is broken it changes nothing. It does not block.
func (b *Barrier) Reset() error {
	err := b.readyNow()
	if err == nil {
		var began bool
		if began, err = b.eng.Reset(); !began {
			err = b.core.Seen(err)
		}
	}
	return b.core.Done("barrier.Reset", err)
}

// Parties is how many make a round. It stays the same, after Close too. It does
// not block.
func (b *Barrier) Parties() int {
	if b.core == nil {
		return 0
	}
	return b.eng.Parties()
}

// Waiting is how many have come in the round under way, at this instant; 0 if
// the barrier is broken, or the handle closed. It does not block.
func (b *Barrier) Waiting() int {
	if b.core == nil || b.core.Closed.Load() {
		return 0
	}
	n := b.eng.Waiting()
	if b.core.Closed.Load() { // it may have been zeroes
		return 0
	}
	b.core.KeepAlive()
	return n
}

// Broken reports whether the barrier is broken, at this instant; of a closed
// handle it is false. It does not block.
func (b *Barrier) Broken() bool {
	if b.core == nil || b.core.Closed.Load() {
		return false
	}
	defer b.core.KeepAlive()
	return b.eng.Broken()
}

// MarshalBinary makes the handle an argument; see [Mutex.MarshalBinary]. Its
// Action stays here.
func (b *Barrier) MarshalBinary() ([]byte, error) { return b.marshal("barrier.MarshalBinary") }

// UnmarshalBinary opens the barrier that another process's handle was on,
// without an Action; see [Mutex.UnmarshalBinary].
func (b *Barrier) UnmarshalBinary(p []byte) error {
	return unmarshal("barrier.UnmarshalBinary", engine.KindBarrier, p, func(r *shm.Region, name string) error {
		err := b.open(r, name, 0)
		if err == nil {
			b.action = nil
		}
		return err
	})
}
