package bench_test

import (
	gosync "sync"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/sync"
)

func BenchmarkRWMutexRead(b *testing.B) {
	contest{what: "`RWMutex`, RLock and RUnlock", kind: "free", of: []contestant{
		{here, "RWMutex-read"}, {here, "sync.RWMutex-read"}, {inC, "pthread-rwlock-read"},
	}}.run(b)
}

var rwmutexWrite = contest{what: "`RWMutex`, Lock and Unlock", kind: "free", of: []contestant{
	{here, "RWMutex-write"}, {here, "sync.RWMutex-write"}, {inC, "pthread-rwlock-write"},
}}

func BenchmarkRWMutexWrite(b *testing.B) { rwmutexWrite.run(b) }

// Two processes that only read.
func BenchmarkRWMutexReaders(b *testing.B) {
	contest{what: "`RWMutex`, two processes read", kind: "readers", of: []contestant{
		{two, "RWMutex"}, {twoFree, "RWMutex"}, {unpinned, "sync.RWMutex"}, {inC, "pthread-rwlock"},
	}}.run(b)
}

func init() {
	jobs["free/RWMutex-read"] = func(e *env) func(n int) int {
		m, c := open(sync.OpenRWMutex(e.Region, e.name("rw"))), e.counter("freed")
		return func(n int) (done int) {
			*c = 1
			for range n {
				testproc.Must(m.RLock(background))
				done += int(*c)
				testproc.Must(m.RUnlock())
			}
			return done
		}
	}
	jobs["free/sync.RWMutex-read"] = func(e *env) func(n int) int {
		m, c := new(gosync.RWMutex), e.counter("freed")
		return func(n int) (done int) {
			*c = 1
			for range n {
				m.RLock()
				done += int(*c)
				m.RUnlock()
			}
			return done
		}
	}
	jobs["free/RWMutex-write"] = func(e *env) func(n int) int {
		m, c := open(sync.OpenRWMutex(e.Region, e.name("rw"))), e.counter("freed")
		return func(n int) int {
			*c = 0
			for range n {
				testproc.Must(m.Lock(background))
				*c++
				testproc.Must(m.Unlock())
			}
			return int(*c)
		}
	}
	jobs["free/sync.RWMutex-write"] = func(e *env) func(n int) int {
		m, c := new(gosync.RWMutex), e.counter("freed")
		return func(n int) int {
			*c = 0
			for range n {
				m.Lock()
				*c++
				m.Unlock()
			}
			return int(*c)
		}
	}
	jobs["readers/RWMutex"] = func(e *env) func(n int) int {
		m, c := open(sync.OpenRWMutex(e.Region, e.name("readers"))), e.counter("read")
		return func(n int) (done int) {
			for range half(n, e.side) {
				testproc.Must(m.RLock(background))
				done += int(1 - *c)
				testproc.Must(m.RUnlock())
			}
			return done
		}
	}
	jobs["readers/sync.RWMutex"] = func(e *env) func(n int) int {
		m, c := new(gosync.RWMutex), e.counter("read")
		return func(n int) int {
			var done [2]struct {
				n int
				_ [120]byte
			}
			var sides gosync.WaitGroup
			for i := range done {
				sides.Go(func() {
					for range half(n, i) {
						m.RLock()
						done[i].n += int(1 - *c)
						m.RUnlock()
					}
				})
			}
			sides.Wait()
			return done[0].n + done[1].n
		}
	}
}

// half is a side's part of n operations.
func half(n, side int) int { return (n + 1 - side) / 2 }
