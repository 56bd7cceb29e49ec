package hostile_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/proc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	tsync "example.com/tandem/sync"
)

// A thousand goroutines at one of each primitive all get through. Who sleeps
// holds a thread; when all are through the memory is as before.
func TestThrongOfEach(t *testing.T) {
	goroutines, each := effort.Or(1000, 200), effort.Or(10, 5)
	ctx := testproc.Watchdog(t)
	r := shmtest.Region(t)
	count := 0 // guarded
	guarded := func() error {
		c := count
		runtime.Gosched()
		count = c + 1
		return nil
	}
	rw := testproc.Get(tsync.OpenRWMutex(r, "rw"))(t)
	re := testproc.Get(tsync.OpenRMutex(r, "re"))(t)
	cond := testproc.Get(tsync.OpenCond(r, "cond", nil))(t)
	sem := testproc.Get(tsync.OpenSemaphore(r, "sem", 3))(t)
	one := testproc.Get(tsync.OpenBoundedSemaphore(r, "one", 1))(t)
	event := testproc.Get(tsync.OpenEvent(r, "event"))(t)
	bar := testproc.Get(tsync.OpenBarrier(r, "bar", goroutines, nil))(t)
	once := testproc.Get(tsync.OpenOnce(r, "once"))(t)
	wide := testproc.Get(atomics.OpenValue(r, "wide", [5]int64{}))(t)
	spsc := testproc.Get(ring.OpenSPSC[int64](r, "spsc", &ring.SPSCOptions{Capacity: 7}))(t)
	left := testproc.Get(ring.OpenPipe[int64](r, "pipe", ring.Left, &ring.PipeOptions{Buffer: 100}))(t)
	right := testproc.Get(ring.OpenPipe[int64](r, "pipe", ring.Right, nil))(t)
	news := testproc.Get(ring.OpenBroadcast[int64](r, "news", &ring.BroadcastOptions{Capacity: 7}))(t)
	reads := testproc.Get(news.Subscribe())(t)
	var puts, gets, counted sync.Mutex
	fail := errors.New("failed")
	for _, c := range []struct {
		name string
		want int // count of a call
		do   func(g, i int) error
	}{
		{"RWMutex", 1, func(g, i int) error {
			return errors.Join(rw.RLock(ctx), rw.RUnlock(), tsync.With(ctx, rw, guarded))
		}},
		{"RMutex", 1, func(g, i int) error {
			h := re.NewHolder()
			return tsync.With(ctx, h, func() error { return tsync.With(ctx, h, guarded) })
		}},
		{"Cond", 1, func(g, i int) error { // all come to round i before one begins the next
			return tsync.With(ctx, cond.Holder(), func() error {
				if count++; count%goroutines == 0 {
					return cond.NotifyAll()
				}
				return cond.WaitFor(ctx, func() bool { return count >= (i+1)*goroutines })
			})
		}},
		{"Semaphore", 0, func(g, i int) error { return errors.Join(sem.Acquire(ctx), sem.Release(1)) }},
		{"BoundedSemaphore", 1, func(g, i int) error { return errors.Join(one.Acquire(ctx), guarded(), one.Release(1)) }},
		{"Event", 0, func(g, i int) error {
			if g == 0 && i == 0 {
				for shmtest.Waiting(r, "event") < goroutines-1 && ctx.Err() == nil {
					time.Sleep(time.Millisecond)
				}
				return event.Set()
			}
			return event.Wait(ctx)
		}},
		{"Barrier", 0, func(g, i int) error { _, err := bar.Wait(ctx); return err }},
		{"Once", 1, func(g, i int) error {
			return ignore(once.Do(ctx, func(context.Context) error { count++; return fail }), fail)
		}},
		{"wide Value", 1, func(g, i int) error {
			x := wide.Load()
			if x[0] != x[4] {
				return fmt.Errorf("torn: %v", x)
			}
			x = wide.Update(func(x [5]int64) [5]int64 { x[0]++; x[4]++; return x })
			counted.Lock()
			count = max(count, int(x[0]))
			counted.Unlock()
			return nil
		}},
		{"SPSC", 0, func(g, i int) error { // one at a time, on each side
			if g%2 == 0 {
				puts.Lock()
				defer puts.Unlock()
				return spsc.Put(ctx, 1)
			}
			gets.Lock()
			defer gets.Unlock()
			_, err := spsc.Get(ctx)
			return err
		}},
		{"Pipe", 0, func(g, i int) error {
			if g%2 == 0 {
				return left.Send(ctx, 1)
			}
			_, err := right.Recv(ctx)
			return err
		}},
		{"Pipe, the other way", 0, func(g, i int) error {
			if g%2 == 0 {
				return right.Send(ctx, 1)
			}
			return errors.Join(left.Poll(ctx), second(left.Recv(ctx)))
		}},
		{"Broadcast", 0, func(g, i int) error {
			if g%2 == 0 {
				return news.Publish(ctx, 1)
			}
			_, _, err := reads.Next(ctx)
			return err
		}},
		{"WaitAny", 0, func(g, i int) error {
			if g%2 == 0 {
				return errors.Join(left.Send(ctx, 1), news.Publish(ctx, 1))
			}
			if err := second(shm.WaitAny(ctx, right, left, spsc, reads)); err != nil {
				return err
			}
			_, _, err := reads.Next(ctx)
			return errors.Join(err, second(right.Recv(ctx)))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx = testproc.Watchdog(t)
			count = 0
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			var wg sync.WaitGroup
			most := 0
			for g := range goroutines {
				wg.Go(func() {
					for i := range each {
						if err := c.do(g, i); err != nil {
							t.Error(err)
							return
						}
					}
				})
				most = max(most, threads(t)*(1-min(1, g%100)))
			}
			most = max(most, threads(t))
			wg.Wait()
			if want := c.want * goroutines * each; count != want {
				t.Errorf("counted %d, want %d", count, want)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			t.Logf("%d threads, %d KB more in use", most, (int64(after.HeapAlloc)-int64(before.HeapAlloc))>>10)
			if limit := goroutines + 200; most > limit {
				t.Errorf("%d threads for %d goroutines, want at most %d", most, goroutines, limit)
			}
			if more := int64(after.HeapAlloc) - int64(before.HeapAlloc); more > 16<<20 {
				t.Errorf("%d bytes more are in use", more)
			}
		})
	}
	if err := r.Check(); err != nil {
		t.Error(err)
	}
}

func second(_ any, err error) error { return err }

// An each has a handle of each kind.
type each struct {
	Mu    *tsync.Mutex
	Re    *tsync.RMutex
	RW    *tsync.RWMutex
	Own   *tsync.Cond
	Of    *tsync.Cond
	Sem   *tsync.Semaphore
	Bound *tsync.BoundedSemaphore
	Event *tsync.Event
	Bar   *tsync.Barrier
	Once  *tsync.Once
	Wide  *atomics.Value[[5]int64]
	Wides *atomics.Array[[5]int64]
	SPSC  *ring.SPSC[int64]
	Left  *ring.Conn[string]
	Right *ring.Conn[string]
	News  *ring.Broadcast[string]
}

func openEach(t testing.TB, r *shm.Region) each {
	mu := testproc.Get(tsync.OpenMutex(r, "mu"))(t)
	return each{
		mu,
		testproc.Get(tsync.OpenRMutex(r, "re"))(t),
		testproc.Get(tsync.OpenRWMutex(r, "rw"))(t),
		testproc.Get(tsync.OpenCond(r, "own", nil))(t),
		testproc.Get(tsync.OpenCond(r, "of", mu))(t),
		testproc.Get(tsync.OpenSemaphore(r, "sem", 2))(t),
		testproc.Get(tsync.OpenBoundedSemaphore(r, "bound", 2))(t),
		testproc.Get(tsync.OpenEvent(r, "event"))(t),
		testproc.Get(tsync.OpenBarrier(r, "bar", 2, nil))(t),
		testproc.Get(tsync.OpenOnce(r, "once"))(t),
		testproc.Get(atomics.OpenValue(r, "wide", [5]int64{}))(t),
		testproc.Get(atomics.OpenArray[[5]int64](r, "wides", 3))(t),
		testproc.Get(ring.OpenSPSC[int64](r, "spsc", nil))(t),
		testproc.Get(ring.OpenPipe[string](r, "pipe", ring.Left, nil))(t),
		testproc.Get(ring.OpenPipe[string](r, "pipe", ring.Right, nil))(t),
		testproc.Get(ring.OpenBroadcast[string](r, "news", nil))(t),
	}
}

// meet uses everything; two of them at a time meet at the barrier, and in the
// end all is as before but for the event and the once.
func (a each) meet(ctx context.Context) error {
	nothing := func() error { return nil }
	h, own := a.Re.NewHolder(), a.Own.Holder()
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	who, met := a.Bar.Wait(ctx)
	return errors.Join(met, a.talk(ctx, who),
		tsync.With(ctx, a.Mu, a.Of.NotifyAll),
		tsync.With(ctx, h, func() error { return tsync.With(ctx, h, nothing) }),
		tsync.With(ctx, a.RW, nothing), a.RW.RLock(ctx), a.RW.RUnlock(),
		tsync.With(ctx, own, func() error { return expired(a.Own.Wait(short)) }),
		tsync.With(ctx, a.Mu, func() error { return expired(a.Of.Wait(short)) }),
		a.Sem.Acquire(ctx), a.Sem.Release(1), a.Bound.Acquire(ctx), a.Bound.Release(1),
		a.Event.Set(), a.Event.Wait(ctx),
		a.Once.Do(ctx, func(context.Context) error { return nil }))
}

// talk is with the other of the two: 0 with 1.
func (a each) talk(ctx context.Context, who int) error {
	more := func(x [5]int64) [5]int64 { x[0]++; x[4]++; return x }
	a.Wide.Update(more)
	a.Wides.Update(1, more)
	for _, x := range [][5]int64{a.Wide.Load(), a.Wides.Load(1)} {
		if x[0] != x[4] || x[0] == 0 {
			return fmt.Errorf("a wide value is %v", x)
		}
	}
	if who == 0 {
		return errors.Join(second(a.Left.Recv(ctx)), a.News.Publish(ctx, "news"), a.SPSC.Put(ctx, 1), second(a.Left.Recv(ctx)))
	}
	s, err := a.News.Subscribe()
	if err != nil {
		return err
	}
	if err := errors.Join(a.Right.Send(ctx, "there"), second(shm.WaitAny(ctx, a.SPSC, a.Right))); err != nil {
		return err
	}
	_, _, err = s.Next(ctx)
	return errors.Join(err, second(a.SPSC.Get(ctx)), a.Right.Send(ctx, ""), s.Close())
}

// both has two of them meet.
func both(t *testing.T, ctx context.Context, a, b each) {
	t.Helper()
	var wg sync.WaitGroup
	for _, x := range []each{a, b} {
		wg.Go(func() {
			if err := x.meet(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// Handles are used on after their objects were removed, by both who have them
// open; others by the same names are others.
func TestRemovedOfEach(t *testing.T) {
	r, ctx := shmtest.Region(t), testproc.Watchdog(t)
	a, b := openEach(t, r), openEach(t, r)
	for _, name := range []string{"mu", "re", "rw", "own", "of", "sem", "bound", "event", "bar", "once", "wide", "wides", "spsc", "pipe", "news"} {
		if err := r.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	both(t, ctx, a, b)
	c, d := openEach(t, r), openEach(t, r)
	if c.Event.IsSet() {
		t.Error("a new event is set, as a removed one is")
	}
	if x, y := c.Wide.Load(), c.Wides.Load(1); x[0] != 0 || y[0] != 0 {
		t.Errorf("a new value is %v, and one of a new array %v, as removed ones are", x, y)
	}
	if err := a.Mu.Lock(ctx); err != nil {
		t.Fatal(err)
	}
	if ok, err := c.Mu.TryLock(); !ok || err != nil {
		t.Errorf("TryLock of a new mutex, the removed one is locked: %v, %v", ok, err)
	}
	if err := errors.Join(a.Mu.Unlock(), c.Mu.Unlock()); err != nil {
		t.Error(err)
	}
	both(t, ctx, a, b)
	both(t, ctx, c, d)
	if _, err := tsync.OpenCond(r, "of", a.Mu); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a Cond with the removed lock of its lock's name = %v, want ErrInvalid", err)
	}
	if err := r.Check(); err != nil {
		t.Error(err)
	}
}

// One region opened twice in a process: the handles of both are on the same.
func TestOpenedTwice(t *testing.T) {
	r, ctx := shmtest.Region(t), testproc.Watchdog(t)
	twice := testproc.Get(shm.Open(r.Name(), nil))(t)
	a, b := openEach(t, r), openEach(t, twice)
	both(t, ctx, a, b)
	if err := twice.Close(); err != nil {
		t.Fatal(err)
	}
	both(t, ctx, a, a)
	h := a.Re.NewHolder()
	if err := h.Lock(ctx); err != nil {
		t.Fatal(err)
	}
	if err := h.Unlock(); err != nil {
		t.Error(err)
	}
}

var meets = proc.Register("meets", func(ctx context.Context, a each) error { return a.meet(ctx) })

// Handles of all kinds in one argument, to two children, on one processor too.
func TestArgumentOfEach(t *testing.T) {
	for _, procs := range []string{"", "GOMAXPROCS=1"} {
		t.Run(fmt.Sprint("with ", procs), func(t *testing.T) {
			ctx := testproc.Watchdog(t)
			name := filepath.Join(filepath.Dir(shmtest.Region(t).Name()), "each")
			r := testproc.Get(shm.Create(name, nil))(t)
			defer r.Close()
			a := openEach(t, r)
			o := &proc.Options{}
			if procs != "" {
				o.Env = []string{procs}
			}
			var ps [2]*proc.Process
			for i := range ps {
				ps[i] = testproc.Get(meets.Start(ctx, a, o))(t)
			}
			for _, p := range ps {
				if err := p.Wait(ctx); err != nil {
					t.Error(err)
				}
			}
			if !a.Event.IsSet() || a.Sem.Value() != 2 || a.Bound.Value() != 2 {
				t.Error("what the children did is not here")
			}
			if x := a.Wide.Load(); x[0] != 2 || x[4] != 2 {
				t.Errorf("the wide value is %v, which two have raised", x)
			}
			if x, y := a.Wides.Load(1), a.Wides.Load(2); x[0] != 2 || x[4] != 2 || y != [5]int64{} {
				t.Errorf("of the wide array %v is what two have raised, and %v what nobody has", x, y)
			}
		})
	}
}
