//go:build tandem_sim

package shm

import (
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
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

// At every access of one that names itself the recoverer of a dead one, others recover that,
// a newcomer takes its record, dies, and is about to be recovered: that one's recoverer stays.
func TestSimRecovererOfAnEarlierDeath(t *testing.T) {
	for k := 1; ; k++ {
		r := unguarded(t, &Options{Participants: 4, Size: 1 << 20, Objects: 8})
		dead, late := bare(t, r), bare(t, r)
		rec, epoch := late.rec(dead.self.Index), dead.self.Epoch
		dead.die()
		late.declare(rec, rec.Word(), false)
		name := func(epoch uint32, by *attachment) uint64 {
			return region.PackRecoverer(epoch, by.self.Index+1, by.self.Epoch)
		}
		next := name(epoch+1, r.a)
		then := func() {
			p := rec.P64(region.RecRecoverer)
			if rec.Word() != region.RecordWord(epoch, region.StDead) || !rec.Move(rec.Word(), region.RecordWord(epoch, region.StFree)) {
				t.Fatal("it is not dead")
			}
			mem.Store64(p, region.PackRecoverer(epoch+1, 0, 0))
			rec.Move(rec.Word(), region.RecordWord(epoch+1, region.StDead))
			mem.Store64(p, next)
		}
		n := accesses(func() { late.nameRecoverer(rec, epoch, name(epoch, late)) }, k, then)
		if n < k { // it was over before
			if k < 4 {
				t.Errorf("%d accesses: it does nothing", n)
			}
			return
		}
		if mem.Load64(rec.P64(region.RecRecoverer)) != next {
			t.Fatalf("at access %d of %d: the name of the next death's recoverer is gone", k, n)
		}
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
