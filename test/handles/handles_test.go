package handles

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// Close ends a handle's calls, those that wait included, and no other handle's.
func TestClose(t *testing.T) {
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			r, ctx := shmtest.Region(t), testproc.Watchdog(t)
			h, other := testproc.Get(k.open(r))(t), testproc.Get(k.open(r))(t)
			if k.hold != nil {
				if err := k.hold(ctx, h); err != nil {
					t.Fatal(err)
				}
			}
			alone := name == "barrier" || strings.HasPrefix(name, "spsc") // one waits at a time
			waits, others := make(chan error, 1), make(chan error, 1)
			otherCtx, end := context.WithCancel(ctx)
			defer end()
			if k.wait != "" && !alone {
				go func() { others <- k.calls[k.wait](otherCtx, other) }()
			}
			if k.wait != "" {
				go func() { waits <- k.calls[k.wait](ctx, h) }()
				n := 2
				if alone {
					n = 1
				}
				shmtest.AwaitWaiting(t, r, "object", n)
			}
			for range 2 {
				if err := h.Close(); err != nil {
					t.Fatalf("Close = %v", err)
				}
			}
			if k.wait != "" {
				if err := <-waits; !errors.Is(err, shm.ErrClosed) {
					t.Errorf("%s under way = %v, want ErrClosed", k.wait, err)
				}
			}
			if k.wait != "" && !alone {
				shmtest.AwaitWaiting(t, r, "object", 1)
				select {
				case err := <-others:
					t.Errorf("%s of another handle = %v", k.wait, err)
				default:
				}
				end()
				if err := <-others; !errors.Is(err, context.Canceled) {
					t.Errorf("%s of another handle = %v", k.wait, err)
				}
			}
			for call, f := range k.calls {
				if err := f(ctx, h); !errors.Is(err, shm.ErrClosed) {
					t.Errorf("%s = %v, want ErrClosed", call, err)
				}
			}
			if m, ok := h.(interface{ MarshalBinary() ([]byte, error) }); ok {
				if _, err := m.MarshalBinary(); !errors.Is(err, shm.ErrClosed) {
					t.Errorf("MarshalBinary = %v, want ErrClosed", err)
				}
			}
			if k.free != nil { // and the calls above have changed nothing
				if err := k.free(other); err != nil {
					t.Errorf("what was held is not there: %v", err)
				}
			}
		})
	}
}

// Cells of a closed handle are zero to read; those of another are what they are.
func TestCloseCells(t *testing.T) {
	r := shmtest.Region(t)
	v, other := testproc.Get(atomics.OpenValue(r, "v", int64(7)))(t), testproc.Get(atomics.OpenValue(r, "v", int64(7)))(t)
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if n := v.Load(); n != 0 {
		t.Errorf("Load = %d", n)
	}
	atomics.Add(v, 1)
	v.Store(2)
	v.Swap(3)
	v.CompareAndSwap(7, 8)
	v.Update(func(n int64) int64 { return n + 1 })
	if n := other.Load(); n != 7 {
		t.Errorf("Load of the other handle = %d, want 7", n)
	}
	a, cells := testproc.Get(atomics.OpenArray[uint8](r, "a", 3))(t), testproc.Get(atomics.OpenArray[uint8](r, "a", 0))(t)
	cells.Store(1, 7)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a.Store(1, 2)
	atomics.AddAt(a, 1, 1)
	if n := a.CopyFrom([]uint8{3, 4, 5}); n != 3 || cells.Load(0) != 0 || cells.Load(1) != 7 {
		t.Errorf("CopyFrom of %d through a closed handle; the cells are %d and %d", n, cells.Load(0), cells.Load(1))
	}
	for i, x := range a.All() {
		if x != 0 {
			t.Errorf("cell %d is %d", i, x)
		}
	}
	type wide = [3]int64
	w, others := testproc.Get(atomics.OpenValue(r, "w", wide{7}))(t), testproc.Get(atomics.OpenValue(r, "w", wide{7}))(t)
	w.Store(wide{7, 8})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.Store(wide{1})
	if n := w.Update(func(n wide) wide { n[0]++; return n }); n != (wide{1}) {
		t.Errorf("Update through a closed handle = %v", n)
	}
	if x, y := w.Load(), w.Swap(wide{2}); x != (wide{}) || y != (wide{}) || w.CompareAndSwap(wide{7, 8}, wide{}) || !w.CompareAndSwap(wide{}, wide{3}) {
		t.Errorf("Load, Swap = %v, %v through a closed handle", x, y)
	}
	if n := others.Load(); n != (wide{7, 8}) {
		t.Errorf("Load of the other handle = %v", n)
	}
	s := testproc.Get(atomics.OpenSlice[int64](r, "s", 3))(t)
	before := s.Data()
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if s.Data() != nil {
		t.Error("Data of a closed handle")
	}
	before[0] = 5
	if n := testproc.Get(atomics.OpenSlice[int64](r, "s", 0))(t).Data()[0]; n != 5 {
		t.Errorf("what was given out is not the slice's any more: %d", n)
	}
}

