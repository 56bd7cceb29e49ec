package closing

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	tsync "example.com/tandem/sync"
)

func init() {
	deeds["acquire"] = func(r *shm.Region, rep *report, mu *sync.Mutex) (func(context.Context) error, error) {
		s, err := tsync.OpenSemaphore(r, "signals", -1)
		return func(ctx context.Context) error {
			return counted(&rep.Took, mu, s.Acquire(ctx))
		}, err
	}
	deeds["tryacquire"] = func(r *shm.Region, rep *report, mu *sync.Mutex) (func(context.Context) error, error) {
		s, err := tsync.OpenSemaphore(r, "signals", -1)
		return func(ctx context.Context) error {
			ok, err := s.TryAcquire()
			if ok {
				return counted(&rep.Took, mu, err)
			}
			return err
		}, err
	}
	deeds["waitany"] = func(r *shm.Region, rep *report, mu *sync.Mutex) (func(context.Context) error, error) {
		s, err := tsync.OpenSemaphore(r, "signals", -1)
		if err != nil {
			return nil, err
		}
		never, err := tsync.OpenEvent(r, "never")
		return func(ctx context.Context) error {
			i, err := shm.WaitAny(ctx, never, s)
			if err != nil {
				return err
			}
			if i != 1 {
				return errors.New("the event was never set")
			}
			ok, err := s.TryAcquire()
			if ok {
				return counted(&rep.Took, mu, err)
			}
			return err
		}, err
	}
	deeds["release"] = func(r *shm.Region, rep *report, mu *sync.Mutex) (func(context.Context) error, error) {
		s, err := tsync.OpenSemaphore(r, "signals", -1)
		return func(ctx context.Context) error {
			if s.Value() > 1<<23 { // there is a most, and nobody takes any
				time.Sleep(time.Millisecond)
				return nil
			}
			return counted(&rep.Gave, mu, s.Release(1))
		}, err
	}
	deeds["bounded"] = func(r *shm.Region, rep *report, mu *sync.Mutex) (func(context.Context) error, error) {
		s, err := tsync.OpenBoundedSemaphore(r, "bounded", -1)
		return func(ctx context.Context) error {
			if err := s.Acquire(ctx); err != nil {
				return err
			}
			return s.Release(1)
		}, err
	}
	deeds["flag"] = func(r *shm.Region, rep *report, mu *sync.Mutex) (func(context.Context) error, error) {
		mu.Lock()
		rep.Took++
		first, begun := rep.Took == 1, false
		mu.Unlock()
		e, err := tsync.OpenEvent(r, "flag")
		return func(ctx context.Context) error {
			if !first && !begun {
				begun = true
				e.IsSet()
				return nil
			}
			if !first { // one at a time, or nobody could tell what came last
				return e.Wait(ctx)
			}
			if err := e.Set(); err != nil {
				return err
			}
			rep.Last = "Set"
			if err := e.Clear(); err != nil {
				return err
			}
			rep.Last = "Clear"
			return nil
		}, err
	}
}

func counted(n *int, mu *sync.Mutex, err error) error {
	if err == nil {
		mu.Lock()
		*n++
		mu.Unlock()
	}
	return err
}

// A permit of a count of signals, which no recovery gives back, is gone if and
// only if an Acquire returned nil.
func TestSignalsTaken(t *testing.T) {
	for _, name := range []string{"acquire", "tryacquire", "waitany"} {
		t.Run(name, func(t *testing.T) {
			r := shmtest.Region(t)
			s := testproc.Get(tsync.OpenSemaphore(r, "signals", 0))(t)
			given := 0
			leaving(t, r, name, func() {
				for s.Value() < 100_000 {
					if err := s.Release(100_000); err != nil {
						t.Fatal(err)
					}
					given += 100_000
				}
			}, func(t *testing.T, rep report) {
				if given -= rep.Took; s.Value() != given {
					t.Errorf("%d permits are left, want %d: the leaver's calls said that they took %d", s.Value(), given, rep.Took)
				}
			})
		})
	}
}

// A permit is there if and only if a Release returned nil.
func TestSignalsGiven(t *testing.T) {
	r := shmtest.Region(t)
	s := testproc.Get(tsync.OpenSemaphore(r, "signals", 0))(t)
	leaving(t, r, "release", nil, func(t *testing.T, rep report) {
		if s.Value() != rep.Gave {
			t.Errorf("%d permits, want %d, as the leaver's calls said", s.Value(), rep.Gave)
		}
		for s.Value() > 0 {
			if ok, err := s.TryAcquire(); !ok || err != nil {
				t.Fatalf("TryAcquire = %v, %v", ok, err)
			}
		}
	})
}

func TestBounded(t *testing.T) {
	r := shmtest.Region(t)
	s := testproc.Get(tsync.OpenBoundedSemaphore(r, "bounded", 2))(t)
	leaving(t, r, "bounded", nil, func(t *testing.T, rep report) {
		if s.Value() != 2 {
			t.Errorf("%d permits after those who had them closed, want 2", s.Value())
		}
	})
}

