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

// A raceLock is a lock of any kind that one goroutine holds alone.
type raceLock interface {
	repairable
	TryLock() (bool, error)
}

// A lockWorld has two handles of one lock, and another lock.
type lockWorld struct {
	m, same, other raceLock
	a, b           racetest.Moment
	handed         chan raceLock
}

func with(m sync.Lock, f func()) {
	testproc.Must(m.Lock(background))
	f()
	testproc.Must(m.Unlock())
}

// What is ordered by a lock of any kind, and what is not. Each goroutine has a handle of
// its own.
var lockRacePairs = []racetest.Pair[*lockWorld]{
	{
		Name:   "by two handles",
		First:  func(x *int, w *lockWorld) { with(w.m, func() { *x = 1 }); w.a.Come() },
		Second: func(x *int, w *lockWorld) { w.a.Wait(); with(w.same, func() { racetest.Sink = *x }) },
	}, {
		Name:   "under another lock",
		First:  func(x *int, w *lockWorld) { with(w.m, func() { *x = 1 }); w.a.Come() },
		Second: func(x *int, w *lockWorld) { w.a.Wait(); with(w.other, func() { racetest.Sink = *x }) },
		Race:   true,
	}, {
		Name:   "after Unlock",
		First:  func(x *int, w *lockWorld) { with(w.m, func() {}); *x = 1; w.a.Come() },
		Second: func(x *int, w *lockWorld) { w.a.Wait(); with(w.same, func() { racetest.Sink = *x }) },
		Race:   true,
	}, {
		Name:   "before Lock",
		First:  func(x *int, w *lockWorld) { with(w.m, func() { *x = 1 }); w.a.Come() },
		Second: func(x *int, w *lockWorld) { w.a.Wait(); racetest.Sink = *x; with(w.same, func() {}) },
		Race:   true,
	}, {
		Name: "waiting for the lock",
		First: func(x *int, w *lockWorld) {
			with(w.m, func() { w.a.Come(); w.b.Wait(); time.Sleep(20 * time.Millisecond); *x = 1 })
		},
		Second: func(x *int, w *lockWorld) { w.a.Wait(); w.b.Come(); with(w.same, func() { racetest.Sink = *x }) },
	}, {
		Name: "TryLock, Recover",
		First: func(x *int, w *lockWorld) {
			_, err := w.m.TryLock()
			testproc.Must(err)
			*x = 1
			testproc.Must(w.m.Unlock())
			w.a.Come()
		},
		Second: func(x *int, w *lockWorld) {
			w.a.Wait()
			_, err := w.same.Recover(background)
			testproc.Must(err)
			racetest.Sink = *x
		},
	}, {
		Name: "TryLock that fails",
		First: func(x *int, w *lockWorld) {
			testproc.Must(w.m.Lock(background))
			*x = 1
			w.a.Come()
		},
		Second: func(x *int, w *lockWorld) { w.a.Wait(); w.same.TryLock(); racetest.Sink = *x },
		Race:   true,
	}, {
		Name: "misuse",
		First: func(x *int, w *lockWorld) {
			with(w.m, func() { *x = 1 })
			w.a.Come()
		},
		Second: func(x *int, w *lockWorld) { w.a.Wait(); w.same.Unlock(); racetest.Sink = *x },
		Race:   true,
	},
}

