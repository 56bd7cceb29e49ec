package sync_test

import (
	"context"
	"errors"
	"path"
	gosync "sync"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// C4, C5, C7 between processes, and what a lock that another has means.
func TestCondInProcesses(t *testing.T) {
	eachLock(t, func(t *testing.T, r *shm.Region, claim func() (*sync.Cond, sync.Lock)) {
		lock := path.Base(t.Name())
		a, b := startWaiter(t, r, lock, 0), startWaiter(t, r, lock, 1)
		told := make(chan error, 1)
		waitOn(patience(t), claim, told)
		awaitWaiting(t, r, "c", 3)
		c, l := claim()
		must(t, l.Lock(patience(t))) // though three had it
		other := startCond(t, r, lock)
		for _, what := range []string{"wait", "notify 0", "notify 1"} {
			other.Say(what)
			if got := other.Line(); got != "not owner" {
				t.Errorf("%s while another has the lock: %s", what, got)
			}
		}
		must(t, c.Notify(3))
		must(t, l.Unlock())
		var wg gosync.WaitGroup
		for _, x := range []*testproc.Child{a, b} { // each holds the lock when it returns
			wg.Go(func() {
				x.Expect("ok")
				ask(t, x, "unlock", "ok")
			})
		}
		wg.Wait()
		must(t, <-told)
		if n, notified := condWaiting(t, r, "c"); n != 0 || notified != 0 {
			t.Errorf("%d wait, %d are notified", n, notified)
		}
	})
}

// C6, C8: a thousand times, three processes and three goroutines time out, and
// then wait and are all woken by one NotifyAll.
func TestCondThousandRounds(t *testing.T) {
	rounds := effort.Or(1000, 100)
	r := shmtest.Region(t)
	c := cond(t, r, "c", nil)
	told, timedOut := make(chan error, 3), make(chan bool, 3)
	for range 3 {
		go func() {
			h := c.Holder()
			for range rounds {
				told <- condRound(c, h, func() { timedOut <- true })
			}
		}()
	}
	var others []*testproc.Child
	for range 3 {
		x := startCond(t, r, "own")
		x.Say("rounds ", rounds)
		others = append(others, x)
	}
	h := c.Holder()
	for range rounds {
		for _, x := range others {
			x.Expect("timed out")
		}
		for range 3 {
			<-timedOut
		}
		awaitWaiting(t, r, "c", 6)
		must(t, h.Lock(background))
		must(t, c.NotifyAll())
		must(t, h.Unlock())
		for range 3 {
			must(t, <-told)
		}
		for _, x := range others {
			x.Expect("ok")
		}
	}
	for _, x := range others {
		x.Expect("ok")
	}
	if n, notified := condWaiting(t, r, "c"); n != 0 || notified != 0 {
		t.Errorf("%d wait, %d are notified", n, notified)
	}
}

// D6, C16: Notify does not wait for those it wakes, stopped or dead, and who
// is dead is not counted.
func TestCondWaiterStoppedOrKilled(t *testing.T) {
	r := shmtest.Region(t)
	c := cond(t, r, "c", nil)
	h := c.Holder()
	stopped, killed := startWaiter(t, r, "own", 0), startWaiter(t, r, "own", 1)
	stop(t, stopped)
	killed.Kill()
	awaitWaiting(t, r, "c", 1)
	must(t, h.Lock(patience(t)))
	must(t, c.Notify(1)) // while one is stopped
	must(t, c.NotifyAll())
	must(t, h.Unlock())
	// Its notification is its own for as long as it is stopped.
	must(t, h.Lock(patience(t)))
	short, cancel := context.WithTimeout(background, effort.Or(3*time.Second, time.Second))
	defer cancel()
	if err := c.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait, with a notification given to a stopped process = %v", err)
	}
	must(t, h.Unlock())
	if n, notified := condWaiting(t, r, "c"); n != 1 || notified != 1 {
		t.Errorf("%d wait, %d are notified; want the stopped one", n, notified)
	}
	stopped.Signal(syscall.SIGCONT)
	stopped.Expect("ok")
	ask(t, stopped, "unlock", "ok")
}

