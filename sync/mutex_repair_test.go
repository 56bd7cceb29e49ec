package sync_test

import (
	"context"
	"errors"
	"testing"

	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// OnOwnerDied: the handle's answer.
func TestOnOwnerDied(t *testing.T) {
	r := shmtest.Region(t)
	m, plain := mutex(t, r, "m"), mutex(t, r, "m")
	ctx := patience(t)
	type key struct{}
	mine := context.WithValue(ctx, key{}, true)
	calls := 0
	bad := errors.New("bad")
	repair := func(result error) func(context.Context) error {
		return func(ctx context.Context) error {
			calls++
			if p, ok := m.Owner(); !ok || p.PID != r.Self().PID {
				t.Errorf("repair runs with %+v as the owner", p)
			}
			if ctx.Value(key{}) == nil && result != bad {
				t.Error("repair has not the caller's context")
			}
			return result
		}
	}
	abandon := func() {
		t.Helper()
		c := actor.Start(t, r)
		c.Expect("sound", "mutex.recover", "m")
		c.Kill()
		if err := plain.Lock(ctx); !errors.Is(err, sync.ErrOwnerDied) {
			t.Fatalf("Lock by a handle without an answer = %v", err)
		}
	}

	abandon()
	m.OnOwnerDied(repair(bad))
	if err := m.Lock(ctx); !errors.Is(err, sync.ErrOwnerDied) || !errors.Is(err, bad) {
		t.Errorf("Lock whose answer fails = %v", err)
	}
	if ok, err := m.TryLock(); ok || !errors.Is(err, sync.ErrOwnerDied) || !errors.Is(err, bad) {
		t.Errorf("TryLock whose answer fails = %v, %v", ok, err)
	}
	m.OnOwnerDied(func(context.Context) error { panic(bad) })
	func() {
		defer func() {
			if recover() != bad {
				t.Error("a panic of the answer is swallowed")
			}
		}()
		m.Lock(ctx)
	}()
	if err := plain.Lock(ctx); !errors.Is(err, sync.ErrOwnerDied) {
		t.Errorf("Lock after answers that failed = %v", err)
	}
	m.OnOwnerDied(nil)
	if err := m.Lock(ctx); !errors.Is(err, sync.ErrOwnerDied) {
		t.Errorf("Lock after the answer was taken back = %v", err)
	}
	if calls != 2 {
		t.Errorf("the answer that fails was called %d times, not 2", calls)
	}

	calls = 0
	m.OnOwnerDied(repair(nil))
	must(t, m.Lock(mine))
	if try(t, plain) {
		t.Error("Lock with an answer returns nil and holds nothing")
	}
	must(t, m.Unlock())
	must(t, plain.Lock(ctx))
	must(t, plain.Unlock())
	if calls != 1 {
		t.Errorf("the answer was called %d times, not once", calls)
	}

	abandon()
	m.OnOwnerDied(func(context.Context) error { return nil })
	if !try(t, m) {
		t.Error("TryLock with an answer fails")
	}
	must(t, m.Unlock())

	// While another repairs, Lock with an answer waits for it, TryLock does not;
	// and what another has repaired is not repaired again.
	abandon()
	m.OnOwnerDied(func(context.Context) error { t.Error("it is repaired twice"); return nil })
	suspect, err := plain.Recover(ctx)
	if !suspect || err != nil {
		t.Fatalf("Recover = %v, %v", suspect, err)
	}
	if ok, err := m.TryLock(); ok || err != nil {
		t.Errorf("TryLock with an answer, while another repairs = %v, %v", ok, err)
	}
	done := make(chan error)
	go func() { done <- m.Lock(ctx) }()
	waiters(t, 1)
	must(t, plain.MarkConsistent())
	must(t, plain.Unlock())
	must(t, <-done)
	must(t, m.Unlock())
}
