package sync_test

import (
	"context"
	"errors"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// C11, C12, C13.
func TestCondWaitFor(t *testing.T) {
	eachLock(t, func(t *testing.T, r *shm.Region, claim func() (*sync.Cond, sync.Lock)) {
		c, l := claim()
		must(t, l.Lock(background))
		calls := 0
		ended, cancel := context.WithCancel(background)
		cancel()
		must(t, c.WaitFor(ended, func() bool { calls++; return true }))
		if err := c.WaitFor(ended, func() bool { calls++; return false }); !errors.Is(err, context.Canceled) || calls != 2 {
			t.Errorf("WaitFor = %v, after %d calls", err, calls)
		}
		const d = 40 * time.Millisecond
		start, stop := time.Now(), make(chan bool)
		short, cancel := context.WithTimeout(background, d)
		defer cancel()
		over := make(chan bool)
		go func() { // notifies again and again, which is no reason to begin anew
			defer close(over)
			c, l := claim()
			for {
				select {
				case <-stop:
					return
				default:
					if l.Lock(background) != nil || c.NotifyAll() != nil || l.Unlock() != nil {
						t.Error("cannot notify")
						return
					}
				}
			}
		}()
		err := c.WaitFor(short, func() bool { return false })
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took < d {
			t.Errorf("WaitFor what does not come = %v after %v", err, took)
		}
		must(t, l.Unlock()) // it was held
		close(stop)
		<-over

		ready := false // guarded by the lock
		told := make(chan error)
		c2, l2 := claim()
		go func() {
			err := l2.Lock(background)
			if err == nil {
				err = errors.Join(c2.WaitFor(patience(t), func() bool { return ready }), l2.Unlock())
			}
			told <- err
		}()
		awaitWaiting(t, r, "c", 1)
		notify(t, claim, 1) // for nothing
		awaitWaiting(t, r, "c", 1)
		must(t, l.Lock(background))
		ready = true
		must(t, c.Notify(1))
		must(t, l.Unlock())
		must(t, <-told)

		// True at the end, though nobody told.
		must(t, l.Lock(background))
		calls = 0
		ending, end := context.WithCancel(background)
		go func() {
			for shmtest.Waiting(r, "c") == 0 {
				time.Sleep(100 * time.Microsecond)
			}
			end()
		}()
		must(t, c.WaitFor(ending, func() bool { calls++; return calls == 2 }))
		must(t, l.Unlock())
	})
}

// C15: notifications race with waits that end. None is lost or doubled.
func TestCondHammer(t *testing.T) {
	eachLock(t, func(t *testing.T, r *shm.Region, claim func() (*sync.Cond, sync.Lock)) {
		ctx := patience(t)
		var told, promised int // under the lock
		var wg gosync.WaitGroup
		var over atomic.Bool
		for g := range 4 {
			wg.Go(func() {
				c, l := claim()
				for n := 0; !over.Load(); n++ {
					ctx, cancel := context.WithTimeout(ctx, time.Duration((n+g)%4)*200*time.Microsecond)
					if err := l.Lock(background); err != nil {
						t.Error(err)
					}
					switch err := c.Wait(ctx); {
					case err == nil:
						told++
					case !errors.Is(err, context.DeadlineExceeded):
						t.Errorf("Wait = %v", err)
					}
					cancel()
					if err := l.Unlock(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		c, l := claim()
		for n := 0; n < effort.Or(2000, 500) || promised == 0; n++ {
			must(t, ctx.Err())
			must(t, l.Lock(background))
			all, notified := condWaiting(t, r, "c")
			promised += min(1+n%3, all-notified)
			must(t, c.Notify(1+n%3))
			must(t, l.Unlock())
		}
		over.Store(true)
		wg.Wait()
		if told != promised || told == 0 {
			t.Errorf("%d were notified, by %d notifications", told, promised)
		}
	})
}

func TestCondNotifyAllocatesNothing(t *testing.T) {
	r := shmtest.Region(t)
	c := cond(t, r, "c", nil)
	h := c.Holder()
	must(t, h.Lock(background))
	if n := testing.AllocsPerRun(1000, func() {
		if c.Notify(1) != nil || c.NotifyAll() != nil {
			t.Fatal("Notify failed")
		}
	}); n != 0 {
		t.Errorf("%v allocations a round", n)
	}
}

// A snapshot says who waits, and for what: a notified one for the lock.
func TestCondLook(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "l")
	c := cond(t, r, "c", m)
	claim := func() (*sync.Cond, sync.Lock) { return c, m }
	told := make(chan error)
	for range 3 {
		waitOn(patience(t), claim, told)
	}
	awaitWaiting(t, r, "c", 3)
	shmtest.AwaitWaiting(t, r, "c", 3)
	must(t, m.Lock(background))
	must(t, c.Notify(2))
	shmtest.AwaitWaiting(t, r, "l", 2)
	if n, notified := condWaiting(t, r, "c"); n != 3 || notified != 2 {
		t.Errorf("%d are in Wait and %d notified, want 3 and 2", n, notified)
	}
	for begin := time.Now(); shmtest.Waiting(r, "c") != 1; time.Sleep(time.Millisecond) { // the third looks, and sleeps again
		if time.Since(begin) > testproc.Patience {
			t.Fatalf("%d are asleep on c, want the one that is not notified", shmtest.Waiting(r, "c"))
		}
	}
	must(t, c.NotifyAll())
	must(t, m.Unlock())
	for range 3 {
		must(t, <-told)
	}
}

func BenchmarkCond(b *testing.B) {
	b.Run("notify-nobody", func(b *testing.B) {
		c := cond(b, shmtest.Region(b), "c", nil)
		must(b, c.Holder().Lock(background))
		b.ReportAllocs()
		for b.Loop() {
			if c.Notify(1) != nil {
				b.Fatal("Notify failed")
			}
		}
	})
	b.Run("ping-pong", func(b *testing.B) { // two goroutines take turns
		r := shmtest.Region(b)
		m := mutex(b, r, "m")
		c := cond(b, r, "c", m)
		turn, over := 0, false
		var wg gosync.WaitGroup
		play := func(me int, more func() bool) {
			must(b, m.Lock(background))
			for more() {
				must(b, c.WaitFor(background, func() bool { return turn == me || over }))
				turn = 1 - me
				must(b, c.Notify(1))
			}
			over = true
			must(b, c.NotifyAll())
			must(b, m.Unlock())
		}
		wg.Go(func() { play(1, func() bool { return !over }) })
		b.ReportAllocs()
		play(0, b.Loop)
		wg.Wait()
	})
}

// reasons is an error of a type that cannot be compared.
type reasons []string

func (r reasons) Error() string { return r[0] }

// oddContext ends with reasons, as soon as somebody waits for its end.
type oddContext struct {
	context.Context
	end context.CancelFunc
}

func (c oddContext) Done() <-chan struct{} {
	c.end()
	return c.Context.Done()
}

func (c oddContext) Err() error {
	if c.Context.Err() == nil {
		return nil
	}
	return reasons{"enough"}
}

// A context may end with any error, and the last look at pred counts.
func TestCondWaitForOddContext(t *testing.T) {
	eachLock(t, func(t *testing.T, r *shm.Region, claim func() (*sync.Cond, sync.Lock)) {
		c, l := claim()
		must(t, l.Lock(background))
		for _, well := range []bool{false, true} {
			ctx, cancel := context.WithCancel(background)
			looks := 0
			err := c.WaitFor(oddContext{ctx, cancel}, func() bool {
				looks++
				return well && looks == 2
			})
			if is := new(reasons); looks != 2 || well != (err == nil) || !well && !errors.As(err, is) {
				t.Errorf("WaitFor = %v, after %d looks", err, looks)
			}
		}
		must(t, l.Unlock())
	})
}
