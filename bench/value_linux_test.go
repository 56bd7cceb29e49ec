package bench_test

import (
	"sync/atomic"
	"testing"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/sync"
)

func BenchmarkValueFree(b *testing.B) {
	contest{what: "`Value[int64]`, Add", kind: "free", of: []contestant{
		{here, "Value"}, {here, "atomic.Int64"}, {inC, "fetch_add"}, {inPython, "Value"},
	}}.run(b)
}

// A value of 64 bytes, which is no machine word.
type page [8]int64

func (p *page) whole() bool { return p[7] == p[0] }

var valueWide = contest{what: "`Value` of 64 bytes, Store and Load", kind: "free", of: []contestant{
	{here, "Value-64"}, {here, "RWMutex-64"}, {inC, "seqlock-64"}, {inPython, "Value-64"},
}}

func BenchmarkValueWide(b *testing.B) { valueWide.run(b) }

// One process stores all the time, and what counts are the other's loads.
var valueWatch = contest{what: "`Value` of 64 bytes, Load beside a process that stores without end", kind: "watch", of: []contestant{
	{two, "Value-64"}, {two, "RWMutex-64"}, {inC, "seqlock-64"}, {inPython, "Value-64"},
}}

func BenchmarkValueWatch(b *testing.B) { valueWatch.run(b) }

// watching is a job of a value of 64 bytes, by how it is stored and loaded.
func watching(e *env, name string, store func(x page), load func() page) func(n int) int {
	over := e.counter("over-" + name) // as many jobs
	round := int64(0)
	return func(n int) (done int) {
		round++
		if e.side == 0 {
			for i := int64(0); atomic.LoadInt64(over) != round; i++ {
				store(page{0: i, 7: i})
			}
			return 0
		}
		for range n {
			if x := load(); x.whole() {
				done++
			}
		}
		atomic.StoreInt64(over, round)
		return done
	}
}

// guarded is a value of 64 bytes that an RWMutex guards.
func (e *env) guarded(name string) (store func(x page), load func() page) {
	m := open(sync.OpenRWMutex(e.Region, e.name("lock-"+name)))
	p := &open(atomics.OpenSlice[page](e.Region, e.name(name), 1)).Data()[0]
	return func(x page) {
			testproc.Must(m.Lock(background))
			*p = x
			testproc.Must(m.Unlock())
		}, func() page {
			testproc.Must(m.RLock(background))
			x := *p
			testproc.Must(m.RUnlock())
			return x
		}
}

// storing is a job of one process.
func storing(store func(x page), load func() page) func(n int) int {
	return func(n int) (done int) {
		for i := range int64(n) {
			store(page{0: i, 7: i})
			if x := load(); x[7] == i {
				done++
			}
		}
		return done
	}
}

func init() {
	jobs["free/Value-64"] = func(e *env) func(n int) int {
		v := open(atomics.OpenValue(e.Region, e.name("v64"), page{}))
		return func(n int) (done int) {
			for i := range int64(n) {
				v.Store(page{0: i, 7: i})
				if x := v.Load(); x[7] == i {
					done++
				}
			}
			return done
		}
	}
	jobs["free/RWMutex-64"] = func(e *env) func(n int) int { return storing(e.guarded("rw64")) }
	jobs["watch/Value-64"] = func(e *env) func(n int) int {
		v := open(atomics.OpenValue(e.Region, e.name("w64"), page{}))
		return watching(e, "v", v.Store, v.Load)
	}
	jobs["watch/RWMutex-64"] = func(e *env) func(n int) int {
		store, load := e.guarded("rww64")
		return watching(e, "rw", store, load)
	}
}

func init() {
	jobs["free/Value"] = func(e *env) func(n int) int {
		v := open(atomics.OpenValue(e.Region, e.name("v"), int64(0)))
		return func(n int) int {
			v.Store(0)
			for range n {
				atomics.Add(v, 1)
			}
			return int(v.Load())
		}
	}
	jobs["free/atomic.Int64"] = func(e *env) func(n int) int {
		var v atomic.Int64
		return func(n int) int {
			v.Store(0)
			for range n {
				v.Add(1)
			}
			return int(v.Load())
		}
	}
}
