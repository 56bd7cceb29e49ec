//go:build tandem_sim

package sim

import (
	"unsafe"

	"example.com/tandem/internal/mem"
)

// Store buffers (mem.Buffer has what they are): when each store becomes visible.
//
// That is a step by itself. In a random run each store has its time, some steps
// after it was made and never before those that its thread made earlier; in a
// quarter of the runs it is at once. Under every schedule there are two ways:
// all at once, or each as late as can be, and then that one becomes visible
// earlier is a deviation like a preemption.
//
// A futex call empties the buffer of its thread, as the kernel's own locked
// instructions do. So does what ends a thread for the others: nobody sees a
// death before all stores of the dead are visible (the sign of it is a later
// store of the same processor), and no zeroes come before those of all threads
// of the process are (its processors answer the kernel's call, and that is a later
// store of each). A Membarrier empties those of all processes that it reaches.
//
// Late are stores to memory that mem.Heap has made for the world. Others are a
// process's own, which its code may read without package mem.

// common reports whether p is memory of the world's.
func (w *World) common(p unsafe.Pointer) bool {
	for _, a := range w.heaps {
		if uintptr(p)-uintptr(a.Ptr(0, 0)) < uintptr(a.Size()) {
			return true
		}
	}
	return false
}

// Own, Late and Drain are for package mem.
func (w *World) Own() *mem.Buffer {
	if w.cur == nil {
		return nil
	}
	return &w.cur.stores
}

func (w *World) Late(p unsafe.Pointer) (due int, late bool) {
	t := w.cur
	if t == nil || t.over || !w.common(p) {
		return 0, false
	}
	w.unfenced++
	switch {
	case w.late == 0:
		return 0, false
	case w.sched != nil:
		due = 1 << 62
	default:
		due = w.steps + 1 + int(w.lateness.ExpFloat64()*float64(w.late))
	}
	if t.stores.Empty() {
		w.holding = append(w.holding, t)
		w.next = min(w.next, due)
		return due, true
	}
	return max(due, t.stores.LastDue()), true
}

func (w *World) Drain() bool {
	if w.cur == nil || w.cur.stores.Empty() {
		return false
	}
	w.show(w.cur)
	return true
}

// show makes t's oldest store visible.
func (w *World) show(t *Thread) {
	t.stores.Show()
	if w.trace != nil {
		w.note(t.p, t.Name+": a store becomes visible")
	}
	if !t.stores.Empty() {
		return
	}
	for i, x := range w.holding {
		if x == t {
			w.holding = append(w.holding[:i], w.holding[i+1:]...)
			break
		}
	}
}

// showDue makes one store visible whose time has come.
func (w *World) showDue() bool {
	for _, t := range w.holding {
		if t.stores.Due() <= w.steps {
			w.show(t)
			return true
		}
	}
	return false
}

// nextDue is the step at which the next store becomes visible.
func (w *World) nextDue() int {
	next := 1 << 62
	for _, t := range w.holding {
		next = min(next, t.stores.Due())
	}
	return next
}

// holder is a thread with stores that are not visible, of the process if not nil.
func (w *World) holder(p *Process) *Thread {
	for _, t := range w.holding {
		if p == nil || t.p == p {
			return t
		}
	}
	return nil
}

// flush makes all stores of the process visible.
func (w *World) flush(p *Process) {
	for t := w.holder(p); t != nil; t = w.holder(p) {
		w.show(t)
	}
}

// drain empties the thread's buffer. Others may run in between.
func (t *Thread) drain() {
	for t.w.Drain() {
		t.w.point()
	}
}

// Membarrier is membarrier's MEMBARRIER_CMD_GLOBAL_EXPEDITED: it returns when each
// thread of the processes that it reaches has had its buffer empty since the call.
// They are reached one after the other.
func (t *Thread) Membarrier() bool {
	w := t.w
	w.point()
	t.drain()
	for _, x := range append([]*Thread(nil), w.holding...) {
		if x.p.Unreached || x.p.Missed {
			continue
		}
		for !x.stores.Empty() {
			w.show(x)
		}
		w.point()
	}
	if w.trace != nil {
		w.note(t.p, t.Name+": membarrier")
	}
	return true
}
