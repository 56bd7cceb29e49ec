//go:build tandem_sim

package sync

import (
	"errors"
	"fmt"
	"strconv"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/sim"
	"example.com/tandem/shm"
)

// A Lock that begins after Close has ended takes nothing, nor does an Unlock find
// anything, however they meet.
func TestSimLockAfterClose(t *testing.T) {
	for name, k := range simLocks {
		t.Run(name, func(t *testing.T) {
			sim.Explore(t, 2000, sim.Options{}, func(w *sim.World) {
				a := mem.Heap(k.Size)
				k.Init(a)
				w.Share(a)
				ops, _ := engine.OpsOf(k.Kind)
				left := false
				w.OnDeath(func(t *sim.Thread, dead engine.Self) { ops.Recover(a, t.Env(), dead); left = true })
				p := w.Process(0)
				l := k.Open(p, a)
				l2 := l
				if k.Reentrant {
					h := l.(*Holder)
					l2 = newHolder(h.handle, h.mu)
				}
				p.Go("holder", func(t *sim.Thread) {
					if err := l.Lock(sim.Context); err != nil {
						w.Fail("%v", err)
					}
					p.Close()
					for !left {
						t.Spin()
					}
					if err := l.Unlock(); err == nil {
						w.Fail("Unlock nil after Close")
					}
				})
				p.Go("late", func(t *sim.Thread) {
					for !left {
						t.Spin()
					}
					if err := l2.Lock(sim.Context); !errors.Is(err, shm.ErrClosed) {
						w.Fail("a Lock that began after Close returned %v", err)
					}
				})
			})
		})
	}
}

// A Reset that says nil has reset.
func TestSimCloseBarrierReset(t *testing.T) {
	sim.Explore(t, 20000, sim.Options{CloseEvery: 20, MaxCloses: 1, CloseFor: 6}, func(w *sim.World) {
		a := mem.Heap(engine.BarrierSize(2))
		engine.InitBarrier(a, 2)
		simRecover(w, []engine.Kind{engine.KindBarrier}, []mem.Area{a})
		open := func(p *sim.Process) *Barrier {
			return &Barrier{handle: simHandle(p, engine.KindBarrier, a), eng: *check(engine.AttachBarrier(a, p.Env()))}
		}
		p, q := w.Process(0), w.Process(1)
		p.Immortal = true
		b, c := open(p), open(q)
		var reset error = errors.New("not called")
		p.Go("party", func(t *sim.Thread) {
			_, err := b.Wait(sim.Context)
			if !errors.Is(err, ErrBroken) {
				w.Fail("%v", err)
			}
		})
		q.Go("resetter", func(t *sim.Thread) {
			for c.Waiting() == 0 {
				if t.Closed() {
					return
				}
				t.Step()
			}
			reset = c.Reset()
		})
		w.OnStuck(func() bool {
			if reset == nil {
				w.Fail("Reset returned nil; the party that had come before it waits on")
			}
			p.Go("abort", func(*sim.Thread) { b.Abort() })
			return true
		})
	})
}

// Of the parties that meet, all say so or none: also one whose region is closed while it
// waits, or has been passed already. Two of three are of a process that closes it; or two and
// three, where there are more than there are places.
func TestSimCloseBarrierWait(t *testing.T) {
	t.Run("all", func(t *testing.T) { simCloseBarrierWait(t, 3, "one", "two") })
	t.Run("too many", func(t *testing.T) { simCloseBarrierWait(t, 2, "one", "two", "three") })
}

func simCloseBarrierWait(t *testing.T, parties int, others ...string) {
	sim.Explore(t, 12000, sim.Options{CloseEvery: 40, MaxCloses: 1, CloseFor: 15, SpuriousEvery: 200, StopEvery: 400, MaxStops: 1}, func(w *sim.World) {
		a := mem.Heap(engine.BarrierSize(parties))
		engine.InitBarrier(a, parties)
		simRecover(w, []engine.Kind{engine.KindBarrier}, []mem.Area{a})
		open := func(p *sim.Process) *Barrier {
			c := p.Core(engine.KindBarrier, a)
			c.Fields = []object.Field{{Name: "parties", Value: strconv.Itoa(parties)}}
			b := &Barrier{handle: handleOn(c, sharedOf(c))}
			b.eng, b.left = *check(b.attach(c)), barrierLeft(c)
			return b
		}
		p, q := w.Process(0), w.Process(1)
		p.Immortal = true
		rounds, places := map[string]int{}, make([]int, parties)
		party := func(name string, b *Barrier) func(*sim.Thread) {
			return func(t *sim.Thread) {
				for range 3 {
					switch i, err := b.Wait(sim.Context); {
					case err == nil:
						rounds[name]++
						places[i]++
					case !errors.Is(err, ErrBroken) && !errors.Is(err, shm.ErrClosed):
						w.Fail("%v", err)
						return
					default:
						return
					}
				}
			}
		}
		b, c := open(p), open(q)
		p.Go("stays", party("stays", b))
		for _, name := range others {
			q.Go(name, party(name, c))
		}
		w.OnStuck(func() bool {
			p.Go("abort", func(*sim.Thread) { b.Abort() })
			return true
		})
		w.AtEnd(func() error {
			for _, n := range places {
				if n != places[0] {
					return fmt.Errorf("they have met %v times, and come %v times as which", rounds, places)
				}
			}
			if n := rounds["stays"]; parties > len(others) && (n != rounds["one"] || n != rounds["two"]) {
				return fmt.Errorf("they have met %v times", rounds)
			}
			return nil
		})
	})
}

