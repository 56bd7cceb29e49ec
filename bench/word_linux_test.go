package bench_test

import (
	"context"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
)

// Queues of eight bytes, as many of them as the rings in C have.
func (e *env) words(name string, wait ring.Wait) *ring.Queue[uint64] {
	return open(ring.OpenQueue[uint64](e.Region, e.name(name), &ring.QueueOptions{Capacity: 4096, Wait: wait}))
}

var wordFree = contest{what: "`Queue`, Put and Get of 8 bytes", kind: "free", of: []contestant{
	{here, "Queue-8"}, {here, "channel-8"}, {inC, "mpmc-ring-8"}, {inC, "locked-ring-8"},
}}

func BenchmarkWordFree(b *testing.B) { wordFree.run(b) }

var wordStream = contest{what: "`Queue`, a stream of 8 bytes each", kind: "stream", of: []contestant{
	{two, "Queue-8"}, {twoFree, "Queue-8"},
	{inC, "mpmc-ring-8"}, {inC, "spsc-ring-8"}, {inC, "locked-ring-8"},
}}

func BenchmarkWordStream(b *testing.B) { wordStream.run(b) }

// Each message is an operation, and they come and go by up to 32.
var wordBatch = contest{what: "`Queue`, a stream of 8 bytes each, 32 at a time", kind: "stream", of: []contestant{
	{two, "Queue-8-by-32"}, {two, "Queue-8-by-1"}, {inC, "mpmc-ring-8"}, {inC, "spsc-ring-8"},
}}

func BenchmarkWordBatch(b *testing.B) { wordBatch.run(b) }

var wordTrip = contest{what: "two `Queue`s, a round trip of 8 bytes, unpinned", kind: "trip", of: []contestant{
	{twoFree, "Queue-8"}, {two, "Queue-8"},
	{inCFree, "mpmc-ring-8"}, {inC, "mpmc-ring-8"}, {inC, "spsc-ring-8"}, {inC, "locked-ring-8"},
}}

func BenchmarkWordTrip(b *testing.B) { wordTrip.run(b) }

var wordTripSpin = contest{what: "two `Queue`s that `Spin`, a round trip of 8 bytes, unpinned", kind: "trip", of: []contestant{
	{twoFree, "Queue-8-Spin"}, {two, "Queue-8-Spin"}, {inCFree, "mpmc-ring-8"}, {inC, "mpmc-ring-8"},
}}

func BenchmarkWordTripSpin(b *testing.B) { wordTripSpin.run(b) }

// They never spin, as who waits in the kernel does.
func BenchmarkWordTripSleep(b *testing.B) {
	contest{what: "two `Queue`s that `Sleep`, a round trip of 8 bytes, unpinned", kind: "trip", of: []contestant{
		{twoFree, "Queue-8-Sleep"}, {two, "Queue-8-Sleep"}, {inC, "locked-ring-8"}, {inC, "futex"},
	}}.run(b)
}

func init() {
	jobs["free/Queue-8"] = func(e *env) func(n int) int {
		q := e.words("q8", ring.Adaptive)
		return func(n int) (done int) {
			for i := range uint64(n) {
				testproc.Must(q.Put(background, i))
				if m, err := q.Get(background); err == nil && m == i {
					done++
				}
			}
			return done
		}
	}
	jobs["free/channel-8"] = func(*env) func(n int) int {
		q := make(chan uint64, 4096)
		return func(n int) (done int) {
			for i := range uint64(n) {
				select {
				case q <- i:
				case <-background.Done():
				}
				select {
				case m := <-q:
					if m == i {
						done++
					}
				case <-background.Done():
				}
			}
			return done
		}
	}
	jobs["stream/Queue-8"] = func(e *env) func(n int) int {
		q := e.words("stream8", ring.Adaptive)
		return func(n int) (done int) {
			for i := range uint64(n) {
				if e.side == 0 {
					testproc.Must(q.Put(background, i))
				} else if m, err := q.Get(background); err == nil && m == i {
					done++
				}
			}
			return done
		}
	}
	jobs["stream/Queue-8-by-1"] = jobs["stream/Queue-8"]
	jobs["stream/Queue-8-by-32"] = func(e *env) func(n int) int {
		q := e.words("batches8", ring.Adaptive)
		var batch [32]uint64
		return func(n int) int { return byBatches(e, q, batch[:], uint64(n)) }
	}
	for name, wait := range map[string]ring.Wait{"": ring.Adaptive, "-Spin": ring.Spin, "-Sleep": ring.Sleep} {
		jobs["trip/Queue-8"+name] = func(e *env) func(n int) int {
			there, back := e.words("there8"+name, wait), e.words("back8"+name, wait)
			return func(n int) (done int) {
				for i := range uint64(n) {
					if e.side == 1 {
						testproc.Must(back.Put(background, open(there.Get(background))))
						continue
					}
					testproc.Must(there.Put(background, i))
					if m, err := back.Get(background); err == nil && m == i {
						done++
					}
					e.trip()
				}
				return done
			}
		}
	}
}

// What goes by batches: a call for each is not much for so many.
type batches interface {
	PutBatch(context.Context, []uint64) (int, error)
	GetBatch(context.Context, []uint64) (int, error)
}

func byBatches(e *env, q batches, batch []uint64, n uint64) int {
	if e.side == 0 {
		return putBatches(q, batch, n)
	}
	return getBatches(q, batch, n)
}

// putBatches puts 0 to n-1, and returns that it has got none.
func putBatches(q batches, batch []uint64, n uint64) int {
	for next := uint64(0); next < n; {
		some := batch[:min(uint64(len(batch)), n-next)]
		for i := range some {
			some[i] = next + uint64(i)
		}
		for len(some) > 0 {
			put, err := q.PutBatch(background, some)
			testproc.Must(err)
			some, next = some[put:], next+uint64(put)
		}
	}
	return 0
}

// getBatches gets n, and returns how many were what they must be.
func getBatches(q batches, batch []uint64, n uint64) (done int) {
	for next := uint64(0); next < n; {
		got, err := q.GetBatch(background, batch[:min(uint64(len(batch)), n-next)])
		testproc.Must(err)
		for _, m := range batch[:got] {
			if m == next {
				done++
			}
			next++
		}
	}
	return done
}
