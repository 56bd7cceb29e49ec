package hostile_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/stormtest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	tsync "example.com/tandem/sync"
)

// The storm: in one region, workers use all primitives of package sync at
// random, put and lease messages of two queues, close handles and the region
// under their own calls, remove objects that others use, and are killed and
// stopped; others take their place. The ledger of the locks is two cells for
// each, which only its holder changes, one after the other: who recovers the lock
// makes them equal again. That of the queues is stormtest's.

const (
	stormPermits = 3
	stormParties = 3
	stormOnces   = 300 // in all
)

// Whose cells are which, two of each lock.
const (
	underMutex = 2 * iota
	underHolder
	underRW
	underCell
	underOwn
	underOf
	stormCells
	stormLocks = stormCells / 2
)

// stormWorkers is how many work at a time.
const stormWorkers = 4

// A storm is one process's handles.
type storm struct {
	r     *shm.Region
	cells *atomics.Array[int64] // by pairs

	turn      *atomics.Value[int64] // the Once of now
	inside    *atomics.Array[int64] // who runs it
	won, seen *atomics.Array[int32]
	suspects  *atomics.Array[int64] // by locks: how often it was found abandoned
	at        *atomics.Array[int64] // by workers and locks: how many calls may be inside, from before a Lock until after the Unlock
	cell      *atomics.Value[int64] // of which only the lock is used

	wide *atomics.Value[stormWide] // of which all numbers are one

	row     int                      // of at: this process's
	in      [stormLocks]atomic.Int64 // how many calls of this process are inside, by what they returned, or in a Wait
	leaving atomic.Bool              // it closes the region: cells may be zeroes

	mu, lock *tsync.Mutex
	re       *tsync.RMutex
	rw       *tsync.RWMutex
	own, of  *tsync.Cond
	s        *tsync.Semaphore
	b        *tsync.BoundedSemaphore
	e        *tsync.Event
	bar      *tsync.Barrier
}

// A stormWide is no machine word. Each call under a lock adds 1 to all of it.
type stormWide [7]int64

func (s *storm) widen() (err error) {
	s.wide.Update(func(x stormWide) stormWide {
		next := x[0] + 1
		for i := range x {
			if x[i]++; x[i] != next { // zeroes are whole, too
				err = fmt.Errorf("a value is torn: %v", x)
			}
		}
		return x
	})
	return err
}

func openStorm(r *shm.Region) (s *storm, err error) {
	s = &storm{r: r}
	try := func(e error) { err = errors.Join(err, e) }
	var e error
	s.cells, e = atomics.OpenArray[int64](r, "cells", stormCells)
	try(e)
	s.won, e = atomics.OpenArray[int32](r, "won", stormOnces)
	try(e)
	s.seen, e = atomics.OpenArray[int32](r, "seen", stormOnces)
	try(e)
	s.inside, e = atomics.OpenArray[int64](r, "inside", stormOnces)
	try(e)
	s.turn, e = atomics.OpenValue(r, "turn", int64(0))
	try(e)
	s.suspects, e = atomics.OpenArray[int64](r, "suspects", stormLocks)
	try(e)
	s.at, e = atomics.OpenArray[int64](r, "at", (stormWorkers+1)*stormLocks) // the last row is the test's own
	try(e)
	s.cell, e = atomics.OpenValue(r, "cell", int64(0))
	try(e)
	s.wide, e = atomics.OpenValue(r, "wide", stormWide{})
	try(e)
	s.mu, e = tsync.OpenMutex(r, "mu")
	try(e)
	s.re, e = tsync.OpenRMutex(r, "re")
	try(e)
	s.rw, e = tsync.OpenRWMutex(r, "rw")
	try(e)
	s.own, e = tsync.OpenCond(r, "own", nil)
	try(e)
	s.lock, e = tsync.OpenMutex(r, "lock")
	try(e)
	s.of, e = tsync.OpenCond(r, "of", s.lock)
	try(e)
	s.s, e = tsync.OpenSemaphore(r, "s", stormPermits)
	try(e)
	s.b, e = tsync.OpenBoundedSemaphore(r, "b", stormPermits)
	try(e)
	s.e, e = tsync.OpenEvent(r, "e")
	try(e)
	s.bar, e = tsync.OpenBarrier(r, "bar", stormParties, nil)
	try(e)
	return s, err
}

// A stormLock is what locks with repair.
type stormLock interface {
	tsync.Lock
	Recover(context.Context) (bool, error)
	MarkConsistent() error
}

// locked calls f with l held and its cells equal, and counts in them.
func (s *storm) locked(ctx context.Context, l stormLock, cell int, f func() error) error {
	at := s.row*stormLocks + cell/2
	atomics.AddAt(s.at, at, 1)
	defer atomics.AddAt(s.at, at, -1)
	err := l.Lock(ctx)
	if errors.Is(err, tsync.ErrOwnerDied) {
		var suspect bool
		if suspect, err = l.Recover(ctx); err == nil {
			s.enter(cell, 1)
			if suspect {
				err = s.mend(l, cell)
			}
		}
	} else if err == nil {
		s.enter(cell, 1)
	}
	if err != nil {
		return err
	}
	if a, b := s.cells.Load(cell), s.cells.Load(cell+1); a != b && !s.leaving.Load() {
		return fmt.Errorf("cells %d under %T: %d and %d", cell, l, a, b)
	}
	if err := s.widen(); err != nil {
		return err
	}
	s.cells.Store(cell, s.cells.Load(cell)+1)
	if rand.IntN(10) == 0 {
		time.Sleep(rand.N(200 * time.Microsecond)) // to be killed in
	}
	s.cells.Store(cell+1, s.cells.Load(cell+1)+1)
	err = f()
	if errors.Is(err, tsync.ErrOwnerDied) { // a Wait was told, and has the lock
		err = s.mend(l, cell)
	}
	e := l.Unlock()
	if e == nil {
		s.enter(cell, -1)
	}
	return errors.Join(err, e)
}

