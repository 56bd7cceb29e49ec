package wait

import (
	"runtime"
	"testing"
	"time"
	"unsafe"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
)

// The words of a pair of which one publishes without a fence.
const (
	pairRounds = 0   // how many there will be
	pairGo     = 64  // the round that may begin
	pairStored = 128 // P1: the last round that was published
	pairSaid   = 192 // S1: the last round of the sleeper's
	pairSaw    = 256 // what P2 found
	pairDone   = 320 // the last round that is over
)

func init() {
	roles["publishes without a fence"] = func(page []uint32) {
		Reach()
		for begun := time.Now(); !Reached(); {
			if time.Since(begun) > patience {
				panic("not reached")
			}
			runtime.Gosched() // Reach has a goroutine of its own
			sys.Yield()
		}
		a := areaOf(page)
		for i := uint64(1); ; i++ {
			comes(a.W64(pairGo), i)
			if i > mem.Load64(a.W64(pairRounds)) {
				return
			}
			mem.Release64(a.W64(pairStored), i) // P1
			saw := mem.Load64(a.W64(pairSaid))  // P2
			mem.Store64(a.W64(pairSaw), saw)
			mem.Store64(a.W64(pairDone), i)
		}
	}
}

func areaOf(page []uint32) mem.Area { return mem.At(unsafe.Pointer(&page[0]), 4096) }

// comes waits until the word is v.
func comes(w *uint64, v uint64) {
	var since time.Time
	for n := 0; mem.Load64(w) != v; n++ {
		switch {
		case n < 100:
		case n == 100:
			since = time.Now()
		case n%1000 == 0 && time.Since(since) > testproc.Patience:
			panic("the other process does not go on")
		default:
			sys.Yield()
		}
	}
}

// Two processes on two processors, as on a Bell: never does each miss the other's
// store. Without the Membarrier it is seen that they do, which is only logged. (On
// arm64 a Membarrier has nothing to do, and an emulator does not keep the order that
// makes that so.)
func TestMembarrierReachesOthers(t *testing.T) {
	if !Membarrier() {
		t.Skip("this system has none")
	}
	if sys.Processors() == 1 {
		t.Skip("the two never run at a time")
	}
	page, f := sharedPage(t)
	a := areaOf(page)
	rounds := uint64(effort.Or(60_000, 2_000))
	mem.Store64(a.W64(pairRounds), 2*rounds)
	cmd := startRole(t, "publishes without a fence", f)
	missed := map[bool]int{}
	for i := uint64(1); i <= 2*rounds; i++ {
		membarrier := i <= rounds
		mem.Store64(a.W64(pairGo), i)
		for range i % 199 { // the other begins some 100 ns later
			mem.Load64(a.W64(pairSaid))
		}
		mem.Store64(a.W64(pairSaid), i) // S1
		if membarrier {
			Membarrier() // S2
		}
		stored := mem.Load64(a.W64(pairStored)) // S3
		comes(a.W64(pairDone), i)
		if stored != i && mem.Load64(a.W64(pairSaw)) != i {
			missed[membarrier]++
		}
	}
	mem.Store64(a.W64(pairGo), 2*rounds+1)
	mustEnd(t, cmd)
	if missed[true] > 0 {
		t.Errorf("in %d of %d rounds each missed the other's store", missed[true], rounds)
	}
	t.Logf("of %d rounds without a membarrier %d", rounds, missed[false])
}

func BenchmarkMembarrier(b *testing.B) {
	for b.Loop() {
		Membarrier()
	}
}
