//go:build tandem_sim

package shm

import (
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

// The recoverer of a dead one dies at every access of a scan by a third, which
// finds both, whichever of the two it comes to first.
func TestSimRecovererDiesDuringScan(t *testing.T) {
	for _, first := range []string{"the dead", "the recoverer"} {
		t.Run(first+" first", func(t *testing.T) {
			tries := 0
			for k, last := 1, 1; k <= last; k++ {
				r := unguarded(t, &Options{Participants: 4, Size: 1 << 20, Objects: 8})
				dead, by := bare(t, r), bare(t, r)
				if first != "the dead" {
					dead, by = by, dead
				}
				m := holdBare(t, dead, "m")
				held := holdBare(t, by, "of-the-recoverer")
				dead.die()
				by.toRecover(t, dead)
				looker := bare(t, r)
				if k == 1 { // a death that comes in the last look at it is not seen, and need not be
					last = accesses(looker.scan, 0, nil) - accesses(func() {
						rec := looker.rec(by.self.Index)
						looker.proven(rec, rec.Word())
					}, 0, nil)
				}
				accesses(looker.scan, k, by.die)
				wantAbandoned(t, r, []*attachment{dead, by}, []*engine.Mutex{m, held})
				if t.Failed() {
					t.Fatalf("the recoverer died at access %d of %d", k, last)
				}
				tries++
			}
			t.Logf("%d deaths", tries)
			if tries < 10 {
				t.Error("too few to be all")
			}
		})
	}
}

// accesses runs f, with then at its k-th access, and returns how many it has.
func accesses(f func(), k int, then func()) (n int) {
	me := goroutine()
	mem.Point = func() {
		if goroutine() == me {
			if n++; n == k {
				then()
			}
		}
	}
	defer func() { mem.Point = nil }()
	f()
	return n
}
