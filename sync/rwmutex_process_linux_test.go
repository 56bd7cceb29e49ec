package sync_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/internal/testproc/actor/verbs"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// Locks again and again, for ever, for so long each time, counts it, and says
// when it begins.
var _ = actor.Verb("rwmutex.hog", func(e *actor.Env, args []string) string { // "write" or "read", how long
	m, n := verbs.RWMutex(e, args[0]), verbs.Number(e, "n")
	long := actor.Opened(time.ParseDuration(args[2]))
	m.OnOwnerDied(func(context.Context) error { return nil }) // at the end of the test
	lock, unlock := m.Lock, m.Unlock
	if args[1] == "read" {
		lock, unlock = m.RLock, m.RUnlock
	}
	e.Say("hogs")
	for {
		testproc.Must(lock(background))
		atomics.Add(n, 1)
		if long > 0 {
			time.Sleep(long)
		}
		testproc.Must(unlock())
	}
})

// hog starts a process that hogs m.
func hog(t testing.TB, r *shm.Region, how, long string) *actor.Actor {
	t.Helper()
	a := actor.Start(t, r)
	a.Begin("rwmutex.hog", "m", how, long).Hears("hogs")
	return a
}

// In several processes: who shares with whom, who owns, and misuse.
func TestRWMutexInProcesses(t *testing.T) {
	r := shmtest.Region(t)
	m := rwmutex(t, r, "m")
	a, b := actor.Start(t, r), actor.Start(t, r)
	a.Expect("ok", "rwmutex.rlock", "m")
	must(t, m.RLock(background))
	b.Expect("true", "rwmutex.tryr", "m")
	b.Expect("false", "rwmutex.try", "m")
	b.Expect("ok", "rwmutex.runlock", "m")
	b.Expect("not owner", "rwmutex.runlock", "m") // others still read
	b.Expect("not locked", "rwmutex.unlock", "m")
	must(t, m.RUnlock())
	if err := m.RUnlock(); !errors.Is(err, sync.ErrNotOwner) {
		t.Errorf("RUnlock of what a child reads = %v", err)
	}
	wantTries(t, m, false, true)
	a.Expect("ok", "rwmutex.runlock", "m")
	b.Expect("not locked", "rwmutex.runlock", "m")

	a.Expect("ok", "rwmutex.lock", "m")
	wantTries(t, m, false, false)
	if p, ok := m.Owner(); !ok || p.PID != a.PID || p.State != shm.Alive {
		t.Errorf("Owner = %+v, %v; want pid %d", p, ok, a.PID)
	}
	b.Expect("not owner", "rwmutex.unlock", "m")
	b.Expect("not owner", "rwmutex.mark", "m")
	b.Expect("not locked", "rwmutex.runlock", "m")
	if err := m.Unlock(); !errors.Is(err, sync.ErrNotOwner) {
		t.Errorf("Unlock of what a child writes = %v", err)
	}
	reads := b.Begin("rwmutex.rlock", "m")
	reads.Blocked()
	a.Expect("ok", "rwmutex.unlock", "m")
	reads.Expect("ok")
	writes := a.Begin("rwmutex.lock", "m")
	writes.Blocked()
	wantTries(t, m, false, false)
	b.Expect("ok", "rwmutex.runlock", "m")
	writes.Expect("ok")
	a.Expect("ok", "rwmutex.unlock", "m")

	handle, err := m.MarshalBinary()
	must(t, err)
	b.Expect("ok", "rwmutex.unmarshal", "arrived", fmt.Sprintf("%x", handle))
	b.Expect("ok", "rwmutex.rlock", "arrived")
	wantTries(t, m, false, true)
	b.Expect("ok", "rwmutex.runlock", "arrived")
}

