package shm

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
)

// Asking others to drop what they do not use. What a process has open of a
// removed object ends when its collector finds that nothing reaches the last
// handle, and a collector that has no reason to run does not. So a process that
// finds no room asks those that have removed objects open, and looks again.
//
//	asked     a word of each record: grows with each request to its process
//	answered  beside it: the request that its process has done what it could for
//	answers   of the header, a futex: grows with each answer, and each end
//
//	asks:      A1 asked++   A2 rings   A3 sleeps on answers until answered has come to that
//	is asked:  B1 loads asked   B2 collects, and ends uses   B3 answered = B1   B4 answers++, wakes
//
// B2 is after A1 for every request up to B1, so what nothing reached when it was
// made is let go of when B3 says so, and one answer serves all that asked.
//
// Nobody is obliged. A process that is asked spends a quarter of its time on it
// at most, whatever others write into its record, and none if it has no removed
// object open. A process that asks waits for two seconds at most, and for one
// that has not answered then, being stopped or worse, only once. What ends in
// between needs no answer: the record's word says that its process is gone.

// askLimit is how long one waits for answers. A collection takes a millisecond
// where there is little to look at, and some hundred where there is much.
var askLimit = 2 * time.Second

// restShare is how many times as long as a collection for others took a process
// collects for nobody.
const restShare = 3

// A search is what one OpenX does to find room, step by step.
type search struct {
	a       *attachment
	ctx     context.Context // ends it; nil: nothing does
	dropped bool
	ended   uint64 // uses of this process by then
	asked   bool
	debts   []debt
	until   time.Time // of the looks, and the answers
	late    bool      // it has looked once more since then
}

// A debt is an answer that a process owes.
type debt struct {
	r      record
	epoch  uint32
	number uint32
}

// more reports whether it is worth to look for room of size bytes again.
func (s *search) more(size uint64) bool {
	switch {
	case size > s.a.Geo.HeapSize():
		return false
	case !s.dropped:
		s.dropped = true
		s.ended = s.a.dropGarbage()
		s.until = time.Now().Add(askLimit)
		return true
	case s.a.fd == nil: // a region in ordinary memory: nobody has a guard
		return s.again()
	case !s.asked:
		s.asked = true
		s.until = time.Now().Add(askLimit)
		if s.debts = s.a.request(); len(s.debts) == 0 {
			return true // who was to be asked may have let go since the last look
		}
	}
	return s.await() || s.again()
}

// again reports whether this process has let go of anything since it looked last: others of
// its goroutines may have had all of that, and have let go of it by now. So have cleanups that
// the last look has begun. After a time there is one look more, whatever comes and goes.
func (s *search) again() bool {
	if s.late {
		return false
	}
	s.late = !time.Now().Before(s.until)
	ctx, cancel := context.WithDeadline(s.ends(), s.until)
	s.a.awaitCleanups(ctx)
	cancel()
	was := s.ended
	s.ended = s.a.dropGarbage()
	return s.ended != was
}

// ends is the context under which s waits.
func (s *search) ends() context.Context {
	if s.ctx == nil {
		return context.Background()
	}
	return s.ctx
}

// failed is err, for which there is no room, and the context's error if that has ended.
func (s *search) failed(err error) error {
	if s.ctx != nil && s.ctx.Err() != nil && errors.Is(err, ErrNoSpace) {
		return fmt.Errorf("%w: %w", err, s.ctx.Err())
	}
	return err
}

// request is A1 and A2.
func (a *attachment) request() (debts []debt) {
	for _, i := range a.RemovedOpenIn() {
		r := a.rec(i)
		w := r.Word()
		if i == a.self.Index || region.StateOf(w) == region.StFree || a.isDeaf(r, region.EpochOf(w)) {
			continue
		}
		debts = append(debts, debt{r, region.EpochOf(w), mem.Add32(r.P32(region.RecAsked), 1)})
		a.ring(i)
	}
	return debts
}

