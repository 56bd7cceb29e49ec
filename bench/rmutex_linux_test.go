package bench_test

import (
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/sync"
)

var rmutexFree = contest{what: "`RMutex`, Lock and Unlock", kind: "free", of: []contestant{
	{here, "RMutex"}, {here, "Mutex"}, {inC, "pthread-robust"}, {inC, "pthread-recursive"}, {inPython, "RLock"},
}}

func BenchmarkRMutexFree(b *testing.B) { rmutexFree.run(b) }

// Lock and Unlock by who holds it already.
var rmutexAgain = contest{what: "`RMutex`, Lock and Unlock once more", kind: "free", of: []contestant{
	{here, "RMutex-again"}, {inC, "pthread-robust"}, {inC, "pthread-recursive-again"}, {inPython, "RLock-again"},
}}

func BenchmarkRMutexAgain(b *testing.B) { rmutexAgain.run(b) }

func init() {
	jobs["free/RMutex"] = func(e *env) func(n int) int {
		m, c := open(sync.OpenRMutex(e.Region, e.name("r"))), e.counter("freed")
		h := m.NewHolder()
		return func(n int) int {
			*c = 0
			for range n {
				testproc.Must(h.Lock(background))
				*c++
				testproc.Must(h.Unlock())
			}
			return int(*c)
		}
	}
	jobs["free/RMutex-again"] = func(e *env) func(n int) int {
		m, c := open(sync.OpenRMutex(e.Region, e.name("again"))), e.counter("freed")
		h := m.NewHolder()
		testproc.Must(h.Lock(background))
		return func(n int) int {
			*c = 0
			for range n {
				testproc.Must(h.Lock(background))
				*c++
				testproc.Must(h.Unlock())
			}
			if h.Depth() != 1 {
				return 0
			}
			return int(*c)
		}
	}
}
