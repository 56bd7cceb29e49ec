package wait

import (
	"sync"
	"sync/atomic"
	"unsafe"
)

// Waiters are never freed: a context's callback, or somebody who insists, may
// hold one long after its Done. There are as many as there were ever blocking
// calls at once. Some lie ready, and are taken and given back without the lock.
var free struct {
	ready [8]atomic.Pointer[Waiter]

	mu    sync.Mutex
	head  *Waiter
	made  int
	words []uint32 // of the last chunk, those not given out
}

// Nudge words lie off the Go heap, where the kernel may be told of them by
// number, and a line apart: they are woken by many processors.
const (
	nudgeChunk = 64 << 10
	nudgeStep  = 64 / 4
)

//go:norace
func takeWaiter() *Waiter {
	for i := range free.ready {
		if r := &free.ready[i]; r.Load() != nil {
			if w := r.Swap(nil); w != nil {
				return w
			}
		}
	}
	free.mu.Lock()
	defer free.mu.Unlock()
	if w := free.head; w != nil {
		free.head, w.next = w.next, nil
		return w
	}
	if len(free.words) == 0 {
		free.words = unsafe.Slice((*uint32)(allocate(nudgeChunk)), nudgeChunk/4)
	}
	w := &Waiter{nudge: &free.words[0]}
	free.words = free.words[nudgeStep:]
	w.raise = w.rouse
	w.bed.bit = 1 << (free.made % 32)
	free.made++
	return w
}

//go:norace
func giveWaiter(w *Waiter) {
	for i := range free.ready {
		if r := &free.ready[i]; r.Load() == nil && r.CompareAndSwap(nil, w) {
			return
		}
	}
	free.mu.Lock()
	w.next = free.head
	free.head = w
	free.mu.Unlock()
}
