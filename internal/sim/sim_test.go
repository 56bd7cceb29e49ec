//go:build tandem_sim

package sim

import (
	"errors"
	"strings"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

// The harness must find what is wrong, and nothing in what is right.

// A lost update: two threads load, then store.
func TestFindsLostUpdate(t *testing.T) {
	err := Try(1000, Options{}, func(w *World) {
		var x uint64
		for i := range 2 {
			w.Process(i).Go("adder", func(*Thread) {
				mem.Store64(&x, mem.Load64(&x)+1)
			})
		}
		w.AtEnd(func() error {
			if x != 2 {
				w.Fail("x = %d", x)
			}
			return nil
		})
	})
	if err == nil {
		t.Error("no run lost an update")
	} else if !strings.Contains(err.Error(), "seed ") {
		t.Errorf("no seed in %v", err)
	}
}

// What is there between two accesses of a thread that nobody interrupts.
func TestFindsWhatLastsForOneAccess(t *testing.T) {
	err := TryExhaust(1, 0, Options{}, func(w *World) {
		var x uint64
		w.Process(0).Go("a moment's one", func(*Thread) {
			mem.Store64(&x, 1)
			mem.Store64(&x, 0)
			mem.Load64(&x)
		})
		w.Each(func() error {
			if x != 0 {
				return errors.New("it is there")
			}
			return nil
		})
	})
	if err == nil {
		t.Error("nobody has seen it")
	}
}

// A wake-up lost between the look and the sleep.
func TestFindsLostWake(t *testing.T) {
	flag := func(bump bool) error {
		return Try(1000, Options{}, func(w *World) {
			var word, flag uint32
			p, q := w.Process(0), w.Process(1)
			p.Go("sleeper", func(t *Thread) {
				for {
					v := mem.Load32(&word)
					if mem.Load32(&flag) != 0 {
						return
					}
					t.Sleep(&word, v)
				}
			})
			q.Go("waker", func(t *Thread) {
				mem.Store32(&flag, 1)
				if bump {
					mem.Add32(&word, 1)
				}
				t.Env().Wake(&word, -1)
			})
		})
	}
	if err := flag(false); err == nil || !strings.Contains(err.Error(), "asleep for ever") {
		t.Errorf("without a bump: %v", err)
	}
	if err := flag(true); err != nil {
		t.Errorf("with a bump: %v", err)
	}
}

// Deaths are recovered once each to the end, whoever dies in the recovery.
func TestRecovery(t *testing.T) {
	deaths := 0
	Explore(t, 2000, Options{KillEvery: 20, MaxKills: 6}, func(w *World) {
		var claims [8]uint64
		recovered := map[engine.Self]int{}
		work := func(p *Process) {
			p.Go("claimer", func(t *Thread) {
				for range 10 {
					mem.Store64(&claims[p.Self.Index], uint64(p.Self.Epoch))
					mem.Store64(&claims[p.Self.Index], 0)
				}
			})
		}
		for i := range 3 {
			work(w.Process(i))
		}
		w.OnDeath(func(t *Thread, dead engine.Self) {
			if w.Alive(dead) {
				w.Fail("%v is alive", dead)
			}
			if v := mem.Load64(&claims[dead.Index]); v != 0 && v != uint64(dead.Epoch) {
				w.Fail("index %d used by epoch %d before the recovery of %d was complete", dead.Index, v, dead.Epoch)
			}
			mem.Store64(&claims[dead.Index], 0)
		})
		w.OnRecovered(func(dead engine.Self) {
			deaths++
			recovered[dead]++
			work(w.Process(int(dead.Index)))
		})
		w.AtEnd(func() error {
			if len(recovered) != w.Kills() {
				w.Fail("%d kills, %d recovered", w.Kills(), len(recovered))
			}
			for i, c := range claims {
				if c != 0 {
					w.Fail("claim %d left", i)
				}
			}
			return nil
		})
	})
	if deaths == 0 {
		t.Error("nobody died")
	}
}

func TestRunsAreReproducible(t *testing.T) {
	run := func(seed uint64) (log []int) {
		w := New(seed, Options{KillEvery: 50, MaxKills: 1, StopEvery: 50, MaxStops: 2, CancelEvery: 50, SpuriousEvery: 50, Timers: true})
		var word uint32
		late := mem.Heap(64).W64(0)
		for i := range 3 {
			w.Process(i).Go("t", func(t *Thread) {
				t.Context(true)
				for n := range 20 {
					log = append(log, i*100+n, int(mem.Load64(late)))
					mem.Release64(late, uint64(i*100+n))
					t.SleepUntil(&word, mem.Load32(&word), t.Now()+1e6)
					mem.Add32(&word, 1)
					t.Env().Wake(&word, 1)
				}
			})
		}
		if err := w.Run(); err != nil {
			t.Error(err)
		}
		return log
	}
	same := 0
	for seed := range uint64(200) {
		a, b := run(seed), run(seed)
		if len(a) != len(b) {
			t.Fatalf("seed %d: %v and %v", seed, a, b)
		}
		for i := range a {
			if a[i] != b[i] {
				t.Fatalf("seed %d: %v and %v", seed, a, b)
			}
		}
		if c := run(seed + 1000); len(c) == len(a) {
			same++
		}
	}
	if same == 200 {
		t.Error("all seeds give the same run")
	}
}
