//go:build race

package sync_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"example.com/tandem/internal/racetest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

type rwRaceWorld struct {
	m, same, other *sync.RWMutex
	a, b           racetest.Moment
}

func (w *rwRaceWorld) read(m *sync.RWMutex, f func()) {
	testproc.Must(m.RLock(background))
	f()
	testproc.Must(m.RUnlock())
}

func (w *rwRaceWorld) nothing() {}

// abandon makes m one whose writer has died: it closed the region.
func (w *rwRaceWorld) abandon() {
	dir, err := os.MkdirTemp("", "race")
	testproc.Must(err)
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "region")
	r, err := shm.Create(path, nil)
	testproc.Must(err)
	m, err := sync.OpenRWMutex(r, "m")
	testproc.Must(err)
	testproc.Must(m.Lock(background))
	testproc.Must(r.Close())
	r, err = shm.Open(path, nil)
	testproc.Must(err)
	w.m, err = sync.OpenRWMutex(r, "m")
	testproc.Must(err)
	w.same, err = sync.OpenRWMutex(r, "m")
	testproc.Must(err)
}

// What an RWMutex orders and what it does not: a writer with everybody, readers
// not with each other. Writers alone are in lockRacePairs.
var rwRacePairs = []racetest.Pair[*rwRaceWorld]{
	{
		Name:   "written, then read",
		First:  func(x *int, w *rwRaceWorld) { with(w.m, func() { *x = 1 }); w.a.Come() },
		Second: func(x *int, w *rwRaceWorld) { w.a.Wait(); w.read(w.m, func() { racetest.Sink = *x }) },
	}, {
		Name:   "read, then written, by two handles",
		First:  func(x *int, w *rwRaceWorld) { w.read(w.m, func() { racetest.Sink = *x }); w.a.Come() },
		Second: func(x *int, w *rwRaceWorld) { w.a.Wait(); with(w.same, func() { *x = 1 }) },
	}, {
		Name:   "two readers, one of whom writes",
		First:  func(x *int, w *rwRaceWorld) { w.read(w.m, func() { *x = 1 }); w.a.Come() },
		Second: func(x *int, w *rwRaceWorld) { w.a.Wait(); w.read(w.m, func() { racetest.Sink = *x }) },
		Race:   true,
	}, {
		Name: "two readers, with a writer between them",
		First: func(x *int, w *rwRaceWorld) {
			w.read(w.m, func() { *x = 1 })
			with(w.m, w.nothing)
			w.a.Come()
		},
		Second: func(x *int, w *rwRaceWorld) { w.a.Wait(); w.read(w.m, func() { racetest.Sink = *x }) },
	}, {
		Name:   "written, then read under another lock",
		First:  func(x *int, w *rwRaceWorld) { with(w.m, func() { *x = 1 }); w.a.Come() },
		Second: func(x *int, w *rwRaceWorld) { w.a.Wait(); w.read(w.other, func() { racetest.Sink = *x }) },
		Race:   true,
	}, {
		Name:   "after Unlock, then read",
		First:  func(x *int, w *rwRaceWorld) { with(w.m, w.nothing); *x = 1; w.a.Come() },
		Second: func(x *int, w *rwRaceWorld) { w.a.Wait(); w.read(w.m, func() { racetest.Sink = *x }) },
		Race:   true,
	}, {
		Name:   "after RUnlock",
		First:  func(x *int, w *rwRaceWorld) { w.read(w.m, w.nothing); racetest.Sink = *x; w.a.Come() },
		Second: func(x *int, w *rwRaceWorld) { w.a.Wait(); with(w.m, func() { *x = 1 }) },
		Race:   true,
	}, {
		Name: "waiting for readers",
		First: func(x *int, w *rwRaceWorld) {
			w.read(w.m, func() { w.a.Come(); w.b.Wait(); time.Sleep(20 * time.Millisecond); racetest.Sink = *x })
		},
		Second: func(x *int, w *rwRaceWorld) { w.a.Wait(); w.b.Come(); with(w.m, func() { *x = 1 }) },
	}, {
		Name: "waiting for a writer",
		First: func(x *int, w *rwRaceWorld) {
			with(w.m, func() { w.a.Come(); w.b.Wait(); time.Sleep(20 * time.Millisecond); *x = 1 })
		},
		Second: func(x *int, w *rwRaceWorld) { w.a.Wait(); w.b.Come(); w.read(w.m, func() { racetest.Sink = *x }) },
	}, {
		Name: "TryLock, TryRLock",
		First: func(x *int, w *rwRaceWorld) {
			_, err := w.m.TryLock()
			testproc.Must(err)
			*x = 1
			testproc.Must(w.m.Unlock())
			w.a.Come()
		},
		Second: func(x *int, w *rwRaceWorld) {
			w.a.Wait()
			_, err := w.m.TryRLock()
			testproc.Must(err)
			racetest.Sink = *x
		},
	}, {
		Name: "TryRLock, Recover",
		First: func(x *int, w *rwRaceWorld) {
			_, err := w.m.TryRLock()
			testproc.Must(err)
			racetest.Sink = *x
			testproc.Must(w.m.RUnlock())
			w.a.Come()
		},
		Second: func(x *int, w *rwRaceWorld) {
			w.a.Wait()
			_, err := w.m.Recover(background)
			testproc.Must(err)
			*x = 1
		},
	}, {
		Name: "attempts that fail",
		First: func(x *int, w *rwRaceWorld) {
			testproc.Must(w.m.Lock(background))
			*x = 1
			w.a.Come()
		},
		Second: func(x *int, w *rwRaceWorld) { w.a.Wait(); w.m.TryLock(); w.m.TryRLock(); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:   "misuse",
		First:  func(x *int, w *rwRaceWorld) { with(w.m, func() { *x = 1 }); w.a.Come() },
		Second: func(x *int, w *rwRaceWorld) { w.a.Wait(); w.m.Unlock(); w.m.RUnlock(); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:    "a repair for a reader, then read",
		Prepare: (*rwRaceWorld).abandon,
		First: func(x *int, w *rwRaceWorld) {
			w.m.OnOwnerDied(func(context.Context) error { *x = 1; return nil })
			w.read(w.m, w.nothing)
			w.a.Come()
		},
		Second: func(x *int, w *rwRaceWorld) { w.a.Wait(); w.read(w.same, func() { racetest.Sink = *x }) },
	},
}

var rwRacer = racetest.Role("racer-rwmutex", rwRacePairs, func() *rwRaceWorld {
	r, err := shm.Anonymous(nil)
	testproc.Must(err)
	w := new(rwRaceWorld)
	for m, name := range map[**sync.RWMutex]string{&w.m: "m", &w.same: "m", &w.other: "other"} {
		*m, err = sync.OpenRWMutex(r, name)
		testproc.Must(err)
	}
	return w
})

func TestRaceDetectorRWMutex(t *testing.T) { racetest.Run(t, rwRacer, rwRacePairs) }