// enter counts who is inside. Who is in a Wait counts as well: where that is, nobody tells.
func (s *storm) enter(cell int, n int64) { s.in[cell/2].Add(n) }

// leaves is the locks, as bits, that the region's end may have left abandoned: this process's.
func (s *storm) leaves() (locks uint64) {
	for i := range s.in {
		if s.in[i].Load() > 0 {
			locks |= 1 << i
		}
	}
	return locks
}

// fallen is the same of worker i, which was killed; its row is ready for the next one.
func (s *storm) fallen(i int) (locks uint64) {
	for k := range stormLocks {
		if s.at.Swap(i*stormLocks+k, 0) != 0 {
			locks |= 1 << k
		}
	}
	return locks
}

func (s *storm) mend(l stormLock, cell int) error {
	atomics.AddAt(s.suspects, cell/2, 1)
	a, b := s.cells.Load(cell), s.cells.Load(cell+1)
	if a != b && a != b+1 && !s.leaving.Load() {
		return fmt.Errorf("cells %d under the dead holder of %T: %d and %d", cell, l, a, b)
	}
	s.cells.Store(cell+1, a)
	return l.MarkConsistent()
}

func nothing() error { return nil }

// brief is a context that ends soon, which expired makes no error of.
func brief() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), rand.N(4*time.Millisecond))
}

func expired(err error) error { return ignore(err, context.DeadlineExceeded) }

// one does one thing at random.
func (s *storm) one(h, own *tsync.Holder) error {
	bg := context.Background()
	soon, cancel := brief()
	defer cancel()
	switch rand.IntN(13) {
	case 0:
		return s.locked(bg, s.mu, underMutex, nothing)
	case 1:
		return s.locked(bg, h, underHolder, func() error { return tsync.With(bg, h, nothing) })
	case 2:
		return s.locked(bg, s.rw, underRW, nothing)
	case 3, 4:
		err := s.rw.RLock(bg)
		if errors.Is(err, tsync.ErrOwnerDied) {
			return s.locked(bg, s.rw, underRW, nothing)
		}
		if err != nil {
			return err
		}
		if a, b := s.cells.Load(underRW), s.cells.Load(underRW+1); a != b && !s.leaving.Load() {
			return fmt.Errorf("cells under RLock: %d and %d", a, b)
		}
		return s.rw.RUnlock()
	case 5:
		return s.locked(bg, own, underOwn, func() error { return expired(s.own.Wait(soon)) })
	case 6:
		return s.locked(bg, own, underOwn, s.own.NotifyAll)
	case 7:
		return s.locked(bg, s.lock, underOf, func() error { return expired(s.of.Wait(soon)) })
	case 8:
		return s.locked(bg, s.lock, underOf, func() error { return s.of.Notify(1) })
	case 9:
		if err := s.s.Acquire(bg); err != nil {
			return err
		}
		return s.s.Release(1)
	case 10:
		if err := s.b.Acquire(bg); err != nil {
			return err
		}
		return s.b.Release(1)
	case 11:
		return s.locked(bg, s.cell, underCell, nothing)
	default:
		if rand.IntN(2) == 0 {
			return errors.Join(s.e.Set(), s.e.Clear(), expired(s.e.Wait(soon)))
		}
		long, cancel := context.WithTimeout(bg, 20*time.Millisecond)
		defer cancel()
		_, err := s.bar.Wait(long)
		if errors.Is(err, tsync.ErrBroken) {
			return s.bar.Reset()
		}
		return err
	}
}

// balance is the end of a storm: nobody is left, what locks are abandoned are
// repaired, and everything adds up.
func (s *storm) balance(t *testing.T, r *shm.Region) {
	ctx := testproc.Watchdog(t)
	h, own := s.re.NewHolder(), s.own.Holder()
	for _, l := range []struct {
		l    stormLock
		cell int
	}{{s.mu, underMutex}, {h, underHolder}, {s.rw, underRW}, {s.cell, underCell}, {own, underOwn}, {s.lock, underOf}} {
		if err := s.locked(ctx, l.l, l.cell, nothing); err != nil {
			t.Error(err)
		}
		t.Logf("%d times under %T", s.cells.Load(l.cell), l.l)
	}
	for _, v := range []func() int{s.s.Value, s.b.Value} {
		for ctx.Err() == nil && v() != stormPermits {
			time.Sleep(time.Millisecond) // until who died last is recovered
		}
		if v() != stormPermits {
			t.Errorf("%d permits, want %d", v(), stormPermits)
		}
	}
	if err := s.b.Release(1); !errors.Is(err, tsync.ErrOverRelease) {
		t.Errorf("one permit more = %v, want ErrOverRelease", err)
	}
	if err := s.bar.Reset(); err != nil {
		t.Error(err)
	}
	var wg sync.WaitGroup
	for range stormParties {
		wg.Go(func() {
			if _, err := s.bar.Wait(ctx); err != nil {
				t.Error("a barrier after its Reset:", err)
			}
		})
	}
	wg.Wait()
	stormtest.Recovered(t, r)
}
