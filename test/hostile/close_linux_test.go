package hostile_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"example.com/tandem/atomics"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	tsync "example.com/tandem/sync"
)

// Close under every operation at once: each ends, with ErrClosed and nothing
// else, and what the other handle sees is whole.
func TestCloseUnderEverything(t *testing.T) {
	rounds := 8
	if testing.Short() {
		rounds = 2
	}
	base := shmtest.Region(t)
	dir := filepath.Dir(base.Name())
	for range rounds {
		name := filepath.Join(dir, "round")
		r := must[*shm.Region](t)(shm.Create(name, &shm.Options{Size: 8 << 20}))
		ctx := watchdog(t)
		words := must[*ring.Queue[int64]](t)(ring.OpenQueue[int64](r, "words", &ring.QueueOptions{Capacity: 4}))
		texts := must[*ring.Queue[string]](t)(ring.OpenQueue[string](r, "texts", &ring.QueueOptions{Capacity: 4}))
		idle := must[*ring.Queue[int64]](t)(ring.OpenQueue[int64](r, "idle", nil))
		mu := must[*tsync.Mutex](t)(tsync.OpenMutex(r, "mu"))
		held := must[*tsync.Mutex](t)(tsync.OpenMutex(r, "held"))
		v := must[*atomics.Value[int64]](t)(atomics.OpenValue(r, "v", int64(1)))
		a := must[*atomics.Array[int32]](t)(atomics.OpenArray[int32](r, "a", 100))
		s := must[*atomics.Slice[int64]](t)(atomics.OpenSlice[int64](r, "s", 100)).Data()
		if err := held.Lock(ctx); err != nil {
			t.Fatal(err)
		}

		one := func(_ any, err error) error { return err }
		var running, ended sync.WaitGroup
		var closed atomic.Bool
		for what, f := range map[string]func() error{
			"Put":   func() error { return words.Put(ctx, 1) },
			"Get":   func() error { return one(words.Get(ctx)) },
			"Lease": func() error { d, err := words.Lease(ctx); return errors.Join(err, d.Ack()) },
			"PutText": func() error {
				return texts.Put(ctx, "twenty bytes of text, and so many more that it lies in blocks of its own, outside of the slot, somewhere")
			},
			"GetText":  func() error { return one(texts.Get(ctx)) },
			"Nack":     func() error { d, err := texts.Lease(ctx); return errors.Join(err, d.Nack()) },
			"Join":     func() error { return texts.Join(ctx) },
			"TaskDone": func() error { return ignore(words.TaskDone(), ring.ErrOverDone) },
			"Idle":     func() error { return one(idle.Get(ctx)) },
			"Lock":     func() error { return tsync.With(ctx, mu, func() error { return nil }) },
			"Held":     func() error { return held.Lock(ctx) },
			"TryHeld":  func() error { return one(held.TryLock()) },
			"CellLock": func() error { return errors.Join(v.Lock(ctx), v.Unlock()) },
			"Add":      func() error { atomics.Add(v, 1); return nil },
			"Array":    func() error { a.CopyFrom(make([]int32, 100)); a.CopyTo(make([]int32, 100)); return nil },
			"Slice":    func() error { s[7]++; return nil },
			"Open":     func() error { return one(tsync.OpenMutex(r, "mu")) },
			"Make": func() error {
				return errors.Join(one(tsync.OpenMutex(r, "fleeting")), ignore(r.Remove("fleeting"), nil))
			},
			"Snapshot": func() error { return one(r.Snapshot()) },
			"Check":    func() error { return r.Check() },
			"File": func() error {
				f, err := r.File()
				if err == nil {
					f.Close()
				}
				return err
			},
			"Exits": func() error {
				for range r.Exits(ctx) {
				}
				return shm.ErrClosed
			},
			"Objects": func() error {
				for range r.Objects() {
				}
				r.Participants()
				r.Self()
				return nil
			},
		} {
			running.Add(1)
			ended.Add(1)
			go func() {
				defer ended.Done()
				running.Done()
				for {
					was := closed.Load()
					err := f()
					switch {
					case err == nil && was:
						return // what returns no error
					case err == nil:
					case !errors.Is(err, shm.ErrClosed) || errors.Is(err, shm.ErrCorrupt) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF):
						t.Errorf("%s: %v", what, err)
						return
					default:
						return
					}
				}
			}()
		}
		running.Wait()
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		closed.Store(true)
		ended.Wait()
		if v.Load() != 0 || s[3] != 0 {
			t.Error("cells of a closed region are not zero")
		}

		again := must[*shm.Region](t)(shm.Open(name, nil))
		if err := again.Check(); err != nil {
			t.Error(err)
		}
		m := must[*tsync.Mutex](t)(tsync.OpenMutex(again, "held"))
		if err := m.Lock(ctx); !errors.Is(err, shm.ErrOwnerDied) {
			t.Errorf("Lock of what was held at Close = %v, want ErrOwnerDied", err)
		}
		if err := errors.Join(again.Close(), shm.Remove(name)); err != nil {
			t.Fatal(err)
		}
	}
}

// ignore is nil for the error that is expected, besides nil.
func ignore(err, expected error) error {
	if expected != nil && errors.Is(err, expected) {
		return nil
	}
	return err
}
