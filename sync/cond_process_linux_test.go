package sync_test

import (
	"context"
	"errors"
	"path"
	"strconv"
	gosync "sync"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// startWaiter starts a process that waits on c, with a lock of a kind.
func startWaiter(t testing.TB, r *shm.Region, lock string, before int) *actor.Call {
	t.Helper()
	a := actor.Start(t, r)
	a.Expect("ok", "cond.lock", "c", lock)
	c := a.Begin("cond.wait", "c", lock)
	awaitWaiting(t, r, "c", before+1)
	asleep(t, a.PID)
	return c
}

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
		other := actor.Start(t, r)
		other.Expect("not locked+not owner", "cond.wait", "c", lock) // while another has the lock
		other.Expect("not locked+not owner", "cond.notify", "c", lock, "0")
		other.Expect("not locked+not owner", "cond.notify", "c", lock, "1")
		must(t, c.Notify(3))
		must(t, l.Unlock())
		var wg gosync.WaitGroup
		for _, x := range []*actor.Call{a, b} { // each holds the lock when it returns
			wg.Go(func() {
				x.Expect("ok")
				x.Actor.Expect("ok", "cond.unlock", "c", lock)
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
	var others []*actor.Call
	for range 3 {
		others = append(others, actor.Start(t, r).Begin("cond.rounds", "c", "own", strconv.Itoa(rounds)))
	}
	h := c.Holder()
	for range rounds {
		for _, x := range others {
			x.Hears("timed out")
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
			x.Hears("ok")
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
	stopped.Actor.Stop()
	killed.Actor.Kill()
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
	stopped.Actor.Resume()
	stopped.Expect("ok")
	stopped.Actor.Expect("ok", "cond.unlock", "c", "own")
}

// Who is killed with a notification, stopped or on its way, passes it on, soon.
func TestCondPassedOnSoon(t *testing.T) {
	r := shmtest.Region(t)
	ctx := patience(t)
	c := cond(t, r, "c", nil)
	claim := func() (*sync.Cond, sync.Lock) { return c, c.Holder() }
	soon(t, func() time.Duration {
		victim := startWaiter(t, r, "own", 0).Actor
		victim.Stop()
		told := make(chan error, 1)
		for {
			waitOn(ctx, claim, told)
			awaitWaiting(t, r, "c", 2)
			notify(t, claim, 1)
			s, err := r.Snapshot()
			must(t, err)
			if hs := s.Objects[0].Holders; len(hs) > 0 && hs[len(hs)-1].What == "notified" && hs[len(hs)-1].PID == victim.PID {
				break
			}
			must(t, <-told) // it was this process's turn
		}
		begin := time.Now()
		victim.Signal(syscall.SIGKILL)
		must(t, <-told)
		took := time.Since(begin)
		victim.Gone()
		return took
	})
}

// A notifier dies with the lock: who was notified is told that it is suspect,
// and holds it.
func TestCondNotifierKilled(t *testing.T) {
	eachLock(t, func(t *testing.T, r *shm.Region, claim func() (*sync.Cond, sync.Lock)) {
		ctx := patience(t)
		lock := path.Base(t.Name())
		x := actor.Start(t, r)
		c, l := claim()
		told := make(chan error, 1)
		must(t, l.Lock(ctx))
		go func() { told <- c.Wait(ctx) }()
		awaitWaiting(t, r, "c", 1)
		x.Expect("ok", "cond.lock", "c", lock)
		x.Expect("ok", "cond.notify", "c", lock, "1")
		x.Kill()
		if err := <-told; !errors.Is(err, sync.ErrOwnerDied) {
			t.Errorf("Wait, notified by one who died with the lock = %v", err)
		}
		must(t, l.(interface{ MarkConsistent() error }).MarkConsistent())
		must(t, c.Notify(1))
		must(t, l.Unlock())
		must(t, l.Lock(ctx))
		// So does a context that ends meanwhile, and it says both.
		x = actor.Start(t, r)
		ending, cancel := context.WithCancel(background)
		go func() { told <- c.Wait(ending) }()
		awaitWaiting(t, r, "c", 1)
		x.Expect("ok", "cond.lock", "c", lock)
		cancel()
		awaitWanted(t, r, lock)
		x.Kill()
		if err := <-told; !errors.Is(err, sync.ErrOwnerDied) || !errors.Is(err, context.Canceled) {
			t.Errorf("Wait, cancelled and with an abandoned lock = %v", err)
		}
		must(t, l.(interface{ MarkConsistent() error }).MarkConsistent())
		must(t, l.Unlock())
	})
}

// awaitWanted waits until somebody sleeps for the lock of the Cond c, which is
// the mutex or rmutex c.lock, or its own.
func awaitWanted(t testing.TB, r *shm.Region, lock string) {
	t.Helper()
	name := "c.lock"
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
	x := actor.Start(t, r) // has the mutex m alone
	ctx := patience(t)
	must(t, m.Lock(ctx))
	told := make(chan error)
	go func() { told <- c.Wait(ctx) }()
	shmtest.AwaitWaiting(t, r, "c", 1)
	x.Expect("ok", "mutex.lock", "m")
	begin := time.Now()
	x.Kill()
	if err := <-told; !errors.Is(err, sync.ErrOwnerDied) {
		t.Errorf("Wait, after the lock's holder was killed = %v", err)
	}
	t.Logf("told after %v", time.Since(begin))
	must(t, m.MarkConsistent())
	must(t, m.Unlock())
}
