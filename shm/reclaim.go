package shm

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/wait"
)

// The process that takes the last opener bit of a removed object away sees to
// it that the object's memory comes back: nobody may have reason to change the
// directory for long. It does that when it ends a use (object_uses.go),
// recovers the dead (recover.go), or leaves. Bits are cleared before one looks,
// and each clears its own first, so of two the one that is second finds none
// left. A process that dies before it has collected is recovered by another,
// which looks too.
//
// The dead may also have been in the middle of a change. What they had taken
// from the file system for an object that was never made comes back by repair,
// which the next holder of the directory's lock does.

// reclaimSoon has reclaim run. It does not block.
func (a *attachment) reclaimSoon() {
	if a.fd != nil {
		a.reclaiming.soon(a.reclaim)
	}
}

// reclaimSome is how many removed objects are looked at before others may have
// the directory's lock.
const reclaimSome = 256

// reclaim takes the memory of removed objects back that nobody has open, if
// there are any. What is on the shelf is for later.
func (a *attachment) reclaim() {
	if a.toReclaim() {
		a.collectWanted(a.lockDirectory, reclaimSome)
	}
	a.seeToShelf()
}

// vainTurns is how many turns in a row may find nothing to collect.
const vainTurns = 3

// collectWanted collects, so many at a time, until there is nothing to collect
// and no process that left something has wanted the lock meanwhile. If it finds
// nothing, again and again, what toReclaim sees is not in the chain; and if nothing has
// changed in more steps than there are objects the chain has no end. Both are damage.
func (a *attachment) collectWanted(lock func() (*dirLock, error), steps uint32) {
	passed := uint64(0)
	for vain, first := 0, true; vain < vainTurns && passed <= uint64(a.Geo.Objects); first = false {
		l, err := lock()
		if err != nil {
			return
		}
		if first {
			a.nextCollected = 0 // what is to be collected may lie before where a creator left off
		}
		before := mem.Load64(a.Dir64(region.DirSeq))
		err = a.collect(steps)
		more := a.nextCollected != 0
		changed := mem.Load64(a.Dir64(region.DirSeq)) != before
		if vain++; more || changed {
			vain = 0
		}
		if passed += uint64(steps); changed || !more {
			passed = 0
		}
		if wanted := l.release(); err != nil || !more && (!wanted || !a.toReclaim()) {
			return
		}
	}
}

// toReclaim reports whether there is something that takes the lock. What is seen
// without it may be wrong while others change it; then they, or this process,
// look once more.
func (w *words) toReclaim() bool {
	seq := mem.Load64(w.Dir64(region.DirSeq))
	m, err := engine.AttachMutex(w.Sub(region.HdrDirLock, engine.MutexSize), engine.Env{})
	if err == nil && m.Abandoned() || seq&1 != 0 {
		return true
	}
	shelf := w.Shelf()
	n := mem.Load32(w.Dir32(region.DirRemoved))
	for steps := uint32(0); n != 0 && n <= w.Geo.Objects && steps < w.Geo.Objects; steps++ {
		if !w.Opened(n-1) && !shelf.Has(n-1, mem.Load64(w.Ent64(n-1, region.EntGen))) {
			return true
		}
		n = mem.Load32(w.Ent32(n-1, region.EntNext))
	}
	return n != 0 || mem.Load64(w.Dir64(region.DirSeq)) != seq
}

// leaverWait is how long one who leaves waits for the directory's lock.
const leaverWait = 10 * time.Millisecond

// reclaimLeaving is reclaim for a process that closes the region, which a maps
// a second time. Where another keeps the lock for longer, to find memory for a
// big object perhaps, that one is told that the lock was wanted, and collects
// when it unlocks it.
func (w words) reclaimLeaving(a *attachment) {
	if a.shelf.used.Load() || a.shelf.seenTo.Load() {
		w.ClearShelf()
	}
	if !w.toReclaim() {
		return
	}
	second := &attachment{words: w, fd: a.fd, self: a.self, env: a.env, list: wait.NewList()}
	limit := leaverWait
	second.collectWanted(func() (*dirLock, error) {
		for {
			l, err := second.lockDirectoryFor(limit)
			limit = 0
			if !errors.Is(err, context.DeadlineExceeded) || second.wantDirectory() {
				return l, err
			}
		}
	}, w.Geo.Objects)
}

// wantDirectory tells the holder of the directory's lock that it is wanted; false
// if there is none.
func (a *attachment) wantDirectory() bool {
	m, err := engine.AttachMutex(a.Sub(region.HdrDirLock, engine.MutexSize), a.env)
	return err != nil || m.Want()
}

// stillOpen says of removed objects that somebody has open how many they are, how
// much memory they have, and who has them: "" if there are none.
func (w *words) stillOpen() (n int, size uint64, who string) {
	in := w.RemovedOpenIn()
	w.EachRemoved(func(k, removed uint64) {
		for ; removed != 0; removed &= removed - 1 {
			i := uint32(k*64) + uint32(bits.TrailingZeros64(removed))
			if e := w.Entry(i); w.Opened(i) && w.Valid(&e) == nil {
				n, size = n+1, size+e.Size
			}
		}
	})
	if n > 0 {
		who = fmt.Sprintf(" (in %d processes)", len(in))
	}
	return n, size, who
}
