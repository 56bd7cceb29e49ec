package ring_test

import (
	"context"
	"fmt"
	"testing"

	"example.com/tandem/ring"
	"example.com/tandem/shm/shmtest"
)

// A clinging is a context that takes its time when it is told that nobody listens to
// its end any more.
type clinging struct {
	context.Context
	done      chan struct{}
	told, let chan bool
}

func (c clinging) Done() <-chan struct{} { return c.done }

func (c clinging) AfterFunc(func()) (stop func() bool) {
	return func() bool {
		c.told <- true
		<-c.let
		return true
	}
}

// What a user's context does when a wait is over holds up its caller alone: what was
// put can be taken meanwhile, and where a message was taken another can be put.
func TestNothingIsHeldWhileAContextIsTold(t *testing.T) {
	for _, tt := range []struct {
		name      string
		call      func(ctx context.Context, q *ring.Queue[int]) error
		full      bool
		meanwhile func(ctx context.Context, q *ring.Queue[int]) error
	}{
		{"Put", func(ctx context.Context, q *ring.Queue[int]) error { return q.Put(ctx, 2) }, true, got(2)},
		{"PutBatch", func(ctx context.Context, q *ring.Queue[int]) error {
			_, err := q.PutBatch(ctx, []int{2})
			return err
		}, true, got(2)},
		{"Get", func(ctx context.Context, q *ring.Queue[int]) error { _, err := q.Get(ctx); return err }, false, put},
		{"GetInto", func(ctx context.Context, q *ring.Queue[int]) error { var n int; return q.GetInto(ctx, &n) }, false, put},
		{"GetBatch", func(ctx context.Context, q *ring.Queue[int]) error {
			_, err := q.GetBatch(ctx, make([]int, 4))
			return err
		}, false, put},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, ctx := region(t), watchdog(t)
			q := open[int](t, r, "q", &ring.QueueOptions{Capacity: 1})
			if tt.full {
				noError(t, q.Put(ctx, 1))
			}
			c := clinging{ctx, make(chan struct{}), make(chan bool), make(chan bool)}
			ended := make(chan error, 1)
			go func() { ended <- tt.call(c, q) }()
			shmtest.AwaitWaiting(t, r, "q", 1)
			if tt.full {
				noError(t, got(1)(ctx, q))
			} else {
				noError(t, q.Put(ctx, 1))
			}
			<-c.told
			noError(t, tt.meanwhile(ctx, q))
			close(c.let)
			noError(t, <-ended)
		})
	}
}

func got(want int) func(context.Context, *ring.Queue[int]) error {
	return func(ctx context.Context, q *ring.Queue[int]) error {
		n, err := q.Get(ctx)
		if err == nil && n != want {
			err = fmt.Errorf("got %d, want %d", n, want)
		}
		return err
	}
}

func put(ctx context.Context, q *ring.Queue[int]) error { return q.Put(ctx, 3) }

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
