package messages_test

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/proc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	tsync "example.com/tandem/sync"
)

func TestWaitAny(t *testing.T) {
	r := feed(t, nil)
	e := testproc.Get(tsync.OpenEvent(r, "news"))(t)
	q := testproc.Get(ring.OpenQueue[tick](r, "jobs", nil))(t)
	s := testproc.Get(ring.OpenSPSC[tick](r, "ticks", nil))(t)
	b := testproc.Get(ring.OpenBroadcast[tick](r, "feed", nil))(t)
	sub := testproc.Get(b.Subscribe())(t)
	soon := func() context.Context {
		c, cancel := context.WithTimeout(ctx, time.Millisecond)
		t.Cleanup(cancel)
		return c
	}
	any := func(c context.Context, ws ...shm.Waitable) func() error {
		return func() error {
			i, err := shm.WaitAny(c, ws...)
			if i != -1 {
				return errors.New("it returned a number")
			}
			return err
		}
	}
	poll := func(p interface{ Poll(context.Context) error }, c context.Context) func() error {
		return func() error { return p.Poll(c) }
	}
	closed := testproc.Get(ring.OpenQueue[tick](r, "jobs", nil))(t)
	testproc.OK(t, closed.Close())
	unchanged(t, r)
	check(t, []row{
		{"nothing", any(ctx), fs.ErrInvalid, "shm.WaitAny: nothing to wait for: invalid argument"},
		{"nil", any(ctx, e, nil), fs.ErrInvalid, "shm.WaitAny: number 1 of what to wait for: it is nil: invalid argument"},
		{"no event", any(ctx, e, new(tsync.Event)), fs.ErrInvalid, "shm.WaitAny: number 1 of what to wait for: the handle was not made by an OpenX of package sync: invalid argument"},
		{"no queue", any(ctx, new(ring.Queue[tick])), fs.ErrInvalid, "shm.WaitAny: number 0 of what to wait for: the handle was not made by OpenQueue: invalid argument"},
		{"no SPSC", any(ctx, new(ring.SPSC[tick])), fs.ErrInvalid, "shm.WaitAny: number 0 of what to wait for: the handle was not made by OpenSPSC: invalid argument"},
		{"no subscriber", any(ctx, new(ring.Subscriber[tick])), fs.ErrInvalid, "shm.WaitAny: number 0 of what to wait for: the subscriber was not made by Subscribe: invalid argument"},
		{"no process", any(ctx, new(proc.Process)), fs.ErrInvalid, "shm.WaitAny: number 0 of what to wait for: the process was not made by Start: invalid argument"},
		{"ended", any(ended(), e, q), context.Canceled, "shm.WaitAny: context canceled"},
		{"ended, one", any(ended(), q), context.Canceled, "shm.WaitAny feed/jobs: context canceled"},
		{"in time", any(soon(), e, q), context.DeadlineExceeded, "shm.WaitAny: context deadline exceeded"},
		{"closed", any(ctx, e, closed), shm.ErrClosed, "shm.WaitAny feed/jobs: the handle is closed"},
		{"queue", poll(q, soon()), context.DeadlineExceeded, "queue.Poll feed/jobs: context deadline exceeded"},
		{"queue, closed", poll(closed, ctx), shm.ErrClosed, "queue.Poll feed/jobs: the handle is closed"},
		{"no queue to poll", poll(new(ring.Queue[tick]), ctx), fs.ErrInvalid, "queue.Poll: the handle was not made by OpenQueue: invalid argument"},
		{"SPSC", poll(s, ended()), context.Canceled, "spsc.Poll feed/ticks: context canceled"},
		{"subscriber", poll(sub, soon()), context.DeadlineExceeded, "subscriber.Poll feed/feed: context deadline exceeded"},
	})
	testproc.OK(t, sub.Close())
	check(t, []row{{"subscriber, closed", poll(sub, ctx), shm.ErrClosed, "subscriber.Poll feed/feed: the handle is closed"}})
}
