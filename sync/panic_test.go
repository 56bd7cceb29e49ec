package sync_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// wilds are the ways in which a user's code does not return, and as what
// testproc.EndOf sees them.
var wilds = []struct {
	act  func()
	want any
}{
	{func() { panic(errBad) }, errBad},
	{runtime.Goexit, testproc.Exit},
}

// A keeper is another process that holds a lock until it is killed.
var keeper = testproc.Role("keeper", func(args []string) {
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	switch args[1] {
	case "m":
		m, err := sync.OpenMutex(r, args[1])
		testproc.Must(err)
		testproc.Must(m.Lock(background))
	default:
		m, err := sync.OpenRWMutex(r, args[1])
		testproc.Must(err)
		testproc.Must(m.Lock(background))
	}
	testproc.Say("held")
	testproc.Hear()
})

// A listened is a context that counts who wants to hear of its end.
type listened struct {
	context.Context
	done chan struct{}
	n    atomic.Int32
}

func (l *listened) Done() <-chan struct{} { return l.done }

func (l *listened) AfterFunc(func()) (stop func() bool) {
	l.n.Add(1)
	return func() bool { l.n.Add(-1); return true }
}

// A repair that does not return leaves the lock abandoned, and nothing of the
// call that slept before.
func TestRepairPanics(t *testing.T) {
	for _, wild := range wilds {
		r := shmtest.Region(t)
		m, rw := mutex(t, r, "m"), rwmutex(t, r, "m2")
		m.OnOwnerDied(func(context.Context) error { wild.act(); return nil })
		rw.OnOwnerDied(func(context.Context) error { wild.act(); return nil })
		ctx := patience(t)
		for _, tt := range []struct {
			name    string
			lock    func(context.Context) error
			recover func(context.Context) (bool, error)
			mark    func() error
			unlock  func() error
			object  string
		}{
			{"Mutex.Lock", m.Lock, m.Recover, m.MarkConsistent, m.Unlock, "m"},
			{"RWMutex.Lock", rw.Lock, rw.Recover, rw.MarkConsistent, rw.Unlock, "m2"},
			{"RWMutex.RLock", rw.RLock, rw.Recover, rw.MarkConsistent, rw.Unlock, "m2"},
		} {
			victim := keeper.Start(t, r.Name(), tt.object)
			victim.Expect("held")
			heard := &listened{Context: background, done: make(chan struct{})}
			ended := make(chan any)
			go func() { ended <- testproc.EndOf(func() { t.Error(tt.name, tt.lock(heard)) }) }()
			shmtest.AwaitWaiting(t, r, tt.object, 1)
			victim.Kill()
			if got := <-ended; got != wild.want {
				t.Fatalf("%s ends with %v, want %v", tt.name, got, wild.want)
			}
			if n := heard.n.Load(); n != 0 {
				t.Errorf("after %s %d still listen to its context", tt.name, n)
			}
			if suspect, err := tt.recover(ctx); !suspect || err != nil {
				t.Errorf("Recover after %s: %v, %v", tt.name, suspect, err)
			}
			must(t, tt.mark())
			must(t, tt.unlock())
		}
	}
}

// A predicate that does not return leaves the lock as WaitFor has it when it
// returns: held, for the caller to unlock.
func TestPredicatePanics(t *testing.T) {
	eachLock(t, func(t *testing.T, r *shm.Region, claim func() (*sync.Cond, sync.Lock)) {
		for _, wild := range wilds {
			for after := range 2 { // notifications
				c, l := claim()
				ended := make(chan any)
				go func() {
					ended <- testproc.EndOf(func() {
						sync.With(background, l, func() error {
							calls := 0
							return c.WaitFor(patience(t), func() bool {
								if calls++; calls > after {
									wild.act()
								}
								return false
							})
						})
					})
				}()
				if after > 0 {
					awaitWaiting(t, r, "c", 1)
					notify(t, claim, 1)
				}
				if got := <-ended; got != wild.want {
					t.Errorf("WaitFor ends with %v, want %v", got, wild.want)
				}
				_, l = claim()
				must(t, l.Lock(patience(t)))
				must(t, l.Unlock())
			}
		}
	})
}

// The others of the round are told.
func TestActionPanics(t *testing.T) {
	for _, wild := range wilds {
		b := barrier(t, shmtest.Region(t), "b", 3, func() error { wild.act(); return nil })
		done := comeTo(patience(t), b, 2)
		haveCome(t, b, 2)
		if got := testproc.EndOf(func() { b.Wait(patience(t)) }); got != wild.want {
			t.Errorf("Wait ends with %v, want %v", got, wild.want)
		}
		allBroken(t, done, 2)
	}
}
