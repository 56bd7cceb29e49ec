//go:build tandem_sim

package shm

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/testproc"
)

// Deaths are one thing that can come between two accesses of an operation;
// whole operations of other processes are another. These tests put one
// participant's operation at every access of another's, for all pairs; and for
// some pairs, a part of the one between two parts of the other.

// blocks reports whether one that is paused has what the other will want.
func (s *stage) blocks(other act, who uint32) bool {
	w := words{region.On(s.Area, s.g)}
	m := testproc.Get(engine.AttachMutex(s.Sub(region.HdrDirLock, engine.MutexSize), engine.Env{}))(s.t)
	if holder, held := m.Owner(); !held || holder.Index == who {
		return false
	}
	return other.locks || other.looks && (s.broken || mem.Load64(w.Dir64(region.DirSeq))&1 != 0)
}

// outcome is the names that there are, and what was returned.
func (s *stage) outcome(x, y act) string {
	s.rs[theKeeper] = s.attach(theKeeper)
	return strings.Join(namesOf(s.rs[theKeeper]), " ") + fmt.Sprint(s.said)
}

// play runs x up to its k-th access, y up to its j-th (0: to its end), and then
// the rest of both. It reports how far that got, and whether it made sense:
// nobody runs into a lock that one who is paused has.
func (s *stage) play(x, y act, k, j int) (xOver, yOver, ok bool) {
	s.set()
	tx, ty := newSimThread(func() { x.do(s, theFirst) }), newSimThread(func() { y.do(s, theSecond) })
	finish := func(t *simThread, over bool) {
		if !over {
			t.run(0)
		}
	}
	xOver = tx.run(k)
	if xOver || s.blocks(y, theSecond) {
		finish(tx, xOver)
		ty.run(0)
		return xOver, true, false
	}
	yOver = ty.run(j)
	if !yOver && s.blocks(x, theFirst) {
		ty.run(0)
		tx.run(0)
		return false, false, false
	}
	tx.run(0)
	finish(ty, yOver)
	return false, yOver, true
}

// sound is what must be true after any two operations.
func (s *stage) sound(x, y act, allowed []string) (errs []string) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Sprintf(format, args...)) }
	w := words{region.On(s.Area, s.g)}
	is := func(name string) bool { return x.name == name || y.name == name }
	recovered := is("recover") || is("close")
	for _, n := range []string{"a", "b", "held"} {
		who, held := s.mutex(n).Owner()
		switch {
		case recovered && (held || !s.mutex(n).Abandoned()):
			bad("%s is held %v by %v after the recovery of its holder", n, held, who)
		case !recovered && (!held || who.Index != theVictim):
			bad("%s is held %v by %v, not by the victim", n, held, who)
		}
		for i, b := range s.memory(n) {
			if b != 0x5a {
				bad("byte %d of %s, which is open, is %#x", i, n, b)
				break
			}
		}
	}
	if n := w.OpenCount(theVictim); recovered != (n == 0) {
		bad("the victim has %d objects open", n)
	}
	d := s.entries["d"]
	s.rs[theDropper].a.sweep()
	if who, held := s.mutex("d").Owner(); is("remove d") == held || held && who.Index != theDropper {
		bad("d is held %v by %v", held, who)
	}
	if is("remove d") && w.IsOpener(theDropper, d.I) && mem.Load64(w.Ent64(d.I, region.EntGen)) == d.Gen {
		bad("d is open after its removal, by one who has no handle on it")
	}
	for _, o := range s.cores {
		at := uint64(uintptr(o.core.Area.Ptr(0, 1)) - uintptr(s.Ptr(0, 1)))
		found := false
		for i := range s.g.Objects {
			e := w.Entry(i)
			found = found || (e.State == region.EntLive || e.State == region.EntRemoved) && e.Off == at && e.Text() == o.core.Name && w.IsOpener(o.who, i)
		}
		if !found {
			bad("%s was opened, and its memory at %d is not an object's of that name which is open", o.core.Name, at)
		}
	}
	got := s.outcome(x, y)
	possible := len(allowed) == 0
	for _, want := range allowed {
		possible = possible || got == want
	}
	if !possible {
		bad("outcome %s, want one of %q", got, allowed)
	}
	s.rs[theKeeper].Remove("no-such") // a change repairs what is left to repair
	if err := s.rs[theKeeper].Check(); err != nil {
		bad("%v", err)
	}
	return errs
}

