package sync_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// D1: all are told of a holder's death, those who wait and those who come,
// until somebody repairs; Unlock alone is no repair.
func TestMutexHolderKilled(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	victim, other := actor.Start(t, r), actor.Start(t, r)
	ctx := patience(t)
	victim.Expect("ok", "mutex.lock", "m")
	told := make(chan error, 3)
	for range 3 {
		go func() { told <- m.Lock(ctx) }()
	}
	recovered := make(chan error)
	go func() {
		suspect, err := m.Recover(ctx)
		if err == nil && !suspect {
			err = errors.New("not suspect")
		}
		recovered <- err
	}()
	locks := other.Begin("mutex.lock", "m")
	locks.Blocked()
	waiters(t, 4)
	victim.Kill()
	for range 3 {
		if err := <-told; !errors.Is(err, sync.ErrOwnerDied) {
			t.Errorf("a waiter is told %v", err)
		}
	}
	locks.Expect("owner died")
	must(t, <-recovered)
	if ok, err := m.TryLock(); ok || !errors.Is(err, sync.ErrOwnerDied) {
		t.Errorf("TryLock while somebody repairs = %v, %v", ok, err)
	}
	other.Expect("owner died", "mutex.lock", "m")
	recovers := other.Begin("mutex.recover", "m")
	must(t, m.Unlock())
	recovers.Expect("suspect")
	other.Expect("ok", "mutex.mark", "m")
	other.Expect("ok", "mutex.unlock", "m")
	must(t, m.Lock(ctx))
	must(t, m.Unlock())
}

// A repairer dies too, and a holder that closes the region leaves as one that dies.
func TestMutexRepairerKilled(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	ctx := patience(t)
	died := func() {
		t.Helper()
		if err := m.Lock(ctx); !errors.Is(err, sync.ErrOwnerDied) {
			t.Fatalf("Lock = %v", err)
		}
	}
	c := actor.Start(t, r)
	c.Expect("ok", "mutex.lock", "m")
	c.Expect("ok", "actor.close")
	died()
	for n := range 3 {
		c = actor.Start(t, r)
		c.Expect("suspect", "mutex.recover", "m")
		if n == 1 {
			c.Expect("ok", "mutex.mark", "m") // repaired, and killed later with it held
		}
		p, _ := m.Owner()
		if p.PID != c.PID {
			t.Errorf("Owner = %+v, want pid %d", p, c.PID)
		}
		c.Kill()
		for ok := true; ok; {
			if err := ctx.Err(); err != nil {
				t.Fatal("a dead repairer still owns it")
			}
			_, ok = m.Owner()
		}
		died()
	}
	suspect, err := m.Recover(ctx)
	if !suspect || err != nil {
		t.Fatalf("Recover = %v, %v", suspect, err)
	}
	must(t, m.MarkConsistent())
	must(t, m.Unlock())
	must(t, m.Lock(ctx))
	must(t, m.Unlock())
}

// A survivor hears of a holder's death within 20 ms, and can go on.
func TestMutexToldSoon(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	ctx := patience(t)
	soon(t, func() time.Duration {
		c := actor.Start(t, r)
		c.Expect("ok", "mutex.lock", "m")
		told := make(chan error)
		go func() { told <- m.Lock(ctx) }()
		waiters(t, 1)
		begin := time.Now()
		c.Signal(syscall.SIGKILL)
		if err := <-told; !errors.Is(err, sync.ErrOwnerDied) {
			t.Fatalf("Lock after the holder was killed = %v", err)
		}
		suspect, err := m.Recover(ctx)
		took := time.Since(begin)
		if !suspect || err != nil {
			t.Fatalf("Recover = %v, %v", suspect, err)
		}
		must(t, m.MarkConsistent())
		must(t, m.Unlock())
		return took
	})
}

// One holder after another is killed at a random time, with waiters of all
// kinds in two other processes; whoever is told repairs, and all go on.
var storm = testproc.Role("storm", func(args []string) {
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	m, err := sync.OpenMutex(r, "m")
	testproc.Must(err)
	testproc.Say("ready")
	for {
		err := m.Lock(background)
		if errors.Is(err, sync.ErrOwnerDied) {
			var suspect bool
			if suspect, err = m.Recover(background); err == nil && suspect {
				err = m.MarkConsistent()
			}
		}
		testproc.Must(err)
		testproc.Must(m.Unlock())
	}
})

func TestMutexStorm(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	ctx := patience(t)
	deaths := 0
	m.OnOwnerDied(func(context.Context) error { deaths++; return nil })
	var cs [2]*testproc.Child
	for i := range cs {
		cs[i] = storm.Start(t, r.Name())
		cs[i].Expect("ready")
	}
	for n := range 30 {
		for range n % 5 {
			if err := sync.With(ctx, m, func() error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
		i := n % len(cs)
		cs[i].Kill()
		cs[i] = storm.Start(t, r.Name())
		if err := sync.With(ctx, m, func() error { return nil }); err != nil {
			t.Fatal(err)
		}
		cs[i].Expect("ready")
	}
	for _, c := range cs {
		c.Kill()
	}
	must(t, sync.With(ctx, m, func() error { return nil }))
	t.Logf("%d of 30 deaths were answered here", deaths)
}
