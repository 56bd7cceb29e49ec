package sync_test

import (
	"context"
	"errors"
	"testing"

	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// A handle that has seen it done does not look any more. All the same a context that
// has ended makes no attempt, and a handle that is closed says so.
func TestOnceDoneBefore(t *testing.T) {
	o := once(t, shmtest.Region(t), "o")
	must(t, o.Do(background, func(context.Context) error { return nil }))
	ended, cancel := context.WithCancel(background)
	for range 2 {
		must(t, o.Do(background, fails))
		must(t, o.Do(ended, fails))
	}
	cancel()
	if err := o.Do(ended, fails); !errors.Is(err, context.Canceled) {
		t.Errorf("Do with an ended context, of what is done = %v", err)
	}
	must(t, o.Close())
	for _, ctx := range []context.Context{background, ended} {
		if err := o.Do(ctx, fails); err == nil {
			t.Errorf("Do by a closed handle, of what is done = %v", err)
		}
	}
}

// A handle that was on something done, and is on another by now.
func TestOnceDecodedAgain(t *testing.T) {
	r := shmtest.Region(t)
	var o sync.Once
	for i, name := range []string{"o", "p"} {
		b, err := once(t, r, name).MarshalBinary()
		must(t, err)
		must(t, o.UnmarshalBinary(b))
		runs := 0
		for range 2 {
			must(t, o.Do(background, func(context.Context) error { runs++; return nil }))
		}
		if runs != 1 {
			t.Errorf("once %d: %d runs", i, runs)
		}
	}
}
