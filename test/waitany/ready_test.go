package waitany

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// A thing is something to wait for: how it becomes ready and is so no more.
type thing struct {
	shm.Waitable
	make func() error
	take func() error // nil: it stays ready
}

// things are all kinds, in one region, each of its kind's name.
func things(t *testing.T, r *shm.Region) map[string]thing {
	ctx := testproc.Watchdog(t)
	e := event(t, r, "event")
	s := semaphore(t, r, "semaphore")
	b := testproc.Get(sync.OpenBoundedSemaphore(r, "bounded", 1))(t)
	testproc.OK(t, b.Acquire(ctx))
	q := queue(t, r, "queue")
	text := testproc.Get(ring.OpenQueue[string](r, "text", nil))(t)
	one := spsc(t, r, "spsc")
	news := testproc.Get(ring.OpenBroadcast[int64](r, "broadcast", nil))(t)
	sub := testproc.Get(news.Subscribe())(t)
	lossy := testproc.Get(ring.OpenBroadcast[int64](r, "lossy", &ring.BroadcastOptions{Mode: ring.Lossy, Capacity: 2}))(t)
	late := testproc.Get(lossy.Subscribe())(t)
	left := testproc.Get(ring.OpenPipe[int64](r, "pipe", ring.Left, nil))(t)
	right := testproc.Get(ring.OpenPipe[int64](r, "pipe", ring.Right, nil))(t)
	return map[string]thing{
		"pipe":      {left, func() error { return right.Send(ctx, 1) }, func() error { _, err := left.Recv(ctx); return err }},
		"event":     {e, e.Set, e.Clear},
		"semaphore": {s, func() error { return s.Release(2) }, func() error { return errors.Join(s.Acquire(ctx), s.Acquire(ctx)) }},
		"bounded":   {b, func() error { return b.Release(1) }, func() error { return b.Acquire(ctx) }},
		"queue":     {q, func() error { return q.Put(ctx, 1) }, func() error { _, err := q.TryGet(); return err }},
		"text":      {text, func() error { return text.Put(ctx, "a") }, func() error { _, err := text.TryGet(); return err }},
		"spsc":      {one, func() error { return one.Put(ctx, 1) }, func() error { _, err := one.TryGet(); return err }},
		"broadcast": {sub, func() error { return news.Publish(ctx, 1) }, func() error { _, _, err := sub.Next(ctx); return err }},
		"lossy": {late, func() error {
			for range 5 { // it is lapped
				if err := lossy.Publish(ctx, 1); err != nil {
					return err
				}
			}
			return nil
		}, func() error {
			_, _, err := late.Next(ctx)
			_, _, err2 := late.Next(ctx)
			return errors.Join(err, err2)
		}},
	}
}

// Each kind is ready when it is, before the call or during its sleep, and not otherwise.
func TestReady(t *testing.T) {
	r := shmtest.Region(t)
	for name, x := range things(t, r) {
		t.Run(name, func(t *testing.T) {
			for range 3 {
				not(t, x)
				testproc.OK(t, x.make())
				is(t, 0, x)
				is(t, 0, x) // it takes nothing
				testproc.OK(t, x.take())
				not(t, x)
				c := begin(t, r, name, x)
				testproc.OK(t, x.make())
				want(t, c, 0, nil)
				testproc.OK(t, x.take())
			}
		})
	}
}

// The lowest that is ready, and also when the same is there twice.
func TestReadyLowest(t *testing.T) {
	r := shmtest.Region(t)
	all := things(t, r)
	var ws []shm.Waitable
	var names []string
	for name, x := range all {
		ws, names = append(ws, x), append(names, name)
	}
	ws = append(ws, ws...)
	for i := len(names) - 1; i >= 0; i-- {
		testproc.OK(t, all[names[i]].make())
		is(t, i, ws...)
	}
	for i, name := range names {
		testproc.OK(t, all[name].take())
		if i < len(names)-1 {
			is(t, i+1, ws...)
		}
	}
	not(t, ws...)
}