// An Action is run when all have come, and in the region: not for what the zeroes look like,
// where others of the process have just left.
func TestSimCloseBarrierAction(t *testing.T) {
	sim.Explore(t, 6000, sim.Options{CloseEvery: 30, MaxCloses: 1, CloseFor: 6}, func(w *sim.World) {
		a := mem.Heap(engine.BarrierSize(1))
		engine.InitBarrier(a, 1)
		simRecover(w, []engine.Kind{engine.KindBarrier}, []mem.Area{a})
		p := w.Process(0)
		c := p.Core(engine.KindBarrier, a)
		c.Fields = []object.Field{{Name: "parties", Value: "1"}}
		b := &Barrier{handle: handleOn(c, sharedOf(c))}
		b.eng, b.left = *check(b.attach(c)), barrierLeft(c)
		acted, said := 0, 0
		b.action = func() error {
			if p.Gone() {
				w.Fail("an Action is run in the zeroes")
			}
			acted++
			return nil
		}
		for range 3 {
			p.Go("party", func(t *sim.Thread) {
				for range 3 {
					_, err := b.Wait(sim.Context)
					if err == nil {
						said++
					}
					if simEnded(w, err) {
						return
					}
				}
			})
		}
		w.AtEnd(func() error {
			if said > acted {
				return fmt.Errorf("%d Waits say that they have met, after %d Actions", said, acted)
			}
			return nil
		})
	})
}

// An RLock that says nil has read: no writer was inside when the region went.
func TestSimCloseReader(t *testing.T) {
	sim.Explore(t, 20000, sim.Options{CloseEvery: 20, MaxCloses: 1, CloseFor: 6}, func(w *sim.World) {
		a := mem.Heap(engine.RWMutexSize(4))
		w.Share(a)
		ops, _ := engine.OpsOf(engine.KindRWMutex)
		open := func(p *sim.Process) *RWMutex {
			return &RWMutex{handle: simHandle(p, engine.KindRWMutex, a), rw: *check(engine.AttachRWMutex(a, p.Env()))}
		}
		p, q := w.Process(0), w.Process(1)
		p.Immortal = true
		m, r := open(p), open(q)
		inside, insideAtGone, got := false, false, false
		w.OnDeath(func(t *sim.Thread, dead engine.Self) {
			insideAtGone = inside
			ops.Recover(a, t.Env(), dead)
		})
		p.Go("writer", func(t *sim.Thread) {
			for range 3 {
				if err := m.Lock(sim.Context); err != nil {
					w.Fail("%v", err)
				}
				inside = true
				for range 10 {
					t.Step()
				}
				inside = false
				if err := m.Unlock(); err != nil {
					w.Fail("%v", err)
				}
			}
		})
		q.Go("reader", func(t *sim.Thread) {
			if err := r.RLock(sim.Context); err == nil {
				got = t.Closed() && q.Gone()
			}
		})
		w.OnStuck(func() bool { q.Close(); return true })
		w.AtEnd(func() error {
			if got && insideAtGone {
				return fmt.Errorf("RLock returned nil; a writer was inside when the region went, so it never read")
			}
			return nil
		})
	})
}

