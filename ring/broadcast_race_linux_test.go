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
	"example.com/tandem/shm/shmtest"
)

type broadcastHandles struct {
	r     *shm.Region
	ints  *ring.Broadcast[int64]
	on    *ring.Subscriber[int64]
	other *ring.Subscriber[int64]
	text  *ring.Broadcast[string]
	read  *ring.Subscriber[string]
	raw   *ring.Broadcast[[]byte]
	full  *ring.Broadcast[int64] // of one, which slow has not seen
	slow  *ring.Subscriber[int64]
	lossy *ring.Broadcast[int64] // of two
	late  *ring.Subscriber[int64]
}

// waits is until a call sleeps in an object.
func (h broadcastHandles) waits(object string) {
	racetest.Unseen(func() bool { return shmtest.Waiting(h.r, object) == 1 })
}

// publishing is Publish of each number.
func publishing(b *ring.Broadcast[int64], ns ...int64) {
	for _, n := range ns {
		testproc.Must(b.Publish(bg, n))
	}
}

func hearing[T any](s *ring.Subscriber[T]) {
	_, _, err := s.Next(bg)
	testproc.Must(err)
}

func hearsTheEnd(s *ring.Subscriber[int64]) {
	if _, _, err := s.Next(bg); !errors.Is(err, io.EOF) {
		testproc.Must(fmt.Errorf("the end: %v", err))
	}
}

var broadcastPairs = []racetest.Pair[broadcastHandles]{
	{
		Name:   "Publish, Next",
		First:  func(x *int, h broadcastHandles) { *x = 1; testproc.Must(h.ints.Publish(bg, 1)) },
		Second: func(x *int, h broadcastHandles) { hearing(h.on); racetest.Sink = *x },
	}, {
		Name:   "Publish, Next of text",
		First:  func(x *int, h broadcastHandles) { *x = 1; testproc.Must(h.text.Publish(bg, "long enough")) },
		Second: func(x *int, h broadcastHandles) { hearing(h.read); racetest.Sink = *x },
	}, {
		Name:  "TryPublish, Next",
		First: func(x *int, h broadcastHandles) { *x = 1; testproc.Must(h.ints.TryPublish(1)); flag.Come() },
		Second: func(x *int, h broadcastHandles) {
			flag.Wait()
			hearing(h.on)
			racetest.Sink = *x
		},
	}, {
		Name:   "Publish, Next that sleeps",
		First:  func(x *int, h broadcastHandles) { h.waits("ints"); *x = 1; testproc.Must(h.ints.Publish(bg, 1)) },
		Second: func(x *int, h broadcastHandles) { hearing(h.on); racetest.Sink = *x },
	}, {
		Name:   "Publish, Next of a Lossy one",
		First:  func(x *int, h broadcastHandles) { *x = 1; publishing(h.lossy, 1) },
		Second: func(x *int, h broadcastHandles) { hearing(h.late); racetest.Sink = *x },
	}, {
		Name: "Publish, Next that has missed that message and gets a later one",
		First: func(x *int, h broadcastHandles) {
			publishing(h.lossy, 1, 2)
			*x = 1
			publishing(h.lossy, 3, 4, 5)
			flag.Come()
		},
		Second: func(x *int, h broadcastHandles) { flag.Wait(); hearing(h.late); racetest.Sink = *x },
	}, {
		Name: "Publish, Next that has missed messages, of the one before it",
		First: func(x *int, h broadcastHandles) {
			publishing(h.lossy, 1, 2, 3, 4)
			*x = 1
			publishing(h.lossy, 5)
			flag.Come()
		},
		Second: func(x *int, h broadcastHandles) { flag.Wait(); hearing(h.late); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:   "Publish, Next of the message before it",
		First:  func(x *int, h broadcastHandles) { publishing(h.ints, 1); *x = 1; publishing(h.ints, 2); flag.Come() },
		Second: func(x *int, h broadcastHandles) { flag.Wait(); hearing(h.on); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:   "Next, a Publish that waited for it",
		First:  func(x *int, h broadcastHandles) { h.waits("full"); *x = 1; hearing(h.slow) },
		Second: func(x *int, h broadcastHandles) { publishing(h.full, 2); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:   "Next, a TryPublish into its place",
		First:  func(x *int, h broadcastHandles) { *x = 1; hearing(h.slow); flag.Come() },
		Second: func(x *int, h broadcastHandles) { flag.Wait(); testproc.Must(h.full.TryPublish(2)); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:   "Shutdown, the end",
		First:  func(x *int, h broadcastHandles) { *x = 1; testproc.Must(h.ints.Shutdown()); flag.Come() },
		Second: func(x *int, h broadcastHandles) { flag.Wait(); hearsTheEnd(h.on); racetest.Sink = *x },
	}, {
		Name:   "Shutdown, Next that sleeps",
		First:  func(x *int, h broadcastHandles) { h.waits("ints"); *x = 1; testproc.Must(h.ints.Shutdown()) },
		Second: func(x *int, h broadcastHandles) { hearsTheEnd(h.on); racetest.Sink = *x },
	}, {
		Name:  "Shutdown, Publish",
		First: func(x *int, h broadcastHandles) { *x = 1; testproc.Must(h.ints.Shutdown()); flag.Come() },
		Second: func(x *int, h broadcastHandles) {
			flag.Wait()
			if err := h.ints.Publish(bg, 1); !errors.Is(err, ring.ErrShutdown) {
				testproc.Must(fmt.Errorf("Publish = %v", err))
			}
			racetest.Sink = *x
		},
	}, {
		Name:   "Publish, Shutdown",
		First:  func(x *int, h broadcastHandles) { *x = 1; publishing(h.ints, 1); flag.Come() },
		Second: func(x *int, h broadcastHandles) { flag.Wait(); testproc.Must(h.ints.Shutdown()); racetest.Sink = *x },
		Race:   true,
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
			hearing(h.on)
			*x = 1
			flag.Come()
		},
		Second: func(x *int, h broadcastHandles) { flag.Wait(); hearing(h.on); racetest.Sink = *x },
		Race:   true,
	}, {
		Name: "Next, Next of another subscriber",
		First: func(x *int, h broadcastHandles) {
			testproc.Must(h.ints.Publish(bg, 1))
			hearing(h.on)
			*x = 1
			flag.Come()
		},
		Second: func(x *int, h broadcastHandles) { flag.Wait(); hearing(h.other); racetest.Sink = *x },
		Race:   true,
	},
}

var broadcastRacer = racetest.Role("broadcast racer", broadcastPairs, func() (h broadcastHandles) {
	r, err := shm.Anonymous(nil)
	testproc.Must(err)
	h.r = r
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
	h.full, err = ring.OpenBroadcast[int64](r, "full", &ring.BroadcastOptions{Capacity: 1})
	testproc.Must(err)
	h.slow, err = h.full.Subscribe()
	testproc.Must(err)
	publishing(h.full, 1)
	h.lossy, err = ring.OpenBroadcast[int64](r, "lossy", &ring.BroadcastOptions{Mode: ring.Lossy, Capacity: 2})
	testproc.Must(err)
	h.late, err = h.lossy.Subscribe()
	testproc.Must(err)
	return h
})

func TestBroadcastRaceDetector(t *testing.T) { racetest.Run(t, broadcastRacer, broadcastPairs) }
