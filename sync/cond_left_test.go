package sync

import (
	"errors"
	"fmt"
	"testing"

	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

// A Wait that takes its lock back after its handle was closed says what the lock is like, as
// long as there is the region.
func TestWaitSaysWhatTheLockIs(t *testing.T) {
	for name, want := range map[string]error{
		"suspect": fmt.Errorf("%w; not notified", ErrOwnerDied), "another's": errors.Join(ErrNotLocked, ErrNotOwner), "nobody's": ErrNotLocked,
	} {
		r := shmtest.Region(t)
		c, err := OpenCond(r, "c", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.left("cond.Wait", nil, want); errors.Is(err, shm.ErrClosed) || !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if err := c.left("cond.Wait", nil, want); !errors.Is(err, shm.ErrClosed) || !errors.Is(err, want) {
			t.Errorf("%s, of a closed handle: %v", name, err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if err := c.left("cond.Wait", nil, want); !errors.Is(err, shm.ErrClosed) || errors.Is(err, want) {
			t.Errorf("%s, of a closed region: %v", name, err)
		}
	}
}
