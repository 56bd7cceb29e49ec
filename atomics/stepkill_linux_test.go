package atomics_test

import (
	"context"
	"errors"
	"testing"

	"example.com/tandem/atomics"
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