// A message that is leased is none; one that is given back is one. EOF is said when
// nothing is left or leased.
func TestReadyLeasesAndEnds(t *testing.T) {
	r := shmtest.Region(t)
	ctx := testproc.Watchdog(t)
	q := queue(t, r, "queue")
	testproc.OK(t, q.Put(ctx, 1))
	d := testproc.Get(q.TryLease())(t)
	not(t, q)
	c := begin(t, r, "queue", q)
	testproc.OK(t, d.Nack())
	want(t, c, 0, nil)
	is(t, 0, q)
	d = testproc.Get(q.TryLease())(t)
	testproc.OK(t, q.Shutdown())
	not(t, q)
	c = begin(t, r, "queue", q)
	testproc.OK(t, d.Ack())
	want(t, c, 0, nil)
	if _, err := q.TryGet(); !errors.Is(err, io.EOF) {
		t.Errorf("TryGet = %v", err)
	}
	is(t, 0, q) // for good

	s := spsc(t, r, "spsc")
	c = begin(t, r, "spsc", s)
	testproc.OK(t, s.Shutdown())
	want(t, c, 0, nil)
	if _, err := s.TryGet(); !errors.Is(err, io.EOF) {
		t.Errorf("TryGet = %v", err)
	}
	is(t, 0, s)

	b := testproc.Get(ring.OpenBroadcast[int64](r, "broadcast", nil))(t)
	sub := testproc.Get(b.Subscribe())(t)
	c = begin(t, r, "broadcast", sub)
	testproc.OK(t, b.Shutdown())
	want(t, c, 0, nil)
	if _, _, err := sub.Next(ctx); !errors.Is(err, io.EOF) {
		t.Errorf("Next = %v", err)
	}
	is(t, 0, sub)
}

// The end of a pipe's other end; and nothing ever comes to the left of a one-way pipe.
func TestReadyPipeEnds(t *testing.T) {
	r := shmtest.Region(t)
	ctx := testproc.Watchdog(t)
	left := testproc.Get(ring.OpenPipe[int64](r, "pipe", ring.Left, nil))(t)
	right := testproc.Get(ring.OpenPipe[int64](r, "pipe", ring.Right, nil))(t)
	c := begin(t, r, "pipe", left)
	testproc.OK(t, right.Close())
	want(t, c, 0, nil)
	if _, err := left.Recv(ctx); !errors.Is(err, io.EOF) {
		t.Errorf("Recv = %v", err)
	}
	is(t, 0, left)

	sender := testproc.Get(ring.OpenPipe[int64](r, "oneway", ring.Left, &ring.PipeOptions{Direction: ring.OneWay}))(t)
	if _, err := shm.WaitAny(ctx, sender); !errors.Is(err, ring.ErrDirection) {
		t.Errorf("WaitAny at the end that sends = %v", err)
	}
}

// An event that is set and cleared at once is seen by a call that was there.
func TestReadyPulse(t *testing.T) {
	r := shmtest.Region(t)
	e, never := event(t, r, "e"), event(t, r, "never")
	for range 50 {
		c := begin(t, r, "e", never, e)
		testproc.OK(t, e.Set())
		testproc.OK(t, e.Clear())
		want(t, c, 1, nil)
	}
	not(t, e)
}

// Poll is the same of one.
func TestReadyPoll(t *testing.T) {
	r := shmtest.Region(t)
	ctx := testproc.Watchdog(t)
	for name, x := range things(t, r) {
		p, ok := x.Waitable.(interface{ Poll(context.Context) error })
		if !ok {
			continue
		}
		t.Run(name, func(t *testing.T) {
			soon, cancel := context.WithTimeout(bg, 2*time.Millisecond)
			defer cancel()
			if err := p.Poll(soon); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Poll of nothing = %v", err)
			}
			before := shmtest.Waiting(r, name)
			c := make(chan error, 1)
			go func() { c <- p.Poll(ctx) }()
			shmtest.AwaitWaiting(t, r, name, before+1)
			testproc.OK(t, x.make())
			testproc.OK(t, <-c)
			testproc.OK(t, p.Poll(ctx))
			testproc.OK(t, x.take())
		})
	}
}
