package sync_test

import (
	"context"
	"testing"

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
	go func() { recovered <- recoverSuspect(ctx, m) }()
	locks := other.Begin("mutex.lock", "m")
	locks.Blocked()
	waiters(t, 4)
	victim.Kill()
	for range 3 {
		wantDied(t, "Lock", <-told)
	}
	locks.Expect("owner died")
	must(t, <-recovered)
	wantDied(t, "TryLock", tried(m.TryLock())) // while this process repairs
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
	c := actor.Start(t, r)
	c.Expect("ok", "mutex.lock", "m")
	c.Expect("ok", "actor.close")
	wantDied(t, "Lock", m.Lock(ctx))
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
		awaitNoOwner(t, m)
		wantDied(t, "Lock", m.Lock(ctx))
	}
	repair(t, m)
	must(t, m.Lock(ctx))
	must(t, m.Unlock())
}

// A survivor hears of a holder's death within 20 ms, and can go on.
func TestMutexToldSoon(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	toldSoon(t, r, m, 1, "mutex.lock", "m")
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
		_, err := takeOver(background, m)
		testproc.Must(err)
	}
})

func TestMutexStorm(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	deaths := 0
	m.OnOwnerDied(func(context.Context) error { deaths++; return nil })
	locks := func() { must(t, sync.With(patience(t), m, func() error { return nil })) }
	killAtRandom(t, r, storm, m, locks, locks)
	t.Logf("%d of 30 deaths were answered here", deaths)
}