// paid reports whether there is nothing to wait for any more.
func (d *debt) paid() bool {
	w := d.r.Word()
	return region.EpochOf(w) != d.epoch || region.StateOf(w) == region.StFree || d.r.answered(d.number)
}

func (r record) answered(number uint32) bool {
	return int32(mem.Load32(r.P32(region.RecAnswered))-number) >= 0
}

// await waits until somebody has answered, and is false when nobody is left who
// will.
func (s *search) await() bool {
	a := s.a
	ctx, cancel := context.WithDeadline(s.ends(), s.until)
	defer cancel()
	w := a.list.Waiter(ctx)
	defer w.Done()
	for len(s.debts) > 0 {
		v := mem.Load32(a.W32(region.HdrAnswers))
		n := len(s.debts)
		s.debts = slices.DeleteFunc(s.debts, func(d debt) bool { return d.paid() })
		if len(s.debts) < n {
			return true
		}
		if err := w.Sleep(a.W32(region.HdrAnswers), v); err != nil {
			if !time.Now().Before(s.until) { // and not ctx
				a.deafen(s.debts)
			}
			return false
		}
	}
	return false
}

// isDeaf reports whether the user of r in epoch owes an answer that was waited
// for in vain.
func (a *attachment) isDeaf(r record, epoch uint32) bool {
	a.uses.mu.Lock()
	defer a.uses.mu.Unlock()
	d, ok := a.uses.deaf[r.I]
	return ok && d.epoch == epoch && !d.paid()
}

func (a *attachment) deafen(debts []debt) {
	a.uses.mu.Lock()
	defer a.uses.mu.Unlock()
	if a.uses.deaf == nil {
		a.uses.deaf = map[uint32]debt{}
	}
	for _, d := range debts {
		a.uses.deaf[d.r.I] = d
	}
}

// owes reports whether this process has been asked and has not answered.
func (a *attachment) owes() bool {
	r := a.rec(a.self.Index)
	return mem.Load32(r.P32(region.RecAsked)) != mem.Load32(r.P32(region.RecAnswered))
}

// tell is B4, and what an end says to those who wait for it.
func (w words) tell() { w.bump(region.HdrAnswers) }

// tidySoon has tidy run. It does not block.
func (a *attachment) tidySoon() { a.tidying.soon(a.tidy) }

// tidy ends the uses of objects that others removed when this process had no
// handle on them any more, or only closed ones, and lets go of garbage if it has
// been asked to.
func (a *attachment) tidy() {
	a.uses.mu.Lock()
	defer a.uses.mu.Unlock()
	if a.gate.Closed() {
		return
	}
	seq := mem.Load64(a.Dir64(region.DirSeq))
	if seq != a.uses.swept.Load() {
		a.endUses()
		if seq&1 != 0 {
			seq = 0
		}
		a.uses.swept.Store(seq)
	}
	defer a.lookAgain()
	for i, u := range a.uses.m { // a call that is under way may take something yet
		if a.isClosed(i, u) && u.seen.isDue() && !a.has(u) {
			u.seen.count()
		}
	}
	if !a.owes() && !a.hasForsaken() {
		return
	}
	if rest := time.Until(a.uses.rested); rest > 0 && (a.hasRemoved() || a.hasClosed()) {
		a.setAlarm(a.uses.rested)
		return
	}
	r := a.rec(a.self.Index)
	asked := mem.Load32(r.P32(region.RecAsked)) // B1
	for i, u := range a.uses.m {                // what is closed from here on, the collector may not find
		if a.isForsaken(i, u) && u.kept.isDue() {
			u.kept.count() // unless it ends now
		}
	}
	a.dropAll() // B2
	mem.Store32(r.P32(region.RecAnswered), asked)
	a.tell()
}

// hasForsaken reports whether the collector is to look whether anything reaches the closed
// handles of this process on a removed object, or on a live one of which that matters;
// uses.mu is held.
func (a *attachment) hasForsaken() bool {
	for i, u := range a.uses.m {
		if a.isForsaken(i, u) && u.kept.isDue() {
			return true
		}
	}
	return a.hasClosed()
}

