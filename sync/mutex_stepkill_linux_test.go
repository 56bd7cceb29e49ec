package sync_test

import (
	"context"
	"errors"
	"testing"

	"example.com/tandem/shm"
	"example.com/tandem/sync"
	"example.com/tandem/test/stepkill"
)

// A victim is killed after every instruction of what a Mutex can do, alone and
// with others who hold it or sleep on it.

// onMutex names what a victim does to the mutex m. It is rehearsed on another.
// hold: the victim holds m when it begins.
func onMutex(name string, hold bool, do func(m *sync.Mutex) error) stepkill.Op {
	return stepkill.Rehearsed("mutex/"+name, "m", func(r *shm.Region, name string) (func() error, error) {
		m, err := sync.OpenMutex(r, name)
		if err == nil && hold {
			err = m.Lock(background)
		}
		return func() error { return do(m) }, err
	})
}

func lockMutex(m *sync.Mutex) error { return m.Lock(background) }

var lockUnlock = noted(lockMutex, (*sync.Mutex).Unlock)

var (
	victimLocks   = onMutex("lock-unlock", false, lockUnlock)
	victimTries   = onMutex("trylock-unlock", false, noted(trying((*sync.Mutex).TryLock), (*sync.Mutex).Unlock))
	victimUnlocks = onMutex("unlock", true, (*sync.Mutex).Unlock)
	victimBarges  = onMutex("unlock-lock-thrice-unlock", true, func(m *sync.Mutex) error {
		for range 3 {
			if err := m.Unlock(); err != nil {
				return err
			}
			if err := m.Lock(background); err != nil {
				return err
			}
		}
		return m.Unlock()
	})
	victimRecovers = onMutex("recover-mark-unlock", false, noted(func(m *sync.Mutex) error {
		_, err := m.Recover(background)
		return err
	}, func(m *sync.Mutex) error { return errors.Join(m.MarkConsistent(), m.Unlock()) }))
	victimRepairs = onMutex("lock-with-onownerdied-unlock", false, func(m *sync.Mutex) error {
		m.OnOwnerDied(func(context.Context) error { return nil })
		return lockUnlock(m)
	})
	victimIsTold = onMutex("lock-abandoned", false, func(m *sync.Mutex) error {
		err := m.Lock(background)
		if errors.Is(err, sync.ErrOwnerDied) {
			return nil
		}
		return errors.Join(err, m.Unlock())
	})
	// peers, at full speed
	peerHolds  = onMutex("peer-holds", false, lockMutex)
	peerSleeps = onMutex("peer-sleeps", false, func(m *sync.Mutex) error {
		_, err := takeOver(background, m)
		return err
	})
)

// Free.
func TestFreeMutexKilledAnywhere(t *testing.T) {
	for _, op := range []stepkill.Op{victimLocks, victimTries} {
		stepkill.Every(t, op, func(t *testing.T, s *stepkill.Stage) {
			m := mutex(t, s.Region, "m")
			d := s.Die(nil)
			mustTakeOver(t, m, d, d.Note != itHeld)
		})
	}
}

// Contended: held by this process, with the victim the only one to wait, and
// with a sleeper before it.
func TestContendedMutexKilledAnywhere(t *testing.T) {
	for name, others := range map[string]bool{"alone": false, "with a sleeper": true} {
		t.Run(name, func(t *testing.T) {
			stepkill.Every(t, victimLocks, func(t *testing.T, s *stepkill.Stage) {
				m := mutex(t, s.Region, "m")
				must(t, m.Lock(background))
				sleeping := mutexSleepers(t, s, others)
				freed := false
				d := s.Die(func() {
					freed = true
					if err := m.Unlock(); err != nil {
						t.Error(err)
					}
				})
				if !freed {
					if d.Note != 0 || d.Returned {
						t.Errorf("the victim had a mutex that this process holds: %v", d)
					}
					if p, ok := m.Owner(); !ok || p != s.Region.Self() {
						t.Errorf("Owner = %v, %v, want this process", p, ok)
					}
					must(t, m.Unlock())
				}
				sleeping()
				mustTakeOver(t, m, d, d.Note != itHeld)
			})
		})
	}
}

// mutexSleepers has a peer and a goroutine of this process sleep on m, or nobody.
func mutexSleepers(t *testing.T, s *stepkill.Stage, others bool) (wait func()) {
	t.Helper()
	if !others {
		return func() {}
	}
	m := mutex(t, s.Region, "m")
	return sleepers(t, s, func(ctx context.Context) error {
		_, err := takeOver(ctx, m)
		return err
	}, peerSleeps)
}

// The victim holds it, and others sleep, or do not.
func TestUnlockKilledAnywhere(t *testing.T) {
	for _, op := range []stepkill.Op{victimUnlocks, victimBarges} {
		for name, others := range map[string]bool{"alone": false, "with sleepers": true} {
			t.Run(name, func(t *testing.T) {
				stepkill.Every(t, op, func(t *testing.T, s *stepkill.Stage) {
					m := mutex(t, s.Region, "m")
					var sleeping func()
					s.OnReady(func() { sleeping = mutexSleepers(t, s, others) })
					d := s.Die(nil)
					sleeping()
					mustTakeOver(t, m, d, !d.Returned)
				})
			})
		}
	}
}

// Abandoned by a holder who died.
func TestAbandonedMutexKilledAnywhere(t *testing.T) {
	for _, op := range stepkill.Some(t, victimRecovers, victimRepairs, victimIsTold) {
		stepkill.Every(t, op, func(t *testing.T, s *stepkill.Stage) {
			m := mutex(t, s.Region, "m")
			s.Leave(peerHolds)
			d := s.Die(nil)
			suspect, err := takeOver(stepkill.Watchdog(t), m)
			if err != nil {
				t.Fatalf("after a death %v: %v", d, err)
			}
			// Repaired is repaired; before that, or by nobody, it is abandoned.
			if repaired := d.Note == itHeld; repaired == suspect && (repaired || op == victimIsTold) {
				t.Errorf("after a death %v: suspect %v", d, suspect)
			}
		})
	}
}
