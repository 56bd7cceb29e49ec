package sync_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
	"example.com/tandem/test/stepkill"
)

// A victim is killed after every instruction of what a semaphore can do. Those
// of both kinds are one code: what it does to a bounded one is tried, but for
// where they differ.

// onSemaphore names what a victim does to the bounded semaphore s of 3. It is
// rehearsed on another. hold: how many permits it has taken when it begins.
func onSemaphore(name string, hold int, do func(s *sync.BoundedSemaphore) error) stepkill.Op {
	return stepkill.Rehearsed("semaphore/"+name, "s", func(r *shm.Region, name string) (func() error, error) {
		s, err := sync.OpenBoundedSemaphore(r, name, 3)
		for range hold {
			if err == nil {
				err = s.Acquire(background)
			}
		}
		return func() error { return do(s) }, err
	})
}

var acquireRelease = noted(func(s *sync.BoundedSemaphore) error { return s.Acquire(background) },
	func(s *sync.BoundedSemaphore) error { return s.Release(1) })

var (
	semTakes = onSemaphore("acquire-release", 0, acquireRelease)
	semTries = onSemaphore("tryacquire-release", 0, func(s *sync.BoundedSemaphore) error {
		ok, err := s.TryAcquire()
		if ok {
			err = s.Release(1)
		}
		return err
	})
	semRetakes = onSemaphore("release-acquire-release", 1, func(s *sync.BoundedSemaphore) error {
		return errors.Join(s.Release(1), acquireRelease(s))
	})
	semGives = onSemaphore("release-three", 3, func(s *sync.BoundedSemaphore) error { return s.Release(3) })
	semOver  = onSemaphore("release-too-many", 1, func(s *sync.BoundedSemaphore) error {
		if err := s.Release(4); !errors.Is(err, sync.ErrOverRelease) {
			return errors.Join(err, errors.New("not refused"))
		}
		return nil
	})
	// peers, at full speed
	semPeerSleeps = onSemaphore("peer-sleeps", 0, acquireRelease)
)

func boundedOf3(t testing.TB, r *shm.Region) *sync.BoundedSemaphore {
	t.Helper()
	s, err := sync.OpenBoundedSemaphore(r, "s", 3)
	must(t, err)
	return s
}

// allThree expects that all permits can be had, when the dead has been
// recovered, and no more.
func allThree(t *testing.T, s *sync.BoundedSemaphore, d stepkill.Death) {
	t.Helper()
	for range 3 {
		if err := s.Acquire(stepkill.Watchdog(t)); err != nil {
			t.Fatalf("after a death %v: %v", d, err)
		}
	}
	if ok, err := s.TryAcquire(); ok || err != nil {
		t.Errorf("after a death %v there is a permit too many: %v, %v", d, ok, err)
	}
	must(t, s.Release(3))
}

// Free: last changed by nobody, by the victim itself, by another.
func TestFreeSemaphoreKilledAnywhere(t *testing.T) {
	for name, last := range map[string]bool{"new": false, "changed by another": true} {
		for _, op := range stepkill.Some(t, semTakes, semTries, semRetakes) {
			t.Run(name, func(t *testing.T) {
				stepkill.Every(t, op, func(t *testing.T, st *stepkill.Stage) {
					s := boundedOf3(t, st.Region)
					if last {
						st.OnReady(func() { must(t, s.Acquire(background)); must(t, s.Release(1)) })
					}
					allThree(t, s, st.Die(nil))
				})
			})
		}
	}
}

// All are taken: the victim sleeps, alone or behind another, until this
// process gives one.
func TestContendedSemaphoreKilledAnywhere(t *testing.T) {
	for name, others := range map[string]int{"alone": 0, "with sleepers": 1} {
		t.Run(name, func(t *testing.T) {
			stepkill.Every(t, semTakes, func(t *testing.T, st *stepkill.Stage) {
				s := boundedOf3(t, st.Region)
				for range 3 {
					must(t, s.Acquire(background))
				}
				sleeping := semSleepers(t, st, others)
				freed := false
				d := st.Die(func() {
					freed = true
					if err := s.Release(1); err != nil {
						t.Error(err)
					}
				})
				if !freed {
					if d.Note != 0 || d.Returned {
						t.Errorf("the victim had a permit where there was none: %v", d)
					}
					must(t, s.Release(1))
				}
				sleeping()
				must(t, s.Release(2))
				allThree(t, s, d)
			})
		})
	}
}

