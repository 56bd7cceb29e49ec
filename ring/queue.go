package ring

import (
	"context"
	"io"
	"reflect"
	"sync/atomic"
	"unsafe"

	"example.com/tandem/internal/codec"
	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/plain"
	"example.com/tandem/internal/wait"
	"example.com/tandem/shm"
)

// All processes that open a queue share one ring of slots. A slot's word names
// the process that is about to fill or to empty it, so that whatever a killed
// process leaves behind is found and finished by the others
// (internal/engine/queue.go has the algorithm and its proof). A small plain T
// lies in its slot, a longer message in blocks that the slot points to.
//
// This file is opening and the parts that all operations share; put.go, get.go
// and delivery.go have the operations. The ones on a small plain T are written
// out in the generic methods, a copy between a claim and its release; all
// other forms of T go as bytes.

// A Queue is a bounded queue of T between any number of producers and
// consumers, in any processes: multiprocessing's Queue and JoinableQueue.
//
// There are two ways to take a message. [Queue.Get] makes it the caller's for
// good. [Queue.Lease] keeps it in the queue, where nobody else sees it, until
// [Delivery.Ack]; if this process dies first, or calls [Delivery.Nack], another
// consumer gets it. A leased message takes a place of the queue's Capacity and
// holds up nothing else.
//
// In the terminology of the [Go memory model], a call of [Queue.Put] synchronizes
// before the return of the Get or Lease that delivers its message, in whatever
// processes. A Nack synchronizes before the return of the Lease or Get that
// delivers the message again; so does the death of the process that had it on
// lease, with all that it did before. What frees a message's place, a Get or an
// Ack, synchronizes before the return of the Put that fills it again. A
// [Queue.TaskDone] or an Ack synchronizes before the return of a [Queue.Join] that
// waited for it, and a [Queue.Shutdown] before that of a call which ends with io.EOF or
// [ErrShutdown] by it. Nothing else is ordered: two Puts are not, nor are two Gets.
// Batches and loops are so many calls.
//
// [Go memory model]: https://go.dev/ref/mem
type Queue[T any] struct {
	eng    *engine.Queue
	core   *object.Core
	closed *atomic.Bool // nil: OpenQueue did not make the handle
	form   form
	gets   form // form, or mended
	handle
}

// handle is what does not depend on T.
type handle struct {
	codec   Codec
	spinner *wait.Spinner
	leases  *leases
	size    int                // bytes of a plain T
	mend    *plain.Type        // of a plain T with bools; else nil
	made    [answering]answers // for those who poll
}

// shared is what this process keeps once for a queue.
type shared struct {
	eng    *engine.Queue
	leases leases
}

// OpenQueue finds the queue of this name, or makes it. nil options take the
// defaults, or what is there.
//
// It blocks, and fails, as every OpenX does (package shm). Another T, capacity, buffer, length
// or codec than the queue has is shm.ErrMismatch, naming what differs. A T
// that no codec is given for and that has unexported fields or such is
// ErrCodec, naming the first. Numbers out of their range are fs.ErrInvalid.
func OpenQueue[T any](r *shm.Region, name string, o *QueueOptions) (*Queue[T], error) {
	if o == nil {
		o = &QueueOptions{}
	}
	return openQueue[T](r, name, *o)
}

const opOpen = "ring.OpenQueue"

