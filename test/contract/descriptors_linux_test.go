package contract_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/ring"
	"example.com/tandem/sync"
)

var (
	// How many descriptors the actor's process has.
	_ = actor.Verb("descriptors.count", func(*actor.Env, []string) string { return fmt.Sprint(descriptors()) })
	// Waits until it has no more than so many: it may be just looking at another process.
	_ = actor.Verb("descriptors.most", func(_ *actor.Env, args []string) string {
		most := actor.Opened(strconv.Atoi(args[0]))
		for end := time.Now().Add(testproc.Patience); descriptors() > most; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				return fmt.Sprint(descriptors())
			}
		}
		return "ok"
	})
	// Opens an object of each kind, keeps it and uses it.
	_ = actor.Verb("descriptors.open", func(e *actor.Env, args []string) string {
		return actor.Outcome(useEach(e, args[0]))
	})
)

func descriptors() int { return len(actor.Opened(os.ReadDir("/proc/self/fd"))) }

func useEach(e *actor.Env, n string) error {
	r, ctx := e.Region, e.Ctx
	name := func(kind string) string { return kind + "-" + n }
	mu := actor.Opened(sync.OpenMutex(r, name("mutex")))
	re := actor.Opened(sync.OpenRMutex(r, name("rmutex")))
	rw := actor.Opened(sync.OpenRWMutex(r, name("rwmutex")))
	c := actor.Opened(sync.OpenCond(r, name("cond"), mu))
	sem := actor.Opened(sync.OpenSemaphore(r, name("semaphore"), 1))
	bound := actor.Opened(sync.OpenBoundedSemaphore(r, name("bounded"), 1))
	event := actor.Opened(sync.OpenEvent(r, name("event")))
	bar := actor.Opened(sync.OpenBarrier(r, name("barrier"), 1, nil))
	once := actor.Opened(sync.OpenOnce(r, name("once")))
	word := actor.Opened(atomics.OpenValue(r, name("value"), 1))
	wide := actor.Opened(atomics.OpenArray[[3]int64](r, name("array"), 2))
	bytes := actor.Opened(atomics.OpenSlice[byte](r, name("slice"), 100))
	q := actor.Opened(ring.OpenQueue[string](r, name("queue"), &ring.QueueOptions{Buffer: 4096, MaxMessage: 64}))
	s := actor.Opened(ring.OpenSPSC[int64](r, name("spsc"), nil))
	left := actor.Opened(ring.OpenPipe[string](r, name("pipe"), ring.Left, &ring.PipeOptions{Buffer: 4096}))
	right := actor.Opened(ring.OpenPipe[string](r, name("pipe"), ring.Right, nil))
	b := actor.Opened(ring.OpenBroadcast[int64](r, name("broadcast"), &ring.BroadcastOptions{Capacity: 4}))
	sub := actor.Opened(b.Subscribe())
	l := actor.Opened(ring.Listen(r, name("listener"), &ring.ListenOptions{Buffer: 4096}))
	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := l.Accept()
		accepted <- c
	}()
	here := actor.Opened(ring.Dial(ctx, r, name("listener")))
	there := <-accepted
	h := re.NewHolder()
	actor.Handle(e, "each "+n, func() ([]any, error) {
		return []any{mu, re, rw, c, sem, bound, event, bar, once, word, wide, bytes, q, s, left, right, b, sub, l, here, there, h}, nil
	})

	word.Store(2)
	wide.Store(1, [3]int64{1, 2, 3})
	bytes.Data()[0] = 1
	second := func(_ any, err error) error { return err }
	published := b.Publish(ctx, 1)
	_, _, heard := sub.Next(ctx)
	return errors.Join(published, heard,
		sync.With(ctx, mu, c.NotifyAll), h.Lock(ctx), rw.RLock(ctx), sem.Acquire(ctx), bound.Acquire(ctx), event.Set(), event.Wait(ctx),
		second(bar.Wait(ctx)), once.Do(ctx, func(context.Context) error { return nil }),
		q.Put(ctx, "a"), second(q.Get(ctx)), s.Put(ctx, 1), second(s.Get(ctx)), left.Send(ctx, "a"), second(right.Recv(ctx)),
		second(here.Write([]byte("a"))), second(there.Read(make([]byte, 1))))
}

func TestDescriptors(t *testing.T) {
	t.Parallel()
	t.Run("P18 a process has as many descriptors with hundreds of objects as with a few", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			a := w.Actor()
			a.Expect("ok", "descriptors.open", "first")
			before := a.Do("descriptors.count")
			for n := range 40 {
				a.Expect("ok", "descriptors.open", fmt.Sprint(n))
			}
			a.Expect("ok", "descriptors.most", before)
			if n := len(testproc.Get(w.Region.Snapshot())(t).Objects); n < 600 {
				t.Errorf("there are %d objects only", n)
			}
		})
	})
}
