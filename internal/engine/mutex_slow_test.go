package engine

import (
	"slices"
	"testing"

	"example.com/tandem/internal/mem"
)

// A script is a TimedSleeper in each of whose sleeps the next thing happens.
// One more is an error, and so is a sleep of another kind than it is to be.
type script struct {
	t      *testing.T
	now    int64
	sleeps []func(limit int64) // limit is 0 for a Sleep
	ends   bool                // the last of them, with an error
	spin   func()
}

func (s *script) Now() int64 { return s.now }

func (s *script) Spin() bool {
	if s.spin != nil {
		s.spin()
	}
	return false
}

func (s *script) Sleep(w *uint32, v uint32) error { return s.SleepUntil(w, v, 0) }

func (s *script) SleepUntil(w *uint32, v uint32, limit int64) error {
	if mem.Load32(w) != v {
		s.t.Errorf("it sleeps on %#x, which is %#x", v, mem.Load32(w))
	}
	if len(s.sleeps) == 0 {
		s.t.Error("it sleeps once more")
		return errAsleep
	}
	f := s.sleeps[0]
	s.sleeps = s.sleeps[1:]
	f(limit)
	if s.ends && len(s.sleeps) == 0 {
		return errAsleep
	}
	return nil
}

// ended reports what did not happen.
func (s *script) ended() {
	s.t.Helper()
	if n := len(s.sleeps); n > 0 {
		s.t.Errorf("it slept %d times less than it should", n)
	}
}

// A wakes notes how many each wake-up was for, and finds one sleeper each time.
type wakes []int

func (k *wakes) env(index, epoch uint32) Env {
	return Env{Self: Self{index, epoch}, Wake: func(_ *uint32, n int) int { *k = append(*k, n); return 1 }}
}

// want checks what woke whom since the last time.
func (k *wakes) want(t *testing.T, ns ...int) {
	t.Helper()
	if !slices.Equal(*k, ns) {
		t.Errorf("wake-ups for %v, want %v", *k, ns)
	}
	*k = nil
}

