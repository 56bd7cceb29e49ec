package waitany

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// Close of a handle, or of a region, ends a WaitAny that has it, wherever in the list it is;
// another handle on the object, and another region, do not.
func TestCloses(t *testing.T) {
	for name, which := range map[string]int{"event": 0, "semaphore": 1, "queue": 2, "far": 3} {
		t.Run("handle "+name, func(t *testing.T) {
			r, far := shmtest.Region(t), second(t)
			e, s, q, f := event(t, r, "e"), semaphore(t, r, "s"), queue(t, r, "q"), queue(t, far, "f")
			ws := []shm.Waitable{e, s, q, f}
			c := begin(t, r, "e", ws...)
			testproc.OK(t, event(t, r, "e").Close())
			testproc.OK(t, queue(t, far, "f").Close())
			time.Sleep(time.Millisecond)
			select {
			case end := <-c:
				t.Fatalf("Close of another handle ended it: %v", end)
			default:
			}
			testproc.OK(t, ws[which].(io.Closer).Close())
			want(t, c, -1, shm.ErrClosed)
			testproc.OK(t, event(t, r, "e").Set()) // ready or not
			testproc.OK(t, queue(t, far, "f").Put(bg, 1))
			if i, err := shm.WaitAny(bg, ws...); i != -1 || !errors.Is(err, shm.ErrClosed) {
				t.Errorf("with a closed handle: %d, %v", i, err)
			}
		})
	}
	for _, near := range []bool{true, false} {
		t.Run(map[bool]string{true: "region", false: "other region"}[near], func(t *testing.T) {
			r, far := shmtest.Region(t), second(t)
			a, b := queue(t, r, "a"), event(t, far, "b")
			c := begin(t, r, "a", a, b)
			closes := map[bool]*shm.Region{true: r, false: far}[near]
			testproc.OK(t, closes.Close())
			got := <-c
			var e *shm.Error
			if got.i != -1 || !errors.Is(got.err, shm.ErrClosed) || !errors.As(got.err, &e) || e.Region != closes.Name() {
				t.Errorf("WaitAny = %d, %v, of %s", got.i, got.err, closes.Name())
			}
			if near {
				testproc.OK(t, b.Set())
				is(t, 0, b)
			} else {
				testproc.OK(t, a.Put(bg, 1))
				is(t, 0, a)
			}
		})
	}
}

// So it does of one that spins, and so do the end of a context and Close of the region.
func TestClosesSpinning(t *testing.T) {
	for name, end := range map[string]func(q *ring.Queue[int64], r *shm.Region, cancel func()){
		"handle":  func(q *ring.Queue[int64], _ *shm.Region, _ func()) { q.Close() },
		"region":  func(_ *ring.Queue[int64], r *shm.Region, _ func()) { r.Close() },
		"context": func(_ *ring.Queue[int64], _ *shm.Region, cancel func()) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			best := time.Hour // a busy machine may be late now and then
			for range 20 {
				r := second(t)
				q := testproc.Get(ring.OpenQueue[int64](r, "q", &ring.QueueOptions{Wait: ring.Spin}))(t)
				ctx, cancel := context.WithCancel(bg)
				defer cancel()
				c := make(chan error, 1)
				begin := time.Now()
				go func() { c <- q.Poll(ctx) }()
				time.Sleep(5 * time.Millisecond)
				end(q, r, cancel)
				if err := <-c; !errors.Is(err, shm.ErrClosed) && !errors.Is(err, context.Canceled) {
					t.Errorf("Poll = %v", err)
				}
				if best = min(best, time.Since(begin)); best < 700*time.Millisecond {
					return
				}
			}
			t.Errorf("it ended after %v", best) // it spins for a second
		})
	}
}

// What a WaitAny was woken for that then ends with an error is not lost to another.
func TestPassesOnWhenItEnds(t *testing.T) {
	r, far := shmtest.Region(t), second(t)
	ctx := testproc.Watchdog(t)
	slow := 0
	for round := range 60 {
		q, e := queue(t, r, "q"), event(t, far, "e")
		ending, end := context.WithCancel(ctx)
		c := beginWith(t, ending, r, "q", q, e)
		got := make(chan error, 1)
		go func() {
			_, err := q.Get(ctx)
			got <- err
		}()
		shmtest.AwaitWaiting(t, r, "q", 2)
		begin := time.Now()
		if round%2 == 0 {
			go end()
		} else {
			go e.Close()
		}
		testproc.OK(t, q.Put(ctx, 1))
		testproc.OK(t, <-got)
		if took := time.Since(begin); took > 400*time.Millisecond {
			if slow++; slow > 2 && effort.Bars() { // a busy machine may be, once or twice
				t.Errorf("round %d: the other was woken after %v", round, took)
			}
		}
		<-c
		end()
		e.Close()
	}
}

// An object that was removed is waited for like any other.
func TestRemoved(t *testing.T) {
	r := shmtest.Region(t)
	q, e := queue(t, r, "q"), event(t, r, "e")
	c := begin(t, r, "q", q, e)
	testproc.OK(t, r.Remove("q"))
	testproc.OK(t, r.Remove("e"))
	testproc.OK(t, e.Set())
	want(t, c, 1, nil)
	testproc.OK(t, e.Clear())
	testproc.OK(t, q.Put(bg, 1))
	is(t, 0, q, e)
	if other := queue(t, r, "q"); other.Len() != 0 {
		t.Error("another of the name has the message")
	}
}

// What is no use of it is an error, and changes nothing.
func TestMisuse(t *testing.T) {
	r := shmtest.Region(t)
	e := event(t, r, "e")
	testproc.OK(t, e.Set())
	over, cancel := context.WithCancel(bg)
	cancel()
	for name, tt := range map[string]struct {
		ctx context.Context
		ws  []shm.Waitable
		is  error
	}{
		"nothing":            {bg, nil, fs.ErrInvalid},
		"nil":                {bg, []shm.Waitable{e, nil}, fs.ErrInvalid},
		"no event":           {bg, []shm.Waitable{e, new(sync.Event)}, fs.ErrInvalid},
		"no semaphore":       {bg, []shm.Waitable{new(sync.Semaphore)}, fs.ErrInvalid},
		"no queue":           {bg, []shm.Waitable{new(ring.Queue[int])}, fs.ErrInvalid},
		"no spsc":            {bg, []shm.Waitable{new(ring.SPSC[int])}, fs.ErrInvalid},
		"no subscriber":      {bg, []shm.Waitable{new(ring.Subscriber[int])}, fs.ErrInvalid},
		"a context that has": {over, []shm.Waitable{e}, context.Canceled},
	} {
		i, err := shm.WaitAny(tt.ctx, tt.ws...)
		var as *shm.Error
		if i != -1 || !errors.Is(err, tt.is) || !errors.As(err, &as) || as.Op != "shm.WaitAny" {
			t.Errorf("%s: %d, %v, want %v", name, i, err, tt.is)
		}
	}
}

// A fault of the context's goes on to the caller, and is not the others'.
func TestContextPanics(t *testing.T) {
	r := shmtest.Region(t)
	e := event(t, r, "e")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		shm.WaitAny(wild{bg, make(chan struct{})}, e, event(t, r, "f"))
	}()
	testproc.OK(t, e.Set())
	is(t, 0, e)
}

// A wild context panics when it is asked for its deadline.
type wild struct {
	context.Context
	done chan struct{}
}

func (w wild) Done() <-chan struct{}       { return w.done }
func (w wild) Deadline() (time.Time, bool) { panic("wild") }
