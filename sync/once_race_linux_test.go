//go:build race

package sync_test

import (
	"context"
	"errors"
	"testing"

	"example.com/tandem/internal/racetest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

type onceWorld struct {
	r              *shm.Region
	o, same, other *sync.Once
	a              racetest.Moment
}

// do has f done, or not if it was done before.
func (w *onceWorld) do(o *sync.Once, f func()) {
	testproc.Must(o.Do(background, func(context.Context) error { f(); return nil }))
}

// fail does f and fails.
func (w *onceWorld) fail(o *sync.Once, f func()) {
	failure := errors.New("it fails")
	if err := o.Do(background, func(context.Context) error { f(); return failure }); err != failure {
		testproc.Must(errors.Join(err, errors.New("it did not fail")))
	}
}

// wild does f and panics.
func (w *onceWorld) wild(o *sync.Once, f func()) {
	defer func() { recover() }()
	o.Do(background, func(context.Context) error { f(); panic("wild") })
}

func (w *onceWorld) nothing() {}

// asleep waits until somebody waits for o.
func (w *onceWorld) asleep() {
	racetest.Unseen(func() bool { return shmtest.Waiting(w.r, "o") == 1 })
}

var onceRacePairs = []racetest.Pair[*onceWorld]{
	{
		Name:   "in it, and after Do",
		First:  func(x *int, w *onceWorld) { w.do(w.o, func() { *x = 1 }); w.a.Come() },
		Second: func(x *int, w *onceWorld) { w.a.Wait(); w.do(w.same, w.nothing); racetest.Sink = *x },
	}, {
		Name:   "before it, and after Do",
		First:  func(x *int, w *onceWorld) { *x = 1; w.do(w.o, w.nothing); w.a.Come() },
		Second: func(x *int, w *onceWorld) { w.a.Wait(); w.do(w.same, w.nothing); racetest.Sink = *x },
	}, {
		Name:   "in it, and after a Do that sleeps",
		First:  func(x *int, w *onceWorld) { w.do(w.o, func() { w.a.Come(); w.asleep(); *x = 1 }) },
		Second: func(x *int, w *onceWorld) { w.a.Wait(); w.do(w.same, w.nothing); racetest.Sink = *x },
	}, {
		Name:   "in one that fails, and in the next",
		First:  func(x *int, w *onceWorld) { w.fail(w.o, func() { *x = 1 }); w.a.Come() },
		Second: func(x *int, w *onceWorld) { w.a.Wait(); w.do(w.same, func() { racetest.Sink = *x }) },
	}, {
		Name:   "in one that panics, and in one that sleeps before it",
		First:  func(x *int, w *onceWorld) { w.wild(w.o, func() { w.a.Come(); w.asleep(); *x = 1 }) },
		Second: func(x *int, w *onceWorld) { w.a.Wait(); w.do(w.same, func() { racetest.Sink = *x }) },
	}, {
		Name:   "after it",
		First:  func(x *int, w *onceWorld) { w.do(w.o, w.nothing); *x = 1; w.a.Come() },
		Second: func(x *int, w *onceWorld) { w.a.Wait(); w.do(w.same, w.nothing); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:    "before a Do of what is done, and after another",
		Prepare: func(w *onceWorld) { w.do(w.o, w.nothing) },
		First:   func(x *int, w *onceWorld) { *x = 1; w.do(w.o, w.nothing); w.a.Come() },
		Second:  func(x *int, w *onceWorld) { w.a.Wait(); w.do(w.same, w.nothing); racetest.Sink = *x },
		Race:    true,
	}, {
		Name:    "of another",
		Prepare: func(w *onceWorld) { w.do(w.other, w.nothing) },
		First:   func(x *int, w *onceWorld) { w.do(w.o, func() { *x = 1 }); w.a.Come() },
		Second:  func(x *int, w *onceWorld) { w.a.Wait(); w.do(w.other, w.nothing); racetest.Sink = *x },
		Race:    true,
	},
}

var onceRacer = racetest.Role("racer-once", onceRacePairs, func() *onceWorld {
	r, err := shm.Anonymous(nil)
	testproc.Must(err)
	w := &onceWorld{r: r}
	for _, h := range []struct {
		o    **sync.Once
		name string
	}{{&w.o, "o"}, {&w.same, "o"}, {&w.other, "other"}} {
		*h.o, err = sync.OpenOnce(r, h.name)
		testproc.Must(err)
	}
	return w
})

func TestRaceDetectorOnce(t *testing.T) { racetest.Run(t, onceRacer, onceRacePairs) }
