package handles

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

func TestMain(m *testing.M) { testproc.Main(m) }

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func watchdog(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), testproc.Patience)
	t.Cleanup(cancel)
	return ctx
}

func first[T any](_ T, err error) error { return err }

// A kind is what can be done with a handle on an object.
type kind struct {
	open  func(r *shm.Region) (io.Closer, error)
	calls map[string]func(ctx context.Context, h any) error // each ErrClosed after Close
	hold  func(ctx context.Context, h any) error            // makes wait wait, or is nil
	wait  string                                            // of calls
	free  func(h any) error                                 // what hold took is still there; nil: nothing is
}

type bg = context.Context

func open[T io.Closer](f func(r *shm.Region) (T, error)) func(r *shm.Region) (io.Closer, error) {
	return func(r *shm.Region) (io.Closer, error) { return f(r) }
}

type robust interface {
	Lock(context.Context) error
	TryLock() (bool, error)
	Recover(context.Context) (bool, error)
	MarkConsistent() error
	Unlock() error
}

var lockCalls = map[string]func(bg, any) error{
	"Lock":           func(ctx bg, h any) error { return h.(robust).Lock(ctx) },
	"TryLock":        func(ctx bg, h any) error { return first(h.(robust).TryLock()) },
	"Recover":        func(ctx bg, h any) error { return first(h.(robust).Recover(ctx)) },
	"MarkConsistent": func(ctx bg, h any) error { return h.(robust).MarkConsistent() },
	"Unlock":         func(ctx bg, h any) error { return h.(robust).Unlock() },
}

func holdLock(ctx bg, h any) error { return h.(robust).Lock(ctx) }
func freeLock(h any) error         { return h.(robust).Unlock() }

type permits interface {
	Acquire(context.Context) error
	TryAcquire() (bool, error)
	Release(int) error
}

var permitCalls = map[string]func(bg, any) error{
	"Acquire":    func(ctx bg, h any) error { return h.(permits).Acquire(ctx) },
	"TryAcquire": func(ctx bg, h any) error { return first(h.(permits).TryAcquire()) },
	"Release":    func(ctx bg, h any) error { return h.(permits).Release(1) },
}

func takePermit(ctx bg, h any) error { return h.(permits).Acquire(ctx) }
func givePermit(h any) error         { return h.(permits).Release(1) }

type queue = *ring.Queue[string]

func queueCalls(wait string) map[string]func(bg, any) error {
	return map[string]func(bg, any) error{
		"Put":      func(ctx bg, h any) error { return h.(queue).Put(ctx, "x") },
		"TryPut":   func(ctx bg, h any) error { return h.(queue).TryPut("x") },
		"Get":      func(ctx bg, h any) error { return first(h.(queue).Get(ctx)) },
		"TryGet":   func(ctx bg, h any) error { return first(h.(queue).TryGet()) },
		"Lease":    func(ctx bg, h any) error { return first(h.(queue).Lease(ctx)) },
		"TryLease": func(ctx bg, h any) error { return first(h.(queue).TryLease()) },
		"Join":     func(ctx bg, h any) error { return h.(queue).Join(ctx) },
		"TaskDone": func(ctx bg, h any) error { return h.(queue).TaskDone() },
		"Shutdown": func(ctx bg, h any) error { return h.(queue).Shutdown() },
	}
}

func openQueue(r *shm.Region) (queue, error) {
	return ring.OpenQueue[string](r, "object", &ring.QueueOptions{Capacity: 1})
}

func put(ctx bg, h any) error { return h.(queue).Put(ctx, "held") }
func get(h any) error         { return first(h.(queue).TryGet()) }

