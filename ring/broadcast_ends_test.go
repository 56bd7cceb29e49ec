package ring_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

// A subscriber that nothing reaches any more does not hold up anybody.
func TestBroadcastSubscriberCollected(t *testing.T) {
	ctx := testproc.Watchdog(t)
	b := testproc.Get(ring.OpenBroadcast[int](shmtest.Region(t), "b", &ring.BroadcastOptions{Capacity: 1}))(t)
	testproc.Get(b.Subscribe())(t)
	testproc.OK(t, b.Publish(ctx, 1))
	done := make(chan error, 1)
	go func() { done <- b.Publish(ctx, 2) }()
	for {
		runtime.GC()
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// A Close ends calls that wait: of the handle those that publish, of the subscriber its own.
func TestBroadcastClose(t *testing.T) {
	ctx := context.Background()
	r := shmtest.Region(t)
	b := testproc.Get(ring.OpenBroadcast[int](r, "b", &ring.BroadcastOptions{Capacity: 1}))(t)
	s, idle := testproc.Get(b.Subscribe())(t), testproc.Get(b.Subscribe())(t)
	done := make(chan error, 2)
	go func() { _, _, err := idle.Next(ctx); done <- err }()
	shmtest.AwaitWaiting(t, r, "b", 1)
	testproc.OK(t, idle.Close())
	if !idle.Ended() { // else its calls would hear of it when they look up from their sleep
		t.Error("its handle was not closed")
	}
	if err := <-done; !errors.Is(err, shm.ErrClosed) {
		t.Error(err)
	}
	testproc.OK(t, b.Publish(ctx, 1))
	go func() { done <- b.Publish(ctx, 2) }()
	shmtest.AwaitWaiting(t, r, "b", 1)
	for range 2 {
		testproc.OK(t, b.Close())
	}
	if err := <-done; !errors.Is(err, shm.ErrClosed) {
		t.Error(err)
	}
	if v, _, err := s.Next(ctx); err != nil || v != 1 {
		t.Error("a subscriber goes on when its broadcast is closed:", v, err)
	}
	for _, err := range []error{b.Publish(ctx, 1), b.TryPublish(1), b.Shutdown()} {
		if !errors.Is(err, shm.ErrClosed) {
			t.Error(err)
		}
	}
	if _, err := b.Subscribe(); !errors.Is(err, shm.ErrClosed) {
		t.Error(err)
	}
}

// Region.Close ends every call, and what its subscribers kept others waiting for.
func TestBroadcastRegionClosed(t *testing.T) {
	ctx := context.Background()
	r := shmtest.Region(t)
	b := testproc.Get(ring.OpenBroadcast[int](r, "b", &ring.BroadcastOptions{Capacity: 1}))(t)
	s, kept := testproc.Get(b.Subscribe())(t), testproc.Get(b.Subscribe())(t)
	testproc.OK(t, b.Publish(ctx, 1))
	gets(t)(s.Next(ctx))
	done := make(chan error, 2)
	go func() { done <- b.Publish(ctx, 2) }()
	go func() { _, _, err := s.Next(ctx); done <- err }()
	shmtest.AwaitWaiting(t, r, "b", 2)
	testproc.OK(t, r.Close())
	for range 2 {
		if err := <-done; !errors.Is(err, shm.ErrClosed) {
			t.Error(err)
		}
	}
	if _, _, err := kept.Next(ctx); !errors.Is(err, shm.ErrClosed) {
		t.Error(err)
	}
	testproc.OK(t, kept.Close())
}

func TestBroadcastRows(t *testing.T) {
	b := testproc.Get(ring.OpenBroadcast[int](shmtest.Region(t), "b", nil))(t)
	var subs []*ring.Subscriber[int]
	for range 128 { // of 64 participants
		subs = append(subs, testproc.Get(b.Subscribe())(t))
	}
	if _, err := b.Subscribe(); !errors.Is(err, shm.ErrNoSpace) {
		t.Error(err)
	}
	testproc.OK(t, subs[100].Close())
	testproc.Get(b.Subscribe())(t)
	runtime.KeepAlive(subs)
}
