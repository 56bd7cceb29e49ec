package sync_test

import (
	"context"
	"errors"
	gosync "sync"
	"testing"

	"example.com/tandem/shm"
	"example.com/tandem/sync"
	"example.com/tandem/test/stepkill"
)

// A victim is killed after every instruction of what a Mutex can do, alone and
// with others who hold it or sleep on it.

func init() { stepkill.Main() }

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

// Notes of a victim: what it knows for sure.
const (
	itHolds = 1 + iota
	itHeld
)

func lockUnlock(m *sync.Mutex) error {
	if err := m.Lock(background); err != nil {
		return err
	}
	stepkill.Note(itHolds)
	err := m.Unlock()
	stepkill.Note(itHeld)
	return err
}

func recoverUnlock(m *sync.Mutex) error {
	_, err := m.Recover(background)
	if err != nil {
		return err
	}
	stepkill.Note(itHolds)
	err = errors.Join(m.MarkConsistent(), m.Unlock())
	stepkill.Note(itHeld)
	return err
}

var (
	victimLocks   = onMutex("lock-unlock", false, lockUnlock)
	victimTries   = onMutex("trylock-unlock", false, tryUnlock)
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
	victimRecovers = onMutex("recover-mark-unlock", false, recoverUnlock)
	victimRepairs  = onMutex("lock-with-onownerdied-unlock", false, func(m *sync.Mutex) error {
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
	peerHolds  = onMutex("peer-holds", false, func(m *sync.Mutex) error { return m.Lock(background) })
	peerSleeps = onMutex("peer-sleeps", false, func(m *sync.Mutex) error {
		_, err := takeOver(background, m)
		return err
	})
)

func tryUnlock(m *sync.Mutex) error {
	if ok, err := m.TryLock(); !ok || err != nil {
		return errors.Join(err, errors.New("a free mutex is not free"))
	}
	stepkill.Note(itHolds)
	err := m.Unlock()
	stepkill.Note(itHeld)
	return err
}

// takeOver locks and unlocks, and repairs if it is told to.
func takeOver(ctx context.Context, m *sync.Mutex) (suspect bool, err error) {
	if err = m.Lock(ctx); errors.Is(err, sync.ErrOwnerDied) {
		if suspect, err = m.Recover(ctx); err == nil && suspect {
			err = m.MarkConsistent()
		}
	}
	if err == nil {
		err = m.Unlock()
	}
	return suspect, err
}

// mustTakeOver is a survivor's, after a victim that had not held the mutex
// when it began.
func mustTakeOver(t *testing.T, m *sync.Mutex, d stepkill.Death) {
	t.Helper()
	suspect, err := takeOver(stepkill.Watchdog(t), m)
	if err != nil {
		t.Fatalf("after a death %v: %v", d, err)
	}
	if suspect && d.Note == itHeld {
		t.Errorf("after a death %v, when it no more held the mutex, the next is told of a dead holder", d)
	}
	if p, held := m.Owner(); held {
		t.Errorf("after all have unlocked, %v is the owner", p)
	}
}

// Free.
func TestFreeMutexKilledAnywhere(t *testing.T) {
	for _, op := range []stepkill.Op{victimLocks, victimTries} {
		stepkill.Every(t, op, func(t *testing.T, s *stepkill.Stage) {
			m := mutex(t, s.Region, "m")
			mustTakeOver(t, m, s.Die(nil))
		})
	}
}

// Contended: held by this process, with the victim the only one to wait, and
// with a sleeper before it.
func TestContendedMutexKilledAnywhere(t *testing.T) {
	for name, others := range map[string]int{"alone": 0, "with a sleeper": 1} {
		t.Run(name, func(t *testing.T) {
			stepkill.Every(t, victimLocks, func(t *testing.T, s *stepkill.Stage) {
				m := mutex(t, s.Region, "m")
				must(t, m.Lock(background))
				sleeping := sleepers(t, s, others)
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
				mustTakeOver(t, m, d)
			})
		})
	}
}

// sleepers has n peers sleep on m, and a goroutine of this process if there
// are any. What it returns waits until all have had the mutex.
func sleepers(t *testing.T, s *stepkill.Stage, n int) (wait func()) {
	t.Helper()
	if n == 0 {
		return func() {}
	}
	m := mutex(t, s.Region, "m")
	var here gosync.WaitGroup
	ctx := stepkill.Watchdog(t)
	here.Go(func() {
		if _, err := takeOver(ctx, m); err != nil {
			t.Errorf("a sleeper in this process: %v", err)
		}
	})
	var peers []*stepkill.Peer
	for range n {
		peers = append(peers, s.StartBlocked(peerSleeps))
	}
	for _, p := range peers {
		p.Asleep()
	}
	return func() {
		t.Helper()
		here.Wait()
		for _, p := range peers {
			p.Wait()
		}
	}
}

// The victim holds it, and others sleep, or do not.
func TestUnlockKilledAnywhere(t *testing.T) {
	for _, op := range []stepkill.Op{victimUnlocks, victimBarges} {
		for name, others := range map[string]int{"alone": 0, "with sleepers": 1} {
			t.Run(name, func(t *testing.T) {
				stepkill.Every(t, op, func(t *testing.T, s *stepkill.Stage) {
					m := mutex(t, s.Region, "m")
					var sleeping func()
					s.OnReady(func() { sleeping = sleepers(t, s, others) })
					d := s.Die(nil)
					sleeping()
					suspect, err := takeOver(stepkill.Watchdog(t), m)
					if err != nil {
						t.Fatalf("after a death %v: %v", d, err)
					}
					if suspect && d.Returned {
						t.Errorf("after a death %v the next is told of a dead holder", d)
					}
				})
			})
		}
	}
}

// Abandoned by a holder who died.
func TestAbandonedMutexKilledAnywhere(t *testing.T) {
	for _, op := range []stepkill.Op{victimRecovers, victimRepairs, victimIsTold} {
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
