//go:build race

package mem

import (
	"runtime"
	"unsafe"
)

// The race detector does not see mapped memory: what orders two goroutines
// there is told to it by hand, through tags, words of the Go heap that stand
// for shared ones. What the library itself synchronises by (its mutexes,
// channels and counters) runs between RaceDisable and RaceEnable, or it would
// order what the user's program does not, and hide the user's races.

// RaceEnabled says whether this is a build for the race detector.
const RaceEnabled = true

func RaceDisable() { runtime.RaceDisable() }
func RaceEnable()  { runtime.RaceEnable() }

// RaceRead tells that n bytes are read which CopyRacing reads, but are the caller's.
func RaceRead(p unsafe.Pointer, n int) {
	if n > 0 {
		runtime.RaceReadRange(p, n)
	}
}

// RaceAcquire orders what follows after every RaceRelease of p so far.
func RaceAcquire(p unsafe.Pointer) { runtime.RaceAcquire(p) }

// RaceRelease orders what came before it before the RaceAcquires of p that
// follow, and makes them forget earlier releases. RaceReleaseMerge adds to
// those.
func RaceRelease(p unsafe.Pointer)      { runtime.RaceRelease(p) }
func RaceReleaseMerge(p unsafe.Pointer) { runtime.RaceReleaseMerge(p) }
