// Package sync has locks, semaphores, barriers and events in shared memory:
// what package sync of the standard library is to goroutines, for the
// goroutines of all processes that have a region open. A program that uses both writes
//
//	import tsync "example.com/tandem/sync"
//
// # Held, or not
//
// [Mutex.Lock] returns nil or an error. nil means held; an error means not held,
// whatever it is: the context's, [ErrOwnerDied], or ErrClosed of package shm.
//
//	mu, err := tsync.OpenMutex(region, "accounts")
//	…
//	if err := mu.Lock(ctx); err != nil {
//		return err
//	}
//	defer mu.Unlock()
//
// A lock belongs to a process, not to a goroutine: any goroutine of the
// process that holds it may unlock it, and another process may not.
//
// # When a holder dies
//
// A process that is killed, panics or exits while it holds a lock leaves what
// the lock guards as it was at that instant, perhaps half changed. The lock is
// then abandoned: within milliseconds everybody who waits for it, and
// everybody who calls Lock, gets ErrOwnerDied, until somebody repairs:
//
//	suspect, err := mu.Recover(ctx) // held, abandoned or not
//	if err != nil {
//		return err
//	}
//	defer mu.Unlock()
//	if suspect {
//		… make the data whole again …
//		mu.MarkConsistent()
//	}
//
// or, once for a handle of a [Mutex] or an [RWMutex], OnOwnerDied names a function that
// does so; another handle of the process needs its own, and one that arrives in a child. To
// close a region with a lock held is to die with it. To close a handle with a lock held is
// not: the process still holds it, and unlocks it through another handle.
//
// A process that is stopped, by a signal or a debugger, is not dead: it keeps
// what it holds for as long as it is stopped.
//
// The same holds for an [RMutex], for an [RWMutex] whose writer died, and for the
// lock of a [Cond], and of a Value or an Array. What is no lock has no such state. A process that dies as
//
//	a reader of an RWMutex     is not counted any more
//	a holder of permits        gives them back: all of a BoundedSemaphore, of a
//	                           Semaphore as many as its initial count has room for
//	a waiter of a Cond         takes no notification with it
//	a party of a Barrier       breaks the round: ErrBroken for all, until Reset
//	the runner of a Once       is followed by the next caller, which runs it
//	a waiter for any of them   leaves nothing: no call waits for a waiter
//
// # Which one
//
//	Mutex             one process at a time; handed from goroutine to goroutine
//	RMutex            the same, for call chains that lock again: a Holder each
//	RWMutex           many readers or one writer; writers are not starved
//	Cond              wait, with a lock given up meanwhile, until somebody notifies
//	Semaphore         a count to take from and give to, by anybody
//	BoundedSemaphore  permits that go back to whence they came
//	Event             a flag to wait for
//	Barrier           so many parties wait for each other, round after round
//	Once              something is done once in the region's life
//
// # What is ordered
//
// Each type says, in the terminology of the [Go memory model], which of its
// calls synchronize before which. That holds between goroutines of any processes
// that have the region open, just as between those of one; the race detector
// sees those of one process. A call that fails orders nothing, unless its type
// says otherwise.
//
// # Handles
//
// A handle may be used by any number of goroutines (a Holder by one at a time), and may be
// an argument of a child ([Mutex.MarshalBinary]). [Mutex.Close] ends a handle and nothing else;
// what is said there holds for every type.
//
// # Who is next
//
// A caller that asks for a free lock gets it, and one that unlocks and locks
// again at once usually gets it before the sleepers: that is fastest. Once a
// sleeper has been passed over for a millisecond, the lock is offered to the
// sleepers when it is next unlocked, and the others stand back.
//
// Waiting is spinning for some microseconds, as far as that paid lately, and
// then sleeping in the kernel. Lock and Unlock that meet nobody make no system
// call and allocate nothing.
//
// [Go memory model]: https://go.dev/ref/mem
package sync
