package sync_test

import (
	"context"
	"errors"
	"io/fs"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

func event(t testing.TB, r *shm.Region, name string) *sync.Event {
	t.Helper()
	e, err := sync.OpenEvent(r, name)
	must(t, err)
	return e
}

// waitsFor has n goroutines wait for e, and returns when they sleep. Each one's
// end is on the channel.
func waitsFor(t testing.TB, ctx context.Context, r *shm.Region, name string, n int) <-chan error {
	t.Helper()
	e := event(t, r, name)
	ends := make(chan error, n)
	before := shmtest.Waiting(r, name)
	for range n {
		go func() { ends <- e.Wait(ctx) }()
	}
	shmtest.AwaitWaiting(t, r, name, before+n)
	return ends
}

// E1, E3, E8: what Set and Clear do, by two handles.
func TestEvent(t *testing.T) {
	r := shmtest.Region(t)
	e, same := event(t, r, "e"), event(t, r, "e")
	if e.IsSet() {
		t.Error("a new event is set")
	}
	for range 3 {
		for range 2 { // idempotent
			must(t, e.Set())
		}
		for range 3 {
			if !e.IsSet() || !same.IsSet() {
				t.Error("an event that was set is not set")
			}
			must(t, same.Wait(background))
		}
		for range 2 {
			must(t, same.Clear())
		}
		if e.IsSet() || same.IsSet() {
			t.Error("an event that was cleared is set")
		}
	}
	ends := waitsFor(t, patience(t), r, "e", 1)
	select {
	case err := <-ends:
		t.Errorf("Wait for what was cleared = %v", err)
	default:
	}
	must(t, same.Set())
	must(t, <-ends)
	if event(t, r, "another").IsSet() {
		t.Error("two events are one")
	}
}

// E4, E5: all who wait are released, even if Clear follows at once, and wait
// again after it.
func TestEventReleasesAll(t *testing.T) {
	r := shmtest.Region(t)
	e := event(t, r, "e")
	for range 20 {
		ends := waitsFor(t, patience(t), r, "e", 5)
		must(t, e.Set())
		must(t, e.Clear())
		for range 5 {
			must(t, <-ends)
		}
	}
}

// E2, E6: a context that ends.
func TestEventContextEnds(t *testing.T) {
	r := shmtest.Region(t)
	e := event(t, r, "e")
	ended, cancel := context.WithCancel(background)
	cancel()
	if err := e.Wait(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait with an ended context = %v", err)
	}
	const d = 30 * time.Millisecond
	start := time.Now()
	short, cancel := context.WithTimeout(background, d)
	defer cancel()
	err := e.Wait(short)
	if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took < d {
		t.Errorf("Wait = %v after %v, want the deadline of %v", err, took, d)
	}
	var which *shm.Error
	if !errors.As(err, &which) || which.Op != "event.Wait" || which.Object != "e" || which.Region == "" {
		t.Errorf("the error says %#v", which)
	}
	ctx, cancel := context.WithCancel(background)
	ends, others := waitsFor(t, ctx, r, "e", 3), waitsFor(t, patience(t), r, "e", 2)
	cancel()
	for range 3 {
		if err := <-ends; !errors.Is(err, context.Canceled) {
			t.Errorf("a Wait that is cancelled = %v", err)
		}
	}
	must(t, e.Set())
	for range 2 {
		must(t, <-others)
	}
	if err := e.Wait(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait for a set event with an ended context = %v", err)
	}
}

// Waits with contexts that end at any time, among pulses: an error is the
// context's, and comes only when it has ended.
func TestEventHammer(t *testing.T) {
	r := shmtest.Region(t)
	e := event(t, r, "e")
	var over atomic.Bool
	var wg gosync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			e := event(t, r, "e")
			for n := 0; !over.Load(); n++ {
				ctx, cancel := patience(t), context.CancelFunc(func() {})
				if g%2 == 0 {
					ctx, cancel = context.WithTimeout(ctx, time.Duration(n%300)*time.Microsecond)
				}
				if err := e.Wait(ctx); err != nil && (g%2 != 0 || !errors.Is(err, context.DeadlineExceeded)) {
					t.Errorf("Wait = %v", err)
				}
				cancel()
			}
		})
	}
	for range 2000 {
		must(t, e.Set())
		must(t, e.Clear())
	}
	over.Store(true)
	must(t, e.Set())
	wg.Wait()
}

