package engine

import (
	"testing"

	"example.com/tandem/internal/mem"
)

// One who has waited for longer than patience, and no shorter, is starving, until
// it has what it waits for; then it rings for what is left.
func TestLedgerStarving(t *testing.T) {
	a, k := mem.Heap(LedgerSize(3)), &wakes{}
	InitLedger(a, 0)
	in := func(i uint32) *Ledger {
		l, err := AttachLedger(a, k.env(i, 1))
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l, giver := in(0), in(1)
	s := &script{t: t, now: 1e9}
	starving := func(want uint32) {
		t.Helper()
		if h := mem.Load32(l.starving); h != want {
			t.Errorf("after %d ns starving is %d, want %d", s.now-1e9, h, want)
		}
	}
	s.sleeps = []func(int64){
		func(int64) { starving(0); s.now += patience },
		func(int64) { starving(0); s.now++ },
		func(int64) {
			starving(1)
			if o, err := giver.Add(3, Limits{Max: 3}); o != Done || err != nil {
				t.Error(o, err)
			}
		},
	}
	if o, err := l.Wait(s, -1, Limits{Max: 3}); o != Done || err != nil {
		t.Fatal(o, err)
	}
	s.ended()
	starving(0)
	k.want(t, 2)
}