var kinds = map[string]kind{
	"mutex": {open(func(r *shm.Region) (*sync.Mutex, error) { return sync.OpenMutex(r, "object") }),
		lockCalls, holdLock, "Lock", freeLock},
	"rwmutex": {open(func(r *shm.Region) (*sync.RWMutex, error) { return sync.OpenRWMutex(r, "object") }),
		lockCalls, holdLock, "Lock", freeLock},
	"rwmutex, reading": {open(func(r *shm.Region) (*sync.RWMutex, error) { return sync.OpenRWMutex(r, "object") }),
		map[string]func(bg, any) error{
			"RLock":    func(ctx bg, h any) error { return h.(*sync.RWMutex).RLock(ctx) },
			"TryRLock": func(ctx bg, h any) error { return first(h.(*sync.RWMutex).TryRLock()) },
			"RUnlock":  func(ctx bg, h any) error { return h.(*sync.RWMutex).RUnlock() },
			"Lock":     func(ctx bg, h any) error { return h.(*sync.RWMutex).Lock(ctx) },
		},
		func(ctx bg, h any) error { return h.(*sync.RWMutex).RLock(ctx) }, "Lock",
		func(h any) error { return h.(*sync.RWMutex).RUnlock() }},
	"semaphore": {open(func(r *shm.Region) (*sync.Semaphore, error) { return sync.OpenSemaphore(r, "object", 1) }),
		permitCalls, takePermit, "Acquire", givePermit},
	"bounded semaphore": {open(func(r *shm.Region) (*sync.BoundedSemaphore, error) { return sync.OpenBoundedSemaphore(r, "object", 1) }),
		permitCalls, takePermit, "Acquire", givePermit},
	"event": {open(func(r *shm.Region) (*sync.Event, error) { return sync.OpenEvent(r, "object") }),
		map[string]func(bg, any) error{
			"Wait":  func(ctx bg, h any) error { return h.(*sync.Event).Wait(ctx) },
			"Set":   func(ctx bg, h any) error { return h.(*sync.Event).Set() },
			"Clear": func(ctx bg, h any) error { return h.(*sync.Event).Clear() },
		}, nil, "Wait", nil},
	"barrier": {open(func(r *shm.Region) (*sync.Barrier, error) { return sync.OpenBarrier(r, "object", 2, nil) }),
		map[string]func(bg, any) error{
			"Wait":  func(ctx bg, h any) error { return first(h.(*sync.Barrier).Wait(ctx)) },
			"Abort": func(ctx bg, h any) error { return h.(*sync.Barrier).Abort() },
			"Reset": func(ctx bg, h any) error { return h.(*sync.Barrier).Reset() },
		}, nil, "Wait", func(h any) error { // the round is broken
			if b := h.(*sync.Barrier); !b.Broken() {
				return errors.New("the round is not broken")
			}
			return h.(*sync.Barrier).Reset()
		}},
	"once": {open(func(r *shm.Region) (*sync.Once, error) { return sync.OpenOnce(r, "object") }),
		map[string]func(bg, any) error{
			"Do": func(ctx bg, h any) error {
				return h.(*sync.Once).Do(ctx, func(context.Context) error { return errors.New("it ran") })
			},
		}, nil, "", nil},
	"value": {open(func(r *shm.Region) (*atomics.Value[int64], error) { return atomics.OpenValue(r, "object", int64(7)) }),
		lockCalls, holdLock, "Lock", freeLock},
	"array": {open(func(r *shm.Region) (*atomics.Array[int32], error) { return atomics.OpenArray[int32](r, "object", 3) }),
		lockCalls, holdLock, "Lock", freeLock},
	"queue, full":            {open(openQueue), queueCalls(""), put, "Put", get},
	"queue, to be joined":    {open(openQueue), queueCalls(""), put, "Join", get},
	"queue, empty":           {open(openQueue), queueCalls(""), nil, "Get", nil},
	"queue, empty, by lease": {open(openQueue), queueCalls(""), nil, "Lease", nil},
}

