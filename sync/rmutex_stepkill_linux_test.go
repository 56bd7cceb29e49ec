package sync_test

import (
	"context"
	"errors"
	"testing"

	"example.com/tandem/shm"
	"example.com/tandem/sync"
	"example.com/tandem/test/stepkill"
)

// A victim is killed after every instruction of what a Holder can do. Below
// the first Lock and the last Unlock it changes nothing that others see but
// what is only shown; the mutex itself is killed in mutex_stepkill_linux_test.go.

// onHolder names what a victim does with a holder of the rmutex m, which it has
// locked so often when it begins. It is rehearsed on another.
func onHolder(name string, depth int, do func(h *sync.Holder) error) stepkill.Op {
	return stepkill.Rehearsed("rmutex/"+name, "m", func(r *shm.Region, name string) (func() error, error) {
		m, err := sync.OpenRMutex(r, name)
		if err != nil {
			return nil, err
		}
		h := m.NewHolder()
		for range depth {
			err = errors.Join(err, h.Lock(background))
		}
		return func() error { return do(h) }, err
	})
}

func unlockTwice(h *sync.Holder) error { return errors.Join(h.Unlock(), h.Unlock()) }

var (
	holderLocksTwice = onHolder("lock-lock-unlock-unlock", 0, noted(func(h *sync.Holder) error {
		return errors.Join(h.Lock(background), h.Lock(background))
	}, unlockTwice))
	holderTries = onHolder("trylock-trylock-unlock-unlock", 0, noted(func(h *sync.Holder) error {
		return errors.Join(tried(h.TryLock()), tried(h.TryLock()))
	}, unlockTwice))
	holderUnlocks = onHolder("unlock-unlock", 2, func(h *sync.Holder) error {
		err := unlockTwice(h)
		stepkill.Note(itHeld)
		return err
	})
	holderRecovers = onHolder("recover-recover-mark-unlock-unlock", 0, func(h *sync.Holder) error {
		for range 2 {
			if _, err := h.Recover(background); err != nil {
				return err
			}
		}
		err := errors.Join(h.MarkConsistent(), h.Unlock(), h.Unlock())
		stepkill.Note(itHeld)
		return err
	})
	holderLeaves = onHolder("peer-holds-it-thrice", 3, func(*sync.Holder) error { return nil })
)

// takeOverHolder locks twice and unlocks, and repairs if it is told to.
func takeOverHolder(ctx context.Context, h *sync.Holder) (suspect bool, err error) {
	if err = h.Lock(ctx); errors.Is(err, sync.ErrOwnerDied) {
		if suspect, err = h.Recover(ctx); err == nil && suspect {
			err = h.MarkConsistent()
		}
	}
	if err == nil {
		err = errors.Join(h.Lock(ctx), h.Unlock(), h.Unlock())
	}
	return suspect, err
}

func mustTakeOverHolder(t *testing.T, m *sync.RMutex, d stepkill.Death) {
	t.Helper()
	h := m.NewHolder()
	suspect, err := takeOverHolder(stepkill.Watchdog(t), h)
	if err != nil {
		t.Fatalf("after a death %v: %v", d, err)
	}
	if suspect && d.Note == itHeld {
		t.Errorf("after a death %v, when it no more held the lock, the next is told of a dead holder", d)
	}
	depth(t, h, 0)
	if p, held := m.Owner(); held {
		t.Errorf("after all have unlocked, %v is the owner", p)
	}
}

func TestRMutexKilledAnywhere(t *testing.T) {
	for _, op := range []stepkill.Op{holderLocksTwice, holderTries} {
		stepkill.Every(t, op, func(t *testing.T, s *stepkill.Stage) {
			m := rmutex(t, s.Region, "m")
			mustTakeOverHolder(t, m, s.Die(nil))
		})
	}
}

// With one asleep who wants it, and one who has it.
func TestContendedRMutexKilledAnywhere(t *testing.T) {
	t.Run("has it", func(t *testing.T) {
		stepkill.Every(t, holderUnlocks, func(t *testing.T, s *stepkill.Stage) {
			m := rmutex(t, s.Region, "m")
			told := make(chan error, 1)
			s.OnReady(func() {
				go func() { _, err := takeOverHolder(stepkill.Watchdog(t), m.NewHolder()); told <- err }()
				waiters(t, 1)
			})
			d := s.Die(nil)
			must(t, <-told)
			mustTakeOverHolder(t, m, d)
		})
	})
	t.Run("wants it", func(t *testing.T) {
		stepkill.Every(t, holderLocksTwice, func(t *testing.T, s *stepkill.Stage) {
			m := rmutex(t, s.Region, "m")
			h := m.NewHolder()
			must(t, errors.Join(h.Lock(background), h.Lock(background)))
			unlock := func() { must(t, errors.Join(h.Unlock(), h.Unlock())) }
			freed := false
			d := s.Die(func() { freed = true; unlock() })
			if !freed {
				depth(t, h, 2)
				unlock()
			}
			mustTakeOverHolder(t, m, d)
		})
	})
}

// Abandoned by one who had locked it three times.
func TestAbandonedRMutexKilledAnywhere(t *testing.T) {
	stepkill.Every(t, holderRecovers, func(t *testing.T, s *stepkill.Stage) {
		m := rmutex(t, s.Region, "m")
		s.Leave(holderLeaves)
		mustTakeOverHolder(t, m, s.Die(nil))
	})
}
