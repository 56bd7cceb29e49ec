package ring

import (
	"context"
	"io"
	"reflect"
	"sync/atomic"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/plain"
	"example.com/tandem/internal/wait"
	"example.com/tandem/shm"
)

// An SPSC is a bounded queue of T from one producer to one consumer, in any two
// processes, or in one: where there are not more of them it is the fastest way.
//
// Each of the two sides is a process's, which takes it with its first Put or Get, and
// of one goroutine at a time in it: of several the program must see to it that one call
// is over before the next begins. Another process that comes to a side that is taken
// gets [ErrBusy], for as long as the one that has it lives and has not given it up.
// Whoever takes the side then goes on where that one was.
//
// A side is given up when its process dies or closes the region; and when all handles
// that the process has on the SPSC were collected. Close ends a handle at once, and the
// side is given up soon after, unless something still reaches the handle.
//
// There is no Lease: what a process had got when it dies is gone with it, and so may be
// what a Get had taken that had not returned. For jobs that must not be lost there is
// [Queue].
//
// In the terminology of the [Go memory model], a call of [SPSC.Put] synchronizes before
// the return of the Get that delivers its message, and that Get before the return of the
// Put that fills its place again; a call of [SPSC.Shutdown] before that of a call which
// ends with io.EOF or [ErrShutdown] by it. Nothing else is ordered; batches are so many
// calls.
//
// [Go memory model]: https://go.dev/ref/mem
type SPSC[T any] struct {
	eng     *engine.SPSC
	core    *object.Core
	closed  *atomic.Bool // nil: OpenSPSC did not make the handle
	spinner *wait.Spinner
	mend    *plain.Type // of a T with bools; else nil
	made    *[spscAnswering]spscAnswers
}

// OpenSPSC finds the SPSC of this name, or makes it. nil options take the defaults, or
// what is there. T is any plain type; else [shm.ErrNotPlain], naming the field.
//
// It blocks, and fails, as every OpenX does (package shm), and takes no side. Another T or capacity than
// the SPSC has is shm.ErrMismatch, naming what differs. A Capacity below 0 is
// fs.ErrInvalid.
func OpenSPSC[T any](r *shm.Region, name string, o *SPSCOptions) (*SPSC[T], error) {
	if o == nil {
		o = &SPSCOptions{}
	}
	return openSPSC[T](r, name, *o)
}

const opOpenSPSC = "ring.OpenSPSC"