func TestEventAllocatesNothing(t *testing.T) {
	e := event(t, shmtest.Region(t), "e")
	if n := testing.AllocsPerRun(1000, func() {
		for range 2 { // of what is set, too
			if e.Set() != nil {
				t.Fatal("Set failed")
			}
		}
		if !e.IsSet() || e.Wait(background) != nil {
			t.Fatal("what is set is not")
		}
		for range 2 {
			if e.Clear() != nil {
				t.Fatal("Clear failed")
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Close wakes all of this process who wait, and ends every handle; the event
// stays as it is.
func TestEventRegionCloses(t *testing.T) {
	r := shmtest.Region(t)
	e, set := event(t, r, "e"), event(t, r, "set")
	must(t, set.Set())
	ends := waitsFor(t, background, r, "e", 3)
	must(t, r.Close())
	for range 3 {
		if err := <-ends; !errors.Is(err, shm.ErrClosed) {
			t.Errorf("a waiter in a region that closes is told %v", err)
		}
	}
	_, openErr := sync.OpenEvent(r, "e")
	_, marshalErr := e.MarshalBinary()
	for name, err := range map[string]error{"Wait": set.Wait(background), "Set": e.Set(), "Clear": set.Clear(),
		"OpenEvent": openErr, "MarshalBinary": marshalErr} {
		if !errors.Is(err, shm.ErrClosed) {
			t.Errorf("%s in a closed region = %v", name, err)
		}
	}
	if set.IsSet() {
		t.Error("an event is set in a closed region")
	}
	r, err := shm.Open(r.Name(), nil)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	if event(t, r, "e").IsSet() || !event(t, r, "set").IsSet() {
		t.Error("Close, or what came after it, has changed an event")
	}
}

func TestEventTravels(t *testing.T) {
	r := shmtest.Region(t)
	e := event(t, r, "e")
	b, err := e.MarshalBinary()
	must(t, err)
	var other sync.Event
	must(t, other.UnmarshalBinary(b))
	must(t, other.Set())
	if !e.IsSet() {
		t.Error("what travelled is another event")
	}
	if err := new(sync.Mutex).UnmarshalBinary(b); err == nil {
		t.Error("an event arrives as a mutex")
	}
	m, err := mutex(t, r, "m").MarshalBinary()
	must(t, err)
	if err := new(sync.Event).UnmarshalBinary(m); err == nil {
		t.Error("a mutex arrives as an event")
	}
	must(t, r.Remove("e"))
	if err := new(sync.Event).UnmarshalBinary(b); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a handle on what was removed arrives: %v", err)
	}
	if err := new(sync.Event).UnmarshalBinary([]byte("rubbish")); err == nil {
		t.Error("rubbish arrives")
	}
}

// What a snapshot says.
func TestEventSnapshot(t *testing.T) {
	r := shmtest.Region(t)
	e := event(t, r, "e")
	is := func(state, value string) {
		t.Helper()
		s, err := r.Snapshot()
		must(t, err)
		if o := s.Objects[0]; o.State != state || o.Value != value {
			t.Errorf("it is %q, %q, want %q, %q", o.State, o.Value, state, value)
		}
	}
	is("clear", "0")
	must(t, e.Set())
	must(t, e.Set())
	is("set", "1")
	must(t, e.Clear())
	is("clear", "1")
	must(t, e.Set())
	is("set", "2")
}

func BenchmarkEventSetClear(b *testing.B) {
	e := event(b, shmtest.Region(b), "e")
	b.ReportAllocs()
	for b.Loop() {
		if e.Set() != nil || e.Clear() != nil {
			b.Fatal("Set or Clear failed")
		}
	}
}

func BenchmarkEventWaitSet(b *testing.B) {
	e := event(b, shmtest.Region(b), "e")
	must(b, e.Set())
	b.ReportAllocs()
	for b.Loop() {
		if e.Wait(background) != nil {
			b.Fatal("Wait failed")
		}
	}
}

// There and back between two goroutines.
func BenchmarkEventRoundTrip(b *testing.B) {
	r := shmtest.Region(b)
	there, back := event(b, r, "there"), event(b, r, "back")
	ctx, cancel := context.WithTimeout(background, 10*testproc.Patience)
	defer cancel()
	var wg gosync.WaitGroup
	var over atomic.Bool
	wg.Go(func() {
		for there.Wait(ctx) == nil && !over.Load() {
			there.Clear()
			back.Set()
		}
	})
	b.ReportAllocs()
	for b.Loop() {
		if there.Set() != nil || back.Wait(ctx) != nil || back.Clear() != nil {
			b.Fatal("a round trip failed")
		}
	}
	over.Store(true)
	must(b, there.Set())
	wg.Wait()
}
