package shm

import (
	"runtime"
	"slices"
	gosync "sync"
	"time"
	"unsafe"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sys"
)

// The guard is the thread by whose end the kernel tells the others that this
// process ended, and which hears of theirs: one per process, for all of its
// regions, from the first to the last.
//
// It tells: its thread holds a robust list with a node per region. When it
// ends, by whatever way, the kernel sets FUTEX_OWNER_DIED in the alive word of
// this process in each region and wakes one who sleeps there.
//
// It hears: it sleeps, in one futex_waitv, on the alive words of the others
// (as many as fit; of many, those that follow it in order of index), on each
// region's word of changes, and on a private control word. The kernel's one
// wake may go to a guard that is frozen or dying itself, so whoever finds a
// death bumps the word of changes and wakes everybody; and there is a timeout
// while others are attached, the backstop that bounds what is left.
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
	words   []sys.Waitv // what it sleeps on; reused
	doubts  int         // rounds in a row with a suspect: looked at often at first
}

// A task ends with nil, or with why there is no guard to run it.
type task struct {
	do   func()
	done chan error
}

var theGuard guard

const (
	backstop      = 100 * time.Millisecond // between looks when nothing is heard
	backstopPlain = 10 * time.Millisecond  // the same where there is no futex_waitv: it is all there is
	proofWait     = time.Millisecond       // between looks at a suspect
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
	off := a.g.record(a.self.Index) + recAlive
	n := a.m.node(off)
	n.Next = gd.head.Next
	gd.head.Next = unsafe.Pointer(n)
	mem.Store32(a.W32(off), uint32(gd.tid)|sys.FutexWaiters)
}

func (gd *guard) unlink(a *attachment) {
	n := unsafe.Pointer(a.m.node(a.g.record(a.self.Index) + recAlive))
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

	gd.words = append(gd.words[:0], sys.SharedWaitv(gd.control, control))
	share := (sys.MaxWaitv - 1) / max(len(regions), 1)
	for _, a := range regions {
		gd.words = a.watched(gd.words, max(share, 1))
	}
	var others, suspects bool
	for _, a := range regions {
		o, s := a.look()
		a.sweep()
		others, suspects = others || o, suspects || s
	}
	if suspects {
		gd.doubts++
	} else {
		gd.doubts = 0
	}
	gd.sleep(control, others)
	return true
}

func (gd *guard) sleep(control uint32, others bool) {
	var deadline int64
	switch {
	case gd.doubts > 1000:
		deadline = int64(backstop)
	case gd.doubts > 100:
		deadline = int64(backstopPlain)
	case gd.doubts > 0:
		deadline = int64(proofWait)
	case others && sys.HaveWaitv():
		deadline = int64(backstop)
	case !sys.HaveWaitv():
		deadline = int64(backstopPlain)
	}
	if deadline != 0 {
		deadline += sys.MonotonicNow()
	}
	if sys.HaveWaitv() {
		sys.FutexWaitv(gd.words[:min(len(gd.words), sys.MaxWaitv)], deadline)
		return
	}
	// EINTR, ETIMEDOUT and a change all mean the same here: look again.
	sys.FutexWait(gd.control, control, deadline)
}

// watched adds the words of a that the guard sleeps on, at most n: the changes,
// then the alive words of those who follow this process in order of index.
func (a *attachment) watched(ws []sys.Waitv, n int) []sys.Waitv {
	p := a.W32(hdrChanges)
	ws = append(ws, sys.SharedWaitv(p, mem.Load32(p)))
	n--
	for k := uint32(1); k < a.g.participants && n > 0; k++ {
		r := a.rec((a.self.Index + k) % a.g.participants)
		if !there(r.word()) {
			continue
		}
		p := r.p32(recAlive)
		v := mem.Load32(p)
		if v&sys.FutexOwnerDied != 0 {
			continue // it has been said, and would not be said again
		}
		ws = append(ws, sys.SharedWaitv(p, v))
		n--
	}
	return ws
}