// orderly returns the outcomes of one operation after the other.
func (s *stage) orderly(x, y act) (both []string) {
	for _, xFirst := range []bool{true, false} {
		s.set()
		if xFirst {
			x.do(s, theFirst)
		}
		y.do(s, theSecond)
		if !xFirst {
			x.do(s, theFirst)
		}
		both = append(both, s.outcome(x, y))
	}
	return both
}

func simStage(t *testing.T) *stage {
	s := newStage(t)
	mem.Point = simPoint
	t.Cleanup(func() { mem.Point = nil; s.set() })
	return s
}

// One whole operation at every access of another.
func TestSimOperationInOperation(t *testing.T) {
	s := simStage(t)
	for _, s.broken = range []bool{false, true} {
		plays := 0
		for _, x := range acts {
			for _, y := range acts {
				if skips(x, y) {
					continue
				}
				allowed := s.orderly(x, y)
				for k := 1; ; k++ {
					over, _, ok := s.play(x, y, k, 0)
					if over {
						break
					}
					if !ok {
						continue
					}
					plays++
					if errs := s.sound(x, y, allowed); errs != nil {
						t.Fatalf("broken %v: %s, at its access %d %s:\n%s", s.broken, x.name, k, y.name, strings.Join(errs, "\n"))
					}
				}
			}
		}
		t.Logf("broken %v: %d plays", s.broken, plays)
	}
}

// A part of one operation between two of another, for those that rest on the
// order of what each writes and then looks at.
func TestSimOperationsInterleaved(t *testing.T) {
	s := simStage(t)
	for _, pair := range [][2]string{
		{"remove a", "recover"},
		{"remove a", "close"},
		{"remove d", "sweep"},
		{"replace c", "open c"},
		{"collect and create", "recover latecomer"},
		{"collect", "recover"},
		{"reclaim", "recover"},
		{"reclaim", "sweep"},
		{"collect", "adopt gone"},
		{"collect and create", "adopt and close gone"},
		{"collect", "make unnamed"},
		{"make and close unnamed", "adopt gone"},
		{"make of gone", "adopt gone"},
		{"make of gone", "adopt and close gone"},
		{"make of gone", "recover latecomer"},
		{"make of gone", "make and close unnamed"},
	} {
		x, y := actOf(pair[0]), actOf(pair[1])
		allowed := s.orderly(x, y)
		plays := 0
		for k := 1; ; k++ {
			xOver, yOver := false, false
			for j := 1; !xOver && !yOver; j++ {
				var ok bool
				if xOver, yOver, ok = s.play(x, y, k, j); !ok {
					continue
				}
				plays++
				if errs := s.sound(x, y, allowed); errs != nil {
					t.Fatalf("%s up to its access %d, %s up to %d:\n%s", x.name, k, y.name, j, strings.Join(errs, "\n"))
				}
			}
			if xOver {
				break
			}
		}
		t.Logf("%s and %s: %d plays", x.name, y.name, plays)
	}
}

// The same for all pairs, at a few places each that are not the same twice; a
// failure says which.
func TestSimOperationsInterleavedAnywhere(t *testing.T) {
	const each = 25
	s := simStage(t)
	for _, s.broken = range []bool{false, true} {
		plays := 0
		for _, x := range acts {
			for _, y := range acts {
				if skips(x, y) {
					continue
				}
				allowed := s.orderly(x, y)
				nx, ny := s.accesses(x, theFirst), s.accesses(y, theSecond)
				for range each {
					k, j := 1+rand.IntN(nx), 1+rand.IntN(ny)
					if _, _, ok := s.play(x, y, k, j); !ok {
						continue
					}
					plays++
					if errs := s.sound(x, y, allowed); errs != nil {
						t.Fatalf("broken %v: %s up to its access %d, %s up to %d:\n%s", s.broken, x.name, k, y.name, j, strings.Join(errs, "\n"))
					}
				}
			}
		}
		t.Logf("broken %v: %d plays", s.broken, plays)
	}
}

// accesses is how many an operation has by itself.
func (s *stage) accesses(x act, who int) int {
	s.set()
	tx := newSimThread(func() { x.do(s, who) })
	tx.run(0)
	return tx.n
}
