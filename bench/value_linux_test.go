package bench_test

import (
	"sync/atomic"
	"testing"

	"example.com/tandem/atomics"
)

func BenchmarkValueFree(b *testing.B) {
	contest{what: "`Value[int64]`, Add", kind: "free", of: []contestant{
		{here, "Value"}, {here, "atomic.Int64"}, {inC, "fetch_add"}, {inPython, "Value"},
	}}.run(b)
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
