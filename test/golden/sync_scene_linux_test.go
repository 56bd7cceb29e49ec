package golden

import (
	"context"
	"errors"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// The scene "sync" has all kinds of package sync but the Mutex, in use by two
// processes, and left by a third that died and was recovered.

// primitives are an actor's handles.
type primitives struct {
	held, left        *sync.Holder // of RMutexes
	read, wrote, was  *sync.RWMutex
	cond              *sync.Cond
	some, none        *sync.Semaphore
	slots             *sync.BoundedSemaphore
	on, off           *sync.Event
	meet, broken      *sync.Barrier
	done, runs, tried *sync.Once
}

func (a *actor) primitives() *primitives {
	return keep[*primitives](a)(&primitives{
		held:   must(sync.OpenRMutex(a.r, "held")).NewHolder(),
		left:   must(sync.OpenRMutex(a.r, "left")).NewHolder(),
		read:   must(sync.OpenRWMutex(a.r, "read")),
		wrote:  must(sync.OpenRWMutex(a.r, "written")),
		was:    must(sync.OpenRWMutex(a.r, "was-written")),
		cond:   must(sync.OpenCond(a.r, "cond", nil)),
		some:   must(sync.OpenSemaphore(a.r, "some", 5)),
		none:   must(sync.OpenSemaphore(a.r, "none", 0)),
		slots:  must(sync.OpenBoundedSemaphore(a.r, "slots", 3)),
		on:     must(sync.OpenEvent(a.r, "on")),
		off:    must(sync.OpenEvent(a.r, "off")),
		meet:   must(sync.OpenBarrier(a.r, "meet", 3, nil)),
		broken: must(sync.OpenBarrier(a.r, "broken", 2, nil)),
		done:   must(sync.OpenOnce(a.r, "done")),
		runs:   must(sync.OpenOnce(a.r, "runs")),
		tried:  must(sync.OpenOnce(a.r, "tried")),
	}, nil)
}

// asleep starts f and waits until n of this process's calls sleep on an object.
func (a *actor) asleep(name string, n int, f func()) {
	go f()
	await(func() bool { return a.waits(name) == n })
}

// waits is how many calls of this process sleep on an object.
func (a *actor) waits(name string) int {
	for _, o := range must(a.r.Snapshot()).Objects {
		for _, h := range o.Waits {
			if o.Name == name && h.Index == a.r.Self().Index {
				return h.N
			}
		}
	}
	return 0
}

// starved waits until somebody has waited for long for an object that begins
// with a mutex.
func (a *actor) starved(kind engine.Kind, name string) {
	o := keep[*object.Core](a)(a.r.OpenObject(object.Spec{Op: "test", Kind: kind, Name: name}))
	await(func() bool { return mem.Load64(o.Area.W64(0))>>28&1 == 1 })
}

// all ends the actor at an error.
func all(errs ...error) { testproc.Must(errors.Join(errs...)) }

// forever is what is done by one who does not come to its end.
func forever(begun chan bool) func(context.Context) error {
	return func(context.Context) error { begun <- true; select {} }
}

// leaves dies with everything.
func leaves(a *actor) {
	a.open()
	p, begun := a.primitives(), make(chan bool)
	all(p.left.Lock(ctx), p.was.Lock(ctx), p.read.RLock(ctx), p.some.Acquire(ctx), p.some.Acquire(ctx),
		p.slots.Acquire(ctx), p.off.Set(), p.off.Clear())
	go p.tried.Do(ctx, forever(begun))
	<-begun
	a.asleep("broken", 1, func() { p.broken.Wait(ctx) })
	a.asleep("none", 1, func() { p.none.Acquire(ctx) })
	a.asleep("off", 1, func() { p.off.Wait(ctx) })
}

// keeps makes everything, and holds much of it.
func keeps(a *actor) {
	a.create(&shm.Options{Size: 128 << 10, Participants: 3, Objects: 24})
	p, begun := a.primitives(), make(chan bool)
	a.yield()

	// leaves has died.
	await(func() bool { return len(a.r.Participants()) == 1 })
	all(p.held.Lock(ctx), p.held.Lock(ctx), p.read.RLock(ctx), p.read.RLock(ctx), p.wrote.Lock(ctx),
		p.some.Acquire(ctx), p.some.Release(3), p.slots.Acquire(ctx), p.slots.Acquire(ctx), p.on.Set(), p.off.Set(), p.off.Clear(),
		p.done.Do(ctx, func(context.Context) error { return nil }))
	go p.runs.Do(ctx, forever(begun))
	<-begun
	a.asleep("meet", 1, func() { p.meet.Wait(ctx) })
	a.yield()

	// joins waits for the cond, is notified, and waits for its lock.
	h := p.cond.Holder()
	all(h.Lock(ctx), p.cond.Notify(1))
	a.starved(engine.KindCond, "cond")
}

// joins reads what keeps reads, and waits for the rest.
func joins(a *actor) {
	a.open()
	p := a.primitives()
	all(p.read.RLock(ctx), p.slots.Acquire(ctx), p.slots.Release(1))
	a.asleep("read", 1, func() { p.read.Lock(ctx) })
	a.asleep("none", 1, func() { p.none.Acquire(ctx) })
	a.asleep("off", 1, func() { p.off.Wait(ctx) })
	a.asleep("off", 2, func() { p.off.Wait(ctx) })
	a.asleep("meet", 1, func() { p.meet.Wait(ctx) })
	a.asleep("runs", 1, func() { p.runs.Do(ctx, func(context.Context) error { return nil }) })
	a.starved(engine.KindOnce, "runs")
	a.asleep("cond", 1, func() {
		h := p.cond.Holder()
		all(h.Lock(ctx), p.cond.Wait(ctx), errors.New("keeps has unlocked the cond"))
	})
}