// Who is killed with a notification, stopped or on its way, passes it on, soon.
func TestCondPassedOnSoon(t *testing.T) {
	r := shmtest.Region(t)
	ctx := patience(t)
	c := cond(t, r, "c", nil)
	claim := func() (*sync.Cond, sync.Lock) { return c, c.Holder() }
	soon(t, func() time.Duration {
		victim := startWaiter(t, r, "own", 0)
		stop(t, victim)
		told := make(chan error, 1)
		for {
			waitOn(ctx, claim, told)
			awaitWaiting(t, r, "c", 2)
			notify(t, claim, 1)
			s, err := r.Snapshot()
			must(t, err)
			if hs := s.Objects[0].Holders; len(hs) > 0 && hs[len(hs)-1].What == "notified" && hs[len(hs)-1].PID == victim.PID() {
				break
			}
			must(t, <-told) // it was this process's turn
		}
		begin := time.Now()
		victim.Signal(syscall.SIGKILL)
		must(t, <-told)
		took := time.Since(begin)
		victim.Wait()
		return took
	})
}

// A notifier dies with the lock: who was notified is told that it is suspect,
// and holds it.
func TestCondNotifierKilled(t *testing.T) {
	eachLock(t, func(t *testing.T, r *shm.Region, claim func() (*sync.Cond, sync.Lock)) {
		ctx := patience(t)
		x := startCond(t, r, path.Base(t.Name()))
		c, l := claim()
		told := make(chan error, 1)
		must(t, l.Lock(ctx))
		go func() { told <- c.Wait(ctx) }()
		awaitWaiting(t, r, "c", 1)
		ask(t, x, "lock", "ok")
		ask(t, x, "notify 1", "ok")
		x.Kill()
		if err := <-told; !errors.Is(err, sync.ErrOwnerDied) {
			t.Errorf("Wait, notified by one who died with the lock = %v", err)
		}
		must(t, l.(interface{ MarkConsistent() error }).MarkConsistent())
		must(t, c.Notify(1))
		must(t, l.Unlock())
		must(t, l.Lock(ctx))
		// So does a context that ends meanwhile, and it says both.
		x = startCond(t, r, path.Base(t.Name()))
		ending, cancel := context.WithCancel(background)
		go func() { told <- c.Wait(ending) }()
		awaitWaiting(t, r, "c", 1)
		ask(t, x, "lock", "ok")
		cancel()
		awaitWanted(t, r, path.Base(t.Name()))
		x.Kill()
		if err := <-told; !errors.Is(err, sync.ErrOwnerDied) || !errors.Is(err, context.Canceled) {
			t.Errorf("Wait, cancelled and with an abandoned lock = %v", err)
		}
		must(t, l.(interface{ MarkConsistent() error }).MarkConsistent())
		must(t, l.Unlock())
	})
}

