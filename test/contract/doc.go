// Package contract is the contract of package sync, row by row, as tests: what
// each primitive must do, whether those who use it are goroutines of one
// process, children of one parent, or processes that never heard of each other
// and open the region by its name. A row is a test, or a subtest, whose name
// begins with the row's number: "L5 a timed Lock waits its time".
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
