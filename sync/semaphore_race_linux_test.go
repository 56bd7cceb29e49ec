//go:build race

package sync_test

import (
	"context"
	"testing"
	"time"

	"example.com/tandem/internal/racetest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

type semaphoreWorld struct {
	s, same, other *sync.Semaphore // of 0, 0 and 2 permits
	guard, guard2  *sync.BoundedSemaphore
	a              racetest.Moment
}

// take takes a permit that is there.
func take(s *sync.Semaphore) {
	ok, err := s.TryAcquire()
	testproc.Must(err)
	if !ok {
		panic("there is none")
	}
}

// What is ordered by a semaphore and what is not.
var semaphoreRacePairs = []racetest.Pair[*semaphoreWorld]{
	{
		Name:   "a Release and the Acquire that waited for it",
		First:  func(x *int, w *semaphoreWorld) { *x = 1; testproc.Must(w.s.Release(1)) },
		Second: func(x *int, w *semaphoreWorld) { testproc.Must(w.s.Acquire(background)); racetest.Sink = *x },
	}, {
		Name: "an Acquire that slept",
		First: func(x *int, w *semaphoreWorld) {
			w.a.Wait()
			time.Sleep(20 * time.Millisecond)
			*x = 1
			testproc.Must(w.s.Release(3))
		},
		Second: func(x *int, w *semaphoreWorld) {
			w.a.Come()
			testproc.Must(w.s.Acquire(background))
			racetest.Sink = *x
		},
	}, {
		Name:   "by two handles",
		First:  func(x *int, w *semaphoreWorld) { *x = 1; testproc.Must(w.s.Release(1)); w.a.Come() },
		Second: func(x *int, w *semaphoreWorld) { w.a.Wait(); take(w.same); racetest.Sink = *x },
	}, {
		Name: "guarded",
		First: func(x *int, w *semaphoreWorld) {
			testproc.Must(w.guard.Acquire(background))
			*x = 1
			testproc.Must(w.guard.Release(1))
		},
		Second: func(x *int, w *semaphoreWorld) {
			testproc.Must(w.guard2.Acquire(background))
			racetest.Sink = *x
			testproc.Must(w.guard2.Release(1))
		},
	}, {
		Name: "two at once",
		First: func(x *int, w *semaphoreWorld) {
			testproc.Must(w.other.Acquire(background))
			*x = 1
			w.a.Come()
		},
		Second: func(x *int, w *semaphoreWorld) {
			w.a.Wait()
			testproc.Must(w.other.Acquire(background))
			racetest.Sink = *x
		},
		Race: true,
	}, {
		Name:   "another semaphore",
		First:  func(x *int, w *semaphoreWorld) { *x = 1; testproc.Must(w.s.Release(1)); w.a.Come() },
		Second: func(x *int, w *semaphoreWorld) { w.a.Wait(); take(w.other); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:   "after Release",
		First:  func(x *int, w *semaphoreWorld) { testproc.Must(w.s.Release(1)); *x = 1; w.a.Come() },
		Second: func(x *int, w *semaphoreWorld) { w.a.Wait(); take(w.s); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:   "an attempt that fails",
		First:  func(x *int, w *semaphoreWorld) { *x = 1; w.guard.Release(1); w.a.Come() },
		Second: func(x *int, w *semaphoreWorld) { w.a.Wait(); w.s.TryAcquire(); racetest.Sink = *x },
		Race:   true,
	}, {
		Name: "an Acquire whose context ends",
		First: func(x *int, w *semaphoreWorld) {
			testproc.Must(w.s.Release(1))
			take(w.s)
			*x = 1
			w.a.Come()
		},
		Second: func(x *int, w *semaphoreWorld) {
			w.a.Wait()
			ctx, cancel := context.WithTimeout(background, 10*time.Millisecond)
			defer cancel()
			if w.s.Acquire(ctx) == nil {
				panic("there is none")
			}
			racetest.Sink = *x
		},
		Race: true,
	}, {
		Name:   "a look at the value",
		First:  func(x *int, w *semaphoreWorld) { *x = 1; testproc.Must(w.s.Release(1)); w.a.Come() },
		Second: func(x *int, w *semaphoreWorld) { w.a.Wait(); w.s.Value(); racetest.Sink = *x },
		Race:   true,
	},
}

var semaphoreRacer = racetest.Role("racer-semaphore", semaphoreRacePairs, func() *semaphoreWorld {
	r, err := shm.Anonymous(nil)
	testproc.Must(err)
	w := new(semaphoreWorld)
	for s, of := range map[**sync.Semaphore]int{&w.s: 0, &w.other: 2} {
		*s, err = sync.OpenSemaphore(r, string(rune('a'+of)), of)
		testproc.Must(err)
	}
	w.same, err = sync.OpenSemaphore(r, "a", -1)
	testproc.Must(err)
	for _, g := range []**sync.BoundedSemaphore{&w.guard, &w.guard2} {
		*g, err = sync.OpenBoundedSemaphore(r, "guard", 1)
		testproc.Must(err)
	}
	return w
})

func TestSemaphoreRaceDetector(t *testing.T) { racetest.Run(t, semaphoreRacer, semaphoreRacePairs) }
