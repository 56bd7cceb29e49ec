// Package sync has locks in shared memory: what package sync of the standard
// library is to goroutines, for the goroutines of all processes that have a
// region open. A program that uses both writes
//
//	import tsync "example.com/tandem/sync"
//
// # Held, or not
//
// Lock returns nil or an error. nil means held; an error means not held,
// whatever it is: the context's, shm.ErrClosed, or ErrOwnerDied.
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
// or, once and for all in a process, OnOwnerDied names a function that does
// so. To close a region with a lock held is to die with it.
//
// A process that is stopped, by a signal or a debugger, is not dead: it keeps
// what it holds for as long as it is stopped.
//
// # Who is next
//
// Whoever asks for a free lock gets it, and who unlocks and locks again at
// once usually gets it before those who sleep: that is fastest. Once a sleeper
// has been passed over for a millisecond, the lock is offered to those who
// sleep when it is next unlocked, and the others stand back.
//
// Waiting is spinning for some microseconds, as far as that paid lately, and
// then sleeping in the kernel. Lock and Unlock that meet nobody make no system
// call and allocate nothing.
package sync