// Nobody is taken for dead who is stopped: what it holds it keeps, reading and
// writing, and it goes on with it.
func TestRWMutexStopped(t *testing.T) {
	long := effort.Or(3*time.Second, time.Second)
	for _, lock := range []string{"lock", "rlock"} {
		t.Run(lock, func(t *testing.T) {
			t.Parallel()
			r := shmtest.Region(t)
			m := rwmutex(t, r, "m")
			c := actor.Start(t, r)
			c.Expect("ok", "rwmutex."+lock, "m")
			c.Stop()
			ctx, cancel := context.WithTimeout(background, long)
			defer cancel()
			var wg gosync.WaitGroup
			wg.Go(func() {
				if err := m.Lock(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Lock beside a stopped process = %v", err)
				}
			})
			if lock == "lock" {
				if err := m.RLock(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("RLock beside a stopped writer = %v", err)
				}
			}
			wg.Wait()
			wantTries(t, m, false, lock == "rlock")
			c.Resume()
			c.Expect("ok", map[string]string{"lock": "rwmutex.unlock", "rlock": "rwmutex.runlock"}[lock], "m")
			must(t, m.Lock(patience(t)))
			must(t, m.Unlock())
		})
	}
}

// A stopped reader that was passed over holds up writers for moments only: they
// get in as often as they like.
func TestRWMutexStoppedWhileHungry(t *testing.T) {
	r := shmtest.Region(t)
	m := rwmutex(t, r, "m")
	_, err := atomics.OpenValue(r, "n", int64(0))
	must(t, err)
	ctx := patience(t)
	var count atomic.Int64
	quit, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		for {
			select {
			case <-quit:
				return
			default:
			}
			if err := sync.With(ctx, m, func() error { count.Add(1); return nil }); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	c := hog(t, r, "read", "0s")
	for range 20 { // in whatever it does
		c.Resume()
		for n := count.Load(); count.Load() < n+20 && ctx.Err() == nil; {
			time.Sleep(time.Millisecond)
		}
		c.Stop()
		ok, err := m.TryRLock()
		must(t, err)
		if ok {
			must(t, m.RUnlock())
		}
		if s, err := r.Snapshot(); err != nil || len(s.Objects[0].Holders) > 0 {
			continue // it was stopped while it reads; that does hold up writers
		}
		for n := count.Load(); count.Load() < n+100; {
			if ctx.Err() != nil {
				t.Fatal("a stopped reader that is not inside keeps writers out")
			}
			time.Sleep(time.Millisecond)
		}
	}
	c.Kill()
	close(quit)
	<-over
}

// With two processes that write, or read, without a pause, everybody else gets
// in after a few of them: a writer after those inside, a reader after those who
// come within a millisecond and those who were asleep.
func TestRWMutexNobodyStarves(t *testing.T) {
	for hogs, lock := range map[string]func(*sync.RWMutex, context.Context) error{
		"write": (*sync.RWMutex).RLock, "read": (*sync.RWMutex).Lock,
	} {
		t.Run("others "+hogs, func(t *testing.T) {
			r := shmtest.Region(t)
			m := rwmutex(t, r, "m")
			n, err := atomics.OpenValue(r, "n", int64(0))
			must(t, err)
			for range 2 {
				hog(t, r, hogs, "300us")
			}
			const most = 8
			for try := 1; ; try++ {
				passed := passedBy(t, r, n, func(ctx context.Context) error { return lock(m, ctx) }, func() error {
					if hogs == "write" {
						return m.RUnlock()
					}
					return m.Unlock()
				})
				usual := passed[len(passed)*9/10]
				t.Logf("9 of 10 were passed at most %d times, one %d times", usual, passed[len(passed)-1])
				if usual <= most || !effort.Bars() { // it is the scheduler, too, who passes
					return
				}
				if try == 4 { // the machine may be busy, but not for ever
					t.Fatalf("9 of 10 were passed %d times, want %d at most", usual, most)
				}
			}
		})
	}
}

// passedBy is how many others came in before each of 90 locks that met
// somebody, sorted.
func passedBy(t *testing.T, r *shm.Region, n *atomics.Value[int64], lock func(context.Context) error, unlock func() error) []int64 {
	t.Helper()
	ctx := patience(t)
	var mu gosync.Mutex
	var passed []int64
	var wg gosync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 30 {
				for held := false; !held; time.Sleep(50 * time.Microsecond) {
					s, err := r.Snapshot()
					if err != nil {
						t.Error(err)
						return
					}
					held = s.Objects[0].Owner != nil || s.Objects[0].Holders != nil
				}
				before := n.Load()
				if err := lock(ctx); err != nil {
					t.Error(err)
					return
				}
				by := n.Load() - before
				mu.Lock()
				passed = append(passed, by)
				mu.Unlock()
				if err := unlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	slices.Sort(passed)
	return passed
}

// OnOwnerDied answers for whoever asks first: writers and readers.
func TestRWMutexOnOwnerDied(t *testing.T) {
	r := shmtest.Region(t)
	m, plain := rwmutex(t, r, "m"), rwmutex(t, r, "m")
	ctx := patience(t)
	abandon := func() {
		t.Helper()
		c := actor.Start(t, r)
		c.Expect("sound", "rwmutex.recover", "m")
		c.Kill()
		if err := plain.RLock(ctx); !errors.Is(err, sync.ErrOwnerDied) {
			t.Fatalf("RLock by a handle without an answer = %v", err)
		}
	}
	calls := 0
	bad := errors.New("bad")
	answer := func(result error) {
		calls = 0
		m.OnOwnerDied(func(context.Context) error {
			calls++
			if p, ok := m.Owner(); !ok || p.PID != r.Self().PID {
				t.Errorf("repair runs with %+v as the owner", p)
			}
			return result
		})
	}
	for _, tt := range []struct {
		name   string
		lock   func() error
		unlock func() error
		reads  bool
	}{
		{"Lock", func() error { return m.Lock(ctx) }, m.Unlock, false},
		{"RLock", func() error { return m.RLock(ctx) }, m.RUnlock, true},
		{"TryLock", func() error { return tried(m.TryLock()) }, m.Unlock, false},
		{"TryRLock", func() error { return tried(m.TryRLock()) }, m.RUnlock, true},
	} {
		abandon()
		answer(bad)
		if err := tt.lock(); !errors.Is(err, sync.ErrOwnerDied) || !errors.Is(err, bad) || calls != 1 {
			t.Errorf("%s whose answer fails = %v, after %d calls", tt.name, err, calls)
		}
		if err := plain.Lock(ctx); !errors.Is(err, sync.ErrOwnerDied) {
			t.Errorf("Lock after an answer that failed = %v", err)
		}
		answer(nil)
		if err := tt.lock(); err != nil || calls != 1 {
			t.Errorf("%s with an answer = %v, after %d calls", tt.name, err, calls)
		}
		wantTries(t, plain, false, tt.reads)
		must(t, tt.unlock())
		wantTries(t, plain, true, true)
	}

	// While another repairs, RLock and Lock with an answer wait for it, the
	// attempts do not; and what another has repaired is not repaired again.
	abandon()
	m.OnOwnerDied(func(context.Context) error { t.Error("it is repaired twice"); return nil })
	suspect, err := plain.Recover(ctx)
	if !suspect || err != nil {
		t.Fatalf("Recover = %v, %v", suspect, err)
	}
	wantTries(t, m, false, false)
	done := make(chan error)
	go func() { done <- errors.Join(m.RLock(ctx), m.RUnlock()) }()
	go func() { done <- errors.Join(m.Lock(ctx), m.Unlock()) }()
	shmtest.AwaitWaiting(t, r, "m", 2)
	must(t, plain.MarkConsistent())
	must(t, plain.Unlock())
	must(t, <-done)
	must(t, <-done)
}

// Reading while another process reads: they share no line that changes.
func BenchmarkRWMutexBesideReader(b *testing.B) {
	r := shmtest.Region(b)
	m := rwmutex(b, r, "m")
	_, err := atomics.OpenValue(r, "n", int64(0))
	must(b, err)
	hog(b, r, "read", "0s")
	b.ReportAllocs()
	for b.Loop() {
		if m.RLock(background) != nil || m.RUnlock() != nil {
			b.Fatal("a lock that is read cannot be read")
		}
	}
}
