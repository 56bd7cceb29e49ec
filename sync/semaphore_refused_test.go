package sync

import (
	"context"
	"errors"
	"testing"

	"example.com/tandem/shm"
)

// A region is closed, and the kernel refuses the zeroes that are to come in its place.
// A call that finds that its permit came from there gives it back.
func TestAcquireOfRefusedZeroes(t *testing.T) {
	r, err := shm.Anonymous(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s, err := OpenSemaphore(r, "s", 2)
	if err != nil {
		t.Fatal(err)
	}
	b, err := OpenBoundedSemaphore(r, "b", 2)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*permits{"semaphore": &s.permits, "bounded semaphore": &b.permits}
	for _, p := range all {
		if err := errors.Join(p.Acquire(context.Background()), p.Release(1)); err != nil { // from here on it guesses
			t.Fatal(err)
		}
	}
	s.core.Gate.Shut()
	s.core.Gate.Replace(func() error { return errors.New("refused") })
	for name, p := range all {
		if ok, err := p.TryAcquire(); ok || !errors.Is(err, shm.ErrClosed) {
			t.Errorf("%s: TryAcquire = %v, %v", name, ok, err)
		}
		if err := p.Acquire(context.Background()); !errors.Is(err, shm.ErrClosed) {
			t.Errorf("%s: Acquire = %v", name, err)
		}
		if n := p.sem.Value(); n != 2 {
			t.Errorf("%s: %d permits, want 2", name, n)
		}
	}
}
