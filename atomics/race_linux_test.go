//go:build race

package atomics_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/racetest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
)

func seen(ok func() bool) {
	for !ok() {
		runtime.Gosched()
	}
}

type raceHandles struct {
	v *atomics.Value[int32]
	a *atomics.Array[padded]
	b *atomics.Array[uint8]
	w *atomics.Array[sample] // wide
}

func (h raceHandles) locked(f func()) {
	testproc.Must(h.v.Lock(context.Background()))
	f()
	testproc.Must(h.v.Unlock())
}

// What is ordered by the library and what is not.
var racePairs = []racetest.Pair[raceHandles]{
	{
		Name:   "Store, Load",
		First:  func(x *int, h raceHandles) { *x = 1; h.v.Store(1) },
		Second: func(x *int, h raceHandles) { seen(func() bool { return h.v.Load() == 1 }); racetest.Sink = *x },
	}, {
		Name:  "Store, unseen Load",
		First: func(x *int, h raceHandles) { *x = 1; h.v.Store(1) },
		Second: func(x *int, h raceHandles) {
			racetest.Unseen(func() bool { return h.v.Load() == 1 })
			racetest.Sink = *x
		},
		Race: true,
	}, {
		Name: "Load, Load",
		First: func(x *int, h raceHandles) {
			*x = 1
			h.v.Load()
			racetest.Unseen(func() bool { h.b.Store(0, 1); return true })
		},
		Second: func(x *int, h raceHandles) {
			racetest.Unseen(func() bool { return h.b.Load(0) == 1 })
			h.v.Load()
			racetest.Sink = *x
		},
		Race: true,
	}, {
		Name:   "Add, Swap",
		First:  func(x *int, h raceHandles) { *x = 1; atomics.Add(h.v, 1) },
		Second: func(x *int, h raceHandles) { seen(func() bool { return h.v.Swap(0) == 1 }); racetest.Sink = *x },
	}, {
		Name:  "AddAt, Update",
		First: func(x *int, h raceHandles) { *x = 1; atomics.AddAt(h.b, 3, 1) },
		Second: func(x *int, h raceHandles) {
			seen(func() bool { return h.b.Update(3, func(x uint8) uint8 { return x * 2 }) > 0 })
			racetest.Sink = *x
		},
	}, {
		Name:  "CompareAndSwap, CompareAndSwap",
		First: func(x *int, h raceHandles) { *x = 1; h.a.CompareAndSwap(1, padded{}, padded{1, 2}) },
		Second: func(x *int, h raceHandles) {
			seen(func() bool { return h.a.CompareAndSwap(1, padded{1, 2}, padded{}) })
			racetest.Sink = *x
		},
	}, {
		Name:  "Update, CopyTo",
		First: func(x *int, h raceHandles) { *x = 1; h.b.Update(2, func(uint8) uint8 { return 1 }) },
		Second: func(x *int, h raceHandles) {
			buf := make([]uint8, 3)
			seen(func() bool { h.b.CopyTo(buf); return buf[2] == 1 })
			racetest.Sink = *x
		},
	}, {
		Name:  "wide: Store, Load",
		First: func(x *int, h raceHandles) { *x = 1; h.w.Store(1, sample{At: 1}) },
		Second: func(x *int, h raceHandles) {
			seen(func() bool { return h.w.Load(1).At == 1 })
			racetest.Sink = *x
		},
	}, {
		Name:  "wide: Store, unseen Load",
		First: func(x *int, h raceHandles) { *x = 1; h.w.Store(1, sample{At: 1}) },
		Second: func(x *int, h raceHandles) {
			racetest.Unseen(func() bool { return h.w.Load(1).At == 1 })
			racetest.Sink = *x
		},
		Race: true,
	}, {
		Name: "wide: Store, Store", // they use the same seats
		First: func(x *int, h raceHandles) {
			*x = 1
			for range 3 {
				h.w.Store(0, sample{At: 1})
			}
			racetest.Unseen(func() bool { h.b.Store(0, 1); return true })
		},
		Second: func(x *int, h raceHandles) {
			racetest.Unseen(func() bool { return h.b.Load(0) == 1 })
			for range 4 {
				h.w.Store(2, sample{At: 2})
			}
			racetest.Sink = *x
		},
		Race: true,
	}, {
		Name:  "wide: Update, Swap",
		First: func(x *int, h raceHandles) { *x = 1; h.w.Update(2, func(s sample) sample { s.N++; return s }) },
		Second: func(x *int, h raceHandles) {
			seen(func() bool { return h.w.Swap(2, sample{}).N == 1 })
			racetest.Sink = *x
		},
	}, {
		Name:  "wide: Swap, CompareAndSwap",
		First: func(x *int, h raceHandles) { *x = 1; h.w.Swap(2, sample{N: 1}) },
		Second: func(x *int, h raceHandles) {
			seen(func() bool { return h.w.CompareAndSwap(2, sample{N: 1}, sample{}) })
			racetest.Sink = *x
		},
	}, {
		Name:  "one cell, another cell",
		First: func(x *int, h raceHandles) { *x = 1; h.b.Store(0, 1) },
		Second: func(x *int, h raceHandles) {
			racetest.Unseen(func() bool { return h.b.Load(0) == 1 })
			h.b.Load(1)
			racetest.Sink = *x
		},
		Race: true,
	}, {
		Name:  "one object, another object",
		First: func(x *int, h raceHandles) { *x = 1; h.b.Store(0, 1) },
		Second: func(x *int, h raceHandles) {
			racetest.Unseen(func() bool { return h.b.Load(0) == 1 })
			h.v.Load()
			racetest.Sink = *x
		},
		Race: true,
	}, {
		Name: "under the lock",
		First: func(x *int, h raceHandles) {
			h.locked(func() { *x = 1 })
			racetest.Unseen(func() bool { h.b.Store(0, 1); return true })
		},
		Second: func(x *int, h raceHandles) {
			racetest.Unseen(func() bool { return h.b.Load(0) == 1 })
			h.locked(func() { racetest.Sink = *x })
		},
	}, {
		Name: "waiting for the lock",
		First: func(x *int, h raceHandles) {
			h.locked(func() {
				racetest.Unseen(func() bool { h.b.Store(0, 1); return h.b.Load(1) == 1 })
				*x = 1
			})
		},
		Second: func(x *int, h raceHandles) {
			racetest.Unseen(func() bool { return h.b.Load(0) == 1 })
			racetest.Unseen(func() bool { h.b.Store(1, 1); return true })
			h.locked(func() { racetest.Sink = *x })
		},
	}, {
		Name: "after the lock",
		First: func(x *int, h raceHandles) {
			h.locked(func() {})
			*x = 1
			racetest.Unseen(func() bool { h.b.Store(0, 1); return true })
		},
		Second: func(x *int, h raceHandles) {
			racetest.Unseen(func() bool { return h.b.Load(0) == 1 })
			h.locked(func() { racetest.Sink = *x })
		},
		Race: true,
	}, {
		Name: "under the lock, after an Unlock that unlocked nothing",
		First: func(x *int, h raceHandles) {
			h.locked(func() { *x = 1 })
			racetest.Unseen(func() bool { h.b.Store(0, 1); return true })
		},
		Second: func(x *int, h raceHandles) {
			racetest.Unseen(func() bool { return h.b.Load(0) == 1 })
			if err := h.v.Unlock(); !errors.Is(err, shm.ErrNotLocked) {
				panic(err)
			}
			h.locked(func() { racetest.Sink = *x })
		},
	}, {
		Name: "TryLock, Recover",
		First: func(x *int, h raceHandles) {
			seen(func() bool { ok, _ := h.a.TryLock(); return ok })
			*x = 1
			h.v.Store(1)
			testproc.Must(h.a.Unlock())
		},
		Second: func(x *int, h raceHandles) {
			racetest.Unseen(func() bool { return h.v.Load() == 1 })
			_, err := h.a.Recover(context.Background())
			testproc.Must(err)
			racetest.Sink = *x
		},
	},
}

var racer = racetest.Role("racer", racePairs, func() (h raceHandles) {
	r, err := shm.Anonymous(nil)
	testproc.Must(err)
	h.v, err = atomics.OpenValue(r, "v", int32(0))
	testproc.Must(err)
	h.a, err = atomics.OpenArray[padded](r, "a", 3)
	testproc.Must(err)
	h.b, err = atomics.OpenArray[uint8](r, "b", 100)
	testproc.Must(err)
	h.w, err = atomics.OpenArray[sample](r, "w", 3)
	testproc.Must(err)
	return h
})

func TestRaceDetector(t *testing.T) { racetest.Run(t, racer, racePairs) }
