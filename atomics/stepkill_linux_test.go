package atomics_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill"
)

func init() { stepkill.Main() }

// victim names an operation on the two objects that every stage has. It is
// done once beforehand, on others, for what only a first time does.
func victim(name string, op func(v *atomics.Value[int64], a *atomics.Array[uint8]) error) stepkill.Op {
	return stepkill.Rehearsed(name, "", func(r *shm.Region, name string) (func() error, error) {
		v, err := atomics.OpenValue(r, name+"v", int64(0))
		if err != nil {
			return nil, err
		}
		a, err := atomics.OpenArray[uint8](r, name+"a", 4)
		return func() error { return op(v, a) }, err
	})
}

var (
	valueAdd = victim("value.Add", func(v *atomics.Value[int64], _ *atomics.Array[uint8]) error {
		atomics.Add(v, 5)
		return nil
	})
	arrayAdd = victim("array.AddAt-uint8", func(_ *atomics.Value[int64], a *atomics.Array[uint8]) error {
		atomics.AddAt(a, 1, 5)
		return nil
	})
	valueUpdate = victim("value.Update", func(v *atomics.Value[int64], _ *atomics.Array[uint8]) error {
		v.Update(func(x int64) int64 { return x + 5 })
		return nil
	})
	valueLocked = victim("value.Lock-Store-Unlock", func(v *atomics.Value[int64], _ *atomics.Array[uint8]) error {
		if err := v.Lock(context.Background()); err != nil {
			return err
		}
		v.Store(v.Load() + 5)
		return v.Unlock()
	})
)

// Wherever it dies, five have been added or none, and neighbours are as before.
func TestAddKilledAnywhere(t *testing.T) {
	for _, op := range stepkill.Some(t, valueAdd, valueUpdate, arrayAdd) {
		t.Run(op.String(), func(t *testing.T) {
			stepkill.Every(t, op, func(t *testing.T, s *stepkill.Stage) {
				v, a := value(t, s.Region, "v", int64(100)), array[uint8](t, s.Region, "a", 4)
				a.CopyFrom([]uint8{1, 100, 255, 4})
				death := s.Die(nil)
				got, was := v.Load(), int64(100)
				if op == arrayAdd {
					got = int64(a.Load(1))
				}
				if got != was && got != was+5 || death.Returned && got != was+5 {
					t.Errorf("after a death %v: %d", death, got)
				}
				if a.Load(0) != 1 || a.Load(2) != 255 || a.Load(3) != 4 {
					t.Errorf("after a death %v the neighbours are %d, %d, %d", death, a.Load(0), a.Load(2), a.Load(3))
				}
				if sum := atomics.Add(v, 1); op != arrayAdd && sum != got+1 {
					t.Errorf("after a death %v: Add = %d, want %d", death, sum, got+1)
				}
			})
		})
	}
}

// wideVictim names an operation on a value of 24 bytes, by a process that has stored
// already, so that it has spares.
func wideVictim(name string, stores int, op func(v *atomics.Value[[3]int64])) stepkill.Op {
	return stepkill.Rehearsed(name, "", func(r *shm.Region, name string) (func() error, error) {
		v, err := atomics.OpenValue(r, name+"wide", wideOf(0))
		if err != nil {
			return nil, err
		}
		for range stores {
			v.Store(wideOf(100))
		}
		return func() error { op(v); return nil }, err
	})
}

func wideOf(n int64) [3]int64 { return [3]int64{n, -n, 2 * n} }

var wideVictims = []stepkill.Op{
	wideVictim("value.Store-wide", 4, func(v *atomics.Value[[3]int64]) { v.Store(wideOf(105)) }),
	wideVictim("value.Store-wide-first", 0, func(v *atomics.Value[[3]int64]) { v.Store(wideOf(105)) }),
	wideVictim("value.Swap-wide", 4, func(v *atomics.Value[[3]int64]) { v.Swap(wideOf(105)) }),
	wideVictim("value.CompareAndSwap-wide", 1, func(v *atomics.Value[[3]int64]) { v.CompareAndSwap(wideOf(100), wideOf(105)) }),
	wideVictim("value.Update-wide", 4, func(v *atomics.Value[[3]int64]) {
		v.Update(func(x [3]int64) [3]int64 { return wideOf(x[0] + 5) })
	}),
}

// Wherever it dies, the value is what it was or what was stored, and no copy is lost:
// beside a live process, whose value it was replacing.
func TestWideKilledAnywhere(t *testing.T) {
	for _, op := range stepkill.Some(t, wideVictims...) {
		t.Run(op.String(), func(t *testing.T) {
			stepkill.Every(t, op, func(t *testing.T, s *stepkill.Stage) {
				v := value(t, s.Region, "wide", wideOf(100))
				v.Store(wideOf(100))
				death := s.Die(nil)
				got := v.Load()
				if got != wideOf(100) && got != wideOf(105) || death.Returned && got != wideOf(105) {
					t.Errorf("after a death %v: %v", death, got)
				}
				for n := range int64(5) {
					v.Store(wideOf(n))
					if got := v.Swap(wideOf(n + 1)); got != wideOf(n) {
						t.Errorf("after a death %v: Swap = %v, want %v", death, got, wideOf(n))
					}
				}
				// The value has one, and this process three: the rest is free, when
				// the dead one is recovered.
				const want = 1 + 3*8 - 1 - 3
				free := atomics.Free(v)
				for end := time.Now().Add(testproc.Patience); free != want && time.Now().Before(end); free = atomics.Free(v) {
					time.Sleep(time.Millisecond)
				}
				if free != want {
					t.Errorf("after a death %v %d copies are free, want %d", death, free, want)
				}
			})
		})
	}
}

// Wherever it dies, the lock is free, or the next is told; the cell is whole.
func TestLockedStoreKilledAnywhere(t *testing.T) {
	stepkill.Every(t, valueLocked, func(t *testing.T, s *stepkill.Stage) {
		v := value(t, s.Region, "v", int64(100))
		array[uint8](t, s.Region, "a", 4)
		death := s.Die(nil)
		ctx := stepkill.Watchdog(t)
		err := v.Lock(ctx)
		if errors.Is(err, shm.ErrOwnerDied) {
			var suspect bool
			if suspect, err = v.Recover(ctx); !suspect {
				t.Errorf("after a death %v Recover says that all is well", death)
			}
			err = errors.Join(err, v.MarkConsistent())
		}
		if err != nil {
			t.Fatalf("after a death %v: %v", death, err)
		}
		if got := v.Load(); got != 100 && got != 105 {
			t.Errorf("after a death %v: %d", death, got)
		}
		if err := v.Unlock(); err != nil {
			t.Errorf("after a death %v: Unlock = %v", death, err)
		}
	})
}
