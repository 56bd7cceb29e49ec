//go:build race

package waitany

import (
	"errors"
	"testing"

	"example.com/tandem/internal/racetest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

type anyWorld struct {
	r *shm.Region
	e *sync.Event
	s *sync.Semaphore
	q *ring.Queue[int64]
	a racetest.Moment
}

// any waits for the three, of which number i is to be ready.
func (w *anyWorld) any(i int) {
	got, err := shm.WaitAny(bg, w.e, w.s, w.q)
	if err == nil && got != i {
		err = errors.New("another is ready")
	}
	testproc.Must(err)
}

func (w *anyWorld) asleep() {
	racetest.Unseen(func() bool { return shmtest.Waiting(w.r, "e") == 1 })
}

var anyRacePairs = []racetest.Pair[*anyWorld]{
	{
		Name:   "before Set, and after WaitAny",
		First:  func(x *int, w *anyWorld) { *x = 1; testproc.Must(w.e.Set()) },
		Second: func(x *int, w *anyWorld) { w.any(0); racetest.Sink = *x },
	}, {
		Name: "WaitAny that sleeps, and a pulse",
		First: func(x *int, w *anyWorld) {
			w.asleep()
			*x = 1
			testproc.Must(w.e.Set())
			testproc.Must(w.e.Clear())
		},
		Second: func(x *int, w *anyWorld) { w.any(0); racetest.Sink = *x },
	}, {
		Name:   "before Release, and after WaitAny",
		First:  func(x *int, w *anyWorld) { *x = 1; testproc.Must(w.s.Release(1)) },
		Second: func(x *int, w *anyWorld) { w.any(1); racetest.Sink = *x },
	}, {
		Name:  "before Put, and after the TryGet behind WaitAny",
		First: func(x *int, w *anyWorld) { *x = 1; testproc.Must(w.q.Put(bg, 1)) },
		Second: func(x *int, w *anyWorld) {
			w.any(2)
			_, err := w.q.TryGet()
			testproc.Must(err)
			racetest.Sink = *x
		},
	}, {
		Name:   "before Put, and after WaitAny alone",
		First:  func(x *int, w *anyWorld) { *x = 1; testproc.Must(w.q.Put(bg, 1)) },
		Second: func(x *int, w *anyWorld) { w.any(2); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:   "after Set",
		First:  func(x *int, w *anyWorld) { testproc.Must(w.e.Set()); *x = 1; w.a.Come() },
		Second: func(x *int, w *anyWorld) { w.a.Wait(); w.any(0); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:    "a WaitAny, and another after it", // which uses what the first one had
		Prepare: func(w *anyWorld) { testproc.Must(w.q.Put(bg, 1)) },
		First:   func(x *int, w *anyWorld) { *x = 1; w.any(2); w.a.Come() },
		Second:  func(x *int, w *anyWorld) { w.a.Wait(); w.any(2); racetest.Sink = *x },
		Race:    true,
	},
}

var anyRacer = racetest.Role("waitany racer", anyRacePairs, func() *anyWorld {
	r, err := shm.Anonymous(nil)
	testproc.Must(err)
	w := &anyWorld{r: r}
	w.e, err = sync.OpenEvent(r, "e")
	testproc.Must(err)
	w.s, err = sync.OpenSemaphore(r, "s", 0)
	testproc.Must(err)
	w.q, err = ring.OpenQueue[int64](r, "q", nil)
	testproc.Must(err)
	return w
})

func TestRaceDetector(t *testing.T) { racetest.Run(t, anyRacer, anyRacePairs) }
