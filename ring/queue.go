package ring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"strings"
	"sync/atomic"
	"unsafe"

	"example.com/tandem/internal/codec"
	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/plain"
	"example.com/tandem/internal/visible"
	"example.com/tandem/internal/wait"
	"example.com/tandem/shm"
)

// A Queue is a bounded queue of T between any number of producers and
// consumers, in any processes: multiprocessing's Queue and JoinableQueue.
//
// There are two ways to take a message. Get makes it the caller's for good.
// Lease keeps it in the queue, where nobody else sees it, until Ack; if this
// process dies first, or calls Nack, another consumer gets it. A leased
// message takes a place of the queue's Capacity and holds up nothing else.
//
// All processes that open the queue share one ring of slots. A slot's word
// names who is about to fill or to empty it, so that whatever a killed process
// leaves behind is found and finished by the others (internal/engine/queue.go
// has the algorithm and its proof). A small plain T lies in its slot, a longer
// message in blocks that the slot points to.
//
// This file is opening and the parts that all operations share; put.go, get.go
// and delivery.go have the operations. The ones on a small plain T are written
// out in the generic methods, a copy between a claim and its release; all
// other forms of T go as bytes.
type Queue[T any] struct {
	eng    *engine.Queue
	core   *object.Core
	closed *atomic.Bool // nil: OpenQueue did not make the handle
	form   form
	handle
}

// handle is what does not depend on T.
type handle struct {
	codec   Codec
	spinner *wait.Spinner
	leases  *leases
	size    int // bytes of a plain T

	// Built once, for those who poll.
	full, empty, leaseEmpty                              error
	shut, tryShut, getEnd, tryEnd, leaseEnd, tryLeaseEnd error
}

// shared is what this process keeps once for a queue.
type shared struct {
	eng    *engine.Queue
	leases leases
}

// OpenQueue finds the queue of this name, or makes it. nil options take the
// defaults, or what is there.
//
// It blocks only as shm.OpenObject does. Another T, capacity, buffer, length
// or codec than the queue has is shm.ErrMismatch, naming what differs. A T
// that no codec is given for and that has unexported fields or such is
// ErrCodec, naming the first. Numbers below 0 are fs.ErrInvalid.
func OpenQueue[T any](r *shm.Region, name string, o *QueueOptions) (*Queue[T], error) {
	if o == nil {
		o = &QueueOptions{}
	}
	return openQueue[T](r, name, *o, false)
}

const opOpen = "ring.OpenQueue"

// openQueue with arrived opens a handle from another process: the codec is
// the one that the queue has.
func openQueue[T any](r *shm.Region, name string, o QueueOptions, arrived bool) (*Queue[T], error) {
	t := reflect.TypeFor[T]()
	fail := func(err error) (*Queue[T], error) {
		return nil, &shm.Error{Op: opOpen, Region: r.Name(), Object: name, Err: err}
	}
	if err := o.check(); err != nil {
		return fail(err)
	}
	var f form
	var fields []object.Field
	if !arrived {
		var err error
		var text, name string
		if f, text, name, err = formOf(t, o.Codec); err != nil {
			return fail(err)
		}
		fields = o.fields(f, text, name)
	}
	core, err := r.OpenObject(object.Spec{Op: opOpen, Kind: engine.KindQueue, Name: name, Fields: fields,
		Create: func(participants int) ([]object.Field, uint64, func(mem.Area), error) {
			if arrived {
				return nil, 0, nil, fs.ErrNotExist
			}
			o.fill()
			c := o.config(f, int(t.Size()))
			c.Rows = participants
			if c.Size() == 0 {
				return nil, 0, nil, fmt.Errorf("capacity %d, messages of %d bytes: %w", o.Capacity, c.MaxMessage, shm.ErrNoSpace)
			}
			return o.fields(f, fields[0].Value, fields[1].Value), c.Size(), c.Init, nil
		}})
	if err != nil {
		return nil, err
	}
	if arrived {
		if o.Codec, err = codecNamed(core.Field("codec")); err != nil {
			return fail(err)
		}
		var text, name string
		if f, text, name, err = formOf(t, o.Codec); err != nil {
			return fail(err)
		}
		var diffs []string
		if text != "" && text != core.Field("type") {
			diffs = append(diffs, plain.Diff(text, core.Field("type")))
		}
		if name != core.Field("codec") {
			diffs = append(diffs, fmt.Sprintf("codec: %s here, %s in the region", name, core.Field("codec")))
		}
		if len(diffs) > 0 {
			return fail(fmt.Errorf("%w: %s", shm.ErrMismatch, visible.Text(strings.Join(diffs, "; "))))
		}
	}
	if o.Codec != nil {
		RegisterCodec(o.Codec)
	}
	q, err := newQueue[T](core, f, o)
	if core.Closed.Load() {
		err = shm.ErrClosed // what was seen may have been the zeroes
	}
	if err != nil {
		return fail(err)
	}
	return q, nil
}

