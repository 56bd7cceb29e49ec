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

// All are told of a writer's death, readers too, those who wait and those who
// come, until somebody repairs; Unlock alone is no repair.
func TestRWMutexWriterKilled(t *testing.T) {
	r := shmtest.Region(t)
	m := rwmutex(t, r, "m")
	victim, other := actor.Start(t, r), actor.Start(t, r)
	ctx := patience(t)
	victim.Expect("ok", "rwmutex.lock", "m")
	told := make(chan error, 4)
	for range 2 {
		go func() { told <- m.Lock(ctx) }()
		go func() { told <- m.RLock(ctx) }()
	}
	recovered := make(chan error)
	go func() { recovered <- recoverSuspect(ctx, m) }()
	reads := other.Begin("rwmutex.rlock", "m")
	shmtest.AwaitWaiting(t, r, "m", 6)
	victim.Kill()
	for range 4 {
		wantDied(t, "Lock or RLock", <-told)
	}
	reads.Expect("owner died")
	must(t, <-recovered)
	died := func() {
		t.Helper()
		for name, err := range map[string]error{"Lock": m.Lock(ctx), "RLock": m.RLock(ctx),
			"TryLock": tried(m.TryLock()), "TryRLock": tried(m.TryRLock())} {
			wantDied(t, name, err)
		}
		other.Expect("owner died", "rwmutex.rlock", "m")
		other.Expect("owner died", "rwmutex.tryr", "m")
	}
	died() // while this process repairs
	must(t, m.Unlock())
	died() // nobody has
	if err := m.Unlock(); !errors.Is(err, sync.ErrNotLocked) {
		t.Errorf("Unlock of an abandoned lock = %v", err)
	}
	if err := m.RUnlock(); !errors.Is(err, sync.ErrNotLocked) {
		t.Errorf("RUnlock of an abandoned lock = %v", err)
	}
	s, err := r.Snapshot()
	must(t, err)
	if o := s.Objects[0]; o.State != "abandoned" || o.Owner != nil || o.Holders != nil {
		t.Errorf("the snapshot of an abandoned lock shows %+v", o)
	}
	other.Expect("suspect", "rwmutex.recover", "m")
	other.Kill() // the repairer dies, too
	awaitNoOwner(t, m)
	repair(t, m)
	wantTries(t, m, true, true)
}

// Whoever dies is heard of within 20 ms, and the survivors go on.
func TestRWMutexToldSoon(t *testing.T) {
	repairs := func(t *testing.T, m *sync.RWMutex) { t.Helper(); repair(t, m) }
	wants := func(want error) func(*testing.T, error) {
		return func(t *testing.T, err error) {
			t.Helper()
			if !errors.Is(err, want) {
				t.Fatalf("after a death: %v, want %v", err, want)
			}
		}
	}
	for _, tt := range []struct {
		name  string
		does  []string // the victim, before it is killed
		first bool     // this process reads meanwhile
		lock  func(*sync.RWMutex, context.Context) error
		check func(*testing.T, error)
		after func(*testing.T, *sync.RWMutex)
	}{
		{"a reader, of whom a writer hears", []string{"rlock", "rlock"}, false, (*sync.RWMutex).Lock, wants(nil),
			func(t *testing.T, m *sync.RWMutex) { must(t, m.Unlock()) }},
		{"a writer, of whom a writer hears", []string{"lock"}, false, (*sync.RWMutex).Lock, wants(sync.ErrOwnerDied), repairs},
		{"a writer, of whom a reader hears", []string{"lock"}, false, (*sync.RWMutex).RLock, wants(sync.ErrOwnerDied), repairs},
		{"a writer who waits, of whom a reader hears", []string{"lock"}, true, (*sync.RWMutex).RLock, wants(nil),
			func(t *testing.T, m *sync.RWMutex) { must(t, m.RUnlock()) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := shmtest.Region(t)
			m := rwmutex(t, r, "m")
			ctx := patience(t)
			soon(t, func() time.Duration {
				asleep := 1
				if tt.first {
					must(t, m.RLock(ctx))
					asleep++
				}
				c := actor.Start(t, r)
				for _, what := range tt.does {
					locks := c.Begin("rwmutex."+what, "m")
					if !tt.first {
						locks.Expect("ok")
					}
				}
				shmtest.AwaitWaiting(t, r, "m", asleep-1)
				told := make(chan error)
				go func() { told <- tt.lock(m, ctx) }()
				shmtest.AwaitWaiting(t, r, "m", asleep)
				begin := time.Now()
				c.Signal(syscall.SIGKILL)
				err := <-told
				took := time.Since(begin)
				tt.check(t, err)
				tt.after(t, m)
				if tt.first {
					must(t, m.RUnlock())
				}
				return took
			})
			wantTries(t, m, true, true)
		})
	}
}

// A reader that sleeps, and is stopped or killed, takes no wake-up with it.
func TestRWMutexSleeperStoppedOrKilled(t *testing.T) {
	r := shmtest.Region(t)
	m := rwmutex(t, r, "m")
	ctx := patience(t)
	for _, what := range []string{"rlock", "lock"} {
		for _, end := range []func(*actor.Actor){
			func(c *actor.Actor) { c.Stop() },
			func(c *actor.Actor) { c.Signal(syscall.SIGKILL) },
		} {
			must(t, m.Lock(ctx))
			c := actor.Start(t, r)
			c.Begin("rwmutex."+what, "m")
			shmtest.AwaitWaiting(t, r, "m", 1)
			done := make(chan error)
			go func() { done <- m.RLock(ctx) }()
			shmtest.AwaitWaiting(t, r, "m", 2)
			end(c)
			must(t, m.Unlock())
			if err := <-done; !errors.Is(err, sync.ErrOwnerDied) { // the one who was killed had it for a moment
				must(t, err)
				must(t, m.RUnlock())
			}
			c.Kill()
			for suspect := true; suspect; { // it may have got it after all
				var err error
				suspect, err = m.Recover(ctx)
				must(t, err)
				must(t, m.MarkConsistent())
				must(t, m.Unlock())
			}
			wantTries(t, m, true, true)
		}
	}
}

// One after another is killed at a random time, readers and writers, with
// others of both kinds in three processes; whoever is told repairs, and all go
// on.
var rwStorm = testproc.Role("rwstorm", func(args []string) {
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	m, err := sync.OpenRWMutex(r, "m")
	testproc.Must(err)
	m.OnOwnerDied(func(context.Context) error { return nil })
	testproc.Say("ready")
	for n := 0; ; n++ {
		if n%3 == 0 {
			testproc.Must(m.Lock(background))
			time.Sleep(100 * time.Microsecond) // most die in here
			testproc.Must(m.Unlock())
		} else {
			testproc.Must(m.RLock(background))
			testproc.Must(m.RUnlock())
		}
	}
})

func TestRWMutexStorm(t *testing.T) {
	r := shmtest.Region(t)
	m := rwmutex(t, r, "m")
	deaths := 0
	m.OnOwnerDied(func(context.Context) error { deaths++; return nil })
	writes := func() { must(t, sync.With(patience(t), m, func() error { return nil })) }
	reads := func() { must(t, m.RLock(patience(t))); must(t, m.RUnlock()) }
	killAtRandom(t, r, rwStorm, m, func() { writes(); reads() }, reads)
	t.Logf("%d of 30 deaths were answered here", deaths)
}
