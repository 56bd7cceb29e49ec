package shm

import (
	"runtime"
	"slices"
	gosync "sync"
	"unsafe"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
)

// The guard is the thread by whose end the kernel tells the others that this
// process ended, and which hears of theirs: one per process, for all of its
// regions, from the first to the last.
//
// It tells: its thread holds a robust list with a node per region. When it
// ends, by whatever way, the kernel sets FUTEX_OWNER_DIED in the alive word of
// this process in each region and wakes one sleeper there.
//
// It hears: it sleeps, in one futex_waitv, on a private control word and, in
// each region, on the words of bell.go. The kernel's one wake may go to a guard
// that is frozen or dying itself; and where there are more words than one sleep
// takes, or no futex_waitv, not all of them wake it. So guards on duty
// (duty.go), and guards that cannot sleep on all their words, look at them now
// and then without leaving the sleep (sys.Vigil). All others sleep until
// something happens.
//
// Whatever ended its sleep, it looks at all participants (deaths.go): words are
// read before the look and slept on with the values read, rule 5.
//
// It runs locked to a thread of its own, never the main one: signals to the
// process prefer that, and it would never end. It calls no user code, no cgo.
type guard struct {
	mu      gosync.Mutex
	running bool
	regions []*attachment
	todo    []task // to be run on the guard's thread

	control *uint32         // private, slept on
	head    *sys.RobustHead // private
	tid     int
	vigil   sys.Vigil     // its sleep; reused
	onDuty  []*attachment // those whose rows the sleep looks at, in this order
	offDuty []*attachment // and whose pulses
}

// A task ends with nil, or with why there is no guard to run it.
type task struct {
	do   func()
	done chan error
}

var theGuard guard

// Between looks, in nanoseconds.
const (
	plainWait = 10e6 // at its words, where there is no futex_waitv
	plainMany = 64   // with more participants than so many it looks the less often
)

// add puts a under guard: its alive word is linked and set when add returns.
func (gd *guard) add(a *attachment) error {
	gd.mu.Lock()
	if gd.control == nil {
		if err := gd.allocate(); err != nil {
			gd.mu.Unlock()
			return err
		}
	}
	gd.regions = append(gd.regions, a)
	return gd.run(func() { gd.link(a) })
}

// remove takes a from under guard: when it returns the guard's thread does not
// touch a any more, and its end is no longer told there.
func (gd *guard) remove(a *attachment) {
	gd.mu.Lock()
	for i, b := range gd.regions {
		if a == b {
			gd.regions = slices.Concat(gd.regions[:i], gd.regions[i+1:]) // of nothing it is nil, and keeps no mapping
		}
	}
	gd.run(func() { gd.unlink(a) })
}

// have has f run on the guard's thread, and waits for it. It reports false if a
// is not under guard.
func (gd *guard) have(a *attachment, f func()) bool {
	gd.mu.Lock()
	if !slices.Contains(gd.regions, a) {
		gd.mu.Unlock()
		return false
	}
	return gd.run(f) == nil
}

// run has f run on the guard's thread, starting it if need be, and waits for
// it. It is called with mu held and releases it.
func (gd *guard) run(f func()) error {
	done := make(chan error, 1)
	gd.todo = append(gd.todo, task{f, done})
	if !gd.running {
		gd.running = true
		go gd.start()
	}
	mem.Add32(gd.control, 1)
	sys.FutexWake(gd.control, -1)
	gd.mu.Unlock()
	return <-done
}

// allocate makes the guard's private words: outside of the Go heap, for the
// kernel keeps their addresses.
func (gd *guard) allocate() error {
	page, err := sys.Reserve(uintptr(sys.PageSize()))
	if err != nil {
		return err
	}
	if err := sys.MapZeroes(page, uintptr(sys.PageSize())); err != nil {
		return err
	}
	gd.head = (*sys.RobustHead)(page)
	gd.control = (*uint32)(unsafe.Add(page, 128))
	return nil
}

func (gd *guard) start() {
	runtime.LockOSThread()
	if sys.IsMainThread() {
		// While this goroutine holds the main thread, the next cannot get it.
		elsewhere := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(elsewhere)
			gd.serve()
		}()
		<-elsewhere
		runtime.UnlockOSThread()
		return
	}
	gd.serve()
}

// serve is the guard's thread, from its list's registration to its end. The
// goroutine returns locked, which is how Go ends a thread.
func (gd *guard) serve() {
	gd.tid = sys.Gettid()
	gd.head.Next = unsafe.Pointer(gd.head)
	gd.head.FutexOffset = robustGap
	gd.head.Pending = nil
	if err := sys.SetRobustList(gd.head); err != nil {
		gd.mu.Lock()
		todo := gd.todo
		gd.running, gd.todo, gd.regions = false, nil, nil // none has ever been under guard
		gd.mu.Unlock()
		for _, t := range todo {
			t.done <- err
		}
		return
	}
	for gd.round() {
	}
	sys.SetRobustList(nil)
}

// link and unlink run on the guard's thread. Each changes the list by one
// store that the kernel may come upon at any time; the alive word takes the
// thread's id only when its node is in the list.
func (gd *guard) link(a *attachment) {
	off := a.Geo.RecordAt(a.self.Index) + region.RecAlive
	n := a.m.node(off)
	n.Next = gd.head.Next
	gd.head.Next = unsafe.Pointer(n)
	a.linked = uint32(gd.tid) | sys.FutexWaiters
	mem.Store32(a.W32(off), a.linked)
}

