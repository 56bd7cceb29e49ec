package bench_test

import (
	gosync "sync"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/sync"
)

// Lock, Notify, Unlock, with nobody to hear it.
var condNobody = contest{what: "`Cond`, Lock, Notify nobody and Unlock", kind: "free", of: []contestant{
	{here, "Cond"}, {here, "sync.Cond"}, {inC, "pthread-cond"}, {inPython, "Condition"},
}}

func BenchmarkCondNobody(b *testing.B) { condNobody.run(b) }

// Notify alone, under a lock that is held all the while.
func BenchmarkCondNotify(b *testing.B) {
	contest{what: "`Cond`, Notify nobody", kind: "free", of: []contestant{
		{here, "Cond-notify"}, {here, "sync.Cond-signal"}, {inC, "pthread-cond-signal"},
	}}.run(b)
}

// Two processes in turn: each changes the turn, notifies and waits.
func BenchmarkCondTrip(b *testing.B) {
	contest{what: "`Cond`, a round trip", kind: "trip", of: []contestant{
		{two, "Cond"}, {twoFree, "Cond"}, {inC, "pthread-cond"}, {inPython, "Condition"},
	}}.run(b)
}

func (e *env) cond(name string) (*sync.Mutex, *sync.Cond) {
	m := open(sync.OpenMutex(e.Region, e.name(name+"-lock")))
	return m, open(sync.OpenCond(e.Region, e.name(name), m))
}

func init() {
	jobs["free/Cond"] = func(e *env) func(n int) int {
		m, cond := e.cond("c")
		c := e.counter("freed")
		return func(n int) int {
			*c = 0
			for range n {
				testproc.Must(m.Lock(background))
				*c++
				testproc.Must(cond.Notify(1))
				testproc.Must(m.Unlock())
			}
			return int(*c)
		}
	}
	jobs["free/sync.Cond"] = func(e *env) func(n int) int {
		m, c := new(gosync.Mutex), e.counter("freed")
		cond := gosync.NewCond(m)
		return func(n int) int {
			*c = 0
			for range n {
				m.Lock()
				*c++
				cond.Signal()
				m.Unlock()
			}
			return int(*c)
		}
	}
	jobs["free/Cond-notify"] = func(e *env) func(n int) int {
		m, cond := e.cond("n")
		return func(n int) (done int) {
			testproc.Must(m.Lock(background))
			for range n {
				if cond.Notify(1) == nil {
					done++
				}
			}
			testproc.Must(m.Unlock())
			return done
		}
	}
	jobs["free/sync.Cond-signal"] = func(*env) func(n int) int {
		cond := gosync.NewCond(new(gosync.Mutex))
		return func(n int) (done int) {
			for range n {
				cond.Signal()
				done++
			}
			return done
		}
	}
	jobs["trip/Cond"] = func(e *env) func(n int) int {
		m, cond := e.cond("turns")
		turn := e.counter("turn") // even turns are side 0's
		goal := int64(0)
		return func(n int) (done int) {
			goal += 2 * int64(n)
			testproc.Must(m.Lock(background))
			for range n {
				for *turn%2 != int64(e.side) {
					testproc.Must(cond.Wait(background))
				}
				*turn++
				testproc.Must(cond.Notify(1))
				e.trip()
			}
			for *turn != goal {
				testproc.Must(cond.Wait(background))
			}
			testproc.Must(m.Unlock())
			if e.side == 0 {
				return n
			}
			return 0
		}
	}
}
