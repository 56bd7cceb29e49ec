package sync_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// A leaver is a context one of whose methods, once a call waits with it, ends the
// goroutine.
type leaver struct {
	context.Context
	method string
	waits  bool
}

func (l *leaver) leaves(method string) {
	if l.waits && method == l.method {
		runtime.Goexit()
	}
}

func (l *leaver) Done() <-chan struct{} {
	l.waits = true
	l.leaves("Done")
	return make(chan struct{})
}

func (l *leaver) Err() error { l.leaves("Err"); return nil }

func (l *leaver) Deadline() (time.Time, bool) { l.leaves("Deadline"); return time.Time{}, false }

func (l *leaver) AfterFunc(func()) (stop func() bool) {
	l.leaves("AfterFunc")
	return func() bool { return true }
}

// leaving waits with such a context, and is there for some seconds after.
var leaving = testproc.Role("leaving", func(args []string) {
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	ctx := &leaver{Context: background, method: args[2]}
	go func() {
		switch args[1] {
		case "rw":
			m, err := sync.OpenRWMutex(r, "rw")
			testproc.Must(err)
			m.Lock(ctx)
		case "b":
			b, err := sync.OpenBarrier(r, "b", 0, nil)
			testproc.Must(err)
			b.Wait(ctx)
		case "c":
			c, err := sync.OpenCond(r, "c", nil)
			testproc.Must(err)
			h := c.Holder()
			testproc.Must(h.Lock(background))
			c.Wait(ctx)
		}
	}()
	time.Sleep(testproc.Patience)
})

// Such a context ends its process, which has claimed by then what nobody would give
// back; so the others get it.
func TestContextEndsItsGoroutine(t *testing.T) {
	for _, method := range []string{"Done", "Err", "Deadline", "AfterFunc"} {
		t.Run(method, func(t *testing.T) {
			r, ctx := shmtest.Region(t), patience(t)
			ends := func(object string) {
				t.Helper()
				if leaving.Start(t, r.Name(), object, method).Wait() == nil {
					t.Errorf("%s: it goes on", object)
				}
			}
			rw := rwmutex(t, r, "rw")
			must(t, rw.RLock(ctx))
			ends("rw")
			must(t, rw.RLock(ctx))
			must(t, rw.RUnlock())
			must(t, rw.RUnlock())
			must(t, rw.Lock(ctx))
			must(t, rw.Unlock())

			b := barrier(t, r, "b", 3, nil)
			done := comeTo(ctx, b, 1)
			haveCome(t, b, 1)
			ends("b")
			allBroken(t, done, 1)

			c := testproc.Get(sync.OpenCond(r, "c", nil))(t)
			ends("c")
			h, told := c.Holder(), make(chan error, 1)
			must(t, h.Lock(ctx))
			go func() {
				other := c.Holder()
				err := other.Lock(ctx)
				if err == nil {
					err = errors.Join(c.Wait(ctx), other.Unlock())
				}
				told <- err
			}()
			must(t, h.Unlock())
			shmtest.AwaitWaiting(t, r, "c", 1)
			must(t, h.Lock(ctx))
			must(t, c.Notify(1))
			must(t, h.Unlock())
			must(t, <-told)
		})
	}
}
