package engine

import (
	"testing"

	"example.com/tandem/internal/mem"
)

// A writer that would stand back is told of a death at once.
func TestRWMutexStandsBackForNoDeath(t *testing.T) {
	a := newRW(t)
	dead, starving, l := rwIn(t, a, 3, 5), rwIn(t, a, 5, 1), rwIn(t, a, 4, 2)
	dead.LockNow()
	if err := recoverRWMutex(a, l.m.env, Self{3, 5}); err != nil {
		t.Fatal(err)
	}
	mem.Add32(starving.passed(), 1)
	mem.Store32(starving.starving, 1)
	if err := l.Lock(asleep{}); err != ErrOwnerDied {
		t.Errorf("Lock = %v", err)
	}
	if suspect, err := l.Recover(asleep{}); !suspect || err != nil {
		t.Errorf("Recover = %v, %v", suspect, err)
	}
}

// A reader that has waited for longer than patience, and no shorter, says so,
// and says it again whenever somebody has cleared that.
func TestRWMutexPassedOver(t *testing.T) {
	a := newRW(t)
	writer, l := rwIn(t, a, 3, 1), rwIn(t, a, 4, 1)
	if !writer.LockNow() {
		t.Fatal("a free lock cannot be had")
	}
	s := &script{t: t, now: 1e9}
	says := func(want uint32) {
		t.Helper()
		if h, p := mem.Load32(l.starving), mem.Load32(l.passed()); h != want || p != want {
			t.Errorf("after %d ns starving is %d, passed %d; want %d", s.now-1e9, h, p, want)
		}
	}
	s.sleeps = []func(int64){
		func(int64) { says(0); s.now += patience },
		func(int64) { says(0); s.now++ },
		func(int64) { says(1); mem.Store32(l.starving, 0) },
		func(int64) {
			says(1)
			if err := writer.Unlock(); err != nil {
				t.Error(err)
			}
		},
	}
	if err := l.RLock(s); err != nil {
		t.Fatal(err)
	}
	s.ended()
	if p := mem.Load32(l.passed()); p != 0 {
		t.Errorf("it reads, and %d are passed over", p)
	}
}

// A recovery that comes late leaves the writer that has come after the dead
// one at its index; one before it is as dead.
func TestRWMutexRecoveryEpochs(t *testing.T) {
	for _, tt := range []struct {
		epoch  uint32 // of who writes
		inside bool   // after the recovery of epoch 5
	}{{5, false}, {4, false}, {0xffff_fff0, false}, {6, true}} {
		a := newRW(t)
		writer := rwIn(t, a, 3, tt.epoch)
		if !writer.LockNow() {
			t.Fatal("a free lock cannot be had")
		}
		if err := recoverRWMutex(a, rwIn(t, a, 4, 2).m.env, Self{3, 5}); err != nil {
			t.Fatal(err)
		}
		who, inside := writer.Owner()
		if inside != tt.inside || inside && who != (Self{3, tt.epoch}) || writer.m.Abandoned() == inside {
			t.Errorf("epoch %d: the owner is %v, %v; abandoned %v", tt.epoch, who, inside, writer.m.Abandoned())
		}
	}
}
