package bench_test

import (
	"fmt"
	gosync "sync"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
)

// n producers and n consumers, each a process, on the processors there are.
func manyToMany(n int) contest {
	return contest{what: fmt.Sprintf("`Queue`, %d and %d processes, 8 bytes", n, n), kind: "many", of: []contestant{
		{many("Go", 2*n), "Queue"}, {many("C", 2*n), "locked-ring"}, {many("C", 2*n), "mpmc-ring"},
	}}
}

func BenchmarkMany(b *testing.B) {
	for _, n := range []int{1, 2, 4, 8} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { manyToMany(n).run(b) })
	}
}

// Two producers and two consumers, goroutines of one process.
var manyGoroutines = contest{what: "`Queue`, 2 and 2 goroutines, 8 bytes", kind: "many", of: []contestant{
	{unpinned, "Queue-of-goroutines"}, {unpinned, "channel"},
}}

func BenchmarkManyGoroutines(b *testing.B) { manyGoroutines.run(b) }

// A message of many is its producer and a number that grows there, from 1.
const manyShift = 48

// put puts one producer's part of n messages.
func (p manyPart) put(n int, put func(m uint64)) {
	for i := p.part; i < n; i += p.parts {
		put(uint64(p.part)<<manyShift | uint64(i+1))
	}
}

// get gets one consumer's part of n messages, and returns how many came in the
// order in which their producer has put them.
func (p manyPart) get(n int, get func() uint64) (done int) {
	var last [64]uint64
	for i := p.part; i < n; i += p.parts {
		m := get()
		if of, its := &last[m>>manyShift%64], m&(1<<manyShift-1); *of < its {
			*of = its
			done++
		}
	}
	return done
}

// A manyPart is one of so many on its side of a queue.
type manyPart struct{ part, parts int }

// twoAndTwo are goroutines that put and get n messages.
func twoAndTwo(n int, put func(m uint64), get func() uint64) int {
	var done [2]int
	var all gosync.WaitGroup
	for i := range done {
		p := manyPart{i, len(done)}
		all.Go(func() { p.put(n, put) })
		all.Go(func() { done[i] = p.get(n, get) })
	}
	all.Wait()
	return done[0] + done[1]
}

func init() {
	jobs["many/Queue"] = func(e *env) func(n int) int {
		q, p := e.words("many", ring.Adaptive), manyPart{e.side / 2, e.sides / 2}
		return func(n int) int {
			if e.side%2 == 0 {
				p.put(n, func(m uint64) { testproc.Must(q.Put(background, m)) })
				return 0
			}
			return p.get(n, func() uint64 { return open(q.Get(background)) })
		}
	}
	jobs["many/Queue-of-goroutines"] = func(e *env) func(n int) int {
		q := e.words("goroutines", ring.Adaptive)
		return func(n int) int {
			return twoAndTwo(n, func(m uint64) { testproc.Must(q.Put(background, m)) }, func() uint64 { return open(q.Get(background)) })
		}
	}
	jobs["many/channel"] = func(*env) func(n int) int {
		q := make(chan uint64, 4096)
		return func(n int) int {
			put := func(m uint64) {
				select {
				case q <- m:
				case <-background.Done():
				}
			}
			get := func() (m uint64) {
				select {
				case m = <-q:
				case <-background.Done():
				}
				return m
			}
			return twoAndTwo(n, put, get)
		}
	}
}
