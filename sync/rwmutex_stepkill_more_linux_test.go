package sync_test

import (
	"errors"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
	"example.com/tandem/test/stepkill"
)

// passOver lets a reader that sleeps wake up in vain: m, which this process
// writes, is free for a moment only. It reports whether the lock knows of that;
// else the reader was in, or is gone, and m is not held any more.
func passOver(r *shm.Region, m *sync.RWMutex, gone func() bool) (bool, error) {
	// What the victim blocks in may be anything else first, on one processor.
	for end := time.Now().Add(testproc.Patience); shmtest.Waiting(r, "m") == 0; time.Sleep(100 * time.Microsecond) {
		if gone() {
			return false, m.Unlock()
		}
		if time.Now().After(end) {
			return false, errors.New("a reader neither sleeps nor is gone")
		}
	}
	time.Sleep(2 * time.Millisecond) // of patience it has 1
	if err := m.Unlock(); err != nil {
		return false, err
	}
	if ok, err := m.TryLock(); !ok || err != nil {
		return false, err
	}
	for end := time.Now().Add(testproc.Patience); !gone(); time.Sleep(100 * time.Microsecond) {
		s, err := r.Snapshot()
		if err != nil {
			return false, err
		}
		if s.Objects[0].State == "readers passed over" && shmtest.Waiting(r, "m") > 0 {
			return true, nil
		}
		if time.Now().After(end) {
			return false, errors.New("a reader is neither in, nor passed over, nor gone")
		}
	}
	return false, m.Unlock()
}

// A reader that was passed over, and a writer that stands back for one.
func TestPassedRWMutexKilledAnywhere(t *testing.T) {
	t.Run("a reader", func(t *testing.T) {
		passed := 0
		stepkill.Every(t, rwReads, func(t *testing.T, s *stepkill.Stage) {
			m := rwmutex(t, s.Region, "m")
			must(t, m.Lock(background))
			freed := false
			dead := func() bool { return len(s.Region.Participants()) == 1 }
			d := s.Die(func() {
				freed = true
				ok, err := passOver(s.Region, m, dead)
				if ok {
					passed++
					err = m.Unlock()
				}
				if err != nil {
					t.Error(err)
				}
			})
			if !freed {
				must(t, m.Unlock())
			}
			overRW(t, m, d, false)
		})
		if passed == 0 {
			t.Error("no victim was ever passed over")
		}
		t.Logf("%d victims were passed over", passed)
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
				var err error
				passed, err = passOver(s.Region, m, func() bool { return len(read) > 0 })
				must(t, err)
				if !passed {
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