func openSPSC[T any](r *shm.Region, name string, o SPSCOptions) (s *SPSC[T], err error) {
	spec, err := o.spec(name, reflect.TypeFor[T]())
	if err != nil {
		return nil, &shm.Error{Op: opOpenSPSC, Region: r.Name(), Object: name, Err: err}
	}
	_, err = object.Open(r, spec, func(c *object.Core) (err error) {
		s, err = newSPSC[T](c, o)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func newSPSC[T any](core *object.Core, o SPSCOptions) (*SPSC[T], error) {
	eng, err := sharedSPSC(core)
	if err != nil {
		return nil, err
	}
	if !eng.Holds(int(reflect.TypeFor[T]().Size())) {
		return nil, shm.ErrCorrupt // its fields say T, its words do not
	}
	return &SPSC[T]{eng: eng, core: core, closed: core.Closed, spinner: wait.NewSpinner(wait.Mode(o.Wait)),
		mend: mends(raw, reflect.TypeFor[T]()), made: spscAnswersOf(core)}, nil
}

// sharedSPSC is what this process keeps once for an SPSC: where its sides are. It is
// told of the end of the process's part in the region, see engine.SPSC.Leave.
func sharedSPSC(core *object.Core) (*engine.SPSC, error) {
	var err error
	v := core.SharedOnce(func() any {
		var eng *engine.SPSC
		if eng, err = engine.AttachSPSC(core.Area, core.Env); err == nil {
			if of, ok := core.In.(interface{ Leaves(engine.Self) bool }); ok {
				eng.Leaves = of.Leaves // not of core, which is to be collected
			}
			area := core.Area
			core.OnLeave(func(in func(mem.Area) mem.Area) { eng.Leave(in(area)) })
		}
		return eng
	})
	core.KeepAlive()
	if eng := v.(*engine.SPSC); eng != nil {
		return eng, nil
	}
	if err == nil { // another was told
		err = shm.ErrCorrupt
	}
	return nil, err
}

// Shutdown ends the SPSC for all processes, for good: from its return on no message can
// be put, and a call that waits to put one gets [ErrShutdown]. Any process may call it,
// whoever has the sides; it does not block. A process that dies in it has shut the SPSC
// down or has not. Messages that are there are still delivered, then Get returns io.EOF.
// A second Shutdown does nothing. An SPSC of the name begins anew after Region.Remove.
func (s *SPSC[T]) Shutdown() error {
	if s.off() {
		return s.fail(opSPSCShutdown, shm.ErrClosed)
	}
	var err error
	s.core.Release()
	if !s.core.Gate.Here(s.eng.Shutdown) {
		err = shm.ErrClosed
	}
	return s.done(opSPSCShutdown, err)
}

// Close ends this handle: its calls return shm.ErrClosed from then on, one that waits in
// another goroutine, too, with nothing put or taken. It blocks for nobody, and does not
// wait for them. The SPSC goes on, for other handles of this process as well. If this
// was the last one, a side that the process has is given up as soon as the collector
// has found that no call is under way; Close has it look at once. See Shutdown for the
// end of the SPSC. A second Close does nothing.
func (s *SPSC[T]) Close() error {
	if s.core == nil {
		return s.fail(opSPSCClose, shm.ErrClosed)
	}
	s.core.Close()
	return nil
}

// Len returns how many messages wait to be got: exact when nobody changes the SPSC. It
// takes no side. It is 0 of a closed handle. It does not block.
func (s *SPSC[T]) Len() int {
	if s.off() {
		return 0
	}
	n := s.eng.Len()
	s.core.KeepAlive()
	if s.off() {
		return 0
	}
	return n
}

// Cap returns the Capacity. It stays the same, after Close too. It does not block.
func (s *SPSC[T]) Cap() int {
	if s.eng == nil {
		return 0
	}
	return s.eng.Cap()
}

// off reports that no operation may start: the handle or the region is closed, or there
// is none.
func (s *SPSC[T]) off() bool { return s.closed == nil || s.closed.Load() }

func (s *SPSC[T]) waiter(ctx context.Context) *wait.Waiter {
	return s.core.WaiterWith(ctx, s.spinner)
}

// done ends an operation; see the Core's.
func (s *SPSC[T]) done(o operation, err error) error {
	if err != nil {
		return s.fail(o, err)
	}
	s.core.KeepAlive()
	return nil
}

// fail makes the error of an operation, or has it made already.
//
//go:noinline
func (s *SPSC[T]) fail(o operation, err error) error {
	if s.core == nil {
		return s.core.Done(o.String(), errNoSPSC)
	}
	mem.Between()
	s.core.Over(err, io.EOF, ErrShutdown)
	if i := o - opSPSCPut; !s.closed.Load() && i < spscAnswering {
		switch err {
		case operations[o].now:
			return s.made[i].now
		case operations[o].end:
			return s.made[i].end
		case ErrBusy:
			return s.made[i].busy
		}
	}
	return s.core.Done(o.String(), err)
}

// Put and Get are in one piece where nothing is in the way, and each way out of it is a call
// whose result is theirs: so nothing is kept on the stack for it. The look at s.closed, which
// comes after all else, is what keeps the memory mapped to there.

// These are the engine's, and object.Endless, for generic code: see body.
func room(s *engine.SPSC) (unsafe.Pointer, bool) { return s.Room() }
func next(s *engine.SPSC) (unsafe.Pointer, bool) { return s.Next() }
func publishNow(s *engine.SPSC) bool             { return s.PublishNow() }
func advanceNow(s *engine.SPSC) bool             { return s.AdvanceNow() }
func endless(ctx context.Context) bool           { return object.Endless(ctx) }
