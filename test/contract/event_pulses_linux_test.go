package contract_test

import (
	"strconv"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/internal/testproc/actor/verbs"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

const pulseWaiters = 4

func counts(e *actor.Env, name string) *atomics.Array[int64] {
	return actor.Handle(e, name, func() (*atomics.Array[int64], error) {
		return atomics.OpenArray[int64](e.Region, name, pulseWaiters)
	})
}

// Waits for so many pulses, of the two events by turns, so that no wait begins
// while its event is still set for the last one; and counts them in its own
// cell of "seen".
var _ = actor.Verb("event.pulses", func(e *actor.Env, args []string) string { // event, event, cell, pulses
	evs, seen := [2]*sync.Event{verbs.Event(e, args[0]), verbs.Event(e, args[1])}, counts(e, "seen")
	cell, _ := strconv.Atoi(args[2])
	pulses, _ := strconv.Atoi(args[3])
	for n := range pulses {
		if err := evs[n%2].Wait(e.Ctx); err != nil {
			return actor.Outcome(err)
		}
		seen.Store(cell, int64(n+1))
	}
	return "ok"
})

// Four waiters, and pulses, each a Set and a Clear at once when all four are
// asleep: each sees every one.
func TestEventPulses(t *testing.T) {
	t.Parallel()
	t.Run("E5 thousands of pulses, and nobody is lost", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			pulses := effort.Or(3000, 1000)
			names := [2]string{"odd", "even"}
			var evs [2]*sync.Event
			for i, name := range names {
				evs[i] = actor.Opened(sync.OpenEvent(w.Region, name))
			}
			seen := actor.Opened(atomics.OpenArray[int64](w.Region, "seen", pulseWaiters))
			var calls []*actor.Call
			for i, a := range w.Actors(pulseWaiters) {
				calls = append(calls, a.Begin("event.pulses", names[0], names[1], strconv.Itoa(i), strconv.Itoa(pulses)))
			}
			begin := time.Now()
			for n := range pulses {
				w.soon("all wait for a pulse", func() bool { return shmtest.Waiting(w.Region, names[n%2]) == pulseWaiters })
				for i := range pulseWaiters {
					if got := seen.Load(i); got != int64(n) {
						t.Fatalf("waiter %d has seen %d pulses of %d", i, got, n)
					}
				}
				if err := evs[n%2].Set(); err != nil {
					t.Fatal(err)
				}
				if err := evs[n%2].Clear(); err != nil {
					t.Fatal(err)
				}
			}
			expectAll(calls, "ok")
			t.Logf("%d pulses, %v each", pulses, time.Since(begin)/time.Duration(pulses))
		})
	})
}

// soon is until for what comes within microseconds. The runtime's own sleep
// lasts a millisecond.
func (w *world) soon(what string, ok func() bool) {
	w.T.Helper()
	for begin := time.Now(); !ok(); {
		if time.Since(begin) > testproc.Patience {
			w.Fatal("it does not come to be that %s", what)
		}
		syscall.Nanosleep(&syscall.Timespec{Nsec: 20_000}, nil)
	}
}