func newQueue[T any](core *object.Core, f form, o QueueOptions) (*Queue[T], error) {
	s, err := sharedOf(core)
	if err != nil {
		return nil, err
	}
	size := int(reflect.TypeFor[T]().Size())
	if f == inSlot && !s.eng.Holds(size) || f == raw && s.eng.MaxMessage() != size {
		return nil, shm.ErrCorrupt // its fields say T, its words do not
	}
	q := &Queue[T]{eng: s.eng, core: core, closed: core.Closed, form: f}
	q.handle = handle{codec: o.Codec, spinner: wait.NewSpinner(wait.Mode(o.Wait)), leases: &s.leases, size: size,
		full: core.Err(opTryPut, ErrFull), empty: core.Err(opTryGet, ErrEmpty),
		leaseEmpty: core.Err(opTryLease, ErrEmpty), shut: core.Err(opPut, ErrShutdown), tryShut: core.Err(opTryPut, ErrShutdown),
		getEnd: core.Err(opGet, io.EOF), tryEnd: core.Err(opTryGet, io.EOF),
		leaseEnd: core.Err(opLease, io.EOF), tryLeaseEnd: core.Err(opTryLease, io.EOF)}
	if f == encoded && q.codec == nil {
		q.codec = cborCodec{codec.EncoderOf(reflect.TypeFor[T](), s.eng.MaxMessage())}
	}
	return q, nil
}

func sharedOf(core *object.Core) (*shared, error) {
	var err error
	v := core.SharedOnce(func() any {
		s := new(shared)
		s.eng, err = engine.AttachQueue(core.Area, core.Env)
		return s
	})
	core.KeepAlive()
	if s := v.(*shared); s.eng != nil {
		return s, nil
	}
	if err == nil { // another was told
		err = shm.ErrCorrupt
	}
	return nil, err
}

// Shutdown ends the queue for all processes, for good: from its return on no
// message can be put, and who waits to put one gets ErrShutdown. Those that
// are there are still delivered; when all are done, Get and Lease return
// io.EOF. A second Shutdown does nothing. A queue of the name begins anew
// after Region.Remove.
func (q *Queue[T]) Shutdown() error {
	if q.off() {
		return q.fail("queue.Shutdown", shm.ErrClosed)
	}
	var err error
	if !q.core.Gate.Here(q.eng.Shutdown) {
		err = shm.ErrClosed
	}
	return q.done("queue.Shutdown", err)
}

// Close ends this handle and nothing else: its calls return shm.ErrClosed from
// then on, those that wait in other goroutines, too, with nothing put or taken. It
// blocks for nobody, and does not wait for them. The queue goes on, for other
// handles of this process as well; see Shutdown for its end. A Delivery can still
// be acknowledged or given back, and what was got through the handle is told
// done through another. A second Close does nothing.
//
// The memory of a queue that was removed comes back when no process has a handle
// on it any more. A closed one counts until nothing reaches it, neither a variable
// nor a Delivery nor a call that was under way; when all of a process are closed
// it has its collector look at once. What the process had leased is then given to
// others.
func (q *Queue[T]) Close() error {
	if q.core == nil {
		return q.fail("queue.Close", shm.ErrClosed)
	}
	q.core.Close()
	return nil
}