// semSleepers has n peers and a goroutine of this process sleep for a permit,
// or nobody if n is 0. Each gives it back.
func semSleepers(t *testing.T, st *stepkill.Stage, n int) (wait func()) {
	t.Helper()
	if n == 0 {
		return func() {}
	}
	s := boundedOf3(t, st.Region)
	return sleepers(t, st, func(ctx context.Context) error {
		if err := s.Acquire(ctx); err != nil {
			return err
		}
		return s.Release(1)
	}, slices.Repeat([]stepkill.Op{semPeerSleeps}, n)...)
}

// The victim holds some, and gives them with sleepers there, or without.
func TestReleaseKilledAnywhere(t *testing.T) {
	for name, others := range map[string]int{"alone": 0, "with sleepers": 2} {
		for _, op := range stepkill.Some(t, semGives, semRetakes, semOver) {
			t.Run(name, func(t *testing.T) {
				stepkill.Every(t, op, func(t *testing.T, st *stepkill.Stage) {
					s := boundedOf3(t, st.Region)
					sleeping := func() {}
					held := 0
					st.OnReady(func() {
						for s.Value() > 0 { // nobody else's permits are left
							must(t, s.Acquire(background))
							held++
						}
						sleeping = semSleepers(t, st, others)
					})
					d := st.Die(nil)
					sleeping() // what the dead had, or gave, is enough for all
					if held > 0 {
						must(t, s.Release(held))
					}
					allThree(t, s, d)
				})
			})
		}
	}
}

// A plain one: signals that the victim consumes or gives, one each time.
var (
	semConsumes = onSignals("acquire", func(s *sync.Semaphore) error { return s.Acquire(background) })
	semSignals  = onSignals("release-two", func(s *sync.Semaphore) error { return s.Release(2) })
)

func onSignals(name string, do func(s *sync.Semaphore) error) stepkill.Op {
	return stepkill.Register("signals/"+name, func(r *shm.Region) (func() error, error) {
		s, err := sync.OpenSemaphore(r, "s", 0)
		return func() error { return do(s) }, err
	})
}

func TestSignalsKilledAnywhere(t *testing.T) {
	for _, op := range []stepkill.Op{semConsumes, semSignals} {
		stepkill.Every(t, op, func(t *testing.T, st *stepkill.Stage) {
			s, err := sync.OpenSemaphore(st.Region, "s", 0)
			must(t, err)
			must(t, s.Release(2))
			d := st.Die(nil)
			awaitAlone(t, st.Region, 1)
			before, after := 2, 1
			if op == semSignals {
				after = 4
			}
			switch v := s.Value(); {
			case d.Returned && v != after, v != before && v != after:
				t.Errorf("after a death %v the value is %d, want %d, or %d before that", d, v, after, before)
			}
		})
	}
}

// The richest leftovers: of three semaphores the dead one held some of the
// first and was the last to change it, held all of the second, which others
// changed since, and slept on the third.
var (
	semLeft = stepkill.Register("semaphore/left", func(r *shm.Region) (func() error, error) {
		ss, err := openSemaphores(r)
		return func() error {
			for range 3 {
				if err := ss[1].Acquire(background); err != nil {
					return err
				}
			}
			for range 2 {
				if err := ss[0].Acquire(background); err != nil {
					return err
				}
			}
			for range 3 {
				if err := ss[2].Acquire(background); err != nil {
					return err
				}
			}
			go ss[2].Acquire(background)
			for start := time.Now(); shmtest.Waiting(r, "s2") == 0; time.Sleep(time.Millisecond) {
				if time.Since(start) > testproc.Patience {
					return errors.New("it does not get to sleep")
				}
			}
			return nil
		}, err
	})
	semHeals = stepkill.RegisterGuard("guard recovers semaphores", func(r *shm.Region) error {
		_, err := openSemaphores(r)
		return err
	})
)

func openSemaphores(r *shm.Region) (ss [3]*sync.BoundedSemaphore, err error) {
	for i, name := range []string{"s0", "s1", "s2"} {
		if ss[i], err = sync.OpenBoundedSemaphore(r, name, 3); err != nil {
			break
		}
	}
	return ss, err
}

func TestSemaphoreRecoveryKilledAnywhere(t *testing.T) {
	stepkill.EveryRecovery(t, semHeals, 8, func(t *testing.T, r *shm.Region) {
		_, err := openSemaphores(r)
		must(t, err)
	}, semLeft, func(t *testing.T, r *shm.Region, d stepkill.Death) {
		ss, err := openSemaphores(r)
		must(t, err)
		for _, s := range ss {
			allThree(t, s, d)
		}
	})
}
