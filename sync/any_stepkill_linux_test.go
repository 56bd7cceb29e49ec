package sync_test

import (
	"errors"
	"testing"

	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
	"example.com/tandem/test/stepkill"
)

// victimAny waits for an event, and for the semaphore. It is rehearsed where there is a
// permit.
var victimAny = stepkill.Rehearsed("any/wait", "s", func(r *shm.Region, name string) (func() error, error) {
	e, err := sync.OpenEvent(r, "e-"+name)
	if err != nil {
		return nil, err
	}
	s, err := sync.OpenSemaphore(r, name, 0)
	if err == nil && name == stepkill.Rehearsal {
		err = s.Release(1)
	}
	return func() error {
		_, err := shm.WaitAny(background, e, s)
		return err
	}, err
})

// A victim waits for several, beside one that takes: there is one permit, which the other
// has, whatever the victim was woken for and had not passed on.
func TestAnyKilledAnywhere(t *testing.T) {
	for name, there := range map[string]bool{"asleep": false, "ready": true} {
		t.Run(name, func(t *testing.T) {
			stepkill.Every(t, victimAny, func(t *testing.T, st *stepkill.Stage) {
				s, err := sync.OpenSemaphore(st.Region, "s", 0)
				must(t, err)
				e, err := sync.OpenEvent(st.Region, "e-s")
				must(t, err)
				gave := false
				give := func() { // the permit for the other, the event for the victim
					gave = true
					if err := errors.Join(s.Release(1), e.Set()); err != nil {
						t.Error(err)
					}
				}
				took := make(chan error, 1)
				take := func() {
					ctx := stepkill.Watchdog(t)
					go func() { took <- s.Acquire(ctx) }()
				}
				if there {
					give()
				} else {
					take()
					shmtest.AwaitWaiting(t, st.Region, "s", 1)
				}
				d := st.Die(func() {
					if !gave {
						give()
					}
				})
				if d.Returned && !gave {
					t.Errorf("the victim was told of what there was not: %v", d)
				}
				if there {
					take()
				} else if !gave {
					give()
				}
				if err := <-took; err != nil {
					t.Errorf("after a death %v another that waits gets %v", d, err)
				}
				if n := s.Value(); n != 0 {
					t.Errorf("after a death %v: %d permits", d, n)
				}
			})
		})
	}
}
