package engine

import (
	gosync "sync"

	"example.com/tandem/internal/mem"
)

// A CondLine is one process's waiters on one Cond, in the order in which they
// came. It is private memory. No shared word is touched with mu held.
//
// The race detector is not to see mu: what orders waiters is the lock that
// they hold, and nothing else may hide that they do not.
type CondLine struct {
	mu         gosync.Mutex
	head, tail *condWaiter
	free       *condWaiter
}

type condWaiter struct{ prev, next *condWaiter }

// join puts a new one at the end.
//
//go:norace
func (l *CondLine) join() *condWaiter {
	mem.Between()
	mem.RaceDisable()
	l.mu.Lock()
	w := l.free
	if w == nil {
		w = new(condWaiter)
	} else {
		l.free = w.next
	}
	w.prev, w.next = l.tail, nil
	if l.tail != nil {
		l.tail.next = w
	} else {
		l.head = w
	}
	l.tail = w
	l.mu.Unlock()
	mem.RaceEnable()
	return w
}

// leave takes w out, for good.
//
//go:norace
func (l *CondLine) leave(w *condWaiter) {
	mem.Between()
	mem.RaceDisable()
	l.mu.Lock()
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		l.head = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		l.tail = w.prev
	}
	w.prev, w.next = nil, l.free
	l.free = w
	l.mu.Unlock()
	mem.RaceEnable()
}

// first reports whether w is one of the first n.
//
//go:norace
func (l *CondLine) first(w *condWaiter, n int) (is bool) {
	if n == 0 {
		return false
	}
	mem.Between()
	mem.RaceDisable()
	l.mu.Lock()
	for x := l.head; x != nil && n > 0 && !is; x, n = x.next, n-1 {
		is = x == w
	}
	l.mu.Unlock()
	mem.RaceEnable()
	return is
}
