package verbs

import (
	"context"
	"encoding"
	"fmt"
	"io"
	"iter"

	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// Numbers is a queue of numbers, whatever messages they are.
type Numbers interface {
	shm.Waitable
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
	Poll(context.Context) error
	TaskDone() error
	Join(context.Context) error
	Shutdown() error
	Close() error
	Len() int
	Cap() int

	put(context.Context, int64) error
	tryPut(int64) error
	putBatch(context.Context, []int64) (int, error)
	get(context.Context) (int64, error)
	getInto(context.Context) (int64, error)
	tryGet() (int64, error)
	getBatch(ctx context.Context, most int) ([]int64, error)
	all(context.Context) iter.Seq2[int64, error]
	lease(context.Context) (int64, delivery, error)
	tryLease() (int64, delivery, error)
}

// A delivery is what an actor has on lease.
type delivery interface {
	Attempt() int
	Ack() error
	Nack() error
}

// numbers are a queue's, each a T.
type numbersOf[T any] struct {
	*ring.Queue[T]
	form[T]
}

func (q numbersOf[T]) put(ctx context.Context, n int64) error {
	v := q.to(n)
	defer q.spoil(v)
	return q.Put(ctx, v)
}

func (q numbersOf[T]) tryPut(n int64) error {
	v := q.to(n)
	defer q.spoil(v)
	return q.TryPut(v)
}

func (q numbersOf[T]) putBatch(ctx context.Context, ns []int64) (int, error) {
	var vs []T
	for _, n := range ns {
		v := q.to(n)
		defer q.spoil(v)
		vs = append(vs, v)
	}
	return q.PutBatch(ctx, vs)
}

// number is what a call got, if it got anything.
func (q numbersOf[T]) number(v T, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return q.from(v), nil
}

func (q numbersOf[T]) get(ctx context.Context) (int64, error) { return q.number(q.Get(ctx)) }
func (q numbersOf[T]) tryGet() (int64, error)                 { return q.number(q.TryGet()) }

func (q numbersOf[T]) getInto(ctx context.Context) (int64, error) {
	var v T
	err := q.GetInto(ctx, &v)
	return q.number(v, err)
}

func (q numbersOf[T]) getBatch(ctx context.Context, most int) (ns []int64, err error) {
	vs := make([]T, most)
	n, err := q.GetBatch(ctx, vs)
	for _, v := range vs[:n] {
		ns = append(ns, q.from(v))
	}
	return ns, err
}

func (q numbersOf[T]) all(ctx context.Context) iter.Seq2[int64, error] {
	return func(yield func(int64, error) bool) {
		for v, err := range q.All(ctx) {
			if !yield(q.number(v, err)) {
				return
			}
		}
	}
}

func (q numbersOf[T]) lease(ctx context.Context) (int64, delivery, error) {
	d, err := q.Lease(ctx)
	n, err := q.number(d.Value(), err)
	return n, d, err
}

func (q numbersOf[T]) tryLease() (int64, delivery, error) {
	d, err := q.TryLease()
	n, err := q.number(d.Value(), err)
	return n, d, err
}

const queueSlots = 4

func openNumbers[T any](e *actor.Env, name string, f form[T]) (Numbers, error) {
	q, err := ring.OpenQueue[T](e.Region, name, &ring.QueueOptions{Capacity: queueSlots, Buffer: 64 << 10})
	return numbersOf[T]{q, f}, err
}

// queueAt opens the queue of a name, of four numbers.
func queueAt(e *actor.Env, name string) (Numbers, error) {
	switch formed(name) {
	case "bytes":
		return openNumbers(e, name, bytesForm)
	case "record":
		return openNumbers(e, name, recordForm)
	}
	return openNumbers(e, name, plainForm)
}

// Queue is the actor's queue of a name, of four numbers. It is of bytes, or of
// records by CBOR, if the name ends with ".bytes" or ".record".
func Queue(e *actor.Env, name string) Numbers {
	return actor.Handle(e, name, func() (Numbers, error) { return queueAt(e, name) })
}

// getSome gets one number, or some of them, in one of the ways that there are.
func getSome(ctx context.Context, q Numbers, by string) (ns []int64, err error) {
	switch by {
	case "get":
		return oneOf(q.get(ctx))
	case "into":
		return oneOf(q.getInto(ctx))
	case "batch":
		return q.getBatch(ctx, 3)
	case "lease":
		n, d, err := q.lease(ctx)
		if err == nil {
			err = d.Ack()
		}
		return oneOf(n, err)
	case "all":
		for n, err := range q.all(ctx) {
			return oneOf(n, err)
		}
		return nil, io.EOF
	}
	return nil, fmt.Errorf("nothing is got by %q", by)
}

// oneOf is one, if there is one.
func oneOf(n int64, err error) ([]int64, error) {
	if err != nil {
		return nil, err
	}
	return []int64{n}, nil
}