// isForsaken reports whether this process has a removed object open of which it has only
// closed handles.
func (a *attachment) isForsaken(i uint32, u *use) bool {
	if u.unnamed || a.isLive(i, u.gen) {
		return false
	}
	core := u.core.Value()
	return core != nil && !core.InUse()
}

// lookAgain sets the alarm for the first of what the collector is to look at once more;
// uses.mu is held.
func (a *attachment) lookAgain() {
	var first time.Time
	for i, u := range a.uses.m {
		for _, l := range [...]struct {
			*looked
			is func(uint32, *use) bool
		}{{&u.kept, a.isForsaken}, {&u.seen, a.isClosed}} {
			if l.n > 0 && l.n < looksMost && l.is(i, u) && (first.IsZero() || l.again.Before(first)) {
				first = l.again
			}
		}
	}
	if !first.IsZero() {
		if first.Before(a.uses.rested) { // until then it would only set the alarm again
			first = a.uses.rested
		}
		a.setAlarm(first)
	}
}

// setAlarm has tidy run at a time, if it is not to run before; uses.mu is held.
func (a *attachment) setAlarm(at time.Time) {
	switch u := &a.uses; {
	case u.alarm == nil:
		u.alarm, u.due = time.AfterFunc(time.Until(at), a.wake), at
	case at.Before(u.due):
		u.alarm.Reset(time.Until(at))
		u.due = at
	}
}

// wake is the alarm.
func (a *attachment) wake() {
	a.uses.mu.Lock()
	a.uses.alarm = nil
	a.uses.mu.Unlock()
	a.tidySoon()
}

// drop ends the uses of removed objects whose last handles are garbage that was
// not collected yet, by collecting it. Nobody may look at a weak pointer
// meanwhile, since what the collector sees in use it keeps; hence uses.mu, which
// is held. It returns how long that took.
func (a *attachment) drop() time.Duration {
	if !a.hasRemoved() && !a.hasClosed() {
		return 0
	}
	a.uses.begun.Add(1)
	for i, u := range a.uses.m {
		if a.isClosed(i, u) && u.seen.isDue() {
			u.seen.count()
		}
	}
	begun := time.Now()
	runtime.GC() // from here on weak pointers to garbage are nil
	a.endUses()
	took := time.Since(begun)
	a.uses.rested = time.Now().Add(restShare * took)
	return took
}

// dropAll is drop, and once more after the cleanups that the first has begun: some of what is
// dropped reaches an object until then (a connection that nobody closed).
func (a *attachment) dropAll() {
	ran := cleanupsRan()
	took := a.drop()
	if !a.hasRemoved() && !a.hasClosed() {
		return
	}
	a.uses.mu.Unlock() // cleanups take it
	all := a.awaitCleanups(context.Background())
	a.uses.mu.Lock()
	if (!all || cleanupsRan() != ran) && !a.gate.Closed() {
		took += a.drop()
		a.uses.rested = time.Now().Add(restShare * took)
	}
}

// hasClosed reports whether this process has only closed handles on a live object in
// which it has something that ends with them, and the collector is to look; uses.mu is held.
func (a *attachment) hasClosed() bool {
	for i, u := range a.uses.m {
		if a.isClosed(i, u) && u.seen.isDue() && a.has(u) {
			return true
		}
	}
	return false
}

func (a *attachment) isClosed(i uint32, u *use) bool {
	ops, _ := engine.OpsOf(u.kind)
	if ops.Unheld == nil || u.idle {
		return false
	}
	core := u.core.Value()
	return core != nil && !core.InUse() && a.isLive(i, u.gen)
}

// has reports whether this process has something in such an object.
func (a *attachment) has(u *use) bool {
	ops, _ := engine.OpsOf(u.kind)
	core := u.core.Value()
	return core != nil && ops.Has(core.Area, a.self)
}

// hasRemoved reports whether this process has a removed object open; uses.mu is
// held.
func (a *attachment) hasRemoved() bool {
	for i, u := range a.uses.m {
		if !a.isLive(i, u.gen) {
			return true
		}
	}
	return false
}
