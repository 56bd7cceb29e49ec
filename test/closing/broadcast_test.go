package closing

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

func openNews(r *shm.Region) (*ring.Broadcast[int64], error) {
	return ring.OpenBroadcast[int64](r, "news", &ring.BroadcastOptions{Capacity: 8})
}

var published atomic.Int64

func init() {
	deeds["broadcast.publish"] = func(r *shm.Region, rep *report, mu *sync.Mutex) (func(context.Context) error, error) {
		b, err := openNews(r)
		return func(ctx context.Context) error {
			n := published.Add(1)
			return rep.note(mu, b.Publish(ctx, n), n)
		}, err
	}
	deeds["broadcast.next"] = func(r *shm.Region, rep *report, mu *sync.Mutex) (func(context.Context) error, error) {
		b, err := openNews(r)
		if err != nil {
			return nil, err
		}
		s, err := b.Subscribe()
		return func(ctx context.Context) error {
			_, _, err := s.Next(ctx)
			return err
		}, err
	}
}

// A message is in the ring if and only if its Publish returned nil.
func TestBroadcastPublish(t *testing.T) {
	t.Parallel()
	r, ctx := shmtest.Region(t), testproc.Watchdog(t)
	s := testproc.Get(testproc.Get(openNews(r))(t).Subscribe())(t)
	var mu sync.Mutex
	seen := map[int64]int{}
	go func() {
		for {
			n, _, err := s.Next(ctx)
			if err != nil {
				return
			}
			mu.Lock()
			seen[n]++
			mu.Unlock()
		}
	}()
	leaving(t, r, "broadcast.publish", nil, func(t *testing.T, rep report) {
		for {
			mu.Lock()
			n := len(seen)
			mu.Unlock()
			if n >= len(rep.Values) || ctx.Err() != nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Millisecond) // for one that should not be there
		mu.Lock()
		defer mu.Unlock()
		for _, n := range rep.Values {
			if seen[n] != 1 {
				t.Errorf("message %d came %d times", n, seen[n])
			}
		}
		if len(seen) != len(rep.Values) {
			t.Errorf("%d messages came, and the leaver told of %d", len(seen), len(rep.Values))
		}
		clear(seen)
	})
}

// Nobody waits for the subscribers of a process that has closed the region.
func TestBroadcastNext(t *testing.T) {
	t.Parallel()
	r, ctx := shmtest.Region(t), testproc.Watchdog(t)
	b := testproc.Get(openNews(r))(t)
	stop, fed := func() {}, make(chan error)
	leaving(t, r, "broadcast.next", func() {
		var feeding context.Context
		feeding, stop = context.WithCancel(ctx)
		go func() {
			for n := int64(1); ; n++ {
				if err := b.Publish(feeding, n); err != nil {
					fed <- err
					return
				}
			}
		}()
	}, func(t *testing.T, rep report) {
		stop()
		if err := <-fed; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		for n := range int64(20) { // two rings of them
			if err := b.Publish(ctx, n); err != nil {
				t.Fatal(err)
			}
		}
	})
}
