//go:build race

package ring_test

import (
	"testing"
	"unsafe"

	"example.com/tandem/internal/racetest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

type broadcastHandles struct {
	ints  *ring.Broadcast[int64]
	on    *ring.Subscriber[int64]
	other *ring.Subscriber[int64]
	text  *ring.Broadcast[string]
	read  *ring.Subscriber[string]
	raw   *ring.Broadcast[[]byte]
}

func hears[T any](s *ring.Subscriber[T]) {
	_, _, err := s.Next(bg)
	testproc.Must(err)
}

var broadcastPairs = []racetest.Pair[broadcastHandles]{
	{
		Name:   "Publish, Next",
		First:  func(x *int, h broadcastHandles) { *x = 1; testproc.Must(h.ints.Publish(bg, 1)) },
		Second: func(x *int, h broadcastHandles) { hears(h.on); racetest.Sink = *x },
	}, {
		Name:   "Publish, Next of text",
		First:  func(x *int, h broadcastHandles) { *x = 1; testproc.Must(h.text.Publish(bg, "long enough")) },
		Second: func(x *int, h broadcastHandles) { hears(h.read); racetest.Sink = *x },
	}, {
		Name: "Publish of a slice, a write to it",
		First: func(x *int, h broadcastHandles) {
			testproc.Must(h.raw.Publish(bg, unsafe.Slice((*byte)(unsafe.Pointer(x)), unsafe.Sizeof(*x))))
			flag.Come()
		},
		Second: func(x *int, _ broadcastHandles) { flag.Wait(); *x = 1 },
		Race:   true,
	}, {
		Name:  "Publish, Publish",
		First: func(x *int, h broadcastHandles) { *x = 1; testproc.Must(h.ints.Publish(bg, 1)); flag.Come() },
		Second: func(x *int, h broadcastHandles) {
			flag.Wait()
			testproc.Must(h.ints.Publish(bg, 2))
			racetest.Sink = *x
		},
		Race: true,
	}, {
		Name: "Next, Next of one subscriber",
		First: func(x *int, h broadcastHandles) {
			testproc.Must(h.ints.Publish(bg, 1))
			testproc.Must(h.ints.Publish(bg, 2))
			hears(h.on)
			*x = 1
			flag.Come()
		},
		Second: func(x *int, h broadcastHandles) { flag.Wait(); hears(h.on); racetest.Sink = *x },
		Race:   true,
	}, {
		Name: "Next, Next of another subscriber",
		First: func(x *int, h broadcastHandles) {
			testproc.Must(h.ints.Publish(bg, 1))
			hears(h.on)
			*x = 1
			flag.Come()
		},
		Second: func(x *int, h broadcastHandles) { flag.Wait(); hears(h.other); racetest.Sink = *x },
		Race:   true,
	},
}

var broadcastRacer = racetest.Role("broadcast racer", broadcastPairs, func() (h broadcastHandles) {
	r, err := shm.Anonymous(nil)
	testproc.Must(err)
	h.ints, err = ring.OpenBroadcast[int64](r, "ints", &ring.BroadcastOptions{Capacity: 4})
	testproc.Must(err)
	h.on, err = h.ints.Subscribe()
	testproc.Must(err)
	h.other, err = h.ints.Subscribe()
	testproc.Must(err)
	h.text, err = ring.OpenBroadcast[string](r, "text", nil)
	testproc.Must(err)
	h.read, err = h.text.Subscribe()
	testproc.Must(err)
	h.raw, err = ring.OpenBroadcast[[]byte](r, "raw", nil)
	testproc.Must(err)
	return h
})

func TestBroadcastRaceDetector(t *testing.T) { racetest.Run(t, broadcastRacer, broadcastPairs) }
