// Package contract is the contract of package sync, row by row, as tests: what
// each primitive must do, whether those who use it are goroutines of one
// process, children of one parent, or processes that never heard of each other
// and open the region by its name. A row is a test, or a subtest, whose name
// begins with the row's number: "L5 a timed Lock waits its time".
//
// # Writing a row
//
// Those who use the primitive are actors. What an actor can do is a verb; its
// first argument is the object's name, and what it returns is the answer:
//
//	var _ = verb("event.wait", func(e *env, args []string) string {
//		ev := e.handle(args[0], func() any { return opened(sync.OpenEvent(e.region, args[0])) }).(*sync.Event)
//		ctx, cancel := e.within(args, 1) // args[1], if it is there, is a timeout
//		defer cancel()
//		return outcome(ev.Wait(ctx))
//	})
//
// A row runs its body once in each way:
//
//	t.Run("E4 Set wakes all", func(t *testing.T) {
//		ways(t, func(t *testing.T, w *world) {
//			waiters := w.actors(5)
//			for _, a := range waiters {
//				c := a.begin("event.wait", "e") // goes on meanwhile
//				c.blocked()                     // returns when it sleeps on "e"
//				…
//			}
//			w.actor().expect("ok", "event.set", "e")
//			…
//			if got := c.answer(); got != "ok" { … }
//		})
//	})
//
// An actor runs every call in a goroutine of its own, so that several can be
// going on in one actor; do is begin and answer, and expect is do and a
// comparison. stillBlocked says that a call that was blocked has not been
// answered since. took is how long the verb itself ran, and timed is do with it.
// Every blocking verb waits with e.ctx, or a context that is made from it: it
// ends when the call is cancelled and when the actor is to end.
//
// What needs a death or a stop runs by processes instead of ways, which leaves
// the goroutines out: kill, stop and resume are an actor's that is a process.
//
// A time that a call must have waited is exact: took is no less. How soon
// something comes is a bound only by w.within, which takes medians; and
// w.until waits for what is not an answer, such as a participant's end.
//
// Nothing waits for ever: an answer, a sleep or an end that does not come
// within testproc.Patience fails the row, with the region's snapshot in the
// log: who holds what, and who waits.
package contract
