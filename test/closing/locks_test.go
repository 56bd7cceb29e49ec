package closing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	tsync "example.com/tandem/sync"
)

// A robust lock is what one process at a time holds, and can be abandoned.
type robust interface {
	Lock(context.Context) error
	TryLock() (bool, error)
	Recover(context.Context) (bool, error)
	MarkConsistent() error
	Unlock() error
}

// Each lock, and how to open it. A reentrant one is as many as it has holders.
var locks = map[string]func(r *shm.Region) (robust, error){
	"mutex":   func(r *shm.Region) (robust, error) { return tsync.OpenMutex(r, "mutex") },
	"rwmutex": func(r *shm.Region) (robust, error) { return tsync.OpenRWMutex(r, "rwmutex") },
	"rmutex": func(r *shm.Region) (robust, error) {
		m, err := tsync.OpenRMutex(r, "rmutex")
		if err != nil {
			return nil, err
		}
		return m.NewHolder(), nil
	},
	"cond": func(r *shm.Region) (robust, error) {
		c, err := tsync.OpenCond(r, "cond", nil)
		if err != nil {
			return nil, err
		}
		return c.Holder(), nil
	},
	"value": func(r *shm.Region) (robust, error) { return atomics.OpenValue(r, "value", int64(0)) },
	"array": func(r *shm.Region) (robust, error) { return atomics.OpenArray[int64](r, "array", 3) },
}

// Each way to take one.
var takings = map[string]func(context.Context, robust) (bool, error){
	"Lock":    func(ctx context.Context, l robust) (bool, error) { err := l.Lock(ctx); return err == nil, err },
	"TryLock": func(_ context.Context, l robust) (bool, error) { return l.TryLock() },
	"Recover": func(ctx context.Context, l robust) (bool, error) { _, err := l.Recover(ctx); return err == nil, err },
	"again": func(ctx context.Context, l robust) (ok bool, err error) { // of one that has it once
		if err = l.Lock(ctx); err != nil {
			return false, err
		}
		if _, reentrant := l.(*tsync.Holder); reentrant {
			if err = l.Lock(ctx); err == nil {
				err = l.Unlock()
			}
		}
		return true, err
	},
}

func init() {
	for lock, open := range locks {
		for taking, take := range takings {
			deeds[lock+"."+taking] = func(r *shm.Region, rep *report, mu *sync.Mutex) (func(context.Context) error, error) {
				l, err := open(r)
				return func(ctx context.Context) error {
					ok, err := take(ctx, l)
					if ok {
						mu.Lock()
						rep.Took++
						mu.Unlock()
					}
					if !ok || err != nil {
						return err
					}
					if err = l.Unlock(); err == nil {
						mu.Lock()
						rep.Gave++
						mu.Unlock()
					}
					return err
				}, err
			}
		}
	}
}

// A lock is abandoned if and only if somebody was inside: one whose Lock had
// returned nil, and whose Unlock had not.
func TestLocks(t *testing.T) {
	for lock, open := range locks {
		for taking := range takings {
			t.Run(lock+"."+taking, func(t *testing.T) {
				t.Parallel()
				r, ctx := shmtest.Region(t), testproc.Watchdog(t)
				l := testproc.Get(open(r))(t)
				inside := 0
				leaving(t, r, lock+"."+taking, nil, func(t *testing.T, rep report) {
					ok, err := l.TryLock()
					switch held := rep.Took - rep.Gave; {
					case held == 1 && !errors.Is(err, shm.ErrOwnerDied):
						t.Errorf("TryLock = %v, %v; the leaver's %d Locks and %d Unlocks returned nil: want ErrOwnerDied", ok, err, rep.Took, rep.Gave)
					case held == 0 && (!ok || err != nil):
						t.Errorf("TryLock = %v, %v; the leaver was not inside, want true", ok, err)
					case held > 1 || held < 0:
						t.Errorf("the leaver's %d Locks and %d Unlocks returned nil", rep.Took, rep.Gave)
					}
					if errors.Is(err, shm.ErrOwnerDied) {
						inside++
						if suspect, err := l.Recover(ctx); err != nil || !suspect {
							t.Fatalf("Recover = %v, %v", suspect, err)
						}
						if err := l.MarkConsistent(); err != nil {
							t.Fatal(err)
						}
					}
					if err := l.Unlock(); err != nil {
						t.Errorf("Unlock = %v", err)
					}
				})
				t.Logf("closed %d times, %d of them with somebody inside", rounds(), inside)
			})
		}
	}
}

func init() {
	for name, try := range map[string]bool{"read": false, "tryread": true} {
		deeds[name] = func(r *shm.Region, rep *report, mu *sync.Mutex) (func(context.Context) error, error) {
			m, err := tsync.OpenRWMutex(r, "rw")
			return func(ctx context.Context) (err error) {
				ok := true
				if try {
					ok, err = m.TryRLock()
				} else {
					err = m.RLock(ctx)
				}
				if err != nil || !ok {
					return err
				}
				return m.RUnlock()
			}, err
		}
	}
}

// Readers that close just stop counting, wherever they were.
func TestReaders(t *testing.T) {
	for _, name := range []string{"read", "tryread"} {
		t.Run(name, func(t *testing.T) {
			r := shmtest.Region(t)
			m := testproc.Get(tsync.OpenRWMutex(r, "rw"))(t)
			leaving(t, r, name, nil, func(t *testing.T, _ report) {
				if ok, err := m.TryLock(); !ok || err != nil {
					t.Fatalf("TryLock after the readers have closed = %v, %v", ok, err)
				}
				if err := m.Unlock(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

const onces = 50 // a round

func onceName(n int64) string { return fmt.Sprintf("once-%d", n) }

func init() {
	deeds["once"] = func(r *shm.Region, rep *report, mu *sync.Mutex) (func(context.Context) error, error) {
		next, err := atomics.OpenValue(r, "next", int64(0))
		var all []*tsync.Once
		for n := range int64(onces) {
			o, e := tsync.OpenOnce(r, onceName(n))
			all, err = append(all, o), errors.Join(err, e)
		}
		return func(ctx context.Context) error {
			n := atomics.Add(next, 1) - 1
			if n < 0 || n >= onces {
				return shm.ErrClosed // all are done
			}
			ran := false
			err := all[n].Do(ctx, func(context.Context) error { ran = true; return nil })
			if err == nil && ran {
				mu.Lock()
				rep.Values = append(rep.Values, n)
				mu.Unlock()
			}
			return err
		}, err
	}
}

// A Once is done if and only if the Do that ran it returned nil.
func TestOnce(t *testing.T) {
	r, ctx := shmtest.Region(t), testproc.Watchdog(t)
	next := testproc.Get(atomics.OpenValue(r, "next", int64(0)))(t)
	all := map[int64]*tsync.Once{}
	leaving(t, r, "once", func() {
		next.Store(0)
		for n := range int64(onces) {
			all[n] = testproc.Get(tsync.OpenOnce(r, onceName(n)))(t)
		}
	}, func(t *testing.T, rep report) {
		for n, o := range all {
			ran := false
			if err := o.Do(ctx, func(context.Context) error { ran = true; return nil }); err != nil {
				t.Fatal(err)
			}
			if did := slices.Contains(rep.Values, n); ran == did {
				t.Errorf("once %d: the leaver's Do returned nil: %v; it was done: %v", n, did, !ran)
			}
			if err := r.Remove(onceName(n)); err != nil {
				t.Error(err)
			}
		}
	})
}