// Close ends a handle's calls, those that wait included, and no other handle's.
func TestClose(t *testing.T) {
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			r, ctx := shmtest.Region(t), watchdog(t)
			h, other := must(k.open(r))(t), must(k.open(r))(t)
			if k.hold != nil {
				if err := k.hold(ctx, h); err != nil {
					t.Fatal(err)
				}
			}
			waits, others := make(chan error, 1), make(chan error, 1)
			otherCtx, end := context.WithCancel(ctx)
			defer end()
			if k.wait != "" && name != "barrier" {
				go func() { others <- k.calls[k.wait](otherCtx, other) }()
			}
			if k.wait != "" {
				go func() { waits <- k.calls[k.wait](ctx, h) }()
				n := 2
				if name == "barrier" {
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
			if k.wait != "" && name != "barrier" {
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
	v, other := must(atomics.OpenValue(r, "v", int64(7)))(t), must(atomics.OpenValue(r, "v", int64(7)))(t)
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if n := v.Load(); n != 0 {
		t.Errorf("Load = %d", n)
	}
	atomics.Add(v, 1)
	v.Swap(3)
	v.CompareAndSwap(7, 8)
	v.Update(func(n int64) int64 { return n + 1 })
	if n := other.Load(); n != 7 {
		t.Errorf("Load of the other handle = %d, want 7", n)
	}
	s := must(atomics.OpenSlice[int64](r, "s", 3))(t)
	before := s.Data()
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if s.Data() != nil {
		t.Error("Data of a closed handle")
	}
	before[0] = 5
	if n := must(atomics.OpenSlice[int64](r, "s", 0))(t).Data()[0]; n != 5 {
		t.Errorf("what was given out is not the slice's any more: %d", n)
	}
}

// Permits that are there are not taken, by no way.
func TestClosedSemaphore(t *testing.T) {
	r, ctx := shmtest.Region(t), watchdog(t)
	s, other := must(sync.OpenSemaphore(r, "s", 3))(t), must(sync.OpenSemaphore(r, "s", -1))(t)
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
	r, ctx := shmtest.Region(t), watchdog(t)
	q, other := must(openQueue(r))(t), must(openQueue(r))(t)
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

// A Wait of a Cond that is closed waits for its lock as long as that takes.
func TestCloseCondWaitsForItsLock(t *testing.T) {
	r, ctx := shmtest.Region(t), watchdog(t)
	c := must(sync.OpenCond(r, "c", nil))(t)
	h := c.Holder()
	holder := must(sync.OpenCond(r, "c", nil))(t).Holder()
	waits := make(chan error, 1)
	go func() {
		if err := h.Lock(ctx); err != nil {
			waits <- err
			return
		}
		waits <- c.Wait(ctx)
	}()
	shmtest.AwaitWaiting(t, r, "c", 1)
	if err := errors.Join(holder.Lock(ctx), c.Close()); err != nil {
		t.Fatal(err)
	}
	shmtest.AwaitWaiting(t, r, "c", 1) // for the lock, or for it yet
	time.Sleep(10 * time.Millisecond)
	select {
	case err := <-waits:
		t.Fatalf("Wait = %v while another has the lock", err)
	default:
	}
	if err := holder.Unlock(); err != nil {
		t.Fatal(err)
	}
	if err := <-waits; !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Wait = %v", err)
	}
	if err := h.Unlock(); err != nil {
		t.Errorf("Unlock after it = %v", err)
	}
}

// A Delivery and a Holder give back what they have, for nobody else could.
func TestClaimsOutliveTheHandle(t *testing.T) {
	r, ctx := shmtest.Region(t), watchdog(t)
	q, other := must(openQueue(r))(t), must(openQueue(r))(t)
	for _, ack := range []bool{true, false} {
		if err := other.Put(ctx, "x"); err != nil {
			t.Fatal(err)
		}
		d := must(q.Lease(ctx))(t)
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
		end := d.Nack
		if ack {
			end = d.Ack
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if _, err := other.TryGet(); ack != errors.Is(err, ring.ErrEmpty) {
			t.Errorf("after Ack %v: %v", ack, err)
		}
		q = must(openQueue(r))(t)
	}
	m := must(sync.OpenRMutex(r, "m"))(t)
	h := m.NewHolder()
	if err := h.Lock(ctx); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"Lock": h.Lock(ctx), "Lock of a new one": m.NewHolder().Lock(ctx)} {
		if !errors.Is(err, shm.ErrClosed) {
			t.Errorf("%s = %v", what, err)
		}
	}
	if err := h.Unlock(); err != nil {
		t.Errorf("Unlock = %v", err)
	}
	if ok, err := must(sync.OpenRMutex(r, "m"))(t).NewHolder().TryLock(); !ok || err != nil {
		t.Errorf("TryLock = %v, %v", ok, err)
	}
}

// A Wait of a Cond that is closed has the lock back, and takes no notification.
func TestCloseCond(t *testing.T) {
	type locker interface {
		Lock(context.Context) error
		Unlock() error
	}
	for _, tt := range []struct {
		name string
		open func(t *testing.T, r *shm.Region) (*sync.Cond, locker)
	}{
		{"mutex", func(t *testing.T, r *shm.Region) (*sync.Cond, locker) {
			m := must(sync.OpenMutex(r, "m"))(t)
			return must(sync.OpenCond(r, "c", m))(t), m
		}},
		{"own", func(t *testing.T, r *shm.Region) (*sync.Cond, locker) {
			c := must(sync.OpenCond(r, "c", nil))(t)
			return c, c.Holder()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, ctx := shmtest.Region(t), watchdog(t)
			c, l := tt.open(t, r)
			other, ol := tt.open(t, r)
			waits, others := make(chan error, 1), make(chan error, 1)
			wait := func(c *sync.Cond, l locker, errs chan error) {
				if err := l.Lock(ctx); err != nil {
					errs <- err
					return
				}
				err := c.Wait(ctx)
				if e := l.Unlock(); e != nil {
					err = errors.Join(errors.New("the lock was not held"), e)
				}
				errs <- err
			}
			go wait(c, l, waits)
			go wait(other, ol, others)
			shmtest.AwaitWaiting(t, r, "c", 2)
			if err := errors.Join(c.Close(), c.Close()); err != nil {
				t.Fatal(err)
			}
			if err := <-waits; !errors.Is(err, shm.ErrClosed) || len(err.Error()) == 0 {
				t.Fatalf("Wait = %v, want ErrClosed", err)
			}
			third, tl := tt.open(t, r)
			if err := tl.Lock(ctx); err != nil {
				t.Fatal(err)
			}
			if err := third.Notify(1); err != nil {
				t.Fatal(err)
			}
			if err := tl.Unlock(); err != nil {
				t.Fatal(err)
			}
			if err := <-others; err != nil {
				t.Errorf("Wait of another handle = %v", err)
			}
			if err := c.Notify(1); !errors.Is(err, shm.ErrClosed) {
				t.Errorf("Notify = %v", err)
			}
		})
	}
}

// server: path. Opens the queues that it is told, closes each when it is told to,
// and never makes enough garbage for its collector to run.
var server = testproc.Role("server", func(args []string) {
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	for {
		name, ok := testproc.Hear()
		if !ok {
			return
		}
		func() {
			q, err := ring.OpenQueue[int64](r.Existing(), name, nil)
			testproc.Must(err)
			testproc.Must(q.TryPut(1))
			testproc.Say("open")
			testproc.Hear()
			testproc.Must(q.Close())
		}()
		testproc.Say("closed")
	}
})

// What a closed handle was the last on comes back at once, though nobody needs
// room: when it is closed, or when the object is removed.
func TestMemoryComesBackAfterClose(t *testing.T) {
	r := shmtest.Region(t)
	c := server.Start(t, r.Name())
	for i, removeFirst := range []bool{false, true, false, true} {
		name := string(rune('a' + i))
		func() {
			q := must(ring.OpenQueue[int64](r, name, &ring.QueueOptions{Capacity: 1 << 12}))(t)
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
		for ctx := watchdog(t); must(r.Snapshot())(t).Directory.Removed > 0; time.Sleep(time.Millisecond) {
			if ctx.Err() != nil {
				t.Fatalf("still there:\n%v", must(r.Snapshot())(t))
			}
		}
	}
}

// A handle that nobody opened.
func TestCloseOfNothing(t *testing.T) {
	for _, h := range []io.Closer{new(sync.Mutex), new(sync.RMutex), new(sync.RWMutex), new(sync.Cond), new(sync.Semaphore), new(sync.BoundedSemaphore),
		new(sync.Event), new(sync.Barrier), new(sync.Once), new(atomics.Value[int64]), new(atomics.Array[int64]), new(atomics.Slice[int64]), new(ring.Queue[int64])} {
		if err := h.Close(); err == nil {
			t.Errorf("Close of a zero %T = nil", h)
		}
	}
}
