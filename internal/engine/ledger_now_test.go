package engine

import (
	"sync"
	"testing"

	"example.com/tandem/internal/mem"
)

// AddNow changes the ledger if this participant is its tenant, within limits, and no
// other.
func TestLedgerNow(t *testing.T) {
	const ledgerLimit = 3
	a := mem.Heap(LedgerSize(2))
	InitLedger(a, 0)
	l := ledgerOf(t, a, 0)
	if l.AddNow(1, 0, ledgerLimit-1) || *l.t != 0 {
		t.Errorf("who was never there before changes it: it is %#x", *l.t)
	}
	add := func(l *Ledger, d int) {
		t.Helper()
		if o, err := l.Add(d, Limits{Max: ledgerLimit}); o != Done || err != nil {
			t.Fatalf("Add = %v, %v", o, err)
		}
	}
	value := func(want int) {
		t.Helper()
		if v := l.Value(); v != want {
			t.Errorf("the value is %d, want %d", v, want)
		}
	}
	add(l, 1)
	if !l.AddNow(2, 0, ledgerLimit-2) || l.AddNow(1, 0, ledgerLimit-1) || !l.AddNow(-3, 3, LedgerMax) || l.AddNow(-1, 1, LedgerMax) {
		t.Error("its tenant cannot change it, or can out of the limits")
	}
	value(0)
	again := ledgerOf(t, a, 0) // another handle of the process
	if !again.AddNow(1, 0, ledgerLimit-1) || !l.AddNow(1, 0, ledgerLimit-1) {
		t.Error("of two handles of the tenant one cannot change it")
	}
	value(2)
	other := ledgerOf(t, a, 1)
	if other.AddNow(-1, 1, LedgerMax) {
		t.Error("who is not the tenant changes it without settling")
	}
	add(other, -1)
	if l.AddNow(1, 0, ledgerLimit-1) {
		t.Error("who is the tenant no more changes it without settling")
	}
	value(1)
	for i, want := range []int{2, -1} {
		if h, err := l.Held(uint32(i)); h != want || err != nil {
			t.Errorf("the share of %d is %d, %v; want %d", i, h, err, want)
		}
	}
	if err := CheckLedger(a); err != nil {
		t.Error(err)
	}
}

// A permit is given back while others take and give: for the race detector.
func TestSemaphoreGiveBackBesideOthers(t *testing.T) {
	a := mem.Heap(SemaphoreSize(1))
	InitSemaphore(a, 2)
	s, err := AttachSemaphore(a, Env{Wake: func(*uint32, int) int { return 0 }}, true)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, give := range []func() error{s.GiveBack, func() error { return s.Release(1) }} {
		wg.Go(func() {
			for range 200 {
				if ok, err := s.TryAcquire(); !ok || err != nil {
					t.Errorf("TryAcquire = %v, %v", ok, err)
				}
				if err := give(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if v := s.Value(); v != 2 {
		t.Errorf("%d permits, want 2", v)
	}
}

func ledgerOf(t *testing.T, a mem.Area, i uint32) *Ledger {
	t.Helper()
	l, err := AttachLedger(a, Env{Self: Self{Index: i, Epoch: 1}, Wake: func(*uint32, int) int { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	return l
}
