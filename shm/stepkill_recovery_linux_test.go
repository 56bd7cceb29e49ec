package shm_test

import (
	"errors"
	"fmt"
	"testing"

	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill"
	"example.com/tandem/test/stepkill/step"
)

// Whoever recovers the dead is killed over it.

// stepHold takes a lock that it does not give back, and opens another object.
var stepHold = step.Register("shm/hold", func(dir string) (func() error, error) {
	return func() error {
		r, err := shm.Open(stepRegion(dir), nil)
		if err != nil {
			return err
		}
		kept = append(kept, r)
		_, core, err := openMutex(r, "open")
		kept = append(kept, core)
		return errors.Join(err, lockMutex(r, fmt.Sprint("held-by-", r.Self().Index)))
	}, nil
})

// TestRecoveryKilledAnywhere: the one who attaches recovers the dead, who had
// all the records, and dies over it. The next one finishes.
func TestRecoveryKilledAnywhere(t *testing.T) {
	step.Every(t, stepOpen, func(t *testing.T, s *step.Stage) {
		o := stepOptions
		o.Participants = 1
		mustCreate(t, s.Dir, o).Close()
		s.Leave(stepHold)
		s.Die(nil)
		r := mustOpen(t, s.Dir)
		m, core, err := openMutex(r, "held-by-0")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.TryLock(); !errors.Is(err, shm.ErrOwnerDied) {
			t.Errorf("TryLock of what a dead one held = %v", err)
		}
		w := core.Waiter(stepkill.Watchdog(t))
		defer w.Done()
		if suspect, err := m.Recover(w); !suspect || err != nil {
			t.Errorf("Recover = %v, %v", suspect, err)
		}
		if err := errors.Join(m.MarkConsistent(), m.Unlock()); err != nil {
			t.Error(err)
		}
		sound(t, s.Dir, r)
	})
}

// TestScanKilledAnywhere: as above, with records to spare and two dead. The
// guard of the one who attaches and its opener go about it side by side.
func TestScanKilledAnywhere(t *testing.T) {
	step.Every(t, stepOpen, func(t *testing.T, s *step.Stage) {
		mustCreate(t, s.Dir, stepOptions).Close()
		a, b := s.Start(stepHold), s.Start(stepHold)
		a.Kill()
		b.Kill()
		s.Die(nil)
		r := mustOpen(t, s.Dir)
		abandoned(t, r, 2)
		sound(t, s.Dir, r)
	})
}

// abandoned checks that of what the dead held all is abandoned, n mutexes.
func abandoned(t *testing.T, r *shm.Region, n int) {
	t.Helper()
	for o := range r.Objects() {
		m, _, err := openMutex(r, o.Name)
		if err != nil {
			t.Fatal(err)
		}
		if m.Abandoned() {
			n--
		}
		if who, held := m.Owner(); held {
			t.Errorf("%s is held by %v", o.Name, who)
		}
	}
	if n != 0 {
		t.Errorf("%d mutexes fewer are abandoned than the dead held", n)
	}
}

var stepGuard = step.RegisterGuard("shm/guard", func(dir string) error {
	r, err := shm.Open(stepRegion(dir), nil)
	kept = append(kept, r)
	return err
})

// TestGuardKilledAnywhere: a process hears of a death, recovers the dead, and
// dies over it. It is the only one there, so the next to come has to finish.
func TestGuardKilledAnywhere(t *testing.T) {
	step.Every(t, stepGuard, func(t *testing.T, s *step.Stage) {
		mustCreate(t, s.Dir, stepOptions).Close()
		a := s.Start(stepHold)
		s.OnReady(a.Kill)
		s.Die(nil)
		r := mustOpen(t, s.Dir)
		abandoned(t, r, 1)
		sound(t, s.Dir, r)
	})
}
