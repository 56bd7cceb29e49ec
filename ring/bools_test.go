package ring_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"unsafe"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
)

type flagged struct {
	N  int64
	OK bool
	In [3]bool
}

type flaggedWide struct {
	flagged
	More [20]flagged
}

// bad is a T of which all bytes are 6, which no bool is.
func bad[T any]() (v T) {
	for i := range unsafe.Sizeof(v) {
		*(*byte)(unsafe.Add(unsafe.Pointer(&v), i)) = 6
	}
	return v
}

// A bool of a message is 0 or 1, whatever a peer has left there; what else the message has is
// as it was sent.
func TestBoolsAreValid(t *testing.T) {
	t.Run("small", func(t *testing.T) { boolsAreValid(t, func(v flagged) []flagged { return []flagged{v} }) })
	t.Run("wide", func(t *testing.T) {
		boolsAreValid(t, func(v flaggedWide) []flagged { return append(v.More[:], v.flagged) })
	})
}

func boolsAreValid[T any](t *testing.T, parts func(T) []flagged) {
	ctx := testproc.Watchdog(t)
	under, cancel := context.WithCancel(ctx)
	defer cancel()
	r := region(t)
	queue := open[T](t, r, "queue", nil)
	left, right := bothEnds[T](t, r, "pipe", nil)
	spsc, err := ring.OpenSPSC[T](r, "spsc", nil)
	testproc.OK(t, err)
	casts, err := ring.OpenBroadcast[T](r, "broadcast", nil)
	testproc.OK(t, err)
	sub, err := casts.Subscribe()
	testproc.OK(t, err)

	into := func(get func(context.Context, *T) error) func() (T, error) {
		return func() (v T, err error) {
			err = get(ctx, &v)
			return v, err
		}
	}
	batch := func(get func(context.Context, []T) (int, error)) func() (T, error) {
		return func() (T, error) {
			vs := make([]T, 3)
			n, err := get(ctx, vs)
			if err == nil && n != 1 {
				err = fmt.Errorf("%d messages", n)
			}
			return vs[0], err
		}
	}
	leased := func(d ring.Delivery[T], err error) (T, error) {
		v := d.Value()
		return v, errors.Join(err, d.Ack())
	}
	put, send, spscPut, publish := queue.Put, left.Send, spsc.Put, casts.Publish
	for name, way := range map[string]struct {
		put func(context.Context, T) error
		get func() (T, error)
	}{
		"Queue.Get":         {put, func() (T, error) { return queue.Get(context.Background()) }},
		"Queue.Get under":   {put, func() (T, error) { return queue.Get(under) }},
		"Queue.TryGet":      {put, queue.TryGet},
		"Queue.GetInto":     {put, into(queue.GetInto)},
		"Queue.GetBatch":    {put, batch(queue.GetBatch)},
		"Queue.Lease":       {put, func() (T, error) { return leased(queue.Lease(ctx)) }},
		"Queue.TryLease":    {put, func() (T, error) { return leased(queue.TryLease()) }},
		"Queue.Lease ended": {put, func() (T, error) { d, err := queue.Lease(ctx); err = errors.Join(err, d.Ack()); return d.Value(), err }},
		"Conn.Recv":         {send, func() (T, error) { return right.Recv(context.Background()) }},
		"Conn.RecvInto":     {send, into(right.RecvInto)},
		"SPSC.Get":          {spscPut, func() (T, error) { return spsc.Get(context.Background()) }},
		"SPSC.Get under":    {spscPut, func() (T, error) { return spsc.Get(under) }},
		"SPSC.TryGet":       {spscPut, spsc.TryGet},
		"SPSC.GetBatch":     {spscPut, batch(spsc.GetBatch)},
		"Subscriber.Next":   {publish, func() (T, error) { v, _, err := sub.Next(ctx); return v, err }},
	} {
		waits := func(late bool) {
			done := make(chan error, 1)
			if late { // it waits for the message
				go func() { done <- way.put(ctx, bad[T]()) }()
			} else {
				testproc.OK(t, way.put(ctx, bad[T]()))
				done <- nil
			}
			v, err := way.get()
			for late && errors.Is(err, ring.ErrEmpty) {
				v, err = way.get()
			}
			testproc.OK(t, err)
			testproc.OK(t, <-done)
			for _, f := range parts(v) {
				if f.N != 0x0606060606060606 {
					t.Errorf("%s: a number is %#x", name, f.N)
				}
				for i := range 4 {
					if b := *(*byte)(unsafe.Add(unsafe.Pointer(&f.OK), i)); b > 1 {
						t.Errorf("%s: a bool is %d", name, b)
					}
				}
			}
		}
		waits(false)
		waits(true)
	}
}

// The memory of a loan is a valid T, whatever was left there.
func TestLoanedBoolsAreValid(t *testing.T) {
	ctx := testproc.Watchdog(t)
	queue := open[flaggedWide](t, region(t), "queue", &ring.QueueOptions{Capacity: 1})
	for n := range 2 {
		l, err := queue.Loan(ctx, 1)
		testproc.OK(t, err)
		v := l.Ptr()
		for i, f := range v.More {
			if b := *(*byte)(unsafe.Pointer(&f.OK)); n == 1 && (f.N != 0x0606060606060606 || b > 1) {
				t.Fatalf("%d: a number is %#x, a bool %d", i, f.N, b)
			}
		}
		*v = bad[flaggedWide]()
		testproc.OK(t, l.Drop())
	}
}
