package ring_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

// listener subscribes, says so, and reads a message whenever it hears of it.
var listener = testproc.Role("listener", func(args []string) {
	b, err := ring.OpenBroadcast[int](attached(args[0]), "b", nil)
	testproc.Must(err)
	s, err := b.Subscribe()
	testproc.Must(err)
	testproc.Say("ready")
	for {
		if _, ok := testproc.Hear(); !ok {
			return
		}
		v, missed, err := s.Next(bg)
		testproc.Must(err)
		testproc.Say(v, missed)
	}
})

// Publish waits for the slowest subscriber, and hears of its death.
func TestBroadcastDeadSlowest(t *testing.T) {
	r, ctx := region(t), testproc.Watchdog(t)
	b := testproc.Get(ring.OpenBroadcast[int](r, "b", &ring.BroadcastOptions{Capacity: 2}))(t)
	s := testproc.Get(b.Subscribe())(t)
	c := listener.Start(t, r.Name())
	c.Expect("ready")
	for i := range 3 {
		testproc.OK(t, b.Publish(ctx, i))
		gets(t)(s.Next(ctx))
		if i == 0 {
			c.Say("one")
			c.Expect("0 0")
		}
	}
	if err := b.TryPublish(3); !errors.Is(err, ring.ErrFull) {
		t.Fatalf("it has read one of three, of two that are kept, and: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- b.Publish(ctx, 3) }()
	c.Freeze()
	select {
	case err := <-done:
		t.Fatalf("nothing is taken from one that is stopped: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	killed := time.Now()
	c.Kill()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Logf("published %v after the kill", time.Since(killed))
	if v, _, err := s.Next(ctx); err != nil || v != 3 {
		t.Error(v, err)
	}
}

// Publish hears of the death of the slowest subscriber within 20 ms.
func TestBroadcastDeathHeardSoon(t *testing.T) {
	r, ctx := region(t), testproc.Watchdog(t)
	b := testproc.Get(ring.OpenBroadcast[int](r, "b", &ring.BroadcastOptions{Capacity: 1}))(t)
	effort.Median(t, 20*time.Millisecond, 20, func() time.Duration {
		c := listener.Start(t, r.Name())
		c.Expect("ready")
		testproc.OK(t, b.Publish(ctx, 1))
		done := make(chan error, 1)
		go func() { done <- b.Publish(ctx, 2) }()
		shmtest.AwaitWaiting(t, r, "b", 1)
		killed := time.Now()
		c.Signal(syscall.SIGKILL)
		err := <-done
		took := time.Since(killed)
		testproc.OK(t, err)
		c.Kill()
		return took
	})
}

// A Lossy publisher does not wait for a subscriber that is stopped in the middle of
// anything, and that one knows exactly what it has missed.
func TestBroadcastStoppedSubscriber(t *testing.T) {
	r, ctx := region(t), testproc.Watchdog(t)
	b := testproc.Get(ring.OpenBroadcast[int](r, "b", &ring.BroadcastOptions{Mode: ring.Lossy, Capacity: 8}))(t)
	c := listener.Start(t, r.Name())
	c.Expect("ready")
	c.Freeze()
	for i := range 803 {
		testproc.OK(t, b.Publish(ctx, i))
	}
	c.Signal(syscall.SIGCONT)
	c.Say("one")
	c.Expect("795 795")
	c.Say("one")
	c.Expect("796 0")
}

// A handle on a broadcast travels as bytes, with its codec; here they stay in the process.
func TestBroadcastTravels(t *testing.T) {
	r := region(t)
	b := testproc.Get(ring.OpenBroadcast[string](r, "b", &ring.BroadcastOptions{Mode: ring.Lossy, Capacity: 4, Codec: picky{}}))(t)
	data := testproc.Get(b.MarshalBinary())(t)
	var there ring.Broadcast[string]
	testproc.OK(t, there.UnmarshalBinary(data))
	s := testproc.Get(there.Subscribe())(t)
	testproc.OK(t, b.TryPublish("here"))
	if v, _, err := s.Next(context.Background()); err != nil || v != "here" {
		t.Error(v, err)
	}
	testproc.OK(t, b.Close())
	if _, err := b.MarshalBinary(); !errors.Is(err, shm.ErrClosed) {
		t.Error(err)
	}
	if _, err := new(ring.Broadcast[string]).MarshalBinary(); err == nil {
		t.Error("what nobody opened travels")
	}
}
