package engine

import (
	"testing"

	"example.com/tandem/internal/mem"
)

// A spun is a call that waits, and what it waits for.
type spun struct {
	wait  func(Sleeper) error
	bring func() error
	early func() // has it brought before the call looks; nil: bring does
}

// spunWake has the wake-ups of these tests reach nobody.
func spunWake(*uint32, int) int { return 0 }

// spunEnv is participant i's.
func spunEnv(i uint32) Env { return Env{Self: Self{i, 1}, Wake: spunWake} }

// A relay is a lock that nobody else wants, but for what is done when it is given up.
type relay struct {
	freeLock
	unlocked func() error
}

func (l *relay) Unlock() error {
	if l.unlocked == nil {
		return nil
	}
	return l.unlocked()
}

// spunKinds make an object of two participants, of whom the first waits for the second.
var spunKinds = []struct {
	name string
	size uint64
	open func(a mem.Area) (spun, error)
}{
	{"event", EventSize, func(a mem.Area) (spun, error) {
		InitEvent(a)
		e, err := AttachEvent(a, spunEnv(0))
		return spun{wait: e.Wait, bring: e.Set}, err
	}},
	{"semaphore", SemaphoreSize(2), func(a mem.Area) (spun, error) {
		return spunSemaphore(a, 0, false)
	}},
	{"bounded semaphore", SemaphoreSize(2), func(a mem.Area) (spun, error) {
		return spunSemaphore(a, 1, true)
	}},
	{"mutex", MutexSize, func(a mem.Area) (spun, error) {
		InitMutex(a)
		m, err := AttachMutex(a, spunEnv(0))
		if err != nil {
			return spun{}, err
		}
		other, err := AttachMutex(a, spunEnv(1))
		if err == nil {
			_, err = other.TryLock()
		}
		return spun{wait: m.Lock, bring: other.Unlock}, err
	}},
	{"rwmutex, reader", RWMutexSize(2), func(a mem.Area) (spun, error) {
		l, other, err := spunRWMutex(a)
		if err == nil {
			_, err = other.TryLock()
		}
		return spun{wait: l.RLock, bring: other.Unlock}, err
	}},
	{"rwmutex, writer for a reader", RWMutexSize(2), func(a mem.Area) (spun, error) {
		l, other, err := spunRWMutex(a)
		if err == nil {
			_, err = other.TryRLock()
		}
		return spun{wait: l.Lock, bring: other.RUnlock}, err
	}},
	{"rwmutex, writer for a writer", RWMutexSize(2), func(a mem.Area) (spun, error) {
		l, other, err := spunRWMutex(a)
		if err == nil {
			_, err = other.TryLock()
		}
		return spun{wait: l.Lock, bring: other.Unlock}, err
	}},
	{"barrier, for the last", BarrierSize(2), func(a mem.Area) (spun, error) {
		b, other, err := spunBarrier(a)
		if err != nil {
			return spun{}, err
		}
		mine, err := b.Arrive(nobody{})
		return spun{
			wait: func(s Sleeper) error {
				_, err := b.Await(mine, s)
				return err
			},
			bring: func() error {
				last, err := other.Arrive(nobody{})
				if err != nil {
					return err
				}
				return other.Trip(last)
			},
		}, err
	}},
	{"barrier, for a round", BarrierSize(2), func(a mem.Area) (spun, error) {
		b, other, err := spunBarrier(a)
		if err != nil {
			return spun{}, err
		}
		if _, err = other.Arrive(nobody{}); err != nil {
			return spun{}, err
		}
		last, err := other.Arrive(nobody{})
		return spun{
			wait: func(s Sleeper) error {
				_, err := b.Arrive(s)
				return err
			},
			bring: func() error { return other.Trip(last) },
		}, err
	}},
	{"cond", CondSize(2), func(a mem.Area) (spun, error) {
		InitCond(a)
		c, err := AttachCond(a, spunEnv(0), new(CondLine))
		if err != nil {
			return spun{}, err
		}
		other, err := AttachCond(a, spunEnv(1), new(CondLine))
		l := &relay{}
		bring := func() error {
			_, err := other.NotifyHere(1)
			return err
		}
		return spun{
			wait:  func(s Sleeper) error { return c.Wait(s, l) },
			bring: bring,
			early: func() { l.unlocked = bring },
		}, err
	}},
}

// spunSemaphore has no permits left.
func spunSemaphore(a mem.Area, initial int, bounded bool) (spun, error) {
	InitSemaphore(a, initial)
	s, err := AttachSemaphore(a, spunEnv(0), bounded)
	if err != nil {
		return spun{}, err
	}
	other, err := AttachSemaphore(a, spunEnv(1), bounded)
	if err == nil && initial > 0 {
		_, err = other.TryAcquire()
	}
	return spun{wait: s.Acquire, bring: func() error { return other.Release(1) }}, err
}

func spunRWMutex(a mem.Area) (l, other *RWMutex, err error) {
	InitRWMutex(a)
	if l, err = AttachRWMutex(a, spunEnv(0)); err == nil {
		other, err = AttachRWMutex(a, spunEnv(1))
	}
	return l, other, err
}

func spunBarrier(a mem.Area) (b, other *Barrier, err error) {
	InitBarrier(a, 2)
	if b, err = AttachBarrier(a, spunEnv(0)); err == nil {
		other, err = AttachBarrier(a, spunEnv(1))
	}
	return b, other, err
}

// A wait that ends while it spins writes no word but those of what it came for: the object
// is as after a call that found it there. No bell is armed, and nothing counted.
func TestSpinWritesNothing(t *testing.T) {
	for _, tt := range spunKinds {
		t.Run(tt.name, func(t *testing.T) {
			after := func(spins int) mem.Area {
				a := mem.Heap(tt.size)
				k, err := tt.open(a)
				if err != nil {
					t.Fatal(err)
				}
				bring := func() {
					if err := k.bring(); err != nil {
						t.Fatal(err)
					}
				}
				s := &driven{t: t, do: func(spin int) {
					if spin == spins {
						bring()
					}
				}}
				switch {
				case spins == 0 && k.early != nil:
					k.early()
				case spins == 0:
					bring()
				}
				if err := k.wait(s); err != nil {
					t.Fatal(err)
				}
				if s.spins != spins {
					t.Fatalf("it has spun %d times, want %d", s.spins, spins)
				}
				return a
			}
			was, is := after(0), after(3)
			for off := uint64(0); off < tt.size; off += 8 {
				if v, w := *was.W64(off), *is.W64(off); v != w {
					t.Errorf("at %d there is %#x, and without a wait it is %#x", off, w, v)
				}
			}
		})
	}
}
