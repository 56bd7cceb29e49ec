// Package actor has a test's calls made by others: goroutines with a handle of
// the region of their own, children, or processes that never heard of each
// other and open the region by its name. It is for tests only.
//
// Those who use a region are actors. What an actor can do is a verb; its first
// argument is the object's name, and what it returns is the answer:
//
//	var _ = actor.Verb("event.wait", func(e *actor.Env, args []string) string {
//		ev := actor.Handle(e, args[0], func() (*sync.Event, error) { return sync.OpenEvent(e.Region, args[0]) })
//		ctx, cancel := e.Within(args, 1) // args[1], if it is there, is a timeout
//		defer cancel()
//		return actor.Outcome(ev.Wait(ctx))
//	})
//
// Package verbs has those for the primitives. A test of one
// process and its peers starts them one by one; each is killed at the test's
// end at the latest:
//
//	func TestMain(m *testing.M) { testproc.Main(m) }
//
//	a, b := actor.Start(t, r), actor.Start(t, r)
//	a.Expect("ok", "mutex.lock", "m")
//	c := b.Begin("mutex.lock", "m") // goes on meanwhile
//	c.Blocked()                     // returns when it sleeps on "m"
//	a.Kill()
//	c.Expect("owner died")
//
// A test that is to hold whatever the actors are runs its body once in each
// way, in a region of its own. There TestMain calls proc.Main, too, and an
// actor that does not end by itself is an error:
//
//	actor.Ways(t, func(t *testing.T, w *actor.World) {
//		for _, a := range w.Actors(5) { … }
//	})
//
// What needs a death or a stop runs by Processes instead of Ways, which leaves
// the goroutines out: Kill, Stop and Resume are an actor's that is a process.
//
// An actor runs every call in a goroutine of its own, so that several can be
// going on in one actor; Do is Begin and Answer, and Expect is Do and a
// comparison. StillBlocked says that a call that was Blocked has not been
// answered since. Took is how long the verb itself ran, and Timed is Do with it.
// A verb that stops midway talks with the test: by Say and Hear, of which the
// call's ends are Hears and Tell. Every blocking verb waits with e.Ctx, or a
// context that is made from it: it ends when the call is cancelled and when the
// actor is to end.
//
// Nothing waits for ever: an answer, a sleep or an end that does not come
// within testproc.Patience fails the test, with the region's snapshot in the
// log: who holds what, and who waits.
package actor
