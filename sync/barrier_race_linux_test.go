//go:build race

package sync_test

import (
	"errors"
	"fmt"
	"testing"

	"example.com/tandem/internal/racetest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// A barrierWorld has two handles on a barrier of two, one on another, and one
// on a barrier of three.
type barrierWorld struct {
	b, same, other, three *sync.Barrier
	action                func()
	a                     racetest.Moment
}

func (w *barrierWorld) meet(b *sync.Barrier) {
	_, err := b.Wait(background)
	testproc.Must(err)
}

// meetLast comes when n have come.
func (w *barrierWorld) meetLast(b *sync.Barrier, n int) {
	w.await(b, n)
	w.meet(b)
}

func (w *barrierWorld) await(b *sync.Barrier, n int) {
	racetest.Unseen(func() bool { return b.Waiting() == n })
}

func (w *barrierWorld) broken(b *sync.Barrier) {
	if _, err := b.Wait(background); !errors.Is(err, sync.ErrBroken) {
		testproc.Must(fmt.Errorf("Wait = %v", err))
	}
}

var barrierRacePairs = []racetest.Pair[*barrierWorld]{
	{
		Name:   "before Wait, and after it",
		First:  func(x *int, w *barrierWorld) { *x = 1; w.meet(w.b) },
		Second: func(x *int, w *barrierWorld) { w.meetLast(w.b, 1); racetest.Sink = *x },
	}, {
		Name:   "by two handles, the last writes",
		First:  func(x *int, w *barrierWorld) { *x = 1; w.meetLast(w.b, 1) },
		Second: func(x *int, w *barrierWorld) { w.meet(w.same); racetest.Sink = *x },
	}, {
		Name: "in many rounds",
		First: func(x *int, w *barrierWorld) {
			for i := range 20 {
				*x = i
				w.meet(w.b)
				w.meet(w.b)
			}
		},
		Second: func(x *int, w *barrierWorld) {
			for range 20 {
				w.meet(w.same)
				racetest.Sink = *x
				w.meet(w.same)
			}
		},
	}, {
		Name:  "before Wait, and in the Action",
		First: func(x *int, w *barrierWorld) { *x = 1; w.meet(w.same) },
		Second: func(x *int, w *barrierWorld) {
			w.action = func() { racetest.Sink = *x }
			w.meetLast(w.b, 1)
		},
	}, {
		Name: "in the Action, and after Wait",
		First: func(x *int, w *barrierWorld) {
			w.action = func() { *x = 1 }
			w.meetLast(w.b, 1)
		},
		Second: func(x *int, w *barrierWorld) { w.meet(w.same); racetest.Sink = *x },
	}, {
		Name:   "both before Wait",
		First:  func(x *int, w *barrierWorld) { *x = 1; w.a.Come(); w.meet(w.b) },
		Second: func(x *int, w *barrierWorld) { w.a.Wait(); racetest.Sink = *x; w.meet(w.b) },
		Race:   true,
	}, {
		Name:   "both after Wait",
		First:  func(x *int, w *barrierWorld) { w.meet(w.b); *x = 1; w.a.Come() },
		Second: func(x *int, w *barrierWorld) { w.meet(w.b); w.a.Wait(); racetest.Sink = *x },
		Race:   true,
	}, {
		// The first comes to the next round, mostly before the second has left
		// this one, which must not order what the first did in between.
		Name:   "before the next Wait of a fast one",
		First:  func(x *int, w *barrierWorld) { w.meetLast(w.b, 1); *x = 1; w.meet(w.b) },
		Second: func(x *int, w *barrierWorld) { w.meet(w.b); w.await(w.b, 1); racetest.Sink = *x; w.meet(w.b) },
		Race:   true,
	}, {
		Name: "at two barriers",
		Prepare: func(w *barrierWorld) {
			go w.meet(w.b)
			go w.meet(w.other)
		},
		First:  func(x *int, w *barrierWorld) { *x = 1; w.meet(w.b); w.a.Come() },
		Second: func(x *int, w *barrierWorld) { w.a.Wait(); w.meet(w.other); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:  "at a round that is broken",
		First: func(x *int, w *barrierWorld) { *x = 1; w.broken(w.three) },
		Second: func(x *int, w *barrierWorld) {
			w.await(w.three, 1)
			go func() {
				w.await(w.three, 2)
				testproc.Must(w.three.Abort())
			}()
			w.broken(w.three)
			racetest.Sink = *x
		},
		Race: true,
	}, {
		Name:   "by Abort",
		First:  func(x *int, w *barrierWorld) { *x = 1; testproc.Must(w.b.Abort()); w.a.Come() },
		Second: func(x *int, w *barrierWorld) { w.a.Wait(); w.broken(w.b); racetest.Sink = *x },
		Race:   true,
	},
}

var barrierRacer = racetest.Role("racer-barrier", barrierRacePairs, func() *barrierWorld {
	r, err := shm.Anonymous(nil)
	testproc.Must(err)
	w := &barrierWorld{action: func() {}}
	open := func(name string, parties int, action func() error) *sync.Barrier {
		b, err := sync.OpenBarrier(r, name, parties, &sync.BarrierOptions{Action: action})
		testproc.Must(err)
		return b
	}
	w.b = open("b", 2, func() error { w.action(); return nil })
	w.same, w.other, w.three = open("b", 2, nil), open("other", 2, nil), open("three", 3, nil)
	return w
})

func TestRaceDetectorBarrier(t *testing.T) { racetest.Run(t, barrierRacer, barrierRacePairs) }
