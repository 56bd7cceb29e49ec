package sync_test

import (
	"errors"
	"testing"
	"time"

	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
	"example.com/tandem/test/stepkill"
)

// passOver writes and lets a reader that sleeps wake up in vain, until the
// lock knows of it. false: it got in, or is gone.
func passOver(t *testing.T, r *shm.Region, m *sync.RWMutex) bool {
	t.Helper()
	time.Sleep(2 * time.Millisecond) // of patience it has 1
	if err := m.Unlock(); err != nil {
		t.Error(err)
	}
	ok, err := m.TryLock()
	if !ok || err != nil {
		return false
	}
	for end := time.Now().Add(50 * time.Millisecond); time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
		s, err := r.Snapshot()
		must(t, err)
		if s.Objects[0].State == "readers passed over" && shmtest.Waiting(r, "m") > 0 {
			return true
		}
	}
	return true // it may have died, too
}

// A reader that was passed over, and a writer that stands back for one.
func TestPassedRWMutexKilledAnywhere(t *testing.T) {
	t.Run("a reader", func(t *testing.T) {
		stepkill.Every(t, rwReads, func(t *testing.T, s *stepkill.Stage) {
			m := rwmutex(t, s.Region, "m")
			must(t, m.Lock(background))
			freed := false
			d := s.Die(func() {
				freed = true
				if passOver(t, s.Region, m) {
					if err := m.Unlock(); err != nil {
						t.Error(err)
					}
				}
			})
			if !freed {
				must(t, m.Unlock())
			}
			overRW(t, m, d, false)
		})
	})
	t.Run("a writer", func(t *testing.T) {
		stepkill.Every(t, rwWrites, func(t *testing.T, s *stepkill.Stage) {
			m := rwmutex(t, s.Region, "m")
			ctx := stepkill.Watchdog(t)
			read := make(chan error, 1)
			for passed := false; !passed; {
				must(t, m.Lock(ctx))
				go func() { read <- readOver(ctx, m) }()
				shmtest.AwaitWaiting(t, s.Region, "m", 1)
				if passed = passOver(t, s.Region, m); !passed {
					must(t, <-read)
				}
			}
			freed := false
			d := s.Die(func() {
				freed = true
				if err := m.Unlock(); err != nil {
					t.Error(err)
				}
			})
			if !freed {
				must(t, m.Unlock())
			}
			must(t, <-read)
			overRW(t, m, d, freed && d.Note != itHeld)
		})
	})
}

// Recovery: a process reads one lock, writes another, and waits for readers of
// a third, and dies. Who recovers it dies over that, and the next one finishes.
var (
	rwNames = []string{"read", "written", "waited"}
	rwLeft  = stepkill.Register("rwmutex/peer leaves", func(r *shm.Region) (func() error, error) {
		ms, err := openRWs(r)
		return func() error {
			if err := errors.Join(rwRLock(ms[0]), rwRLock(ms[0]), rwLock(ms[1]), rwRLock(ms[2])); err != nil {
				return err
			}
			go ms[2].Lock(background)
			for ok := true; ok; { // until the writer keeps readers out
				var err error
				if ok, err = ms[2].TryRLock(); err != nil {
					return err
				} else if ok {
					if err := ms[2].RUnlock(); err != nil {
						return err
					}
				}
			}
			return nil
		}, err
	})
	rwOpens = stepkill.RegisterOpen("open recovers rwmutexes")
)

func openRWs(r *shm.Region) (ms [3]*sync.RWMutex, err error) {
	for i, name := range rwNames {
		if ms[i], err = sync.OpenRWMutex(r, name); err != nil {
			break
		}
	}
	return ms, err
}

// The one who attaches gets no record before it has recovered the dead.
func TestRWMutexRecoveryKilledAnywhere(t *testing.T) {
	stepkill.EveryRecovery(t, rwOpens, 1, func(t *testing.T, r *shm.Region) {
		_, err := openRWs(r)
		must(t, err)
	}, rwLeft, func(t *testing.T, r *shm.Region, d stepkill.Death) {
		ms, err := openRWs(r)
		must(t, err)
		if err := ms[1].RLock(stepkill.Watchdog(t)); !errors.Is(err, sync.ErrOwnerDied) {
			t.Errorf("after a death %v, RLock of what a dead one wrote = %v", d, err)
		}
		for i, m := range ms {
			overRW(t, m, d, i == 1)
		}
	})
}