// awaitWanted waits until somebody sleeps for the lock of the Cond c, which is
// the mutex or rmutex l, or its own.
func awaitWanted(t testing.TB, r *shm.Region, lock string) {
	t.Helper()
	name := "l"
	if lock == "own" {
		name = "c"
	}
	for end := time.Now().Add(testproc.Patience); ; time.Sleep(time.Millisecond) {
		s, err := r.Snapshot()
		must(t, err)
		for _, o := range s.Objects {
			if o.Name == name && o.Waiters > 0 {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatalf("nobody sleeps for the lock of the Cond\n%v", s)
		}
	}
}

// One dies with the lock who never had the Cond: nobody rings its bells, and
// who waits finds out by itself.
func TestCondLockOnlyHolderKilled(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	c := cond(t, r, "c", m)
	x := start(t, r) // has the mutex m alone
	ctx := patience(t)
	must(t, m.Lock(ctx))
	told := make(chan error)
	go func() { told <- c.Wait(ctx) }()
	shmtest.AwaitWaiting(t, r, "c", 1)
	ask(t, x, "lock", "ok")
	begin := time.Now()
	x.Kill()
	if err := <-told; !errors.Is(err, sync.ErrOwnerDied) {
		t.Errorf("Wait, after the lock's holder was killed = %v", err)
	}
	t.Logf("told after %v", time.Since(begin))
	must(t, m.MarkConsistent())
	must(t, m.Unlock())
}

// R1 to R8 between processes: a holder's depth is its own, whatever it is the
// process has the lock, and who dies with it, however deep, abandons it.
func TestRMutexInProcesses(t *testing.T) {
	r := shmtest.Region(t)
	m := rmutex(t, r, "l")
	cond(t, r, "c", m.NewHolder()) // which the workers want to see
	h := m.NewHolder()
	ctx := patience(t)
	a, b := startCond(t, r, "holder"), startCond(t, r, "holder")
	for range 3 {
		ask(t, a, "lock", "ok")
	}
	ask(t, a, "depth", "3", "ok")
	ask(t, b, "depth", "0", "ok")
	ask(t, b, "trylock", "false", "ok")
	ask(t, b, "unlock", "not owner")
	ask(t, b, "mark", "not owner")
	if p, ok := m.Owner(); !ok || p.PID != a.PID() {
		t.Errorf("Owner = %+v, %v; want pid %d", p, ok, a.PID())
	}
	ask(t, a, "unlock", "ok")
	ask(t, a, "unlock", "ok")
	if tryHolder(t, h) {
		t.Error("a lock held once more is free")
	}
	b.Say("lock")
	ask(t, a, "unlock", "ok")
	b.Expect("ok")
	ask(t, a, "unlock", "not owner")
	ask(t, b, "trylock", "true", "ok")
	stop(t, b)
	short, cancel := context.WithTimeout(background, effort.Or(3*time.Second, time.Second))
	defer cancel()
	if err := h.Lock(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lock of what a stopped process holds = %v", err)
	}
	told := make(chan error)
	go func() { told <- h.Lock(ctx) }()
	waiters(t, 1)
	b.Kill()
	if err := <-told; !errors.Is(err, sync.ErrOwnerDied) {
		t.Errorf("Lock after a holder was killed = %v", err)
	}
	depth(t, h, 0)
	ask(t, a, "trylock", "false", "owner died")
	ask(t, a, "recover", "true", "ok")
	ask(t, a, "recover", "true", "ok")
	ask(t, a, "unlock", "ok")
	ask(t, a, "unlock", "ok") // without a repair
	suspect, err := h.Recover(ctx)
	if !suspect || err != nil {
		t.Errorf("Recover = %v, %v", suspect, err)
	}
	must(t, h.MarkConsistent())
	must(t, h.Unlock())
	ask(t, a, "lock", "ok")
	ask(t, a, "unlock", "ok")
}

// A survivor hears of a holder's death soon, and can go on.
func TestRMutexToldSoon(t *testing.T) {
	r := shmtest.Region(t)
	m := rmutex(t, r, "l")
	h := m.NewHolder()
	cond(t, r, "c", h)
	ctx := patience(t)
	soon(t, func() time.Duration {
		x := startCond(t, r, "holder")
		ask(t, x, "lock", "ok")
		ask(t, x, "lock", "ok")
		told := make(chan error)
		go func() { told <- h.Lock(ctx) }()
		waiters(t, 1)
		begin := time.Now()
		x.Signal(syscall.SIGKILL)
		if err := <-told; !errors.Is(err, sync.ErrOwnerDied) {
			t.Fatalf("Lock after the holder was killed = %v", err)
		}
		suspect, err := h.Recover(ctx)
		took := time.Since(begin)
		if !suspect || err != nil {
			t.Fatalf("Recover = %v, %v", suspect, err)
		}
		must(t, h.MarkConsistent())
		must(t, h.Unlock())
		x.Wait()
		return took
	})
}