// Len returns how many messages wait to be taken, without those that are
// leased: exact when nobody changes the queue.
func (q *Queue[T]) Len() int {
	if q.off() {
		return 0
	}
	n := q.eng.Len()
	q.core.KeepAlive()
	if q.off() {
		return 0
	}
	return n
}

// Cap returns the queue's Capacity.
func (q *Queue[T]) Cap() int {
	if q.eng == nil {
		return 0
	}
	return q.eng.Cap()
}

// TaskDone says that one of the messages that this process has got with Get is
// done; an Ack says it for a leased one. ErrOverDone if it has none left, and
// nothing changes. It never blocks.
//
// What a process had got and not done when it died counts as done: it is gone
// with it.
func (q *Queue[T]) TaskDone() error {
	if q.eng == nil || q.closed.Load() && q.core.Ended() {
		return q.fail("queue.TaskDone", shm.ErrClosed)
	}
	return q.done("queue.TaskDone", q.eng.TaskDone())
}

// Join waits until every message that was put is done: acknowledged, or got
// and TaskDone, or gone with the process that had got it. It returns if that
// was so at one instant since the call, at once if it is so now. A message
// that a Put is writing at this instant is waited for.
//
// It returns ctx's error when ctx ends, and shm.ErrClosed.
func (q *Queue[T]) Join(ctx context.Context) error {
	const op = "queue.Join"
	if err := ctx.Err(); err != nil {
		return q.fail(op, err)
	}
	if q.off() {
		return q.fail(op, shm.ErrClosed)
	}
	w := q.waiter(ctx)
	err := q.eng.Join(w)
	w.Done()
	if err == nil && q.gone() {
		err = shm.ErrClosed // zeroes are at rest
	}
	return q.done(op, err)
}

// off reports that no operation may start: the region is closed, or there is
// none.
func (q *Queue[T]) off() bool { return q.closed == nil || q.closed.Load() }

func (q *Queue[T]) waiter(ctx context.Context) *wait.Waiter {
	return q.core.WaiterWith(ctx, q.spinner)
}

// done is the end of an operation. That nothing was wrong in a region that was
// closed meanwhile, is for the operation to know; object.Gate has what there is
// to do about it.
func (q *Queue[T]) done(op string, err error) error {
	q.core.KeepAlive()
	if err != nil {
		return q.fail(op, err)
	}
	return nil
}

// inZeroes reports, of a slot that was published in its first lap while the region
// was closed, that this was in the zeroes that came in its place.
//
//go:noinline
func (q *Queue[T]) inZeroes(s engine.Slot) bool {
	return !q.core.Gate.Gave(func() bool { return q.eng.InZeroes(s) })
}

// gone reports that the region was closed, and is not there any more.
func (q *Queue[T]) gone() bool { return q.closed.Load() && !q.core.Gate.Stands() }

// fail makes the error of an operation.
//
//go:noinline
func (q *Queue[T]) fail(op string, err error) error {
	if q.core == nil {
		return &shm.Error{Op: op, Err: errNoHandle}
	}
	if q.closed.Load() || errors.Is(err, wait.ErrClosed) {
		err = shm.ErrClosed
	}
	switch {
	case err == ErrFull && op == opTryPut:
		return q.full
	case err == ErrEmpty && op == opTryGet:
		return q.empty
	case err == ErrEmpty && op == opTryLease:
		return q.leaseEmpty
	case err == ErrShutdown && op == opPut:
		return q.shut
	case err == ErrShutdown && op == opTryPut:
		return q.tryShut
	case err == io.EOF && op == opGet:
		return q.getEnd
	case err == io.EOF && op == opTryGet:
		return q.tryEnd
	case err == io.EOF && op == opLease:
		return q.leaseEnd
	case err == io.EOF && op == opTryLease:
		return q.tryLeaseEnd
	}
	return q.core.Err(op, err)
}

// body is where a message's bytes lie. Generic code is compiled where a user
// uses it, and there the compiler inlines a function of a third package only
// if this package's own, not generic code has it inlined as well.
func body(s engine.Slot) unsafe.Pointer { return s.Body() }