// And where they share a handle.
var sharedRacePairs = append([]racetest.Pair[*lockWorld]{
	{
		Name:   "under the lock",
		First:  func(x *int, w *lockWorld) { with(w.m, func() { *x = 1 }); w.a.Come() },
		Second: func(x *int, w *lockWorld) { w.a.Wait(); with(w.m, func() { racetest.Sink = *x }) },
	}, {
		Name: "both asleep for locks of their own",
		Prepare: func(w *lockWorld) {
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
		First: func(x *int, w *lockWorld) {
			*x = 1
			testproc.Must(w.m.Lock(background))
			w.a.Come()
		},
		Second: func(x *int, w *lockWorld) {
			w.a.Wait()
			testproc.Must(w.other.Lock(background))
			racetest.Sink = *x
		},
		Race: true,
	},
}, lockRacePairs...)

// A Holder is handed over, or is seen to be shared.
var holderRacePairs = append([]racetest.Pair[*lockWorld]{
	{
		Name:   "handed over",
		First:  func(x *int, w *lockWorld) { with(w.m, func() { *x = 1 }); w.handed <- w.m },
		Second: func(x *int, w *lockWorld) { with(<-w.handed, func() { racetest.Sink = *x }) },
	}, {
		Name:   "handed over locked",
		First:  func(x *int, w *lockWorld) { testproc.Must(w.m.Lock(background)); *x = 1; w.handed <- w.m },
		Second: func(x *int, w *lockWorld) { m := <-w.handed; racetest.Sink = *x; testproc.Must(m.Unlock()) },
	}, {
		Name:   "shared, one after another",
		First:  func(_ *int, w *lockWorld) { with(w.m, func() {}); w.a.Come() },
		Second: func(_ *int, w *lockWorld) { w.a.Wait(); with(w.m, func() {}) },
		Race:   true,
	}, {
		Name:   "shared, and locked once more",
		First:  func(_ *int, w *lockWorld) { testproc.Must(w.m.Lock(background)); w.a.Come() },
		Second: func(_ *int, w *lockWorld) { w.a.Wait(); testproc.Must(w.m.Lock(background)) },
		Race:   true,
	}, {
		Name:   "shared, TryLock",
		First:  func(_ *int, w *lockWorld) { w.m.TryLock(); w.a.Come() },
		Second: func(_ *int, w *lockWorld) { w.a.Wait(); w.m.TryLock() },
		Race:   true,
	}, {
		Name:   "shared, Recover",
		First:  func(_ *int, w *lockWorld) { w.m.Recover(background); w.a.Come() },
		Second: func(_ *int, w *lockWorld) { w.a.Wait(); w.m.Recover(background) },
		Race:   true,
	}, {
		Name:    "shared, Unlock",
		Prepare: func(w *lockWorld) { testproc.Must(w.m.Lock(background)); testproc.Must(w.m.Lock(background)) },
		First:   func(_ *int, w *lockWorld) { testproc.Must(w.m.Unlock()); w.a.Come() },
		Second:  func(_ *int, w *lockWorld) { w.a.Wait(); testproc.Must(w.m.Unlock()) },
		Race:    true,
	},
}, lockRacePairs...)

// lockPairs are those of a kind of lock.
func lockPairs(kind string) []racetest.Pair[*lockWorld] {
	if kind == "Holder" {
		return holderRacePairs
	}
	return sharedRacePairs
}

// lockRacers has a role for each kind of lock.
var lockRacers = map[string]testproc.RoleName{
	"Mutex": lockRacer("Mutex", func(r *shm.Region, name string) (raceLock, error) {
		return sync.OpenMutex(r, name)
	}),
	"RWMutex": lockRacer("RWMutex", func(r *shm.Region, name string) (raceLock, error) {
		return sync.OpenRWMutex(r, name)
	}),
	"Holder": lockRacer("Holder", func(r *shm.Region, name string) (raceLock, error) {
		m, err := sync.OpenRMutex(r, name)
		if err != nil {
			return nil, err
		}
		return m.NewHolder(), nil
	}),
}

func lockRacer(kind string, open func(r *shm.Region, name string) (raceLock, error)) testproc.RoleName {
	return racetest.Role("racer-of-a-"+kind, lockPairs(kind), func() *lockWorld {
		r, err := shm.Anonymous(nil)
		testproc.Must(err)
		w := &lockWorld{handed: make(chan raceLock)}
		for m, name := range map[*raceLock]string{&w.m: "m", &w.same: "m", &w.other: "other"} {
			*m, err = open(r, name)
			testproc.Must(err)
		}
		return w
	})
}

func TestRaceDetectorLocks(t *testing.T) {
	for kind, racer := range lockRacers {
		t.Run(kind, func(t *testing.T) { racetest.Run(t, racer, lockPairs(kind)) })
	}
}
