package waitany

import (
	"context"
	"errors"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

// Who waits for one of the objects in another call is woken as if WaitAny were not there:
// many that only look, and one that takes, of each.
func TestPassesOn(t *testing.T) {
	r := shmtest.Region(t)
	q, s := queue(t, r, "q"), semaphore(t, r, "s")
	ctx, cancel := context.WithCancel(testproc.Watchdog(t))
	var lookers gosync.WaitGroup
	for range 4 {
		lookers.Go(func() {
			for ctx.Err() == nil {
				if _, err := shm.WaitAny(ctx, s, q); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
				time.Sleep(100 * time.Microsecond) // or it has what it looks at all the time
			}
		})
	}
	var took atomic.Int64
	var takers gosync.WaitGroup
	takers.Go(func() {
		for range effort.Or(2000, 100) {
			if _, err := q.Get(ctx); err != nil {
				t.Error(err)
				return
			}
			took.Add(1)
		}
	})
	takers.Go(func() {
		for range effort.Or(2000, 100) {
			if err := s.Acquire(ctx); err != nil {
				t.Error(err)
				return
			}
			took.Add(1)
		}
	})
	slow := 0
	for n := range int64(effort.Or(2000, 100)) {
		begin := time.Now()
		testproc.OK(t, q.Put(ctx, n))
		testproc.OK(t, s.Release(1))
		for took.Load() < 2*n+2 {
			if t.Failed() {
				break
			}
			time.Sleep(10 * time.Microsecond)
		}
		if time.Since(begin) > 400*time.Millisecond { // found by a look after half a second
			slow++
		}
	}
	takers.Wait()
	cancel()
	lookers.Wait()
	if slow > 2 && effort.Bars() { // else TestOtherWays knows what is lost
		t.Errorf("%d wake-ups did not come where they should", slow)
	}
}

// Several who wait for the same and take it: each message once, and none is left.
func TestTakenByAnother(t *testing.T) {
	r, far := shmtest.Region(t), second(t)
	qs := []*ring.Queue[int64]{queue(t, r, "a"), queue(t, far, "b"), queue(t, r, "c")}
	ws := []shm.Waitable{qs[0], qs[1], qs[2]}
	ctx := testproc.Watchdog(t)
	const n = 300
	var got [3 * n]atomic.Int32
	var wg gosync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				i, err := shm.WaitAny(ctx, ws...)
				if err != nil {
					t.Error(err)
					return
				}
				v, err := qs[i].TryGet()
				switch {
				case err == nil && v < 0:
					return
				case err == nil:
					got[v].Add(1)
				case !errors.Is(err, ring.ErrEmpty):
					t.Error(err)
					return
				}
			}
		})
	}
	for i, q := range qs {
		wg.Go(func() {
			for v := range int64(n) {
				if err := q.Put(ctx, int64(i*n)+v); err != nil {
					t.Error(err)
					return
				}
			}
			if err := q.Put(ctx, -1); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	left := 0
	for i := range got {
		if k := got[i].Load(); k > 1 {
			t.Errorf("message %d came %d times", i, k)
		} else if k == 0 {
			left++
		}
	}
	for _, q := range qs {
		left -= q.Len()
	}
	if left > 0 {
		t.Errorf("%d messages are lost", left)
	}
}