// An Event is what the last call that returned nil made it.
func TestEvent(t *testing.T) {
	r := shmtest.Region(t)
	e := testproc.Get(tsync.OpenEvent(r, "flag"))(t)
	leaving(t, r, "flag", func() {
		if err := e.Clear(); err != nil {
			t.Fatal(err)
		}
	}, func(t *testing.T, rep report) {
		if set := rep.Last == "Set"; e.IsSet() != set {
			t.Errorf("it is set: %v; the last call that returned nil was %q", e.IsSet(), rep.Last)
		}
	})
}

func init() {
	for name, f := range map[string]func(*atomics.Value[int64]){
		"store":  func(v *atomics.Value[int64]) { v.Store(v.Load() + 1) },
		"swap":   func(v *atomics.Value[int64]) { n := v.Swap(-1); v.Store(n + 1) },
		"cas":    func(v *atomics.Value[int64]) { n := v.Load(); v.CompareAndSwap(n, n+1) },
		"update": func(v *atomics.Value[int64]) { v.Update(func(n int64) int64 { return n + 1 }) },
		"add":    func(v *atomics.Value[int64]) { atomics.Add(v, 1) },
	} {
		deeds["cell."+name] = func(r *shm.Region, rep *report, mu *sync.Mutex) (func(context.Context) error, error) {
			l, e := tsync.OpenMutex(r, "lock")
			v, err := atomics.OpenValue(r, "cell", int64(0))
			return func(ctx context.Context) error {
				if err := l.Lock(ctx); err != nil {
					return err
				}
				f(v)
				return counted(&rep.Gave, mu, l.Unlock())
			}, errors.Join(e, err)
		}
		cellVerbs = append(cellVerbs, name)
	}
}

var cellVerbs []string

// A cell is what it was until the region is gone: what a holder of its lock goes
// on to write while the region is being closed follows from what is there.
func TestCells(t *testing.T) {
	for _, name := range cellVerbs {
		t.Run(name, func(t *testing.T) {
			r, ctx := shmtest.Region(t), testproc.Watchdog(t)
			l := testproc.Get(tsync.OpenMutex(r, "lock"))(t)
			v := testproc.Get(atomics.OpenValue(r, "cell", int64(0)))(t)
			sum := int64(0)
			leaving(t, r, "cell."+name, nil, func(t *testing.T, rep report) {
				// One may have been inside, before or after its change, and with
				// Swap in the middle of it.
				sum += int64(rep.Gave)
				n := v.Load()
				if _, err := l.Recover(ctx); err != nil {
					t.Fatal(err)
				}
				if n != sum && n != sum+1 && (name != "swap" || n != -1) {
					t.Errorf("the cell is %d after %d changes", n, sum)
				}
				v.Store(sum)
				if err := errors.Join(l.MarkConsistent(), l.Unlock()); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// A wide is a value of which all numbers are one.
type wide [5]int64

func (x wide) whole() bool { return x == wide{x[0], x[0], x[0], x[0], x[0]} }

func wideOf(n int64) wide { return wide{n, n, n, n, n} }

var wideVerbs = map[string]func(v *atomics.Value[wide]) bool{
	"store": func(v *atomics.Value[wide]) bool { x := v.Load(); v.Store(wideOf(x[0] + 1)); return x.whole() },
	"swap": func(v *atomics.Value[wide]) bool {
		x := v.Swap(wideOf(-1))
		v.Store(wideOf(x[0] + 1))
		return x.whole()
	},
	"cas": func(v *atomics.Value[wide]) bool {
		x := v.Load()
		v.CompareAndSwap(x, wideOf(x[0]+1))
		return x.whole()
	},
	"update": func(v *atomics.Value[wide]) bool {
		return v.Update(func(x wide) wide { return wideOf(x[0] + 1) }).whole()
	},
}

func init() {
	for name, f := range wideVerbs {
		deeds["wide."+name] = func(r *shm.Region, rep *report, mu *sync.Mutex) (func(context.Context) error, error) {
			l, e := tsync.OpenMutex(r, "lock")
			v, err := atomics.OpenValue(r, "wide", wide{})
			return func(ctx context.Context) error {
				if err := l.Lock(ctx); err != nil {
					return err
				}
				if !f(v) {
					return errors.New("a value is torn")
				}
				return counted(&rep.Gave, mu, l.Unlock())
			}, errors.Join(e, err)
		}
	}
}

// As TestCells, of a T that is no machine word; nor is a copy lost, however many
// processes close the region in the middle of a call.
func TestWideCells(t *testing.T) {
	for name := range wideVerbs {
		t.Run(name, func(t *testing.T) {
			r, ctx := shmtest.Region(t), testproc.Watchdog(t)
			l := testproc.Get(tsync.OpenMutex(r, "lock"))(t)
			v := testproc.Get(atomics.OpenValue(r, "wide", wide{}))(t)
			sum := int64(0)
			leaving(t, r, "wide."+name, nil, func(t *testing.T, rep report) {
				sum += int64(rep.Gave)
				x := v.Load()
				if _, err := l.Recover(ctx); err != nil {
					t.Fatal(err)
				}
				if n := x[0]; !x.whole() || n != sum && n != sum+1 && (name != "swap" || n != -1) {
					t.Errorf("the cell is %v after %d changes", x, sum)
				}
				v.Store(wideOf(sum))
				if got := v.Load(); got != wideOf(sum) {
					t.Errorf("stored %d, and it is %v", sum, got)
				}
				if err := errors.Join(l.MarkConsistent(), l.Unlock()); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}