// A NotifyAll that says nil has told all, and one that has told all says nil.
func TestSimCloseNotifyAll(t *testing.T) {
	sim.Explore(t, 20000, sim.Options{CloseEvery: 60, MaxCloses: 1, CloseFor: 10}, func(w *sim.World) {
		m, a := mem.Heap(engine.MutexSize), mem.Heap(engine.CondSize(9))
		simRecover(w, []engine.Kind{engine.KindMutex, engine.KindCond}, []mem.Area{m, a})
		open := func(p *sim.Process) (*Mutex, *Cond) { return simCond(p, m, a) }
		waiting := 0
		said := errors.New("not called")
		for i := range 2 {
			p := w.Process(i)
			p.Immortal = true
			mu, c := open(p)
			p.Go("waiter", func(t *sim.Thread) {
				_, err := mu.Recover(sim.Context)
				if err != nil {
					w.Fail("%v", err)
				}
				waiting++
				err = c.Wait(sim.Context)
				if errors.Is(err, ErrOwnerDied) {
					err = mu.MarkConsistent()
				}
				if err = errors.Join(err, mu.Unlock()); err != nil {
					w.Fail("%v", err)
				}
			})
		}
		p := w.Process(2)
		mu, c := open(p)
		telling, told := false, false
		w.Always(func() error { // as long as the lock is not abandoned nobody comes, or goes untold
			if who, held := check(engine.AttachMutex(m, engine.Env{})).Owner(); telling && held && who == p.Self && waitersLeft(a) == 0 {
				told = true
			}
			return nil
		})
		p.Go("notifier", func(t *sim.Thread) {
			for waiting < 2 && !t.Closed() {
				t.Step()
			}
			if mu.Lock(sim.Context) != nil {
				return
			}
			telling = waiting == 2
			said = c.NotifyAll()
			if told && said != nil {
				w.Fail("NotifyAll returned %v, and has told all", said)
			}
			telling = false
			mu.Unlock()
		})
		w.OnStuck(func() bool {
			if said == nil {
				w.Fail("NotifyAll returned nil; one who waited then sleeps")
			}
			q := w.Process(5)
			q.Immortal = true
			mu, c := open(q)
			q.Go("last", func(t *sim.Thread) {
				mu.Recover(sim.Context)
				mu.MarkConsistent()
				c.NotifyAll()
				mu.Unlock()
			})
			return true
		})
	})
}

// waitersLeft is how many wait on the Cond in a and have not been notified.
func waitersLeft(a mem.Area) (n int) {
	ops, _ := engine.OpsOf(engine.KindCond)
	for _, h := range ops.Look(a).Holders {
		switch h.What {
		case "waiting":
			n += h.N
		case "notified":
			n -= h.N
		}
	}
	return n
}

// A Wait that says ErrClosed does not have the lock.
func TestSimCloseWaitGivesBack(t *testing.T) {
	sim.Explore(t, 40000, sim.Options{CancelEvery: 20, CloseEvery: 30, MaxCloses: 1}, func(w *sim.World) {
		m, a := mem.Heap(engine.MutexSize), mem.Heap(engine.CondSize(9))
		simRecover(w, []engine.Kind{engine.KindMutex, engine.KindCond}, []mem.Area{m, a})
		p := w.Process(0)
		mu, c := simCond(p, m, a)
		p.Go("waiter", func(t *sim.Thread) {
			if mu.Lock(sim.Context) != nil {
				return
			}
			t.Context(true)
			err := c.Wait(sim.Context)
			if errors.Is(err, shm.ErrClosed) && !p.Gone() {
				if _, held := check(engine.AttachMutex(m, engine.Env{})).Owner(); held {
					w.Fail("Wait returned %v with the lock held", err)
				}
			} else {
				mu.Unlock()
			}
		})
		w.OnStuck(func() bool { p.Close(); return true })
	})
}

// Unlock is called after every Wait, also if that returned without the lock:
// then it frees nothing that another goroutine of the process has.
func TestSimCloseUnlockAfterWait(t *testing.T) {
	sim.Explore(t, 20000, sim.Options{CancelEvery: 20, CloseEvery: 30, MaxCloses: 1}, func(w *sim.World) {
		m, a := mem.Heap(engine.MutexSize), mem.Heap(engine.CondSize(9))
		simRecover(w, []engine.Kind{engine.KindMutex, engine.KindCond}, []mem.Area{m, a})
		p, inside := w.Process(0), false
		w.Always(func() error {
			if who, held := check(engine.AttachMutex(m, engine.Env{})).Owner(); inside && !p.Gone() && (!held || who != p.Self) {
				return fmt.Errorf("a goroutine has the lock, whose owner is %v, %v", who, held)
			}
			return nil
		})
		mu, c := simCond(p, m, a)
		p.Go("waiter", func(t *sim.Thread) {
			if mu.Lock(sim.Context) == nil {
				t.Context(true)
				c.Wait(sim.Context)
				mu.Unlock()
			}
		})
		p.Go("worker", func(t *sim.Thread) {
			for range 2 {
				if mu.Lock(sim.Context) != nil {
					return
				}
				inside = true
				for range w.Rand.IntN(8) {
					t.Step()
				}
				inside = false
				mu.Unlock()
			}
		})
		w.OnStuck(func() bool { p.Close(); return true })
	})
}
