//go:build tandem_sim

package shm

import (
	"testing"
	"weak"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/region"
)

// One asks while another answers, each at every access of the other's: what is
// answered has been done, and what was not heard is heard when the guard looks
// next. And of two who end their uses at once, one sees to the memory.

type asking struct {
	t      *testing.T
	h      *heapRegion
	bytes  []byte
	r      *Region
	others [2]*Region
	debts  []debt
}

// newAsking is a region with a removed object that two have open, who have no
// handle on it any more.
func newAsking(t *testing.T) *asking {
	s := &asking{t: t, h: newHeapRegion(t, 160<<10, 4, 8)}
	r := s.h.attach(0)
	openOK(t, r, lockOf("a"))
	w := words{region.On(s.h.Area, s.h.g)}
	for i := range s.others {
		w.SetOpener(uint32(i+1), 0)
	}
	if err := r.Remove("a"); err != nil {
		t.Fatal(err)
	}
	s.h.kill(r)
	s.bytes = s.h.image()
	mem.Point = simPoint
	t.Cleanup(func() { mem.Point = nil })
	return s
}

func (s *asking) set() {
	s.h.restore(s.bytes)
	s.r, s.debts = s.h.attach(0), nil
	for i := range s.others {
		s.others[i] = s.h.attach(uint32(i + 1))
		u := &use{gen: mem.Load64(s.r.a.Ent64(0, region.EntGen)), kind: engine.KindMutex, core: weak.Pointer[object.Core]{}}
		s.others[i].a.uses.m = map[uint32]*use{0: u}
	}
}

// meet runs x up to its k-th access, y up to its j-th (0: to its end), and then
// the rest of both.
func meet(x, y func(), k, j int) (xOver, yOver bool) {
	tx, ty := newSimThread(x), newSimThread(y)
	xOver = tx.run(k)
	yOver = ty.run(j)
	if !xOver {
		tx.run(0)
	}
	if !yOver {
		ty.run(0)
	}
	return xOver, yOver
}

func TestSimAskAndAnswer(t *testing.T) {
	s := newAsking(t)
	for k := 1; ; k++ {
		xOver, yOver := false, false
		for j := 1; !xOver && !yOver; j++ {
			s.set()
			xOver, yOver = meet(func() { s.debts = s.r.a.request() }, s.others[0].a.tidy, k, j)
			for _, d := range s.debts {
				if d.r.I == 1 && d.paid() && s.r.a.IsOpener(1, 0) {
					t.Fatalf("asked up to access %d, answered up to %d: done, and it was not", k, j)
				}
			}
			for _, o := range s.others {
				o.a.sweep() // as every guard does that is woken
			}
			for _, d := range s.debts {
				if !d.paid() {
					t.Fatalf("asked up to access %d, answered up to %d: participant %d does not answer", k, j, d.r.I)
				}
			}
		}
		if xOver {
			break
		}
	}
}

func TestSimTheLastSeesToTheMemory(t *testing.T) {
	s := newAsking(t)
	for k := 1; ; k++ {
		xOver, yOver := false, false
		for j := 1; !xOver && !yOver; j++ {
			s.set()
			var saw [2]bool
			end := func(i int) func() {
				return func() {
					s.others[i].a.tidy()
					saw[i] = s.others[i].a.toReclaim()
				}
			}
			xOver, yOver = meet(end(0), end(1), k, j)
			if !saw[0] && !saw[1] {
				t.Fatalf("the one up to access %d, the other up to %d: neither sees that nobody has it open", k, j)
			}
		}
		if xOver {
			break
		}
	}
}