// Permits that are there are not taken, by no way.
func TestClosedSemaphore(t *testing.T) {
	r, ctx := shmtest.Region(t), testproc.Watchdog(t)
	s, other := testproc.Get(sync.OpenSemaphore(r, "s", 3))(t), testproc.Get(sync.OpenSemaphore(r, "s", -1))(t)
	if err := s.Acquire(ctx); err != nil { // from here on it is the tenant
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"Acquire": s.Acquire(ctx), "TryAcquire": first(s.TryAcquire()), "Release": s.Release(1)} {
		if !errors.Is(err, shm.ErrClosed) {
			t.Errorf("%s = %v", what, err)
		}
	}
	if n := other.Value(); n != 2 {
		t.Errorf("%d permits, want 2", n)
	}
}

func TestTaskDoneThroughAClosedHandle(t *testing.T) {
	r, ctx := shmtest.Region(t), testproc.Watchdog(t)
	q, other := testproc.Get(openQueue(r))(t), testproc.Get(openQueue(r))(t)
	if err := errors.Join(q.Put(ctx, "x"), first(q.Get(ctx)), q.Close()); err != nil {
		t.Fatal(err)
	}
	if err := q.TaskDone(); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("TaskDone = %v", err)
	}
	if err := errors.Join(other.TaskDone(), other.Join(ctx)); err != nil {
		t.Error(err)
	}
}

// What a closed handle was the last on comes back at once, though nobody needs
// room: when it is closed, or when the object is removed.
func TestMemoryComesBackAfterClose(t *testing.T) {
	r := shmtest.Region(t)
	c := server.Start(t, r.Name())
	for i, removeFirst := range []bool{false, true, false, true} {
		name := string(rune('a' + i))
		func() {
			q := testproc.Get(ring.OpenQueue[int64](r, name, &ring.QueueOptions{Capacity: 1 << 12}))(t)
			if err := q.Close(); err != nil {
				t.Fatal(err)
			}
		}()
		c.Say(name)
		c.Expect("open")
		remove := func() {
			if err := r.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
		if removeFirst {
			remove()
		}
		c.Say("close")
		c.Expect("closed")
		if !removeFirst {
			remove()
		}
		for ctx := testproc.Watchdog(t); testproc.Get(r.Snapshot())(t).Directory.Removed > 0; time.Sleep(time.Millisecond) {
			if ctx.Err() != nil {
				t.Fatalf("still there:\n%v", testproc.Get(r.Snapshot())(t))
			}
		}
	}
}

// A handle that nobody opened.
func TestCloseOfNothing(t *testing.T) {
	for _, h := range []io.Closer{new(sync.Mutex), new(sync.RMutex), new(sync.RWMutex), new(sync.Cond), new(sync.Semaphore), new(sync.BoundedSemaphore),
		new(sync.Event), new(sync.Barrier), new(sync.Once), new(atomics.Value[int64]), new(atomics.Array[int64]), new(atomics.Slice[int64]), new(ring.Queue[int64]),
		new(ring.SPSC[int64]), new(ring.Broadcast[int64]), new(ring.Subscriber[int64]), new(ring.Conn[int64])} {
		if err := h.Close(); err == nil {
			t.Errorf("Close of a zero %T = nil", h)
		}
	}
}
