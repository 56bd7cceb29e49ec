//go:build race

package ring_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"unsafe"

	"example.com/tandem/internal/racetest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

type spscRaceHandles struct {
	free, full *ring.SPSC[int64] // of four places, and of two, which are full
}

var spscRacePairs = []racetest.Pair[spscRaceHandles]{
	{
		Name:   "Put, Get",
		First:  func(x *int, h spscRaceHandles) { *x = 1; testproc.Must(h.free.Put(bg, 1)) },
		Second: func(x *int, h spscRaceHandles) { _, err := h.free.Get(bg); testproc.Must(err); racetest.Sink = *x },
	}, {
		Name: "PutBatch, GetBatch",
		First: func(x *int, h spscRaceHandles) {
			*x = 1
			_, err := h.free.PutBatch(bg, []int64{1, 2, 3})
			testproc.Must(err)
		},
		Second: func(x *int, h spscRaceHandles) {
			_, err := h.free.GetBatch(bg, make([]int64, 3))
			testproc.Must(err)
			racetest.Sink = *x
		},
	}, {
		Name: "Get, Put into its place",
		First: func(x *int, h spscRaceHandles) {
			*x = 1
			_, err := h.full.Get(bg)
			testproc.Must(err)
		},
		Second: func(x *int, h spscRaceHandles) { testproc.Must(h.full.Put(bg, 2)); racetest.Sink = *x },
	}, {
		Name: "GetBatch, PutBatch into its places",
		First: func(x *int, h spscRaceHandles) {
			*x = 1
			_, err := h.full.GetBatch(bg, make([]int64, 2))
			testproc.Must(err)
		},
		Second: func(x *int, h spscRaceHandles) {
			_, err := h.full.PutBatch(bg, make([]int64, 2))
			testproc.Must(err)
			racetest.Sink = *x
		},
	}, {
		Name:  "TryPut, TryGet",
		First: func(x *int, h spscRaceHandles) { *x = 1; testproc.Must(h.free.TryPut(1)); flag.Come() },
		Second: func(x *int, h spscRaceHandles) {
			flag.Wait()
			_, err := h.free.TryGet()
			testproc.Must(err)
			racetest.Sink = *x
		},
	}, {
		Name: "PutBatch of what others read",
		First: func(x *int, h spscRaceHandles) {
			_, err := h.free.PutBatch(bg, unsafe.Slice((*int64)(unsafe.Pointer(x)), 1))
			testproc.Must(err)
			flag.Come()
		},
		Second: func(x *int, h spscRaceHandles) { flag.Wait(); racetest.Sink = *x },
	}, {
		Name: "PutBatch of what others write",
		First: func(x *int, h spscRaceHandles) {
			_, err := h.free.PutBatch(bg, unsafe.Slice((*int64)(unsafe.Pointer(x)), 1))
			testproc.Must(err)
			flag.Come()
		},
		Second: func(x *int, h spscRaceHandles) { flag.Wait(); *x = 1 },
		Race:   true,
	}, {
		Name: "GetBatch into what others read",
		First: func(x *int, h spscRaceHandles) {
			_, err := h.full.GetBatch(bg, unsafe.Slice((*int64)(unsafe.Pointer(x)), 1))
			testproc.Must(err)
			flag.Come()
		},
		Second: func(x *int, h spscRaceHandles) { flag.Wait(); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:  "Shutdown, the end",
		First: func(x *int, h spscRaceHandles) { *x = 1; testproc.Must(h.free.Shutdown()); flag.Come() },
		Second: func(x *int, h spscRaceHandles) {
			flag.Wait()
			if _, err := h.free.Get(bg); !errors.Is(err, io.EOF) {
				testproc.Must(fmt.Errorf("the end: %v", err))
			}
			racetest.Sink = *x
		},
	}, {
		Name:  "Shutdown, Put",
		First: func(x *int, h spscRaceHandles) { *x = 1; testproc.Must(h.free.Shutdown()); flag.Come() },
		Second: func(x *int, h spscRaceHandles) {
			flag.Wait()
			if err := h.free.Put(bg, 1); !errors.Is(err, ring.ErrShutdown) {
				testproc.Must(fmt.Errorf("Put: %v", err))
			}
			racetest.Sink = *x
		},
	}, {
		Name:   "Put, Shutdown",
		First:  func(x *int, h spscRaceHandles) { *x = 1; testproc.Must(h.free.Put(bg, 1)); flag.Come() },
		Second: func(x *int, h spscRaceHandles) { flag.Wait(); testproc.Must(h.free.Shutdown()); racetest.Sink = *x },
		Race:   true,
	}, {
		Name: "Put, Get of the message before it",
		First: func(x *int, h spscRaceHandles) {
			testproc.Must(h.free.Put(bg, 1))
			*x = 1
			testproc.Must(h.free.Put(bg, 2))
			flag.Come()
		},
		Second: func(x *int, h spscRaceHandles) {
			flag.Wait()
			_, err := h.free.Get(bg)
			testproc.Must(err)
			racetest.Sink = *x
		},
		Race: true,
	}, {
		Name:   "Put, a look at the length",
		First:  func(x *int, h spscRaceHandles) { *x = 1; testproc.Must(h.free.Put(bg, 1)); flag.Come() },
		Second: func(x *int, h spscRaceHandles) { flag.Wait(); racetest.Sink = h.free.Len() + *x },
		Race:   true,
	}, {
		Name: "two consumers in one process",
		First: func(x *int, h spscRaceHandles) {
			_, err := h.full.Get(bg)
			testproc.Must(err)
			flag.Come()
		},
		Second: func(x *int, h spscRaceHandles) {
			flag.Wait()
			_, err := h.full.Get(bg)
			testproc.Must(err)
		},
		Race: true,
	}, {
		Name:   "two producers in one process",
		First:  func(x *int, h spscRaceHandles) { testproc.Must(h.free.Put(bg, 1)); flag.Come() },
		Second: func(x *int, h spscRaceHandles) { flag.Wait(); testproc.Must(h.free.Put(bg, 2)) },
		Race:   true,
	},
}

var spscRacer = racetest.Role("spsc racer", spscRacePairs, func() (h spscRaceHandles) {
	r, err := shm.Anonymous(nil)
	testproc.Must(err)
	h.free, err = ring.OpenSPSC[int64](r, "free", &ring.SPSCOptions{Capacity: 4})
	testproc.Must(err)
	h.full, err = ring.OpenSPSC[int64](r, "full", &ring.SPSCOptions{Capacity: 2})
	testproc.Must(err)
	for range 2 {
		testproc.Must(h.full.TryPut(1))
	}
	return h
})

func TestSPSCRaceDetector(t *testing.T) { racetest.Run(t, spscRacer, spscRacePairs) }
