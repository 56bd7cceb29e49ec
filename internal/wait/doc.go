// Package wait is how a goroutine waits for a word in shared memory to change:
// it spins for a while, yields once, then sleeps in the kernel on a futex.
//
// A List holds the sleepers of one attachment, which is one process's use of
// one region. A Waiter is one blocking call's way to wait; it carries the
// caller's context. An algorithm sees it as engine.Sleeper:
//
//	w := list.Waiter(ctx)
//	defer w.Done()
//	for {
//		v := the word
//		if look succeeds { return nil }
//		if w.Spin() { continue }
//		if err := w.Sleep(word, v); err != nil { return err }
//	}
//
// A call that changed something wakes sleepers by Wake. That reaches every
// process; all else is private to this one: a context that ends, List.Close and
// List.Nudge end a sleep through its nudge word (waiter.go), or, where the
// kernel has no futex_waitv, by insistence (insist.go).
//
// A call that waits for several words at once, of any number of lists, has an Any
// (any.go).
//
// Who publishes need not fence before the look whether anybody sleeps, if who goes
// to sleep makes a Membarrier (membarrier_amd64.go).
//
// What a process's calls sleep on stands on its Board (board.go), where the
// region has one, so that others can tell who waits for what.
//
// A sleeping goroutine sleeps in the kernel itself, on a thread of its own; but those of
// which a process may have thousands share threads (poll.go). Nothing outside of this
// package can tell.
package wait
