package sync_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// What the tests of all locks share that a holder's death leaves abandoned.

// A repairable is a Mutex, an RWMutex for its writers, or a Holder.
type repairable interface {
	sync.Lock
	Recover(ctx context.Context) (suspect bool, err error)
	MarkConsistent() error
}

// lockOver locks, and repairs if a death is reported.
func lockOver(ctx context.Context, l repairable) (suspect bool, err error) {
	if err = l.Lock(ctx); errors.Is(err, sync.ErrOwnerDied) {
		if suspect, err = l.Recover(ctx); err == nil && suspect {
			err = l.MarkConsistent()
		}
	}
	return suspect, err
}

// takeOver is lockOver and Unlock.
func takeOver(ctx context.Context, l repairable) (suspect bool, err error) {
	if suspect, err = lockOver(ctx, l); err == nil {
		err = l.Unlock()
	}
	return suspect, err
}

var errRefused = errors.New("refused")

// tried makes an error of an attempt that is refused.
func tried(ok bool, err error) error {
	if !ok && err == nil {
		return errRefused
	}
	return err
}

// wantDied expects that err reports a holder's death.
func wantDied(t testing.TB, call string, err error) {
	t.Helper()
	if !errors.Is(err, sync.ErrOwnerDied) {
		t.Errorf("%s of an abandoned lock = %v", call, err)
	}
}

// recoverSuspect takes an abandoned lock, which is suspect.
func recoverSuspect(ctx context.Context, l repairable) error {
	suspect, err := l.Recover(ctx)
	if err == nil && !suspect {
		err = errors.New("an abandoned lock is not suspect")
	}
	return err
}

// repair expects that l is abandoned, and makes it free.
func repair(t testing.TB, l repairable) {
	t.Helper()
	must(t, recoverSuspect(patience(t), l))
	must(t, l.MarkConsistent())
	must(t, l.Unlock())
}

// awaitNoOwner waits until a dead process is no more the owner.
func awaitNoOwner(t testing.TB, l interface {
	Owner() (shm.Participant, bool)
}) {
	t.Helper()
	ctx := patience(t)
	for ok := true; ok; _, ok = l.Owner() {
		if ctx.Err() != nil {
			t.Fatal("a dead process is still the owner")
		}
	}
}

// toldSoon expects that Lock reports a death within 20 ms, and that the lock
// can be had then. The process that dies has locked it, so many times.
func toldSoon(t *testing.T, r *shm.Region, l repairable, times int, verb, name string) {
	t.Helper()
	ctx := patience(t)
	soon(t, func() time.Duration {
		c := actor.Start(t, r)
		for range times {
			c.Expect("ok", verb, name)
		}
		told := make(chan error)
		go func() { told <- l.Lock(ctx) }()
		waiters(t, 1)
		begin := time.Now()
		c.Signal(syscall.SIGKILL)
		wantDied(t, "Lock", <-told)
		err := recoverSuspect(ctx, l)
		took := time.Since(begin)
		must(t, err)
		must(t, l.MarkConsistent())
		must(t, l.Unlock())
		c.Gone()
		return took
	})
}

// killAtRandom kills 30 times one of two children of role, wherever it is, and
// starts another. Before each death busy is called up to four times; after each
// alive is, while the child's successor starts. The lock is free in the end.
func killAtRandom(t *testing.T, r *shm.Region, role testproc.RoleName, l sync.Lock, busy, alive func()) {
	t.Helper()
	var cs [2]*testproc.Child
	for i := range cs {
		cs[i] = role.Start(t, r.Name())
		cs[i].Expect("ready")
	}
	for n := range 30 {
		for range n % 5 {
			busy()
		}
		i := n % len(cs)
		cs[i].Kill()
		cs[i] = role.Start(t, r.Name())
		alive()
		cs[i].Expect("ready")
	}
	for _, c := range cs {
		c.Kill()
	}
	must(t, sync.With(patience(t), l, func() error { return nil }))
}
