package bench_test

import (
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/sync"
)

var semaphoreFree = contest{what: "`Semaphore`, Acquire and Release", kind: "free", of: []contestant{
	{here, "Semaphore"}, {here, "channel-as-semaphore"}, {inC, "sem_t"}, {inPython, "Semaphore"},
}}

func BenchmarkSemaphoreFree(b *testing.B) { semaphoreFree.run(b) }

func BenchmarkBoundedSemaphoreFree(b *testing.B) {
	contest{what: "`BoundedSemaphore`, Acquire and Release", kind: "free", of: []contestant{
		{here, "BoundedSemaphore"}, {here, "channel-as-semaphore"}, {inC, "sem_t"}, {inPython, "BoundedSemaphore"},
	}}.run(b)
}

// One permit for two loops of acquire, counter++, release.
func BenchmarkSemaphoreContended(b *testing.B) {
	contest{what: "`Semaphore` of 1, two processes compete", kind: "contended", of: []contestant{
		{two, "Semaphore"}, {twoFree, "Semaphore"}, {inC, "sem_t"}, {inPython, "Semaphore"},
	}}.run(b)
}

func BenchmarkSemaphoreTrip(b *testing.B) {
	contest{what: "two `Semaphore`s, a round trip", kind: "trip", of: []contestant{
		{two, "Semaphore"}, {twoFree, "Semaphore"}, {unpinned, "channel"}, {inC, "sem_t"}, {inC, "futex"}, {inPython, "Semaphore"},
	}}.run(b)
}

func (e *env) semaphore(name string, initial int) *sync.Semaphore {
	return open(sync.OpenSemaphore(e.Region, e.name(name), initial))
}

func init() {
	jobs["free/Semaphore"] = func(e *env) func(n int) int {
		s, c := e.semaphore("s", 1), e.counter("freed")
		return func(n int) int {
			*c = 0
			for range n {
				testproc.Must(s.Acquire(background))
				*c++
				testproc.Must(s.Release(1))
			}
			return int(*c)
		}
	}
	jobs["free/BoundedSemaphore"] = func(e *env) func(n int) int {
		s, c := open(sync.OpenBoundedSemaphore(e.Region, e.name("b"), 1)), e.counter("freed")
		return func(n int) int {
			*c = 0
			for range n {
				testproc.Must(s.Acquire(background))
				*c++
				testproc.Must(s.Release(1))
			}
			return int(*c)
		}
	}
	jobs["free/channel-as-semaphore"] = func(e *env) func(n int) int {
		s, c := make(chan struct{}, 1), e.counter("freed")
		return func(n int) int {
			*c = 0
			for range n {
				select {
				case s <- struct{}{}:
				case <-background.Done():
				}
				*c++
				<-s
			}
			return int(*c)
		}
	}
	jobs["contended/Semaphore"] = func(e *env) func(n int) int {
		s, c := e.semaphore("fought", 1), e.counter("fought-by-semaphore")
		goal := int64(0)
		return func(n int) (mine int) {
			for goal += int64(n); ; mine++ {
				testproc.Must(s.Acquire(background))
				over := *c == goal
				if !over {
					*c++
				}
				testproc.Must(s.Release(1))
				if over {
					return mine
				}
			}
		}
	}
	jobs["trip/Semaphore"] = func(e *env) func(n int) int {
		ping, pong := e.semaphore("ping", 0), e.semaphore("pong", 0)
		return func(n int) (done int) {
			for range n {
				if e.side == 1 {
					testproc.Must(ping.Acquire(background))
					testproc.Must(pong.Release(1))
					continue
				}
				testproc.Must(ping.Release(1))
				testproc.Must(pong.Acquire(background))
				done++
				e.trip()
			}
			return done
		}
	}
	jobs["trip/channel"] = func(e *env) func(n int) int { // two goroutines
		return func(n int) (done int) {
			ping, pong := make(chan int, 1), make(chan int, 1)
			go func() {
				for range n {
					pong <- <-ping
				}
			}()
			for i := range n {
				ping <- i
				if <-pong == i {
					done++
				}
				e.trip()
			}
			return done
		}
	}
}
