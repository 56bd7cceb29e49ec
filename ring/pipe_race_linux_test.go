//go:build race

package ring_test

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"

	"example.com/tandem/internal/racetest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

type pipeHandles struct {
	r                   *shm.Region
	left, right         *ring.Conn[int64]
	leftText, rightText *ring.Conn[string]
	full, last          *ring.Conn[int64] // of one that is full of what the left end has sent
}

// waits is until a call sleeps in an object.
func (h pipeHandles) waits(object string) {
	racetest.Unseen(func() bool { return shmtest.Waiting(h.r, object) == 1 })
}

func receivesTheEnd(c *ring.Conn[int64]) {
	if _, err := c.Recv(bg); !errors.Is(err, io.EOF) {
		testproc.Must(fmt.Errorf("the end: %v", err))
	}
}

func receiving[T any](c *ring.Conn[T]) {
	_, err := c.Recv(bg)
	testproc.Must(err)
}

var pipePairs = []racetest.Pair[pipeHandles]{
	{
		Name:   "Send, Recv",
		First:  func(x *int, h pipeHandles) { *x = 1; testproc.Must(h.left.Send(bg, 1)) },
		Second: func(x *int, h pipeHandles) { receiving(h.right); racetest.Sink = *x },
	}, {
		Name:   "Send, Recv that sleeps",
		First:  func(x *int, h pipeHandles) { h.waits("ints"); *x = 1; testproc.Must(h.left.Send(bg, 1)) },
		Second: func(x *int, h pipeHandles) { receiving(h.right); racetest.Sink = *x },
	}, {
		Name:   "Recv, a Send that waited for it",
		First:  func(x *int, h pipeHandles) { h.waits("full"); *x = 1; receiving(h.last) },
		Second: func(x *int, h pipeHandles) { testproc.Must(h.full.Send(bg, 1)); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:   "Recv, a Send into its place",
		First:  func(x *int, h pipeHandles) { *x = 1; receiving(h.last); flag.Come() },
		Second: func(x *int, h pipeHandles) { flag.Wait(); testproc.Must(h.full.Send(bg, 1)); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:   "Close, the end",
		First:  func(x *int, h pipeHandles) { *x = 1; testproc.Must(h.left.Close()); flag.Come() },
		Second: func(x *int, h pipeHandles) { flag.Wait(); receivesTheEnd(h.right); racetest.Sink = *x },
	}, {
		Name:  "Close, Send",
		First: func(x *int, h pipeHandles) { *x = 1; testproc.Must(h.left.Close()); flag.Come() },
		Second: func(x *int, h pipeHandles) {
			flag.Wait()
			if err := h.right.Send(bg, 1); !errors.Is(err, syscall.EPIPE) {
				testproc.Must(fmt.Errorf("Send: %v", err))
			}
			racetest.Sink = *x
		},
	}, {
		Name:   "Send, Close of the other end",
		First:  func(x *int, h pipeHandles) { *x = 1; testproc.Must(h.left.Send(bg, 1)); flag.Come() },
		Second: func(x *int, h pipeHandles) { flag.Wait(); testproc.Must(h.right.Close()); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:   "Send, Recv of text, the other way",
		First:  func(x *int, h pipeHandles) { *x = 1; testproc.Must(h.rightText.Send(bg, "long enough")) },
		Second: func(x *int, h pipeHandles) { receiving(h.leftText); racetest.Sink = *x },
	}, {
		Name:  "Send, RecvInto",
		First: func(x *int, h pipeHandles) { *x = 1; testproc.Must(h.left.Send(bg, 1)) },
		Second: func(x *int, h pipeHandles) {
			var n int64
			testproc.Must(h.right.RecvInto(bg, &n))
			racetest.Sink = *x
		},
	}, {
		Name:   "Send, Recv after a Poll",
		First:  func(x *int, h pipeHandles) { *x = 1; testproc.Must(h.left.Send(bg, 1)) },
		Second: func(x *int, h pipeHandles) { testproc.Must(h.right.Poll(bg)); receiving(h.right); racetest.Sink = *x },
	}, {
		Name:   "Send, Poll",
		First:  func(x *int, h pipeHandles) { *x = 1; testproc.Must(h.left.Send(bg, 1)) },
		Second: func(x *int, h pipeHandles) { testproc.Must(h.right.Poll(bg)); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:   "Send, Send",
		First:  func(x *int, h pipeHandles) { *x = 1; testproc.Must(h.left.Send(bg, 1)); flag.Come() },
		Second: func(x *int, h pipeHandles) { flag.Wait(); testproc.Must(h.left.Send(bg, 2)); racetest.Sink = *x },
		Race:   true,
	}, {
		Name: "Send, Recv of the message before it",
		First: func(x *int, h pipeHandles) {
			testproc.Must(h.left.Send(bg, 1))
			*x = 1
			testproc.Must(h.left.Send(bg, 2))
			flag.Come()
		},
		Second: func(x *int, h pipeHandles) { flag.Wait(); receiving(h.right); racetest.Sink = *x },
		Race:   true,
	}, {
		Name: "Recv, Recv",
		First: func(x *int, h pipeHandles) {
			testproc.Must(h.left.Send(bg, 1))
			testproc.Must(h.left.Send(bg, 2))
			receiving(h.right)
			*x = 1
			flag.Come()
		},
		Second: func(x *int, h pipeHandles) { flag.Wait(); receiving(h.right); racetest.Sink = *x },
		Race:   true,
	},
}

var pipeRacer = racetest.Role("pipe racer", pipePairs, func() (h pipeHandles) {
	r, err := shm.Anonymous(nil)
	testproc.Must(err)
	h.r = r
	h.left, err = ring.OpenPipe[int64](r, "ints", ring.Left, nil)
	testproc.Must(err)
	h.right, err = ring.OpenPipe[int64](r, "ints", ring.Right, nil)
	testproc.Must(err)
	h.leftText, err = ring.OpenPipe[string](r, "text", ring.Left, nil)
	testproc.Must(err)
	h.rightText, err = ring.OpenPipe[string](r, "text", ring.Right, nil)
	testproc.Must(err)
	h.full, err = ring.OpenPipe[int64](r, "full", ring.Left, &ring.PipeOptions{Buffer: 64})
	testproc.Must(err)
	h.last, err = ring.OpenPipe[int64](r, "full", ring.Right, nil)
	testproc.Must(err)
	for range 4 { // each of 16 bytes
		testproc.Must(h.full.Send(bg, 1))
	}
	return h
})

func TestPipeRaceDetector(t *testing.T) { racetest.Run(t, pipeRacer, pipePairs) }
