package wait

import (
	"sync"
	"sync/atomic"

	"example.com/tandem/internal/sys"
)

// A store without a fence, and who sleeps.
//
// Who publishes stores, and then loads the word that says whether anybody sleeps.
// Who goes to sleep says so, and then looks whether anything was published. If each
// missed the other's store, he would sleep for ever. A fence of each between his two
// accesses prevents that. A publisher would pay for it each time, and it costs more
// than all the rest. So who goes to sleep, and has the time, makes the publishers'
// fences as well, by a system call:
//
//	P1 store what is published     S1 say that somebody sleeps: a locked instruction
//	P2 load whether anybody does   S2 Membarrier
//	                               S3 look, fruitless: sleep
//
// Within S2 each thread of a process that Membarriers reach has a full fence, by an
// interrupt, or because it was not running and goes on only after one. For a
// publisher that is before P2, which then finds S1; or it is after P2, hence after
// P1, which S3 then finds.
//
// S2 comes after S1. It comes also where S1 found that another had said so and had
// nothing to store: that one may have been stopped before its S2.
//
// A process that Membarriers do not reach, or not yet, has its own fence between P1 and
// P2 (mem.Store64 instead of mem.Release64), and nobody else need know. A process
// without Membarriers sleeps for a while at most, and looks again.
//
// A Membarrier may miss a processor (package sys). So the first sleep of a call is a
// short one, and the first after S1 was taken back: what was missed is visible a moment
// later.
//
// All this is for amd64, where a load may be satisfied before an earlier store is
// visible. On arm64 no LDAR is before an earlier STLR, and elsewhere Go's stores are
// fenced: there everybody is reached, and a Membarrier has nothing to do.
//
// internal/sim has the tests in which the scheduler finds each of these steps left
// out.

var (
	reached atomic.Bool
	reach   sync.Once
)

// Reach has the Membarriers of all processes reach this one, from when Reached says so.
// It does not wait for that: the kernel takes some 10 to 50 ms, once a process.
func Reach() {
	reach.Do(func() { go register() })
}

// ReachedWord is where Reached is read from.
func ReachedWord() *atomic.Bool { return &reached }

// FencesOthers reports whether a region is to be made in which those who sleep make
// the fences of those who publish.
func FencesOthers() bool { return !simulated && sys.Membarrier() == nil }

func register() { reached.Store(sys.RegisterMembarrier() == nil) }

// Reached reports whether Membarriers reach this process.
func Reached() bool {
	if simulated {
		return hook.Reached()
	}
	return reached.Load()
}

// FenceOwn has each thread of this process make a full fence, if the process is one that
// stores without any: what its threads have stored up to now is visible after it.
func FenceOwn() {
	if !simulated && reached.Load() {
		sys.MembarrierOwn()
	}
}

// MissesSome reports whether a Membarrier may miss somebody who is reached.
func MissesSome() bool { return !simulated }

// Membarrier returns when each thread of the processes that are reached has had a full
// fence since the call, and is one itself. It reports whether the system has it.
func Membarrier() bool {
	if simulated {
		return hook.Membarrier()
	}
	return sys.Membarrier() == nil
}
