//go:build race

package ring_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"example.com/tandem/internal/racetest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

type raceHandles struct {
	r *shm.Region

	ints, one *ring.Queue[int64] // of four slots, and of one that is full
	large     *ring.Queue[int64] // whose ends keep apart
	text      *ring.Queue[string]
	bytes     *ring.Queue[[]byte]
	jobs      *ring.Queue[job]
}

// waits is until a call sleeps in an object.
func (h raceHandles) waits(object string) {
	racetest.Unseen(func() bool { return shmtest.Waiting(h.r, object) == 1 })
}

func (raceHandles) ends(get func(context.Context) (int64, error)) {
	if _, err := get(bg); !errors.Is(err, io.EOF) {
		testproc.Must(fmt.Errorf("the end: %v", err))
	}
}

// flag is up when First has done its part.
var flag racetest.Moment

// Two Puts of CBOR are not among them: the encoder has pools and caches of its
// own, which order those who use them.
var racePairs = []racetest.Pair[raceHandles]{
	{
		Name:   "Put, Get",
		First:  func(x *int, h raceHandles) { *x = 1; testproc.Must(h.ints.Put(bg, 1)) },
		Second: func(x *int, h raceHandles) { _, err := h.ints.Get(bg); testproc.Must(err); racetest.Sink = *x },
	}, {
		Name:   "Put, Get of long text",
		First:  func(x *int, h raceHandles) { *x = 1; testproc.Must(h.text.Put(bg, strings.Repeat("x", 5000))) },
		Second: func(x *int, h raceHandles) { _, err := h.text.Get(bg); testproc.Must(err); racetest.Sink = *x },
	}, {
		Name: "Put of a loan, GetInto",
		First: func(x *int, h raceHandles) {
			*x = 1
			l, err := h.bytes.Loan(bg, 5000)
			testproc.Must(err)
			testproc.Must(l.Put(bg, 5000))
		},
		Second: func(x *int, h raceHandles) {
			var b []byte
			testproc.Must(h.bytes.GetInto(bg, &b))
			racetest.Sink = *x
		},
	}, {
		Name: "Put of a loan, View",
		First: func(x *int, h raceHandles) {
			l, err := h.bytes.Loan(bg, 5000)
			testproc.Must(err)
			*x = 1
			testproc.Must(l.Put(bg, 5000))
		},
		Second: func(x *int, h raceHandles) {
			d, err := h.bytes.Lease(bg)
			testproc.Must(err)
			d.View()
			racetest.Sink = *x
			testproc.Must(d.Ack())
		},
	}, {
		Name: "two Values of one lease",
		First: func(x *int, h raceHandles) {
			testproc.Must(h.bytes.Put(bg, make([]byte, 5000)))
			d, err := h.bytes.Lease(bg)
			testproc.Must(err)
			done := make(chan byte)
			go func() { done <- d.Value()[4999] }()
			racetest.Sink = int(d.Value()[4999]) + int(<-done)
			flag.Come()
		},
		Second: func(x *int, h raceHandles) { flag.Wait() },
	}, {
		Name:  "Loan, Drop; Loan, Drop",
		First: func(x *int, h raceHandles) { *x = 1; lendAndDrop(h); flag.Come() },
		Second: func(x *int, h raceHandles) {
			flag.Wait()
			lendAndDrop(h)
			racetest.Sink = *x
		},
		Race: true,
	}, {
		Name:  "Put, Lease of CBOR",
		First: func(x *int, h raceHandles) { *x = 1; testproc.Must(h.jobs.Put(bg, job{URL: "x"})) },
		Second: func(x *int, h raceHandles) {
			d, err := h.jobs.Lease(bg)
			testproc.Must(err)
			racetest.Sink = *x
			testproc.Must(d.Ack())
		},
	}, {
		Name:   "Get, Put into its slot",
		First:  func(x *int, h raceHandles) { *x = 1; _, err := h.one.Get(bg); testproc.Must(err) },
		Second: func(x *int, h raceHandles) { testproc.Must(h.one.Put(bg, 2)); racetest.Sink = *x },
	}, {
		Name: "Ack, Put into its slot",
		First: func(x *int, h raceHandles) {
			d, err := h.one.Lease(bg)
			testproc.Must(err)
			*x = 1
			testproc.Must(d.Ack())
		},
		Second: func(x *int, h raceHandles) { testproc.Must(h.one.Put(bg, 2)); racetest.Sink = *x },
	}, {
		Name: "Nack, Lease",
		First: func(x *int, h raceHandles) {
			d, err := h.one.Lease(bg)
			testproc.Must(err)
			flag.Come()
			*x = 1
			testproc.Must(d.Nack())
		},
		Second: func(x *int, h raceHandles) {
			flag.Wait()
			_, err := h.one.Lease(bg)
			testproc.Must(err)
			racetest.Sink = *x
		},
	}, {
		Name:   "Put, Put",
		First:  func(x *int, h raceHandles) { *x = 1; testproc.Must(h.ints.Put(bg, 1)); flag.Come() },
		Second: func(x *int, h raceHandles) { flag.Wait(); testproc.Must(h.ints.Put(bg, 2)); racetest.Sink = *x },
		Race:   true,
	}, {
		Name: "PutBatch, GetBatch",
		First: func(x *int, h raceHandles) {
			*x = 1
			_, err := h.ints.PutBatch(bg, []int64{1, 2})
			testproc.Must(err)
		},
		Second: func(x *int, h raceHandles) {
			_, err := h.ints.GetBatch(bg, make([]int64, 1))
			testproc.Must(err)
			racetest.Sink = *x
		},
	}, {
		Name: "PutBatch, PutBatch",
		First: func(x *int, h raceHandles) {
			*x = 1
			_, err := h.ints.PutBatch(bg, []int64{1})
			testproc.Must(err)
			flag.Come()
		},
		Second: func(x *int, h raceHandles) {
			flag.Wait()
			_, err := h.ints.PutBatch(bg, []int64{2})
			testproc.Must(err)
			racetest.Sink = *x
		},
		Race: true,
	}, {
		Name: "Puts, Put, with little room left",
		First: func(x *int, h raceHandles) {
			*x = 1
			for range h.large.Cap() - 1 {
				testproc.Must(h.large.Put(bg, 1))
			}
			flag.Come()
		},
		Second: func(x *int, h raceHandles) { flag.Wait(); testproc.Must(h.large.Put(bg, 2)); racetest.Sink = *x },
		Race:   true,
	}, {
		Name: "Gets, Get, with little left",
		First: func(x *int, h raceHandles) {
			for range h.large.Cap() {
				testproc.Must(h.large.Put(bg, 1))
			}
			*x = 1
			for range h.large.Cap() - 1 {
				_, err := h.large.Get(bg)
				testproc.Must(err)
			}
			flag.Come()
		},
		Second: func(x *int, h raceHandles) {
			flag.Wait()
			_, err := h.large.Get(bg)
			testproc.Must(err)
			*x = 2
		},
		Race: true,
	}, {
		Name: "Put, Put of long text",
		First: func(x *int, h raceHandles) {
			*x = 1
			testproc.Must(h.text.Put(bg, strings.Repeat("x", 5000)))
			flag.Come()
		},
		Second: func(x *int, h raceHandles) {
			flag.Wait()
			testproc.Must(h.text.Put(bg, strings.Repeat("x", 5000)))
			racetest.Sink = *x
		},
		Race: true,
	}, {
		Name:  "Ack, another's Lease",
		First: func(x *int, h raceHandles) { two(h, func() { *x = 1 }); flag.Come() },
		Second: func(x *int, h raceHandles) {
			flag.Wait()
			d, err := h.ints.Lease(bg)
			testproc.Must(err)
			testproc.Must(d.Ack())
			racetest.Sink = *x
		},
		Race: true,
	}, {
		Name:   "Shutdown, the end",
		First:  func(x *int, h raceHandles) { *x = 1; testproc.Must(h.ints.Shutdown()); flag.Come() },
		Second: func(x *int, h raceHandles) { flag.Wait(); h.ends(h.ints.Get); racetest.Sink = *x },
	}, {
		Name:   "Shutdown, the end of a Get that waits",
		First:  func(x *int, h raceHandles) { h.waits("ints"); *x = 1; testproc.Must(h.ints.Shutdown()) },
		Second: func(x *int, h raceHandles) { h.ends(h.ints.Get); racetest.Sink = *x },
	}, {
		Name:  "Shutdown, Put",
		First: func(x *int, h raceHandles) { *x = 1; testproc.Must(h.ints.Shutdown()); flag.Come() },
		Second: func(x *int, h raceHandles) {
			flag.Wait()
			if err := h.ints.Put(bg, 1); !errors.Is(err, ring.ErrShutdown) {
				testproc.Must(fmt.Errorf("Put: %v", err))
			}
			racetest.Sink = *x
		},
	}, {
		Name:   "Put, Shutdown",
		First:  func(x *int, h raceHandles) { *x = 1; testproc.Must(h.ints.Put(bg, 1)); flag.Come() },
		Second: func(x *int, h raceHandles) { flag.Wait(); testproc.Must(h.ints.Shutdown()); racetest.Sink = *x },
		Race:   true,
	}, {
		Name: "TaskDone, Join",
		First: func(x *int, h raceHandles) {
			_, err := h.one.Get(bg)
			testproc.Must(err)
			*x = 1
			testproc.Must(h.one.TaskDone())
			flag.Come()
		},
		Second: func(x *int, h raceHandles) { flag.Wait(); testproc.Must(h.one.Join(bg)); racetest.Sink = *x },
	}, {
		Name: "Ack, Join that waits",
		First: func(x *int, h raceHandles) {
			d, err := h.one.Lease(bg)
			testproc.Must(err)
			h.waits("one")
			*x = 1
			testproc.Must(d.Ack())
		},
		Second: func(x *int, h raceHandles) { testproc.Must(h.one.Join(bg)); racetest.Sink = *x },
	}, {
		Name: "after TaskDone, Join",
		First: func(x *int, h raceHandles) {
			_, err := h.one.Get(bg)
			testproc.Must(err)
			testproc.Must(h.one.TaskDone())
			*x = 1
			flag.Come()
		},
		Second: func(x *int, h raceHandles) { flag.Wait(); testproc.Must(h.one.Join(bg)); racetest.Sink = *x },
		Race:   true,
	}, {
		Name:   "a look at the length",
		First:  func(x *int, h raceHandles) { *x = 1; h.ints.Len(); flag.Come() },
		Second: func(x *int, h raceHandles) { flag.Wait(); h.ints.Len(); racetest.Sink = *x },
		Race:   true,
	},
}

