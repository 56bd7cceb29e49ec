//go:build race

package sync_test

import (
	"testing"
	"time"

	"example.com/tandem/internal/racetest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

type condRaceWorld struct {
	r        *shm.Region
	m        *sync.RMutex
	h, other *sync.Holder // of m
	c, same  *sync.Cond   // of a mutex
	l        *sync.Mutex
	own      *sync.Cond
	a, b     racetest.Moment
}

// wait waits on c with l held, and says so once it does.
func (w *condRaceWorld) wait(c *sync.Cond, l sync.Lock, after func()) {
	testproc.Must(l.Lock(background))
	w.a.Come() // who gets the lock after this finds it waiting
	testproc.Must(c.Wait(background))
	after()
	testproc.Must(l.Unlock())
}

// What is ordered by holders and conditions, and what is not.
var condRacePairs = []racetest.Pair[*condRaceWorld]{
	{
		Name: "under the inner lock",
		First: func(x *int, w *condRaceWorld) {
			with(w.h, func() { with(w.h, func() { *x = 1 }) })
			w.a.Come()
		},
		Second: func(x *int, w *condRaceWorld) {
			w.a.Wait()
			with(w.other, func() { with(w.other, func() {}); racetest.Sink = *x })
		},
	}, {
		Name: "between the inner and the outer Unlock",
		First: func(x *int, w *condRaceWorld) {
			with(w.h, func() { with(w.h, func() {}); *x = 1 })
			w.a.Come()
		},
		Second: func(x *int, w *condRaceWorld) { w.a.Wait(); with(w.other, func() { racetest.Sink = *x }) },
	}, {
		Name:  "Depth, and a TryLock that fails",
		First: func(x *int, w *condRaceWorld) { testproc.Must(w.h.Lock(background)); *x = 1; w.a.Come() },
		Second: func(x *int, w *condRaceWorld) {
			w.a.Wait()
			w.h.Depth()
			w.other.TryLock()
			w.m.NewHolder()
			racetest.Sink = *x
		},
		Race: true,
	}, {
		Name:  "a holder's misuse",
		First: func(x *int, w *condRaceWorld) { with(w.h, func() { *x = 1 }); w.a.Come() },
		Second: func(x *int, w *condRaceWorld) {
			w.a.Wait()
			w.other.Unlock()
			w.other.MarkConsistent()
			racetest.Sink = *x
		},
		Race: true,
	}, {
		Name:   "two goroutines, one holder",
		First:  func(x *int, w *condRaceWorld) { testproc.Must(w.h.Lock(background)); *x = 1; w.a.Come() },
		Second: func(x *int, w *condRaceWorld) { w.a.Wait(); testproc.Must(w.h.Lock(background)); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:   "notified",
		First:  func(x *int, w *condRaceWorld) { w.wait(w.c, w.l, func() { *x = 1 }); w.b.Come() },
		Second: condNotifiesThenReads,
	}, {
		Name: "what the notifier did",
		First: func(x *int, w *condRaceWorld) {
			w.a.Wait()
			with(w.l, func() { *x = 1; testproc.Must(w.same.Notify(1)) })
		},
		Second: func(x *int, w *condRaceWorld) {
			w.wait(w.c, w.l, func() { racetest.Sink = *x })
		},
	}, {
		Name: "what the notifier did after it unlocked",
		First: func(x *int, w *condRaceWorld) {
			w.a.Wait()
			with(w.l, func() { testproc.Must(w.c.Notify(1)) })
			*x = 1
			w.b.Come()
		},
		Second: func(x *int, w *condRaceWorld) { w.wait(w.same, w.l, func() {}); w.b.Wait(); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:  "before the wait",
		First: func(x *int, w *condRaceWorld) { with(w.l, func() { *x = 1 }); w.wait(w.c, w.l, func() {}) },
		Second: func(x *int, w *condRaceWorld) {
			w.a.Wait()
			with(w.l, func() { racetest.Sink = *x; testproc.Must(w.c.NotifyAll()) })
		},
	}, {
		Name: "in pred",
		First: func(x *int, w *condRaceWorld) {
			w.a.Wait()
			with(w.l, func() { *x = 1; testproc.Must(w.c.Notify(1)) })
		},
		Second: func(x *int, w *condRaceWorld) {
			with(w.l, func() {
				w.a.Come()
				testproc.Must(w.c.WaitFor(background, func() bool { return *x == 1 }))
			})
		},
	}, {
		Name: "its own lock",
		First: func(x *int, w *condRaceWorld) {
			w.a.Wait()
			with(w.own.Holder(), func() { *x = 1; testproc.Must(w.own.NotifyAll()) })
		},
		Second: func(x *int, w *condRaceWorld) { w.wait(w.own, w.own.Holder(), func() { racetest.Sink = *x }) },
	}, {
		Name: "two waits of different locks",
		Prepare: func(w *condRaceWorld) {
			for _, c := range []struct {
				c *sync.Cond
				l sync.Lock
			}{{w.c, w.l}, {w.own, w.own.Holder()}} {
				go func() {
					for {
						time.Sleep(10 * time.Millisecond)
						with(c.l, func() { testproc.Must(c.c.NotifyAll()) })
					}
				}()
			}
		},
		First: func(x *int, w *condRaceWorld) {
			*x = 1
			with(w.l, func() { testproc.Must(w.c.Wait(background)) })
			w.b.Come()
		},
		Second: func(x *int, w *condRaceWorld) {
			w.b.Wait()
			h := w.own.Holder()
			with(h, func() { testproc.Must(w.own.Wait(background)); racetest.Sink = *x })
		},
		Race: true,
	}, {
		Name: "a cond's misuse",
		First: func(x *int, w *condRaceWorld) {
			with(w.l, func() { *x = 1; testproc.Must(w.c.Notify(1)) })
			w.a.Come()
		},
		Second: func(x *int, w *condRaceWorld) {
			w.a.Wait()
			w.c.Notify(1)
			w.c.Wait(background)
			racetest.Sink = *x
		},
		Race: true,
	},
}

func condNotifiesThenReads(x *int, w *condRaceWorld) {
	w.a.Wait()
	with(w.l, func() { testproc.Must(w.c.Notify(1)) })
	w.b.Wait()
	with(w.l, func() { racetest.Sink = *x })
}

var condRacer = racetest.Role("racer-cond", condRacePairs, func() *condRaceWorld {
	r, err := shm.Anonymous(nil)
	testproc.Must(err)
	w := &condRaceWorld{r: r}
	w.m, err = sync.OpenRMutex(r, "m")
	testproc.Must(err)
	w.h, w.other = w.m.NewHolder(), w.m.NewHolder()
	w.l, err = sync.OpenMutex(r, "l")
	testproc.Must(err)
	w.c, err = sync.OpenCond(r, "c", w.l)
	testproc.Must(err)
	w.same, err = sync.OpenCond(r, "c", w.l)
	testproc.Must(err)
	w.own, err = sync.OpenCond(r, "own", nil)
	testproc.Must(err)
	return w
})

func TestRaceDetectorCond(t *testing.T) { racetest.Run(t, condRacer, condRacePairs) }