func mutexIn(t *testing.T, a mem.Area, env Env) *Mutex {
	t.Helper()
	m, err := AttachMutex(a, env)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// One who has slept and is passed over for longer than patience, and no
// sooner, has the lock offered: two are woken for it, who comes by leaves it
// to them for patience at most, and whoever slept takes it.
func TestMutexOffer(t *testing.T) {
	a, k := mem.Heap(MutexSize), &wakes{}
	InitMutex(a)
	holder, sleeper, comer := mutexIn(t, a, k.env(0, 1)), mutexIn(t, a, k.env(1, 1)), mutexIn(t, a, k.env(2, 1))
	bits := func(want uint64) {
		t.Helper()
		if w := mem.Load64(a.W64(0)); w&(mutexWaiters|mutexAbandoned|mutexOffered|mutexStarving) != want {
			t.Errorf("the word is %#x, want the bits %#x", w, want)
		}
	}
	if !holder.LockNow() {
		t.Fatal("a free lock cannot be had")
	}
	s := &script{t: t, now: 1e9}
	s.sleeps = []func(int64){
		func(int64) {
			if since := lookMutex(a).Since; since != 1e9 {
				t.Errorf("held since %d, which the first to sleep found at 1e9", since)
			}
			bits(mutexWaiters)
			s.now += patience
		},
		func(int64) {
			bits(mutexWaiters) // patience is not over
			s.now++
		},
		func(int64) {
			bits(mutexWaiters | mutexStarving)
			k.want(t)
			if err := holder.Unlock(); err != nil {
				t.Error(err)
			}
			k.want(t, 2)
			bits(mutexWaiters | mutexOffered | mutexStarving)
			if comer.LockNow() {
				t.Error("one who comes by has what is offered")
			}
			other := &script{t: t, now: s.now}
			other.sleeps = []func(int64){func(limit int64) {
				if limit != other.now+patience {
					t.Errorf("an offer is respected for %d ns", limit-other.now)
				}
			}}
			// It has slept by then, and so takes it as others might.
			if err := comer.Lock(other); err != nil {
				t.Error(err)
			}
			other.ended()
			bits(mutexWaiters)
			if err := comer.Unlock(); err != nil {
				t.Error(err)
			}
			k.want(t, 1)
		},
	}
	if err := sleeper.Lock(s); err != nil {
		t.Fatal(err)
	}
	s.ended()
	bits(mutexWaiters)
	if l := lookMutex(a); l.Owner == nil || *l.Owner != (Self{1, 1}) || l.Since != s.now {
		t.Errorf("at the end: %+v", l)
	}
}

// Who waits to repair is starved like others, but nothing is offered as long
// as the lock is abandoned.
func TestMutexNoOfferAbandoned(t *testing.T) {
	a, k := mem.Heap(MutexSize), &wakes{}
	InitMutex(a)
	dead, first, second := mutexIn(t, a, k.env(0, 1)), mutexIn(t, a, k.env(1, 1)), mutexIn(t, a, k.env(2, 1))
	if !dead.LockNow() {
		t.Fatal("a free lock cannot be had")
	}
	if err := recoverMutex(a, k.env(1, 1), Self{0, 1}); err != nil {
		t.Fatal(err)
	}
	k.want(t, -1)
	if suspect, err := first.Recover(asleep{}); !suspect || err != nil {
		t.Fatalf("Recover = %v, %v", suspect, err)
	}
	s := &script{t: t, now: 1e9}
	s.sleeps = []func(int64){
		func(int64) { s.now += 2 * patience },
		func(int64) {
			if err := first.Unlock(); err != nil {
				t.Error(err)
			}
			k.want(t, 1)
			if l := lookMutex(a); l.State != "abandoned" || checkMutex(a) != nil {
				t.Errorf("it looks like %+v: %v", l, checkMutex(a))
			}
		},
	}
	if suspect, err := second.Recover(s); !suspect || err != nil {
		t.Fatalf("Recover = %v, %v", suspect, err)
	}
	s.ended()
}

// Recovery takes what the dead and those before it at its index held, not what
// one has who came after it; it changes what sleepers compare, ends an offer
// and wakes all, whoever holds the lock.
func TestMutexRecovery(t *testing.T) {
	const dead = 7
	for _, tt := range []struct {
		name string
		word uint64
		want uint64 // but for the sequence
	}{
		{"the dead one's", dead<<32 | mutexWaiters | 4, mutexWaiters | mutexAbandoned},
		{"starved", dead<<32 | mutexWaiters | mutexStarving | 4, mutexWaiters | mutexAbandoned},
		{"of one before it", (dead-1)<<32 | 4, mutexAbandoned},
		{"of one long before it", 0xffff_fff0<<32 | 4, mutexAbandoned},
		{"of one after it", (dead+1)<<32 | mutexWaiters | 4, (dead+1)<<32 | mutexWaiters | 4},
		{"of another", dead<<32 | mutexWaiters | 5, dead<<32 | mutexWaiters | 5},
		{"free", mutexWaiters, mutexWaiters},
		{"offered", mutexWaiters | mutexOffered | mutexStarving, mutexWaiters},
		{"abandoned", mutexAbandoned, mutexAbandoned},
		{"repaired by the dead one", dead<<32 | mutexAbandoned | 4, mutexAbandoned},
	} {
		a, k := mem.Heap(MutexSize), &wakes{}
		*a.W64(0) = tt.word
		if err := recoverMutex(a, k.env(0, 1), Self{3, dead}); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got := *a.W64(0); got&^mutexSeq != tt.want || got&mutexSeq == tt.word&mutexSeq {
			t.Errorf("%s: %#x becomes %#x, want %#x and another sequence", tt.name, tt.word, got, tt.want)
		}
		k.want(t, -1)
	}
}