func lendAndDrop(h raceHandles) {
	l, err := h.bytes.Loan(bg, 5000)
	testproc.Must(err)
	testproc.Must(l.Drop())
}

// two puts two messages, leases the first, calls f and acknowledges.
func two(h raceHandles, f func()) {
	testproc.Must(h.ints.Put(bg, 1))
	testproc.Must(h.ints.Put(bg, 2))
	d, err := h.ints.Lease(bg)
	testproc.Must(err)
	f()
	testproc.Must(d.Ack())
}

var racer = racetest.Role("racer", racePairs, func() (h raceHandles) {
	r, err := shm.Anonymous(nil)
	testproc.Must(err)
	h.r = r
	h.ints, err = ring.OpenQueue[int64](r, "ints", &ring.QueueOptions{Capacity: 4})
	testproc.Must(err)
	h.one, err = ring.OpenQueue[int64](r, "one", &ring.QueueOptions{Capacity: 1})
	testproc.Must(err)
	h.large, err = ring.OpenQueue[int64](r, "large", &ring.QueueOptions{Capacity: 1024})
	testproc.Must(err)
	h.text, err = ring.OpenQueue[string](r, "text", nil)
	testproc.Must(err)
	h.bytes, err = ring.OpenQueue[[]byte](r, "bytes", nil)
	testproc.Must(err)
	h.jobs, err = ring.OpenQueue[job](r, "jobs", nil)
	testproc.Must(err)
	testproc.Must(h.one.TryPut(1))
	return h
})

func TestRaceDetector(t *testing.T) { racetest.Run(t, racer, racePairs) }
