package ring_test

import (
	"context"
	"errors"
	"fmt"
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

// Every call of a queue that waits in mode Spin looks at its context all the
// while, and ends with it, or with its region. (Join does not spin.)
func TestSpinEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		full bool // what it finds
		call func(ctx context.Context, q *ring.Queue[int]) error
	}{
		{"Put", true, func(ctx context.Context, q *ring.Queue[int]) error { return q.Put(ctx, 1) }},
		{"PutBatch", true, func(ctx context.Context, q *ring.Queue[int]) error {
			_, err := q.PutBatch(ctx, []int{1, 2})
			return err
		}},
		{"Get", false, func(ctx context.Context, q *ring.Queue[int]) error {
			_, err := q.Get(ctx)
			return err
		}},
		{"GetBatch", false, func(ctx context.Context, q *ring.Queue[int]) error {
			_, err := q.GetBatch(ctx, make([]int, 2))
			return err
		}},
		{"Lease", false, func(ctx context.Context, q *ring.Queue[int]) error {
			_, err := q.Lease(ctx)
			return err
		}},
	} {
		for _, want := range []error{context.Canceled, shm.ErrClosed} {
			ends := func(t *testing.T, tries int) bool {
				r := region(t)
				q := open[int](t, r, "q", &ring.QueueOptions{Capacity: 4, Wait: ring.Spin})
				for tt.full && q.Len() < q.Cap() {
					if err := q.TryPut(0); err != nil {
						t.Fatal(err)
					}
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				before := int64(0)
				c, errs := &looked{Context: ctx}, make(chan error, 1)
				go func() { errs <- tt.call(c, q) }()
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
