package ring_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

// A looked is a context that counts the looks at it. Who sleeps looks some
// times a minute, who spins thousands of times a second.
type looked struct {
	context.Context
	looks atomic.Int64
}

func (c *looked) Err() error {
	c.looks.Add(1)
	return c.Context.Err()
}

// manyLooks are more than one makes who does not look while spinning, before it sleeps.
const manyLooks = 5

// mostLooks is how many one makes that has ended: far fewer, but for a thread that loses
// its processor between two lines. Who spins to the end of its second makes 20,000.
const mostLooks = 5000

// spinners are the calls that wait in mode Spin: each opens "q" and has it so that the call
// waits. (Join does not spin.)
var spinners = []struct {
	name string
	open func(t *testing.T, r *shm.Region) func(ctx context.Context) error
}{
	{"Put", spinQueue(true, func(ctx context.Context, q *ring.Queue[int]) error { return q.Put(ctx, 1) })},
	{"PutBatch", spinQueue(true, func(ctx context.Context, q *ring.Queue[int]) error {
		_, err := q.PutBatch(ctx, []int{1, 2})
		return err
	})},
	{"Get", spinQueue(false, func(ctx context.Context, q *ring.Queue[int]) error {
		_, err := q.Get(ctx)
		return err
	})},
	{"GetBatch", spinQueue(false, func(ctx context.Context, q *ring.Queue[int]) error {
		_, err := q.GetBatch(ctx, make([]int, 2))
		return err
	})},
	{"Lease", spinQueue(false, func(ctx context.Context, q *ring.Queue[int]) error {
		_, err := q.Lease(ctx)
		return err
	})},
	{"SPSC.Put", spinSPSC(true, func(ctx context.Context, s *ring.SPSC[int]) error { return s.Put(ctx, 1) })},
	{"SPSC.PutBatch", spinSPSC(true, func(ctx context.Context, s *ring.SPSC[int]) error {
		_, err := s.PutBatch(ctx, []int{1, 2})
		return err
	})},
	{"SPSC.Get", spinSPSC(false, func(ctx context.Context, s *ring.SPSC[int]) error {
		_, err := s.Get(ctx)
		return err
	})},
	{"SPSC.GetBatch", spinSPSC(false, func(ctx context.Context, s *ring.SPSC[int]) error {
		_, err := s.GetBatch(ctx, make([]int, 2))
		return err
	})},
	{"Subscriber.Next", func(t *testing.T, r *shm.Region) func(ctx context.Context) error {
		_, sub := spinBroadcast(t, r)
		return func(ctx context.Context) error {
			_, _, err := sub.Next(ctx)
			return err
		}
	}},
	{"Broadcast.Publish", func(t *testing.T, r *shm.Region) func(ctx context.Context) error {
		b, sub := spinBroadcast(t, r)
		fillUp(t, b.TryPublish)
		return func(ctx context.Context) error {
			defer runtime.KeepAlive(sub) // which has it full
			return b.Publish(ctx, 1)
		}
	}},
}

func spinQueue(full bool, call func(context.Context, *ring.Queue[int]) error) func(*testing.T, *shm.Region) func(context.Context) error {
	return func(t *testing.T, r *shm.Region) func(context.Context) error {
		q := open[int](t, r, "q", &ring.QueueOptions{Capacity: 4, Wait: ring.Spin})
		if full {
			fillUp(t, q.TryPut)
		}
		return func(ctx context.Context) error { return call(ctx, q) }
	}
}

func spinSPSC(full bool, call func(context.Context, *ring.SPSC[int]) error) func(*testing.T, *shm.Region) func(context.Context) error {
	return func(t *testing.T, r *shm.Region) func(context.Context) error {
		s := openSPSC[int](t, r, "q", &ring.SPSCOptions{Capacity: 4, Wait: ring.Spin})
		if full {
			fillUp(t, s.TryPut)
		}
		return func(ctx context.Context) error { return call(ctx, s) }
	}
}

func spinBroadcast(t *testing.T, r *shm.Region) (*ring.Broadcast[int], *ring.Subscriber[int]) {
	t.Helper()
	b := testproc.Get(ring.OpenBroadcast[int](r, "q", &ring.BroadcastOptions{Mode: ring.Reliable, Capacity: 4, Wait: ring.Spin}))(t)
	return b, testproc.Get(b.Subscribe())(t)
}

// fillUp calls try until there is no room.
func fillUp(t *testing.T, try func(int) error) {
	t.Helper()
	for {
		if err := try(0); errors.Is(err, ring.ErrFull) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// Every call that waits in mode Spin looks at its context all the while, and ends with
// it, or with its region.
func TestSpinEnds(t *testing.T) {
	for _, tt := range spinners {
		for _, want := range []error{context.Canceled, shm.ErrClosed} {
			ends := func(t *testing.T, tries int) bool {
				r := region(t)
				call := tt.open(t, r)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				before := int64(0)
				c, errs := &looked{Context: ctx}, make(chan error, 1)
				go func() { errs <- call(c) }()
				limit := time.Now().Add(testproc.Patience)
				for c.looks.Load() < manyLooks {
					if shmtest.Waiting(r, "q") > 0 && c.looks.Load() < manyLooks {
						cancel()
						<-errs
						if tries == 2 {
							t.Fatalf("it sleeps, and has looked at its context %d times", c.looks.Load())
						}
						return false // its second was over: it had no processor
					}
					if time.Now().After(limit) {
						t.Fatalf("it has looked at its context %d times in %v", c.looks.Load(), testproc.Patience)
					}
					select {
					case err := <-errs:
						t.Fatalf("it has ended with %v", err)
					case <-time.After(time.Millisecond):
					}
				}
				if want == context.Canceled {
					cancel()
					before = c.looks.Load()
				} else if err := r.Close(); err != nil {
					t.Error(err)
				}
				select {
				case err := <-errs:
					if !errors.Is(err, want) {
						t.Errorf("it ends with %v, want %v", err, want)
					}
					if n := c.looks.Load() - before; want == context.Canceled && n > mostLooks {
						t.Errorf("it has looked at its context %d times more", n)
					}
				case <-time.After(testproc.Patience):
					t.Fatalf("it goes on, though %v", want)
				}
				return true
			}
			t.Run(fmt.Sprintf("%s/%v", tt.name, want), func(t *testing.T) {
				for tries := 0; !ends(t, tries); tries++ {
				}
			})
		}
	}
}
