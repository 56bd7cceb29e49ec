package bench_test

import (
	"testing"

	"example.com/tandem/sync"
)

func BenchmarkBarrierAlone(b *testing.B) {
	contest{what: "`Barrier` of 1, Wait", kind: "free", of: []contestant{
		{here, "Barrier"}, {inC, "pthread-barrier"}, {inPython, "Barrier"},
	}}.run(b)
}

func BenchmarkBarrierTrip(b *testing.B) {
	contest{what: "`Barrier` of two processes, a round", kind: "trip", of: []contestant{
		{two, "Barrier"}, {twoFree, "Barrier"}, {inC, "pthread-barrier"}, {inPython, "Barrier"},
	}}.run(b)
}

// barrier waits n times, and counts how often it was the one with index 0.
func (e *env) barrier(name string, parties int) func(n int) int {
	b := open(sync.OpenBarrier(e.Region, e.name(name), parties, nil))
	return func(n int) (zeroes int) {
		for range n {
			if open(b.Wait(background)) == 0 {
				zeroes++
			}
			e.trip()
		}
		return zeroes
	}
}

func init() {
	jobs["free/Barrier"] = func(e *env) func(n int) int { return e.barrier("alone", 1) }
	jobs["trip/Barrier"] = func(e *env) func(n int) int { return e.barrier("both", 2) }
}
