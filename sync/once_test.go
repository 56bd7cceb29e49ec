package sync_test

import (
	"context"
	"errors"
	"io/fs"
	"runtime"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

func once(t testing.TB, r *shm.Region, name string) *sync.Once {
	t.Helper()
	o, err := sync.OpenOnce(r, name)
	must(t, err)
	return o
}

// ran does it, and reports whether this call did.
func ran(t testing.TB, o *sync.Once) (yes bool) {
	t.Helper()
	must(t, o.Do(patience(t), func(context.Context) error { yes = true; return nil }))
	return yes
}

var errBad = errors.New("bad")

func fails(context.Context) error { return errBad }

func TestOnce(t *testing.T) {
	r := shmtest.Region(t)
	o, same := once(t, r, "o"), once(t, r, "o")
	type key struct{}
	ctx := context.WithValue(background, key{}, 7)
	if err := o.Do(ctx, func(c context.Context) error {
		if c.Value(key{}) != 7 {
			t.Error("fn gets another context")
		}
		return errBad
	}); err != errBad {
		t.Errorf("Do of what fails = %v", err)
	}
	if !ran(t, same) {
		t.Error("after a failure it does not run")
	}
	if ran(t, o) || ran(t, same) {
		t.Error("it runs again")
	}
	if err := o.Do(background, fails); err != nil {
		t.Errorf("Do of what is done = %v", err)
	}
	if !ran(t, once(t, r, "another")) {
		t.Error("two Onces are one")
	}
}

// A panic and a Goexit go on, and have not done it.
func TestOnceUnfinished(t *testing.T) {
	o := once(t, shmtest.Region(t), "o")
	func() {
		defer func() {
			if recover() != errBad {
				t.Error("Do swallows a panic")
			}
		}()
		o.Do(background, func(context.Context) error { panic(errBad) })
	}()
	gone := make(chan bool)
	go func() {
		defer close(gone)
		o.Do(background, func(context.Context) error { runtime.Goexit(); return nil })
		t.Error("Do returns after a Goexit")
	}()
	<-gone
	if !ran(t, o) || ran(t, o) {
		t.Error("after a panic it is not done once")
	}
}

// One at a time, in turn, until one succeeds; then all the rest go on.
func TestOnceManyCallers(t *testing.T) {
	r := shmtest.Region(t)
	ctx := patience(t)
	for round := range 20 {
		name := string(rune('a' + round))
		var inside, runs atomic.Int32
		var done atomic.Bool
		var wg gosync.WaitGroup
		for range 8 {
			o := once(t, r, name)
			wg.Go(func() {
				err := o.Do(ctx, func(context.Context) error {
					if inside.Add(1) != 1 || done.Load() {
						t.Error("two run, or one too many")
					}
					defer inside.Add(-1)
					if round%2 == 0 {
						time.Sleep(time.Millisecond) // so that the others get to sleep
					}
					if runs.Add(1) <= 3 {
						return errBad
					}
					done.Store(true)
					return nil
				})
				if err != nil && err != errBad || err == nil && !done.Load() {
					t.Errorf("Do = %v, done %v", err, done.Load())
				}
			})
		}
		wg.Wait()
		if n := runs.Load(); n != 4 {
			t.Errorf("%d runs, want 3 that fail and one that does not", n)
		}
	}
}

// busy has a Do run in o, and returns when its fn runs. end ends it with err,
// and returns what Do did.
func busy(t testing.TB, o *sync.Once) (end func(err error) error) {
	t.Helper()
	in, out, told := make(chan bool), make(chan error), make(chan error, 1)
	go func() {
		told <- o.Do(background, func(context.Context) error { close(in); return <-out })
	}()
	<-in
	return func(err error) error { out <- err; return <-told }
}

// come has n goroutines wait for another's run, and returns when they sleep.
func (q *onceQueue) come(t testing.TB, ctx context.Context, r *shm.Region, name string, n int) {
	t.Helper()
	o := once(t, r, name)
	q.ends = make(chan error, n)
	for range n {
		go func() {
			q.ends <- o.Do(ctx, func(context.Context) error { q.runs.Add(1); return nil })
		}()
	}
	shmtest.AwaitWaiting(t, r, name, n)
}

// A onceQueue is of those who wait.
type onceQueue struct {
	ends chan error
	runs atomic.Int32
}

func TestOnceContextEnds(t *testing.T) {
	r := shmtest.Region(t)
	o := once(t, r, "o")
	ended, cancel := context.WithCancel(background)
	cancel()
	if err := o.Do(ended, func(context.Context) error { t.Error("it runs"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("Do with an ended context = %v", err)
	}
	end := busy(t, o)
	const d = 30 * time.Millisecond
	start := time.Now()
	short, cancel := context.WithTimeout(background, d)
	defer cancel()
	err := o.Do(short, fails)
	if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took < d {
		t.Errorf("Do = %v after %v, want the deadline of %v", err, took, d)
	}
	var which *shm.Error
	if !errors.As(err, &which) || which.Op != "once.Do" || which.Object != "o" || which.Region == "" {
		t.Errorf("the error says %#v", which)
	}
	// Who gives up does not take the turn of who waits on.
	ctx, cancel := context.WithCancel(background)
	var gaveUp, stay onceQueue
	gaveUp.come(t, ctx, r, "o", 1)
	o2 := make(chan error, 1)
	go func() {
		o2 <- o.Do(patience(t), func(context.Context) error { stay.runs.Add(1); return nil })
	}()
	shmtest.AwaitWaiting(t, r, "o", 2)
	cancel()
	if err := <-gaveUp.ends; !errors.Is(err, context.Canceled) {
		t.Errorf("a Do that is cancelled = %v", err)
	}
	if err := end(errBad); err != errBad {
		t.Errorf("Do of what fails = %v", err)
	}
	must(t, <-o2)
	if gaveUp.runs.Load() != 0 || stay.runs.Load() != 1 {
		t.Error("who gave up has run, or who waited on has not")
	}
}

// A failure lets one of those who wait run, a success none; either way all go on.
func TestOnceWaiters(t *testing.T) {
	r := shmtest.Region(t)
	for name, tt := range map[string]struct {
		err  error
		runs int32
	}{"fails": {errBad, 1}, "succeeds": {nil, 0}} {
		o := once(t, r, name)
		end := busy(t, o)
		var q onceQueue
		q.come(t, patience(t), r, name, 5)
		if err := end(tt.err); err != tt.err {
			t.Errorf("Do = %v, want %v", err, tt.err)
		}
		for range 5 {
			must(t, <-q.ends)
		}
		if n := q.runs.Load(); n != tt.runs {
			t.Errorf("after one that %s, %d run", name, n)
		}
	}
}

// A fn that calls Do of the same Once waits for itself.
func TestOnceInItself(t *testing.T) {
	o := once(t, shmtest.Region(t), "o")
	must(t, o.Do(background, func(ctx context.Context) error {
		short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
		if err := o.Do(short, fails); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Do in fn = %v", err)
		}
		return nil
	}))
}

// What is done is done without an allocation.
func TestOnceAllocatesNothing(t *testing.T) {
	r := shmtest.Region(t)
	o, never := once(t, r, "o"), once(t, r, "never")
	must(t, o.Do(background, func(context.Context) error { return nil }))
	if n := testing.AllocsPerRun(1000, func() {
		if o.Do(background, fails) != nil || never.Do(background, fails) != errBad {
			t.Fatal("Do failed")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// To close the region while fn runs is to die in it: others go on at once, and
// Do says both what it was told and what fn said.
func TestOnceRegionCloses(t *testing.T) {
	r := shmtest.Region(t)
	o, other := once(t, r, "o"), once(t, r, "other")
	end, endOther := busy(t, o), busy(t, other)
	var q onceQueue
	q.come(t, background, r, "o", 3)
	must(t, r.Close())
	for range 3 {
		if err := <-q.ends; !errors.Is(err, shm.ErrClosed) {
			t.Errorf("a waiter in a region that closes is told %v", err)
		}
	}
	if q.runs.Load() != 0 {
		t.Error("a waiter runs in a region that closes")
	}
	r, err := shm.Open(r.Name(), nil)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	again := once(t, r, "o")
	inside := busy(t, again) // while the old one still runs
	if err := end(nil); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Do in a region that was closed = %v", err)
	}
	if err := endOther(errBad); !errors.Is(err, shm.ErrClosed) || !errors.Is(err, errBad) {
		t.Errorf("Do of what fails in a region that was closed = %v", err)
	}
	must(t, inside(nil))
	if ran(t, again) {
		t.Error("it runs again")
	}
	if !ran(t, once(t, r, "other")) {
		t.Error("what failed in a closed region is done")
	}
	_, openErr := sync.OpenOnce(closedRegion(t), "o")
	if !errors.Is(openErr, shm.ErrClosed) || !errors.Is(o.Do(background, fails), shm.ErrClosed) {
		t.Errorf("in a closed region OpenOnce = %v, Do = %v", openErr, o.Do(background, fails))
	}
}

// closedRegion is a region that is closed.
func closedRegion(t testing.TB) *shm.Region {
	r := shmtest.Region(t)
	must(t, r.Close())
	return r
}

func TestOnceTravels(t *testing.T) {
	r := shmtest.Region(t)
	o := once(t, r, "o")
	b, err := o.MarshalBinary()
	must(t, err)
	var other sync.Once
	must(t, other.UnmarshalBinary(b))
	if !ran(t, &other) || ran(t, o) {
		t.Error("what travelled is another Once")
	}
	if err := new(sync.Event).UnmarshalBinary(b); err == nil {
		t.Error("a Once arrives as an event")
	}
	must(t, r.Remove("o"))
	if err := new(sync.Once).UnmarshalBinary(b); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a handle on what was removed arrives: %v", err)
	}
	if err := new(sync.Once).UnmarshalBinary([]byte("rubbish")); err == nil {
		t.Error("rubbish arrives")
	}
}

// What a snapshot says: who runs it, how many runs there were.
func TestOnceSnapshot(t *testing.T) {
	r := shmtest.Region(t)
	o := once(t, r, "o")
	is := func(state, value string, owned bool) {
		t.Helper()
		s, err := r.Snapshot()
		must(t, err)
		x := s.Objects[0]
		if x.State != state || x.Value != value || (x.Owner != nil) != owned {
			t.Errorf("it is %q, %q, of %v; want %q, %q", x.State, x.Value, x.Owner, state, value)
		}
		if owned && (x.Owner.PID != r.Self().PID || x.Owner.Index != r.Self().Index) {
			t.Errorf("it is run by %+v, want %+v", x.Owner, r.Self())
		}
	}
	is("not done", "0", false)
	end := busy(t, o)
	is("running", "1", true)
	end(errBad)
	is("not done", "1", false)
	ran(t, o)
	is("done", "2", false)
}

func BenchmarkOnceDone(b *testing.B) {
	o := once(b, shmtest.Region(b), "o")
	must(b, o.Do(background, func(context.Context) error { return nil }))
	b.ReportAllocs()
	for b.Loop() {
		if o.Do(background, fails) != nil {
			b.Fatal("Do failed")
		}
	}
}

// A run that fails, which is all that a run costs.
func BenchmarkOnceRun(b *testing.B) {
	o := once(b, shmtest.Region(b), "o")
	b.ReportAllocs()
	for b.Loop() {
		if o.Do(background, fails) != errBad {
			b.Fatal("Do succeeded")
		}
	}
}
