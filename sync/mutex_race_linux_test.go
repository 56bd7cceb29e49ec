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

type raceWorld struct {
	m, same, other *sync.Mutex
	a, b           racetest.Moment
}

func (w *raceWorld) with(m *sync.Mutex, f func()) {
	testproc.Must(m.Lock(background))
	f()
	testproc.Must(m.Unlock())
}

// What is ordered by the library and what is not.
var racePairs = []racetest.Pair[*raceWorld]{
	{
		Name:   "under the lock",
		First:  func(x *int, w *raceWorld) { w.with(w.m, func() { *x = 1 }); w.a.Come() },
		Second: func(x *int, w *raceWorld) { w.a.Wait(); w.with(w.m, func() { racetest.Sink = *x }) },
	}, {
		Name:   "by two handles",
		First:  func(x *int, w *raceWorld) { w.with(w.m, func() { *x = 1 }); w.a.Come() },
		Second: func(x *int, w *raceWorld) { w.a.Wait(); w.with(w.same, func() { racetest.Sink = *x }) },
	}, {
		Name:   "under another lock",
		First:  func(x *int, w *raceWorld) { w.with(w.m, func() { *x = 1 }); w.a.Come() },
		Second: func(x *int, w *raceWorld) { w.a.Wait(); w.with(w.other, func() { racetest.Sink = *x }) },
		Race:   true,
	}, {
		Name:   "after Unlock",
		First:  func(x *int, w *raceWorld) { w.with(w.m, func() {}); *x = 1; w.a.Come() },
		Second: func(x *int, w *raceWorld) { w.a.Wait(); w.with(w.m, func() { racetest.Sink = *x }) },
		Race:   true,
	}, {
		Name:   "before Lock",
		First:  func(x *int, w *raceWorld) { w.with(w.m, func() { *x = 1 }); w.a.Come() },
		Second: func(x *int, w *raceWorld) { w.a.Wait(); racetest.Sink = *x; w.with(w.m, func() {}) },
		Race:   true,
	}, {
		Name: "waiting for the lock",
		First: func(x *int, w *raceWorld) {
			w.with(w.m, func() { w.a.Come(); w.b.Wait(); time.Sleep(20 * time.Millisecond); *x = 1 })
		},
		Second: func(x *int, w *raceWorld) { w.a.Wait(); w.b.Come(); w.with(w.m, func() { racetest.Sink = *x }) },
	}, {
		Name: "TryLock, Recover",
		First: func(x *int, w *raceWorld) {
			_, err := w.m.TryLock()
			testproc.Must(err)
			*x = 1
			testproc.Must(w.m.Unlock())
			w.a.Come()
		},
		Second: func(x *int, w *raceWorld) {
			w.a.Wait()
			_, err := w.m.Recover(background)
			testproc.Must(err)
			racetest.Sink = *x
		},
	}, {
		Name: "TryLock that fails",
		First: func(x *int, w *raceWorld) {
			testproc.Must(w.m.Lock(background))
			*x = 1
			w.a.Come()
		},
		Second: func(x *int, w *raceWorld) { w.a.Wait(); w.m.TryLock(); racetest.Sink = *x },
		Race:   true,
	}, {
		Name: "misuse",
		First: func(x *int, w *raceWorld) {
			w.with(w.m, func() { *x = 1 })
			w.a.Come()
		},
		Second: func(x *int, w *raceWorld) { w.a.Wait(); w.m.Unlock(); racetest.Sink = *x },
		Race:   true,
	}, {
		Name: "both asleep for locks of their own",
		Prepare: func(w *raceWorld) {
			testproc.Must(w.m.Lock(background))
			testproc.Must(w.other.Lock(background))
			go func() {
				time.Sleep(20 * time.Millisecond)
				testproc.Must(w.m.Unlock())
				w.a.Wait()
				time.Sleep(20 * time.Millisecond)
				testproc.Must(w.other.Unlock())
			}()
		},
		First: func(x *int, w *raceWorld) {
			*x = 1
			testproc.Must(w.m.Lock(background))
			w.a.Come()
		},
		Second: func(x *int, w *raceWorld) {
			w.a.Wait()
			testproc.Must(w.other.Lock(background))
			racetest.Sink = *x
		},
		Race: true,
	},
}

var racer = racetest.Role("racer", racePairs, func() *raceWorld {
	r, err := shm.Anonymous(nil)
	testproc.Must(err)
	w := new(raceWorld)
	for name, m := range map[string]**sync.Mutex{"m": &w.m, "other": &w.other} {
		*m, err = sync.OpenMutex(r, name)
		testproc.Must(err)
	}
	w.same, err = sync.OpenMutex(r, "m")
	testproc.Must(err)
	return w
})

func TestRaceDetector(t *testing.T) { racetest.Run(t, racer, racePairs) }
