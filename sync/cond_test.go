package sync_test

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"testing"
	"time"

	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

func cond(t testing.TB, r *shm.Region, name string, l sync.Lock) *sync.Cond {
	t.Helper()
	c, err := sync.OpenCond(r, name, l)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// condWaiting is how many wait on a Cond, and how many of them are notified.
func condWaiting(t testing.TB, r *shm.Region, name string) (n, notified int) {
	t.Helper()
	s, err := r.Snapshot()
	must(t, err)
	for _, o := range s.Objects {
		if o.Name != name {
			continue
		}
		for _, h := range o.Holders {
			if h.What == "notified" {
				notified += h.N
			}
		}
		return o.Len, notified
	}
	t.Fatalf("no object %s", name)
	return 0, 0
}

// awaitWaiting waits until n wait on c, none of them notified.
func awaitWaiting(t testing.TB, r *shm.Region, name string, n int) {
	t.Helper()
	ctx := patience(t)
	for {
		if m, notified := condWaiting(t, r, name); m == n && notified == 0 {
			return
		} else if ctx.Err() != nil {
			t.Fatalf("%d wait on %s and %d are notified, want %d to wait", m, name, notified, n)
		}
		time.Sleep(time.Millisecond)
	}
}

// locks are the three kinds of lock that a Cond may have, each with a way to
// make one more claim on it.
var locks = []struct {
	name string
	open func(t testing.TB, r *shm.Region) (c *sync.Cond, claim func() (*sync.Cond, sync.Lock))
}{
	{"own", func(t testing.TB, r *shm.Region) (*sync.Cond, func() (*sync.Cond, sync.Lock)) {
		c := cond(t, r, "c", nil)
		return c, func() (*sync.Cond, sync.Lock) { return c, c.Holder() }
	}},
	{"mutex", func(t testing.TB, r *shm.Region) (*sync.Cond, func() (*sync.Cond, sync.Lock)) {
		m := mutex(t, r, "c.lock")
		c := cond(t, r, "c", m)
		return c, func() (*sync.Cond, sync.Lock) { return c, m }
	}},
	{"holder", func(t testing.TB, r *shm.Region) (*sync.Cond, func() (*sync.Cond, sync.Lock)) {
		m := rmutex(t, r, "c.lock")
		return cond(t, r, "c", m.NewHolder()), func() (*sync.Cond, sync.Lock) {
			h := m.NewHolder()
			return cond(t, r, "c", h), h
		}
	}},
}

func eachLock(t *testing.T, f func(t *testing.T, r *shm.Region, claim func() (*sync.Cond, sync.Lock))) {
	for _, l := range locks {
		t.Run(l.name, func(t *testing.T) {
			r := shmtest.Region(t)
			_, claim := l.open(t, r)
			f(t, r, claim)
		})
	}
}

// waitOn begins a Wait in a goroutine, which sends what it returned, once it
// has unlocked.
func waitOn(ctx context.Context, claim func() (*sync.Cond, sync.Lock), told chan<- error) {
	c, l := claim()
	go func() {
		err := l.Lock(background)
		if err == nil {
			err = c.Wait(ctx)
			if e := l.Unlock(); e != nil {
				err = errors.Join(err, e)
			}
		}
		told <- err
	}()
}

func notify(t testing.TB, claim func() (*sync.Cond, sync.Lock), n int) {
	t.Helper()
	c, l := claim()
	must(t, l.Lock(background))
	must(t, c.Notify(n))
	must(t, l.Unlock())
}

// C5, C7: exactly as many wake as are notified, and nothing is remembered.
func TestCondNotify(t *testing.T) {
	eachLock(t, func(t *testing.T, r *shm.Region, claim func() (*sync.Cond, sync.Lock)) {
		ctx := patience(t)
		notify(t, claim, 3)
		told := make(chan error, 10)
		for range 6 {
			waitOn(ctx, claim, told)
		}
		awaitWaiting(t, r, "c", 6)
		left := 6
		for _, n := range []int{0, 1, 2, 2, 3} {
			notify(t, claim, n)
			for range min(n, left) {
				must(t, <-told)
			}
			left -= min(n, left)
			awaitWaiting(t, r, "c", left)
			select {
			case err := <-told:
				t.Fatalf("one too many has returned, with %v", err)
			default:
			}
		}
		notify(t, claim, math.MaxInt)
		short, cancel := context.WithTimeout(background, 20*time.Millisecond)
		defer cancel()
		waitOn(short, claim, told)
		if err := <-told; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait after a Notify with nobody there = %v", err)
		}
	})
}

