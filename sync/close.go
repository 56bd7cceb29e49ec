package sync

import "example.com/tandem/shm"

// Close ends the handle and nothing else. Its calls return [shm.ErrClosed] from then
// on (what returns no error says that nothing is there), and so do those that
// wait in other goroutines, with nothing taken. It blocks for nobody, and does
// not wait for them. What this process holds in the object it still holds, and
// gives back through another handle, if need be one that is opened then: a
// holder of the mutex still holds it. A second Close does nothing. An error is
// of a handle that was never opened.
//
// The memory of an object that was removed comes back when no process has a
// handle on it any more. A closed one counts until nothing reaches it, neither a
// variable nor a call that was under way; when all of a process are closed, it
// has its collector look at once. What the process still held in the object is
// then recovered, as if it had died. A process that dies in Close has died with
// what it held, as anywhere.
func (m *Mutex) Close() error { return m.close("mutex.Close") }

// Close ends the handle, see [Mutex.Close], and with it its Holders: they lock
// nothing any more. What they hold they can still unlock.
func (m *RMutex) Close() error { return m.close("rmutex.Close") }

// Close ends the handle, see [Mutex.Close]; the process's readings and its writing
// go on.
func (m *RWMutex) Close() error { return m.close("rwmutex.Close") }

// Close ends the handle, see [Mutex.Close]. A Wait of its ends as if its context
// had: with [shm.ErrClosed], and with the lock held. So it waits for the lock. Its
// Holders lock nothing any more, if the lock is its own, but unlock what they
// hold.
func (c *Cond) Close() error {
	if c.core == nil {
		return &shm.Error{Op: "cond.Close", Err: errNoHandle}
	}
	if c.core.Close() && c.lock.core != c.core {
		c.lock.core.Discount()
	}
	return nil
}

// Close ends the handle, see [Mutex.Close]; what the process has taken it has.
func (p *permits) Close() error { return p.close(p.op("Close")) }

// Close ends the handle, see [Mutex.Close].
func (e *Event) Close() error { return e.close("event.Close") }

// Close ends the handle, see [Mutex.Close]. A Wait of its that has come to the
// barrier ends as if its context had: that breaks the round, and the others get
// [ErrBroken] at once.
func (b *Barrier) Close() error { return b.close("barrier.Close") }

// Close ends the handle, see [Mutex.Close]. An fn that is running runs to its end,
// and if it returns nil it is done.
func (o *Once) Close() error { return o.close("once.Close") }