func (gd *guard) unlink(a *attachment) {
	a.linked = 0
	gd.onDuty, gd.offDuty, gd.vigil.Rows = nil, nil, nil // or they would keep the mapping
	n := unsafe.Pointer(a.m.node(a.Geo.RecordAt(a.self.Index) + region.RecAlive))
	if gd.head.Next == n {
		gd.head.Next = (*sys.RobustNode)(n).Next
		return
	}
	for p := gd.head.Next; p != unsafe.Pointer(gd.head); {
		node := (*sys.RobustNode)(p)
		if node.Next == n {
			node.Next = (*sys.RobustNode)(n).Next
			return
		}
		p = node.Next
	}
}

// round is one turn of the guard: what it was asked to do, a look at
// everything, a sleep. false: no region is left, and the guard has ended.
func (gd *guard) round() bool {
	control := mem.Load32(gd.control)
	gd.mu.Lock()
	todo := gd.todo
	gd.todo = nil
	gd.mu.Unlock()
	for _, t := range todo {
		t.do()
		t.done <- nil
	}
	gd.mu.Lock()
	if len(gd.regions) == 0 && len(gd.todo) == 0 {
		gd.running = false
		gd.mu.Unlock()
		return false
	}
	regions := gd.regions // replaced, never changed in place, by remove; appended to by add
	gd.mu.Unlock()

	v := &gd.vigil
	v.Words = append(v.Words[:0], sys.SharedWaitv(gd.control, control))
	for _, a := range regions {
		v.Words = a.bells(v.Words)
	}
	share := max(1, (sys.MaxWaitv-len(v.Words))/max(len(regions), 1))
	for _, a := range regions {
		v.Words = a.watched(v.Words, min(share, watchers))
	}
	var all look
	v.Rows, v.Pulses, gd.onDuty, gd.offDuty = v.Rows[:0], v.Pulses[:0], gd.onDuty[:0], gd.offDuty[:0]
	most := 0
	for _, a := range regions {
		l := a.look()
		a.sweep()
		all.add(l)
		if l.others == 0 {
			continue
		}
		most = max(most, l.others)
		if a.watch.shift.post < 0 {
			v.Pulses = append(v.Pulses, a.pulse())
			gd.offDuty = append(gd.offDuty, a)
			continue
		}
		v.Rows = append(v.Rows, a.rows())
		gd.onDuty = append(gd.onDuty, a)
	}
	gd.sleep(all, most)
	return true
}

// sleep sleeps until there is something to look at. most is how many others
// there are in the region that has most.
func (gd *guard) sleep(l look, most int) {
	v, now := &gd.vigil, sys.MonotonicNow()
	v.Until = until(l, now, len(v.Rows) > 0)
	v.Period = period(most, len(v.Words), len(v.Rows) > 0, sys.HaveWaitv())
	if len(gd.offDuty) > 0 {
		first, step := pulseTimes(gd.offDuty[0].self.Index, most)
		first += now
		v.PulseAt, v.PulseStep, v.PulseRest = first-first%dutyPeriod+dutyPeriod, step, dutyStill*dutyPeriod
	}
	v.Sleep() // whatever it says means the same here: look again
	for k, a := range gd.onDuty {
		a.watch.found, a.watch.nextLocked = v.Rows[k].Found, v.Rows[k].Next
	}
	for k, a := range gd.offDuty {
		a.watch.shift.stood = v.Pulses[k].Still
	}
	clear(gd.onDuty) // nothing is kept here of a region that is closed
	clear(gd.offDuty)
	clear(v.Rows)
	clear(v.Pulses)
}

// add has all be what was found in another region, too.
func (all *look) add(l look) {
	all.others += l.others
	all.again = earlier(all.again, l.again)
	all.moving = all.moving || l.moving && l.others > 0
}

// until is when a sleep ends by itself, after looks that found l; 0: never.
func until(l look, now int64, duty bool) int64 {
	switch {
	case l.moving:
		return earlier(l.again, now+dutyPeriod)
	case duty:
		return earlier(l.again, now+dutyRound)
	}
	return l.again
}

// period is how often a sleeper looks at its words, of which there are so many,
// and on duty at the others' rows; 0: never.
func period(most, words int, duty, waitv bool) int64 {
	plain := plainWait * int64(max(1, most/plainMany))
	switch {
	case !waitv && duty:
		return min(plain, dutyPeriod)
	case !waitv:
		return plain
	case duty || words > sys.MaxWaitv:
		return dutyPeriod
	}
	return 0
}

// bells adds the words of a that are for this process to hear.
func (a *attachment) bells(ws []sys.Waitv) []sys.Waitv {
	add := func(p *uint32) { ws = append(ws, sys.SharedWaitv(p, mem.Load32(p))) }
	add(a.W32(region.HdrChanges))
	add(a.rec(a.self.Index).P32(region.RecBell))
	if a.watch.listened() {
		add(a.W32(region.HdrEnds))
	}
	return ws
}

// watched adds the alive words of n participants that follow this process in
// order of index, and records which of those behind it are suspects.
func (a *attachment) watched(ws []sys.Waitv, n int) []sys.Waitv {
	a.watch.behind = a.watch.behind[:0]
	for k := uint32(1); k < a.Geo.Participants && n > 0; k++ {
		r := a.rec((a.self.Index + k) % a.Geo.Participants)
		if !region.Present(r.Word()) {
			continue
		}
		p := r.P32(region.RecAlive)
		v := mem.Load32(p)
		if v&sys.FutexOwnerDied != 0 {
			a.watch.behind = append(a.watch.behind, r.I)
			continue // it has been said, and would not be said again
		}
		ws = append(ws, sys.SharedWaitv(p, v))
		n--
	}
	return ws
}