// C2: misuse is told and changes nothing.
func TestCondMisuse(t *testing.T) {
	eachLock(t, func(t *testing.T, r *shm.Region, claim func() (*sync.Cond, sync.Lock)) {
		c, l := claim()
		never := func() bool { t.Error("pred is called without the lock"); return true }
		check := func(another bool) {
			t.Helper()
			for name, err := range map[string]error{"Wait": c.Wait(background), "Notify": c.Notify(1), "Notify(0)": c.Notify(0),
				"NotifyAll": c.NotifyAll(), "WaitFor": c.WaitFor(background, never)} {
				if !errors.Is(err, sync.ErrNotLocked) || errors.Is(err, sync.ErrNotOwner) != another {
					t.Errorf("%s without the lock = %v", name, err)
				}
			}
		}
		check(false)
		if _, ok := l.(*sync.Holder); ok && c.Holder() == nil {
			_, other := claim()
			must(t, other.Lock(background))
			check(true) // another holder of this process
			must(t, other.Unlock())
		}
		must(t, l.Lock(background))
		if err := c.Notify(-1); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Notify(-1) = %v", err)
		}
		must(t, c.Notify(0))
		ended, cancel := context.WithCancel(background)
		cancel()
		if err := c.Wait(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("Wait with an ended context = %v", err)
		}
		if n, _ := condWaiting(t, r, "c"); n != 0 {
			t.Errorf("%d wait", n)
		}
		must(t, l.Unlock())
	})
}

// C4: the lock is given up to its full depth, and taken back.
func TestCondDepth(t *testing.T) {
	for _, how := range []string{"own", "holder"} {
		t.Run(how, func(t *testing.T) {
			r := shmtest.Region(t)
			var c *sync.Cond
			var h, other *sync.Holder
			if how == "own" {
				c = cond(t, r, "c", nil)
				h, other = c.Holder(), c.Holder()
			} else {
				m := rmutex(t, r, "m")
				h, other = m.NewHolder(), m.NewHolder()
				c = cond(t, r, "c", h)
				if c.Holder() != nil {
					t.Error("a Cond with a lock that was given has a Holder")
				}
			}
			for range 3 {
				must(t, h.Lock(background))
			}
			told := make(chan error)
			go func() { told <- c.Wait(patience(t)) }()
			must(t, other.Lock(patience(t)))
			depth(t, h, 0)
			awaitWaiting(t, r, "c", 1)
			d := cond(t, r, "c", nilOr(how, other))
			must(t, d.NotifyAll())
			must(t, other.Unlock())
			must(t, <-told)
			depth(t, h, 3)
			short, cancel := context.WithTimeout(background, time.Millisecond)
			defer cancel()
			if err := c.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Wait = %v", err)
			}
			depth(t, h, 3)
			if tryHolder(t, other) {
				t.Error("the lock is free after Wait")
			}
		})
	}
}

// nilOr is the lock to open a Cond with that has its own, or h's.
func nilOr(how string, h *sync.Holder) sync.Lock {
	if how == "own" {
		return nil
	}
	return h
}

// C3, C8: six time out or are cancelled, and leave nothing; six new ones are
// all woken by one NotifyAll.
func TestCondNoResidue(t *testing.T) {
	eachLock(t, func(t *testing.T, r *shm.Region, claim func() (*sync.Cond, sync.Lock)) {
		ctx := patience(t)
		told := make(chan error, 6)
		for n := range 30 {
			ending, cancel := context.WithTimeout(background, time.Duration(n%5)*time.Millisecond)
			for range 6 {
				waitOn(ending, claim, told)
			}
			if n%2 == 0 {
				cancel()
			}
			for range 6 {
				if err := <-told; !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
					t.Fatalf("Wait that is not notified = %v", err)
				}
			}
			cancel()
			for range 6 {
				waitOn(ctx, claim, told)
			}
			awaitWaiting(t, r, "c", 6)
			notify(t, claim, math.MaxInt)
			for range 6 {
				must(t, <-told)
			}
			if n, notified := condWaiting(t, r, "c"); n != 0 || notified != 0 {
				t.Fatalf("%d wait, %d are notified", n, notified)
			}
		}
	})
}
