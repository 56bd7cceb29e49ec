// Package contract is the contract of what processes share, row by row, as tests:
// of the locks, events and barriers of package sync, the values and arrays of
// package atomics, the queues, pipes, streams and broadcasts of package ring, of
// shm.WaitAny, and of the region's memory. It is what each must do, whether those
// who use it are goroutines of one process, children of one parent, or processes
// that never heard of each other and open the region by its name.
//
// A row is a subtest, whose name says what holds. Where CPython's multiprocessing
// has a contract for the same, the name begins with the statement's number, a
// letter for the primitive, "L5 a timed Lock waits its time"; D is for deaths.
// Package proc, whose processes are of one kind, has its rows among its own tests.
//
// # Writing a row
//
// Those who use the primitive are actors, and what they do are verbs: see
// packages internal/testproc/actor and its verbs. A row runs its body once in
// each way:
//
//	t.Run("E4 Set wakes all", func(t *testing.T) {
//		ways(t, func(t *testing.T, w *world) {
//			waiters := w.Actors(5)
//			for _, a := range waiters {
//				c := a.Begin("event.wait", "e") // goes on meanwhile
//				c.Blocked()                     // returns when it sleeps on "e"
//				…
//			}
//			w.Actor().Expect("ok", "event.set", "e")
//			…
//			if got := c.Answer(); got != "ok" { … }
//		})
//	})
//
// What needs a death or a stop runs by processes instead of ways. Tests run side by
// side, since most of them wait, most of the time.
//
// A time that a call must have waited is exact: Took is no less. How soon
// something comes is a bound only by effort.Median; and w.Until waits for what
// is not an answer, such as a participant's end.
package contract
