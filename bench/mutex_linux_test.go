package bench_test

import (
	"fmt"
	"strconv"
	gosync "sync"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/sync"
)

var mutexFree = contest{what: "`Mutex`, Lock and Unlock", kind: "free", of: []contestant{
	{here, "Mutex"}, {here, "sync.Mutex"},
	{inC, "pthread-robust"}, {inC, "pthread-pshared"}, {inPython, "Lock"},
}}

func BenchmarkMutexFree(b *testing.B) { mutexFree.run(b) }

// Two loops of lock, counter++, unlock; an operation is either's.
var mutexContended = contest{what: "`Mutex`, two processes compete", kind: "contended", of: []contestant{
	{two, "Mutex"}, {twoFree, "Mutex"}, {unpinned, "sync.Mutex"},
	{inC, "pthread-robust"}, {inC, "pthread-pshared"}, {inPython, "Lock"},
}}

func BenchmarkMutexContended(b *testing.B) { mutexContended.run(b) }

// The same by so many processes, on the processors there are.
func BenchmarkMutexMany(b *testing.B) {
	for _, n := range []int{1, 2, 4, 8, 16} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			contest{what: fmt.Sprintf("`Mutex`, unpinned processes compete: %d", n), kind: "contended", of: []contestant{
				{many("Go", n), "Mutex"}, {many("C", n), "pthread-robust"},
			}}.run(b)
		})
	}
}

// The same by two goroutines of one process.
func BenchmarkMutexGoroutines(b *testing.B) {
	contest{what: "`Mutex`, two goroutines compete", kind: "contended", of: []contestant{
		{unpinned, "Mutex-of-goroutines"}, {unpinned, "sync.Mutex"},
	}}.run(b)
}

func init() {
	jobs["free/Mutex"] = func(e *env) func(n int) int {
		m, c := open(sync.OpenMutex(e.Region, e.name("free"))), e.counter("freed")
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
	jobs["free/sync.Mutex"] = func(e *env) func(n int) int {
		m, c := new(gosync.Mutex), e.counter("freed")
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
	jobs["contended/Mutex"] = func(e *env) func(n int) int {
		m, c := open(sync.OpenMutex(e.Region, e.name("m"))), e.counter("fought")
		goal := int64(0)
		return func(n int) (mine int) {
			for goal += int64(n); ; mine++ {
				testproc.Must(m.Lock(background))
				over := *c == goal
				if !over {
					*c++
				}
				testproc.Must(m.Unlock())
				if over {
					return mine
				}
			}
		}
	}
	jobs["contended/sync.Mutex"] = func(e *env) func(n int) int {
		m, c := new(gosync.Mutex), e.counter("fought")
		return func(n int) int {
			return goroutines(n, c, func(n int64) {
				for over := false; !over; {
					m.Lock()
					over = *c == n
					if !over {
						*c++
					}
					m.Unlock()
				}
			})
		}
	}
	jobs["contended/Mutex-of-goroutines"] = func(e *env) func(n int) int {
		m, c := open(sync.OpenMutex(e.Region, e.name("m"))), e.counter("fought")
		return func(n int) int {
			return goroutines(n, c, func(n int64) {
				for over := false; !over; {
					testproc.Must(m.Lock(background))
					over = *c == n
					if !over {
						*c++
					}
					testproc.Must(m.Unlock())
				}
			})
		}
	}
}

// goroutines has two of them count to n by turns.
func goroutines(n int, c *int64, count func(n int64)) int {
	*c = 0
	var sides gosync.WaitGroup
	for range 2 {
		sides.Go(func() { count(int64(n)) })
	}
	sides.Wait()
	return int(*c)
}
