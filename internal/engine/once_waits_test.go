package engine

import (
	"testing"

	"example.com/tandem/internal/mem"
)

// Who waits for a turn goes on as soon as it is done: no sleep after a look
// that says so, and no way through the lock, where others would wait for it.
func TestOnceGoesOn(t *testing.T) {
	const offered = mutexWaiters | mutexOffered | mutexStarving
	for _, tt := range []struct {
		name  string
		word  uint64 // of the mutex
		sleep bool   // it is done while the waiter sleeps; else just before
	}{
		{"done before its sleep", 0, false},
		{"done in its sleep", 0, true},
		{"done before its sleep, with an offer", offered, false},
		{"done in its sleep, with an offer", offered, true},
	} {
		a, k := mem.Heap(OnceSize), &wakes{}
		InitOnce(a)
		in := func(i uint32) *Once {
			o, err := AttachOnce(a, k.env(i, 1))
			if err != nil {
				t.Fatal(err)
			}
			return o
		}
		runner, waiter := in(0), in(1)
		if tt.word != 0 {
			mem.Store64(a.W64(0), tt.word)
		} else if run, err := runner.Begin(asleep{}); !run || err != nil {
			t.Fatal(run, err)
		}
		do := func() {
			mem.Store64(runner.done, 1) // F1
			if tt.sleep {
				runner.m.kick() // F2
				runner.m.Unlock()
			}
		}
		s := &script{t: t, now: 1e9}
		if tt.sleep {
			s.sleeps = []func(int64){func(int64) { do() }}
		} else {
			s.spin = do
		}
		if run, err := waiter.Begin(s); run || err != nil {
			t.Errorf("%s: Begin = %v, %v", tt.name, run, err)
		}
		s.ended()
		if last := mem.Load64(a.W64(mutexLast)); last == waiter.m.me {
			t.Errorf("%s: it took the lock", tt.name)
		}
	}
}
