// Package sim is the scheduler that kills: it runs the engines' own code as
// simulated threads of simulated processes, lets a seeded random generator
// decide at every access to a shared word who goes next, and kills, stops, closes,
// cancels and wakes for no reason, all reproducibly from the seed.
//
// It exists only with the build tag tandem_sim, under which package mem asks
// before each access (mem.Point). Tests of engines that use it are in package
// engine_test, since sim imports engine. A run takes some 50 µs, so 10,000 runs of a
// test take a second or so:
//
//	func TestSimMutex(t *testing.T) {
//		sim.Explore(t, 10000, sim.Options{KillEvery: 200, MaxKills: 2}, func(w *sim.World) {
//			a := mem.Heap(engine.MutexSize)
//			engine.InitMutex(a)
//			w.OnDeath(func(t *sim.Thread, dead engine.Self) { recoverMutex(a, t.Env(), dead) })
//			for i := range 3 {
//				p := w.Process(i)
//				p.Go("locker", func(t *sim.Thread) { … m.Lock(t) … })
//			}
//			w.AtEnd(func() error { … })
//		})
//	}
//
// A failure prints its seed and the last steps with their source lines;
// go test -tags tandem_sim -run TestSimMutex ./internal/engine -seed N
// repeats it alone, and -runs N changes how many seeds are tried.
//
// # Model
//
// Threads are coroutines; exactly one runs. Every access through package mem,
// every futex wait and every wake is a scheduling point. Memory is that of amd64
// (TSO): a store without a fence becomes visible to others some steps later, in
// the order of its thread's stores, and its thread finds it at once (mem.Buffer).
// stores.go says when that is, and what waits for it: fences, futex calls, deaths.
// A wait compares and enqueues in one step, as the kernel does under its
// bucket's lock.
//
// A killed process's threads never run again: their stacks unwind by a panic
// that the engines, which have no defers, do not see. Its sleepers leave their
// futex queues. Some steps later a surviving process runs the recovery in a
// thread of its own; if that process is killed in it, another begins anew. If
// none survives, a newcomer does it, as one that attaches would. Only when
// the recovery is complete may the index be used again, with the next epoch.
//
// A stopped process does not run for a while. Half of the stops are those of
// SIGSTOP, which takes sleepers off their futex queues until they continue;
// the others are those of a frozen cgroup, where they stay, and eat wakes.
//
// A process that closes the region (leave.go) goes on running: its sleeps end,
// and some steps later what its threads access are zeroes of its own, while it
// recovers itself in the region. There the handles of the packages above run, on
// Process.Core, and not the engines alone.
//
// A run fails when the test says so (Fail, AtEnd, Always, Each), when code panics,
// when threads are asleep and nothing is left that could wake them, and when
// it exceeds its bound of steps. With Options.Timers the time limits of waits
// count, and time jumps to the next of them when nobody can run; without, a
// limited wait is one without limit, so that no backstop hides a lost wake-up.
package sim
