//go:build tandem_sim

package sim

import (
	"errors"
	"testing"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

// Litmus tests: what the store buffers show of x86-TSO, and what they never
// show. Each thread is a process's.

type litmus struct {
	x, y, z *uint64
	r       [4]uint64 // what was loaded; ^0 before
}

func store(p *uint64, v uint64) { mem.Release64(p, v) }
func load(p *uint64) uint64     { return mem.Load64(p) }

var errSeen = errors.New("seen")

// shows fails the test unless the outcome is seen, in random runs and under
// every schedule, or, if it shall not be seen, in neither.
func shows(t *testing.T, want bool, threads func(l *litmus) []func(*Thread), outcome func(l *litmus) bool) {
	t.Helper()
	build := func(w *World) {
		a := mem.Heap(192)
		l := &litmus{a.W64(0), a.W64(64), a.W64(128), [4]uint64{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}}
		for i, f := range threads(l) {
			w.Process(i).Go("t", f)
		}
		w.AtEnd(func() error {
			if outcome(l) {
				return errSeen
			}
			return nil
		})
	}
	if err := Try(3000, Options{}, build); errors.Is(err, errSeen) != want {
		t.Errorf("random runs: %v, want it seen: %v", err, want)
	}
	if err := TryExhaust(1, 3, Options{}, build); errors.Is(err, errSeen) != want {
		t.Errorf("every schedule: %v, want it seen: %v", err, want)
	}
}

// Store buffering: each stores and then looks at the other's word. fence comes
// in between.
func storeBuffering(fence ...func(t *Thread, l *litmus)) func(l *litmus) []func(*Thread) {
	return func(l *litmus) []func(*Thread) {
		return []func(*Thread){
			func(t *Thread) { store(l.x, 1); fence[0](t, l); l.r[0] = load(l.y) },
			func(t *Thread) { store(l.y, 1); fence[1](t, l); l.r[1] = load(l.x) },
		}
	}
}

func neitherSees(l *litmus) bool { return l.r[0] == 0 && l.r[1] == 0 }

func TestStoreBuffering(t *testing.T) {
	none := func(*Thread, *litmus) {}
	full := func(*Thread, *litmus) { mem.Fence() }
	shows(t, true, storeBuffering(none, none), neitherSees)
	shows(t, true, storeBuffering(none, full), neitherSees)
	for name, f := range map[string]func(t *Thread, l *litmus){
		"fence":     full,
		"CAS":       func(_ *Thread, l *litmus) { mem.CAS64(l.z, 0, 1) },
		"CAS fails": func(_ *Thread, l *litmus) { mem.CAS32((*uint32)(unsafe.Pointer(l.z)), 5, 1) },
		"Add":       func(_ *Thread, l *litmus) { mem.Add64(l.z, 1) },
		"Or":        func(_ *Thread, l *litmus) { mem.Or64(l.z, 1) },
		"Swap":      func(_ *Thread, l *litmus) { mem.Swap64(l.z, 1) },
		"Store":     func(_ *Thread, l *litmus) { mem.Store64(l.z, 1) },
		"wake":      func(t *Thread, l *litmus) { t.Env().Wake((*uint32)(unsafe.Pointer(l.z)), 1) },
		"sleep":     func(t *Thread, l *litmus) { t.Sleep((*uint32)(unsafe.Pointer(l.z)), 1) },
	} {
		t.Run(name, func(t *testing.T) { shows(t, false, storeBuffering(f, f), neitherSees) })
	}
	t.Run("loads", func(t *testing.T) {
		f := func(*Thread, *litmus) { mem.FenceLoad(); mem.FenceStore() }
		shows(t, true, storeBuffering(f, f), neitherSees)
	})
}

// Stores become visible one by one.
func TestOneByOne(t *testing.T) {
	shows(t, true, func(l *litmus) []func(*Thread) {
		return []func(*Thread){
			func(*Thread) { store(l.x, 1); store(l.y, 1); l.r[0] = load(l.z) },
			func(*Thread) { mem.Store64(l.z, 1); l.r[1] = load(l.x); l.r[2] = load(l.y) },
		}
	}, func(l *litmus) bool { return l.r[0] == 0 && l.r[1] == 1 && l.r[2] == 0 })
}

// One side's membarrier is a fence of the other's, too; of those that it reaches.
func TestMembarrier(t *testing.T) {
	none := func(*Thread, *litmus) {}
	membarrier := func(t *Thread, _ *litmus) { t.Membarrier() }
	shows(t, false, storeBuffering(none, membarrier), neitherSees)
	shows(t, true, storeBuffering(func(t *Thread, _ *litmus) {}, func(t *Thread, _ *litmus) {
		t.World().procs[0].Unreached = true
		t.Membarrier()
	}), neitherSees)
}

// Message passing, by words and by bytes: who sees the second store sees the first.
func TestMessagePassing(t *testing.T) {
	shows(t, false, func(l *litmus) []func(*Thread) {
		return []func(*Thread){
			func(*Thread) { store(l.x, 1); mem.Hint64(l.y, 1) },
			func(*Thread) { l.r[0] = load(l.y); l.r[1] = load(l.x) },
		}
	}, func(l *litmus) bool { return l.r[0] == 1 && l.r[1] == 0 })
	shows(t, false, func(l *litmus) []func(*Thread) {
		return []func(*Thread){
			func(*Thread) {
				v := ^uint64(7)
				mem.Copy(unsafe.Pointer(l.x), unsafe.Pointer(&v), 8)
				store(l.y, 1)
			},
			func(*Thread) {
				l.r[0] = load(l.y)
				mem.Copy(unsafe.Pointer(&l.r[1]), unsafe.Pointer(l.x), 8)
			},
		}
	}, func(l *litmus) bool { return l.r[0] == 1 && l.r[1] != ^uint64(7) })
	// Bytes are late as words are.
	shows(t, true, func(l *litmus) []func(*Thread) {
		return []func(*Thread){
			func(*Thread) {
				v := ^uint64(0)
				mem.Copy(unsafe.Pointer(l.x), unsafe.Pointer(&v), 8)
				l.r[0] = load(l.y)
			},
			func(*Thread) { mem.Store64(l.y, 1); l.r[1] = load(l.x) },
		}
	}, neitherSees)
	shows(t, true, func(l *litmus) []func(*Thread) {
		return []func(*Thread){
			func(*Thread) { mem.Zero(unsafe.Pointer(l.x), 8); l.r[0] = load(l.y) },
			func(*Thread) { mem.Store64(l.y, 1); l.r[1] = load(l.x) },
			func(*Thread) { mem.CAS64(l.x, 0, 9) },
		}
	}, func(l *litmus) bool { return l.r[0] == 0 && l.r[1] == 9 && *l.x == 0 })
}

// Two who store to two words are seen in one order by all.
func TestOneOrderForAll(t *testing.T) {
	shows(t, false, func(l *litmus) []func(*Thread) {
		return []func(*Thread){
			func(*Thread) { store(l.x, 1) },
			func(*Thread) { store(l.y, 1) },
			func(*Thread) { l.r[0] = load(l.x); l.r[1] = load(l.y) },
			func(*Thread) { l.r[2] = load(l.y); l.r[3] = load(l.x) },
		}
	}, func(l *litmus) bool { return l.r == [4]uint64{1, 0, 1, 0} })
}

// Two stores to one word are seen in their order.
func TestStoresInOrder(t *testing.T) {
	shows(t, false, func(l *litmus) []func(*Thread) {
		return []func(*Thread){
			func(*Thread) { store(l.x, 1); store(l.x, 2) },
			func(*Thread) { l.r[0] = load(l.x); l.r[1] = load(l.x) },
		}
	}, func(l *litmus) bool { return *l.x != 2 || l.r[0] > l.r[1] })
}

// A thread sees what it stored before the others do.
func TestOwnStores(t *testing.T) {
	half := func(p *uint64, i int) *uint32 { return &(*[2]uint32)(unsafe.Pointer(p))[i] }
	shows(t, false, func(l *litmus) []func(*Thread) {
		return []func(*Thread){func(*Thread) {
			store(l.x, 1)
			store(l.x, 2<<32|3)
			l.r[0] = load(l.x)
			l.r[1] = uint64(mem.Load32(half(l.x, 0)))
			l.r[2] = uint64(mem.Load32(half(l.x, 1)))
			l.r[3] = load(l.y)
		}}
	}, func(l *litmus) bool { return l.r != [4]uint64{2<<32 | 3, 3, 2, 0} })
	// Of bytes, and where the store has but a part of what is loaded.
	shows(t, false, func(l *litmus) []func(*Thread) {
		return []func(*Thread){func(*Thread) {
			v := [3]uint32{1, 2, 3}
			mem.Copy(unsafe.Pointer(l.x), unsafe.Pointer(&v), 12)
			l.r[0] = uint64(mem.Load32(half(l.x, 1)))
			mem.Copy(unsafe.Pointer(half(l.x, 1)), unsafe.Pointer(&v), 4)
			l.r[1] = load(l.x)
			store(l.x, 7)
			mem.Copy(unsafe.Pointer(&l.r[2]), unsafe.Pointer(l.x), 8)
		}}
	}, func(l *litmus) bool { return l.r[0] != 2 || l.r[1] != 1<<32|1 || l.r[2] != 7 })
	// It goes on with its own store while the other's comes first for all: that
	// of both is the last in memory which became visible last.
	shows(t, true, func(l *litmus) []func(*Thread) {
		return []func(*Thread){
			func(*Thread) { store(l.x, 1); l.r[0] = load(l.x); l.r[1] = load(l.y) },
			func(*Thread) { mem.Store64(l.y, 2); mem.Store64(l.x, 2) },
		}
	}, func(l *litmus) bool { return l.r[0] == 1 && l.r[1] == 0 && *l.x == 1 })
}

// What the dead have stored is visible in order, and all of it before anybody
// recovers them; so it is of a recoverer.
func TestDeathDrains(t *testing.T) {
	late := 0
	build := func(w *World) {
		a := mem.Heap(256)
		done := map[engine.Self]uint64{}
		victim := w.Process(0)
		count := func(t *Thread, off uint64) {
			for i := range uint64(3) {
				store(a.W64(off), i+1)
				done[t.p.Self] = i + 1
				store(a.W64(off+64), i+1)
			}
		}
		victim.Go("victim", func(t *Thread) { count(t, 0) })
		other := w.Process(1)
		other.Immortal = true
		other.Go("looker", func(*Thread) {
			for range 4 {
				second, first := load(a.W64(64)), load(a.W64(0))
				if first < second {
					w.Fail("%d before %d", second, first)
				}
			}
		})
		w.Process(2).Go("waits", func(t *Thread) { load(a.W64(0)) })
		var recoverer *Process
		w.OnDeath(func(t *Thread, dead engine.Self) {
			if dead != victim.Self {
				return
			}
			if got := load(a.W64(0)); got < done[dead] {
				w.Fail("recovered when %d of %d stores were visible", got, done[dead])
			}
			if p := recoverer; p != nil {
				if got := load(a.W64(128)); got < done[p.Self] {
					w.Fail("recovered again when %d of %d stores of the recoverer were visible", got, done[p.Self])
				}
				t.w.note(t.p, "again")
			}
			recoverer = t.p
			if *a.W64(0) != load(a.W64(0)) {
				w.Fail("the recoverer sees stores of its own")
			}
			count(t, 128)
		})
		w.AtEnd(func() error { late += w.unfenced; return nil })
	}
	Explore(t, 4000, Options{KillEvery: 10, MaxKills: 3}, build)
	if late == 0 {
		t.Error("no store was late")
	}
	Exhaust(t, 1, 3, Options{MaxKills: 2}, build)
}

// Before a process's zeroes come, all that its threads have stored is visible.
func TestCloseDrains(t *testing.T) {
	Explore(t, 4000, Options{CloseEvery: 10, MaxCloses: 1, CloseFor: 3}, func(w *World) {
		a := mem.Heap(64)
		w.Share(a)
		var done uint64
		p := w.Process(0)
		p.Go("stores", func(t *Thread) {
			for i := range uint64(20) {
				if p.Gone() {
					return
				}
				store(a.W64(0), i+1)
				if !p.Gone() {
					done = i + 1
				}
			}
		})
		w.OnDeath(func(t *Thread, dead engine.Self) {
			if got := load(a.W64(0)); dead == p.Self && got < done {
				w.Fail("gone when %d of %d stores were visible", got, done)
			}
		})
		w.Process(1).Go("looks", func(*Thread) {
			for range 20 {
				load(a.W64(0))
			}
		})
	})
}

// Under every schedule nothing comes twice for stores that are not there.
func TestExhaustWithoutStores(t *testing.T) {
	runs := func(f func(*uint64)) (n int) {
		Exhaust(t, 1, 1, Options{}, func(w *World) {
			n++
			a := mem.Heap(64)
			w.Process(0).Go("t", func(*Thread) { f(a.W64(0)); f(a.W64(8)) })
			w.Process(1).Go("t", func(*Thread) { f(a.W64(16)) })
		})
		return n
	}
	fenced, late := runs(func(p *uint64) { mem.Store64(p, 1) }), runs(func(p *uint64) { mem.Release64(p, 1) })
	if fenced >= late || late > 4*fenced {
		t.Errorf("%d runs with fenced stores, %d with late ones", fenced, late)
	}
}
