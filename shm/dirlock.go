package shm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	gosync "sync"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
)

// A dirLock is the directory's lock, held: first this process's own mutex, so
// that Close can wait for a goroutine that changes the directory here, then the
// region's.
type dirLock struct {
	a *attachment
	m *engine.Mutex
}

// lockDirectory takes the directory's lock, and repairs the directory if its
// last holder died. It blocks while another process holds it, which is for some
// microseconds, or until that process continues if it was stopped; ErrClosed
// when this process closes the region meanwhile.
func (a *attachment) lockDirectory() (*dirLock, error) {
	a.changing.Lock()
	return a.lockShared(context.Background())
}

// lockDirectoryFor is lockDirectory with a bound on the time.
func (a *attachment) lockDirectoryFor(d time.Duration) (*dirLock, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return a.lockUntil(ctx)
}

// lockDirectoryUntil is lockDirectory that a user's ctx ends, unless it is nil. Its methods,
// which may panic, are called before any lock is taken, and after; never in between.
func (a *attachment) lockDirectoryUntil(ctx context.Context) (l *dirLock, err error) {
	if ctx == nil || ctx.Done() == nil {
		return a.lockDirectory()
	}
	own, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := context.AfterFunc(ctx, cancel)
	stopped := false
	defer func() {
		if !stopped && l != nil {
			l.release()
		}
	}()
	l, err = a.lockUntil(own)
	stop()
	if errors.Is(err, context.Canceled) {
		err = cmp.Or(ctx.Err(), err)
	}
	stopped = true
	return l, err
}

// lockUntil is lockDirectory that ctx ends, which calls nobody.
func (a *attachment) lockUntil(ctx context.Context) (*dirLock, error) {
	if !tryLockUntil(ctx, &a.changing) {
		return nil, ctx.Err()
	}
	return a.lockShared(ctx)
}

func tryLockUntil(ctx context.Context, m *gosync.Mutex) bool {
	for d := time.Microsecond; !m.TryLock(); d = min(2*d, time.Millisecond) {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(d):
		}
	}
	return true
}

// lockShared is the region's part; it lets go of a.changing when it fails.
func (a *attachment) lockShared(ctx context.Context) (l *dirLock, err error) {
	whole := false
	defer func() {
		if !whole {
			a.changing.Unlock()
		}
	}()
	if a.gate.Closed() {
		return nil, ErrClosed
	}
	m, err := engine.AttachMutex(a.Sub(region.HdrDirLock, engine.MutexSize), a.env)
	if err != nil {
		return nil, fmt.Errorf("the directory's lock: %w", err)
	}
	suspect, err := a.lockPatiently(ctx, m)
	if err != nil {
		if a.gate.Closed() {
			err = ErrClosed
		}
		return nil, err
	}
	l = &dirLock{a, m}
	switch {
	case a.gate.Closed():
		err = ErrClosed
	case suspect || mem.Load64(a.Dir64(region.DirSeq))&1 != 0:
		if err = a.repair(); err == nil && suspect {
			err = m.MarkConsistent()
		}
	}
	if err != nil {
		m.Unlock() // suspect as it was
		return nil, err
	}
	whole = true
	return l, nil
}

// lockSlice is how long one waits before one doubts that the holder exists.
const lockSlice = 25 * time.Millisecond

// lockDoubts is how many slices in a row may find a holder that is not
// attached.
const lockDoubts = 3

// lockPatiently takes m, waiting as long as its holder is attached, stopped or
// not, or dead and being recovered. A holder that is none of that is no holder
// but corruption, for which nobody would ever wake a waiter.
func (a *attachment) lockPatiently(ctx context.Context, m *engine.Mutex) (suspect bool, err error) {
	if ok, err := m.TryLock(); ok || err != nil && !errors.Is(err, ErrOwnerDied) {
		return false, err
	}
	since := int64(0) // all slices are one wait
	for doubts := 0; doubts < lockDoubts; {
		err := func() error {
			slice, cancel := context.WithTimeout(ctx, lockSlice)
			defer cancel()
			w := a.list.Waiter(slice)
			defer w.Done()
			w.Resume(since)
			suspect, err = m.Recover(w)
			since = w.Since()
			return err
		}()
		if err == nil || !errors.Is(err, context.DeadlineExceeded) {
			return suspect, err
		}
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if who, held := m.Owner(); held && !a.attached(who) {
			doubts++
		} else {
			doubts = 0
			if held {
				a.ring(who.Index) // it may sleep, and not know that its name was written there: disown
			}
		}
	}
	return false, fmt.Errorf("the directory's lock: held by nobody who is attached: %w", ErrCorrupt)
}

// attached reports whether who, a participant, may hold the directory's lock:
// another process that is attached, or is being recovered.
func (a *attachment) attached(who engine.Self) bool {
	if who.Index >= a.Geo.Participants || who == a.self {
		return false // a.changing is held: nobody here has the lock
	}
	w := a.rec(who.Index).Word()
	return region.EpochOf(w) == who.Epoch && region.StateOf(w) != region.StFree
}

// disown gives up the directory's lock if its word names this process and
// nobody here has it: it was overwritten, and the others wait for this process,
// which lives. Its next holder finds it abandoned, and repairs.
func (a *attachment) disown() {
	m, err := engine.AttachMutex(a.Sub(region.HdrDirLock, engine.MutexSize), a.env)
	if err != nil {
		return
	}
	if who, held := m.Owner(); !held || who != a.self || !a.changing.TryLock() {
		return
	}
	defer a.changing.Unlock()
	if who, held := m.Owner(); held && who == a.self && !a.gate.Closed() {
		if ops, ok := engine.OpsOf(engine.KindMutex); ok {
			ops.Recover(a.Sub(region.HdrDirLock, engine.MutexSize), a.env, a.self)
		}
	}
}

// unlock cannot fail, but for a lock that was overwritten. Of those who wanted
// the lock meanwhile, one that leaves the region may not have waited for it
// (reclaimLeaving).
func (l *dirLock) unlock() {
	if l.release() && mem.Load32(l.a.Dir32(region.DirRemoved)) != 0 {
		l.a.reclaimSoon()
	}
}

// release is unlock without more. It reports whether others wanted the lock.
func (l *dirLock) release() (wanted bool) {
	if wanted = !l.m.UnlockNow(); wanted {
		l.m.Unlock()
	}
	l.a.changing.Unlock()
	return wanted
}

// finishChanges waits until no goroutine of this process is changing the directory.
// Close calls it when closed is set and all sleepers have been woken, and
// before it gives the mapping up: what is done to the file, to provide memory
// or to give it back, does not go through the mapping.
func (a *attachment) finishChanges() {
	a.changing.Lock()
	a.changing.Unlock() //lint:ignore SA2001 the wait is the point
}

// repair also gives back the memory that the dead one had taken for an object
// that was never made, or was about to give back.
func (a *attachment) repair() error {
	if err := a.words.Repair(); err != nil {
		return err
	}
	rows, err := a.Rows()
	if err != nil {
		return err
	}
	for k := range rows {
		x := a.Extent(k)
		if err := a.CheckExtent(k, x, 0); err != nil {
			return err
		}
		a.giveBack(x, x)
	}
	return nil
}
