package engine

import (
	"fmt"
	"testing"

	"example.com/tandem/internal/mem"
)

// An apartEnd is one end of a ring that keeps apart from the other.
type apartEnd struct {
	*Queue
	apart    *apart
	late     func() bool
	giveWay  func(lulls bool)
	come     func() error // nearer to the others, by one
	retreat  func() error // the others go away by one
	far      int          // how often it comes before it is too close
	distance func() int   // slots
}

func apartEnds(t *testing.T, n int) map[string]*apartEnd {
	c, msg := QueueConfig{Slots: n, Room: 8}, make([]byte, 8)
	_, put := heapQueue(t, c)
	_, get := heapQueue(t, c)
	for get.TryPut(msg) == nil {
	}
	get.getsApart, get.putsApart = apart{}, apart{}
	return map[string]*apartEnd{
		"put": {Queue: put, apart: &put.putsApart, late: put.PutsLate, giveWay: put.PutLate, far: n - n/8,
			come: func() error { return put.TryPut(msg) }, retreat: func() error { return discard(put) },
			distance: func() int { return n - put.Len() }},
		"get": {Queue: get, apart: &get.getsApart, late: get.GetsLate, giveWay: get.GetLate, far: n - apartClose,
			come: func() error { return discard(get) }, retreat: func() error { return get.TryPut(msg) },
			distance: func() int { return get.Len() }},
	}
}

// Each end gives way where it has come close to the other, and where the ring is large
// enough for both to be apart.
func TestQueueEndsKeepApart(t *testing.T) {
	for _, n := range []int{apartLeast - 1, apartLeast, 2*apartLeast + 1} {
		for name, e := range apartEnds(t, n) {
			at := 0
			for i := 1; e.come() == nil; i++ {
				if e.late() && at == 0 {
					at = i
				}
			}
			if n < apartLeast {
				if at != 0 {
					t.Errorf("%s of %d slots: when it has come %d times", name, n, at)
				}
				continue
			}
			if at < e.far-markEvery || at > e.far+2*markEvery {
				t.Errorf("%s of %d slots: when it has come %d times, want some %d", name, n, at, e.far)
			}
			if e.giveWay(false); e.late() {
				t.Errorf("%s: it gives way more than once", name)
			}
			for e.distance() < n/2 {
				if err := e.retreat(); err != nil {
					t.Fatal(name, err)
				}
			}
			e.apart.due.Store(true)
			if e.giveWay(true); e.apart.every.Load() != 0 {
				t.Errorf("%s: it waits where they are far away", name)
			}
			for range n / 4 {
				if err := e.come(); err != nil {
					t.Fatal(name, err)
				}
			}
			if e.late() {
				t.Errorf("%s of %d slots: half way", name, n)
			}
		}
	}
}

// Who gives way while the others stand still lets more and more occasions pass until it
// does so again; and fewer do when it has paid.
func TestQueueGivesWayToThoseThatMove(t *testing.T) {
	for name, e := range apartEnds(t, 2*apartLeast) {
		for e.come() == nil {
		}
		taken := func(occasions int) (n int) {
			for range occasions {
				e.apart.occasion()
				if e.late() {
					n++
					e.giveWay(true)
				}
			}
			return n
		}
		e.apart.due.Store(false)
		e.apart.left.Store(0)
		e.apart.every.Store(0)
		if n := taken(1 + 2 + 4 + 8); n != 4 {
			t.Errorf("%s: gives way in %d of 15 occasions, want 4", name, n)
		}
		if n := taken(10 * apartRare); n < 10 || n > 20 {
			t.Errorf("%s: gives way in %d of %d occasions", name, n, 10*apartRare)
		}
		looks := uint64(0)
		e.apart.giveWay(true, func() (uint64, bool) {
			looks++
			return looks, false
		})
		if n := e.apart.every.Load(); n != 0 || looks != apartMost+1 {
			t.Errorf("%s: %d occasions are to pass after %d looks at others that move", name, n, looks)
		}
	}
}

// A process that gives way for another that scribbles on the hints ends soon, whatever
// they say.
func TestQueueApartOfForgedHints(t *testing.T) {
	for name, e := range apartEnds(t, apartLeast) {
		for _, forged := range []uint64{0, 1, ^uint64(0), 1 << 63, position(1<<30, 5), position(0, apartLeast)} {
			t.Run(fmt.Sprint(name, forged), func(t *testing.T) {
				mem.Store64(e.head.shared, forged)
				mem.Store64(e.tail.shared, forged)
				for i := 0; i < 3*apartLeast && e.come() == nil; i++ {
					e.apart.left.Store(0)
					if e.late() {
						e.giveWay(true)
					}
				}
				e.apart.left.Store(0)
				e.apart.occasion()
				e.giveWay(true)
			})
		}
	}
}
