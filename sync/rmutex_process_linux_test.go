package sync_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/shm/shmtest"
)

// R1 to R8 between processes: a holder's depth is its own, whatever it is the
// process has the lock, and who dies with it, however deep, abandons it.
func TestRMutexInProcesses(t *testing.T) {
	r := shmtest.Region(t)
	m := rmutex(t, r, "l")
	h := m.NewHolder()
	ctx := patience(t)
	a, b := actor.Start(t, r), actor.Start(t, r)
	for range 3 {
		a.Expect("ok", "rmutex.lock", "l")
	}
	a.Expect("3", "rmutex.depth", "l")
	b.Expect("0", "rmutex.depth", "l")
	b.Expect("false", "rmutex.try", "l")
	b.Expect("not owner", "rmutex.unlock", "l")
	b.Expect("not owner", "rmutex.mark", "l")
	if p, ok := m.Owner(); !ok || p.PID != a.PID {
		t.Errorf("Owner = %+v, %v; want pid %d", p, ok, a.PID)
	}
	a.Expect("ok", "rmutex.unlock", "l")
	a.Expect("ok", "rmutex.unlock", "l")
	if tryHolder(t, h) {
		t.Error("a lock held once more is free")
	}
	locks := b.Begin("rmutex.lock", "l")
	a.Expect("ok", "rmutex.unlock", "l")
	locks.Expect("ok")
	a.Expect("not owner", "rmutex.unlock", "l")
	b.Expect("true", "rmutex.try", "l")
	b.Stop()
	short, cancel := context.WithTimeout(background, effort.Or(3*time.Second, time.Second))
	defer cancel()
	if err := h.Lock(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lock of what a stopped process holds = %v", err)
	}
	told := make(chan error)
	go func() { told <- h.Lock(ctx) }()
	waiters(t, 1)
	b.Kill()
	wantDied(t, "Lock", <-told)
	depth(t, h, 0)
	a.Expect("owner died", "rmutex.try", "l")
	a.Expect("suspect", "rmutex.recover", "l")
	a.Expect("suspect", "rmutex.recover", "l")
	a.Expect("ok", "rmutex.unlock", "l")
	a.Expect("ok", "rmutex.unlock", "l") // without a repair
	repair(t, h)
	a.Expect("ok", "rmutex.lock", "l")
	a.Expect("ok", "rmutex.unlock", "l")
}

// A survivor hears of a holder's death soon, and can go on.
func TestRMutexToldSoon(t *testing.T) {
	r := shmtest.Region(t)
	toldSoon(t, r, rmutex(t, r, "l").NewHolder(), 2, "rmutex.lock", "l")
}