func openQueue[T any](r *shm.Region, name string, o QueueOptions) (q *Queue[T], err error) {
	s, f, err := o.spec(name, reflect.TypeFor[T]())
	if err != nil {
		return nil, &shm.Error{Op: opOpen, Region: r.Name(), Object: name, Err: err}
	}
	_, err = object.Open(r, s, func(c *object.Core) (err error) {
		if o.Codec != nil {
			RegisterCodec(o.Codec)
		}
		q, err = newQueue[T](c, f, o)
		return err
	})
	if err != nil {
		return nil, err
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
	q := &Queue[T]{eng: s.eng, core: core, closed: core.Closed, form: f, gets: f}
	q.handle = handle{codec: o.Codec, spinner: wait.NewSpinner(wait.Mode(o.Wait)), leases: &s.leases, size: size, mend: mends(f, reflect.TypeFor[T]()), made: answersOf(core)}
	if f == inSlot && q.mend != nil {
		q.gets = mended
	}
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
	core.KeepAlive() // which therefore is inlined in Put and Get, too: see body
	if s := v.(*shared); s.eng != nil {
		return s, nil
	}
	if err == nil { // another was told
		err = shm.ErrCorrupt
	}
	return nil, err
}

// Shutdown ends the queue for all processes, for good: from its return on no
// message can be put, and a call that waits to put one gets [ErrShutdown].
// Shutdown does not block. A process that dies in it has shut the queue down or
// has not. Messages that are there are still delivered; when all are done, Get
// and Lease return io.EOF. A second Shutdown does nothing. A queue of the name
// begins anew after Region.Remove.
func (q *Queue[T]) Shutdown() error {
	if q.off() {
		return q.fail(opShutdown, shm.ErrClosed)
	}
	var err error
	q.core.Release()
	if !q.core.Gate.Here(q.eng.Shutdown) {
		err = shm.ErrClosed
	}
	return q.done(opShutdown, err)
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
		return q.fail(opClose, shm.ErrClosed)
	}
	q.core.Close()
	return nil
}

// Len returns how many messages wait to be taken, without those that are
// leased: exact when nobody changes the queue. It is 0 of a closed handle. It
// does not block.
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

// Cap returns the queue's Capacity. It stays the same, after Close too. It does
// not block.
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
		return q.fail(opTaskDone, shm.ErrClosed)
	}
	return q.done(opTaskDone, q.eng.TaskDone())
}

// Join waits until every message that was put is done: acknowledged, or got
// and TaskDone, or gone with the process that had got it. It returns if that
// was so at one instant since the call, at once if it is so now. A message
// that a Put is writing at this instant is waited for.
//
// It returns ctx's error when ctx ends, and [shm.ErrClosed]. A process that dies
// in it leaves nothing.
func (q *Queue[T]) Join(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return q.fail(opJoin, err)
	}
	if q.off() {
		return q.fail(opJoin, shm.ErrClosed)
	}
	w := q.waiter(ctx)
	err := q.eng.Join(w)
	w.Done()
	return q.done(opJoin, q.core.Seen(err)) // zeroes are at rest
}

// off reports that no operation may start: the region is closed, or there is
// none.
func (q *Queue[T]) off() bool { return q.closed == nil || q.closed.Load() }

func (q *Queue[T]) waiter(ctx context.Context) *wait.Waiter {
	return q.core.WaiterWith(ctx, q.spinner)
}

// done ends an operation; see the Core's.
func (q *Queue[T]) done(o operation, err error) error {
	if err != nil {
		return q.fail(o, err)
	}
	q.core.KeepAlive()
	return nil
}

// inZeroes reports, of a message that was published while the region was closed, that
// it was in the zeroes that came in its place.
//
//go:noinline
func (q *Queue[T]) inZeroes(s engine.Slot) bool {
	return !q.core.Gate.Gave(func() bool { return q.eng.InZeroes(s) })
}

// releasedInZeroes is the same of a reading that was ended.
//
//go:noinline
func (q *Queue[T]) releasedInZeroes(s engine.Slot) bool {
	return !q.core.Gate.Gave(func() bool { return q.eng.ReleasedInZeroes(s) })
}

// fail makes the error of an operation, or has it made already.
//
//go:noinline
func (q *Queue[T]) fail(o operation, err error) error {
	if q.core == nil {
		return q.core.Done(o.String(), errNoHandle)
	}
	mem.Between()
	q.core.Over(err, io.EOF, ErrShutdown)
	if !q.closed.Load() && o < answering {
		switch err {
		case operations[o].now:
			return q.made[o].now
		case operations[o].end:
			return q.made[o].end
		}
	}
	return q.core.Done(o.String(), err)
}

// body is where a message's bytes lie. Generic code is compiled where a user
// uses it, and there the compiler inlines a function of a third package only
// if this package's own, not generic code has it inlined as well.
func body(q *engine.Queue, s engine.Slot) unsafe.Pointer { return q.Body(s) }
