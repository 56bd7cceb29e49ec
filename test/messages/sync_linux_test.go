package messages_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	tsync "example.com/tandem/sync"
)

// all is a handle of each kind but Mutex.
type all struct {
	re   *tsync.RMutex
	h    *tsync.Holder
	rw   *tsync.RWMutex
	c    *tsync.Cond
	s    *tsync.Semaphore
	b    *tsync.BoundedSemaphore
	e    *tsync.Event
	bar  *tsync.Barrier
	once *tsync.Once
}

func everything(t *testing.T, r *shm.Region) (a all) {
	a.re = testproc.Get(tsync.OpenRMutex(r, "re"))(t)
	a.h = a.re.NewHolder()
	a.rw = testproc.Get(tsync.OpenRWMutex(r, "rw"))(t)
	a.c = testproc.Get(tsync.OpenCond(r, "c", a.h))(t)
	a.s = testproc.Get(tsync.OpenSemaphore(r, "s", 0))(t)
	a.b = testproc.Get(tsync.OpenBoundedSemaphore(r, "b", 2))(t)
	a.e = testproc.Get(tsync.OpenEvent(r, "e"))(t)
	a.bar = testproc.Get(tsync.OpenBarrier(r, "bar", 3, nil))(t)
	a.once = testproc.Get(tsync.OpenOnce(r, "once"))(t)
	return a
}

// A call is one that can fail: its operation, its object, and what it does.
type call struct {
	op, object string
	do         func(context.Context) error
	blocks     bool
}

func (a all) calls() []call {
	at := func(f func() error) func(context.Context) error { return func(context.Context) error { return f() } }
	nothing := func(context.Context) error { return nil }
	return []call{
		{"rmutex.MarshalBinary", "re", at(func() error { return second(a.re.MarshalBinary()) }), false},
		{"holder.Lock", "re", a.h.Lock, true},
		{"holder.TryLock", "re", at(func() error { return second(a.h.TryLock()) }), false},
		{"holder.Recover", "re", func(ctx context.Context) error { return second(a.h.Recover(ctx)) }, true},
		{"holder.MarkConsistent", "re", at(a.h.MarkConsistent), false},
		{"holder.Unlock", "re", at(a.h.Unlock), false},
		{"rwmutex.Lock", "rw", a.rw.Lock, true},
		{"rwmutex.TryLock", "rw", at(func() error { return second(a.rw.TryLock()) }), false},
		{"rwmutex.Recover", "rw", func(ctx context.Context) error { return second(a.rw.Recover(ctx)) }, true},
		{"rwmutex.MarkConsistent", "rw", at(a.rw.MarkConsistent), false},
		{"rwmutex.Unlock", "rw", at(a.rw.Unlock), false},
		{"rwmutex.RLock", "rw", a.rw.RLock, true},
		{"rwmutex.TryRLock", "rw", at(func() error { return second(a.rw.TryRLock()) }), false},
		{"rwmutex.RUnlock", "rw", at(a.rw.RUnlock), false},
		{"rwmutex.MarshalBinary", "rw", at(func() error { return second(a.rw.MarshalBinary()) }), false},
		{"cond.Wait", "c", a.c.Wait, true},
		{"cond.WaitFor", "c", func(ctx context.Context) error { return a.c.WaitFor(ctx, func() bool { return false }) }, false},
		{"cond.Notify", "c", at(func() error { return a.c.Notify(1) }), false},
		{"cond.NotifyAll", "c", at(a.c.NotifyAll), false},
		{"cond.MarshalBinary", "c", at(func() error { return second(a.c.MarshalBinary()) }), false},
		{"semaphore.Acquire", "s", a.s.Acquire, true},
		{"semaphore.TryAcquire", "s", at(func() error { return second(a.s.TryAcquire()) }), false},
		{"semaphore.Release", "s", at(func() error { return a.s.Release(1) }), false},
		{"semaphore.MarshalBinary", "s", at(func() error { return second(a.s.MarshalBinary()) }), false},
		{"boundedsemaphore.Acquire", "b", a.b.Acquire, true},
		{"boundedsemaphore.TryAcquire", "b", at(func() error { return second(a.b.TryAcquire()) }), false},
		{"boundedsemaphore.Release", "b", at(func() error { return a.b.Release(1) }), false},
		{"boundedsemaphore.MarshalBinary", "b", at(func() error { return second(a.b.MarshalBinary()) }), false},
		{"event.Wait", "e", a.e.Wait, true},
		{"event.Set", "e", at(a.e.Set), false},
		{"event.Clear", "e", at(a.e.Clear), false},
		{"event.MarshalBinary", "e", at(func() error { return second(a.e.MarshalBinary()) }), false},
		{"barrier.Abort", "bar", at(a.bar.Abort), false},
		{"barrier.Reset", "bar", at(a.bar.Reset), false},
		{"barrier.MarshalBinary", "bar", at(func() error { return second(a.bar.MarshalBinary()) }), false},
		{"once.Do", "once", func(ctx context.Context) error { return a.once.Do(ctx, nothing) }, true},
		{"once.MarshalBinary", "once", at(func() error { return second(a.once.MarshalBinary()) }), false},
	}
}

// What every call says of a closed region, of a handle that nothing made, and
// of a context that has ended.
func TestSyncCalls(t *testing.T) {
	r := feed(t, nil)
	a := everything(t, r)
	var rows []row
	for _, c := range a.calls() {
		if c.blocks {
			rows = append(rows, row{"ended " + c.op, func() error { return c.do(ended()) }, ctxErr, c.op + " feed/" + c.object + ": context canceled"})
		}
	}
	rows = append(rows, row{"ended barrier.Wait", func() error { return second(a.bar.Wait(ended())) }, tsync.ErrBroken,
		"barrier.Wait feed/bar: barrier is broken: context canceled"})
	check(t, rows)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	rows = nil
	for _, c := range a.calls() {
		rows = append(rows, row{"closed " + c.op, func() error { return c.do(ctx) }, shm.ErrClosed, c.op + " feed/" + c.object + ": region is closed"})
	}
	rows = append(rows, row{"closed barrier.Wait", func() error { return second(a.bar.Wait(ctx)) }, shm.ErrClosed, "barrier.Wait feed/bar: region is closed"})
	none := all{new(tsync.RMutex), new(tsync.Holder), new(tsync.RWMutex), new(tsync.Cond), new(tsync.Semaphore), new(tsync.BoundedSemaphore), new(tsync.Event), new(tsync.Barrier), new(tsync.Once)}
	for _, h := range []*tsync.Holder{none.h, none.re.NewHolder()} {
		none.h = h
		for _, c := range none.calls() {
			if c.object == "b" && c.op != "boundedsemaphore.MarshalBinary" {
				c.op = strings.TrimPrefix(c.op, "bounded") // it does not know what it is
			}
			rows = append(rows, row{"zero " + c.op, func() error { return c.do(ctx) }, fs.ErrInvalid, c.op + noHandle})
		}
	}
	rows = append(rows, row{"zero barrier.Wait", func() error { return second(none.bar.Wait(ctx)) }, fs.ErrInvalid, "barrier.Wait" + noHandle})
	check(t, rows)
	for _, a := range []all{a, none} {
		_, re := a.re.Owner()
		_, rw := a.rw.Owner()
		if re || rw || a.h.Depth() != 0 || a.s.Value() != 0 || a.b.Value() != 0 || a.e.IsSet() || a.bar.Waiting() != 0 || a.bar.Broken() {
			t.Error("a handle on nothing has something")
		}
	}
	if h := none.c.Holder(); h != nil {
		t.Error("a Cond that nothing made has a lock of its own")
	}
}

// What the calls say that came at the wrong time.
func TestSyncOperations(t *testing.T) {
	r := feed(t, nil)
	a := everything(t, r)
	const notOwner, notLocked = ": not held by the caller", ": not locked"
	lost := errors.New("no disk")
	broken := testproc.Get(tsync.OpenBarrier(r, "broken", 2, nil))(t)
	if err := broken.Abort(); err != nil {
		t.Fatal(err)
	}
	acting := testproc.Get(tsync.OpenBarrier(r, "acting", 1, &tsync.BarrierOptions{Action: func() error { return lost }}))(t)
	full := testproc.Get(tsync.OpenSemaphore(r, "full", 1<<24-1))(t)
	check(t, []row{
		{"unlock", a.h.Unlock, tsync.ErrNotOwner, "holder.Unlock feed/re" + notOwner},
		{"mark", a.h.MarkConsistent, tsync.ErrNotOwner, "holder.MarkConsistent feed/re" + notOwner},
		{"rw unlock", a.rw.Unlock, tsync.ErrNotLocked, "rwmutex.Unlock feed/rw" + notLocked},
		{"rw runlock", a.rw.RUnlock, tsync.ErrNotLocked, "rwmutex.RUnlock feed/rw" + notLocked},
		{"rw mark", a.rw.MarkConsistent, tsync.ErrNotLocked, "rwmutex.MarkConsistent feed/rw" + notLocked},
		{"wait", func() error { return a.c.Wait(ctx) }, tsync.ErrNotLocked, "cond.Wait feed/c" + notLocked},
		{"wait for", func() error { return a.c.WaitFor(ctx, func() bool { return true }) }, tsync.ErrNotLocked, "cond.WaitFor feed/c" + notLocked},
		{"notify", func() error { return a.c.Notify(1) }, tsync.ErrNotLocked, "cond.Notify feed/c" + notLocked},
		{"notify all", a.c.NotifyAll, tsync.ErrNotLocked, "cond.NotifyAll feed/c" + notLocked},
		{"notify -1", func() error { return a.c.Notify(-1) }, fs.ErrInvalid, "cond.Notify feed/c: -1 notifications: invalid argument"},
		{"release 0", func() error { return a.s.Release(0) }, fs.ErrInvalid, "semaphore.Release feed/s: 0 permits: invalid argument"},
		{"release -1", func() error { return a.b.Release(-1) }, fs.ErrInvalid, "boundedsemaphore.Release feed/b: -1 permits: invalid argument"},
		{"release past the bound", func() error { return a.b.Release(1) }, tsync.ErrOverRelease, "boundedsemaphore.Release feed/b: 1 permits, there may be at most 2: released more than was acquired"},
		{"release past all", func() error { return full.Release(1) }, tsync.ErrOverRelease, "semaphore.Release feed/full: 1 permits, there may be at most 16777215: released more than was acquired"},
		{"release much", func() error { return a.s.Release(1 << 40) }, tsync.ErrOverRelease, "semaphore.Release feed/s: 1099511627776 permits, there may be at most 16777215: released more than was acquired"},
		{"broken", func() error { return second(broken.Wait(ctx)) }, tsync.ErrBroken, "barrier.Wait feed/broken: barrier is broken"},
		{"action", func() error { return second(acting.Wait(ctx)) }, lost, "barrier.Wait feed/acting: barrier is broken: no disk"},
	})
	if err := a.once.Do(ctx, func(context.Context) error { return lost }); err != lost {
		t.Errorf("Do = %v, want fn's own error", err)
	}
	// Another holder of this process has it.
	if err := a.re.NewHolder().Lock(ctx); err != nil {
		t.Fatal(err)
	}
	check(t, []row{
		{"another holder's unlock", a.h.Unlock, tsync.ErrNotOwner, "holder.Unlock feed/re" + notOwner},
		{"another holder's wait", func() error { return a.c.Wait(ctx) }, tsync.ErrNotOwner, "cond.Wait feed/c: not locked by the caller, but by another: not held by the caller"},
		{"another holder's notify", a.c.NotifyAll, tsync.ErrNotOwner, "cond.NotifyAll feed/c: not locked by the caller, but by another: not held by the caller"},
	})
}

var keeper = testproc.Role("keeper", func(args []string) {
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	re, err := tsync.OpenRMutex(r.Existing(), "re")
	testproc.Must(err)
	testproc.Must(re.NewHolder().Lock(ctx))
	rw, err := tsync.OpenRWMutex(r.Existing(), "rw")
	testproc.Must(err)
	testproc.Must(rw.Lock(ctx))
	read, err := tsync.OpenRWMutex(r.Existing(), "read")
	testproc.Must(err)
	testproc.Must(read.RLock(ctx))
	testproc.Say("locked")
	testproc.Hear()
})

func TestSyncHeldByOthers(t *testing.T) {
	r := feed(t, nil)
	a := everything(t, r)
	read := testproc.Get(tsync.OpenRWMutex(r, "read"))(t)
	c := keeper.Start(t, "feed")
	c.Expect("locked")
	const notOwner, died = ": not held by the caller", ": a holder died and nobody has repaired since"
	const notCaller = ": not locked by the caller, but by another: not held by the caller"
	check(t, []row{
		{"unlock", a.h.Unlock, tsync.ErrNotOwner, "holder.Unlock feed/re" + notOwner},
		{"rw unlock", a.rw.Unlock, tsync.ErrNotOwner, "rwmutex.Unlock feed/rw" + notOwner},
		{"rw mark", a.rw.MarkConsistent, tsync.ErrNotOwner, "rwmutex.MarkConsistent feed/rw" + notOwner},
		{"rw runlock", a.rw.RUnlock, tsync.ErrNotLocked, "rwmutex.RUnlock feed/rw: not locked"},
		{"runlock", read.RUnlock, tsync.ErrNotOwner, "rwmutex.RUnlock feed/read" + notOwner},
		{"wait", func() error { return a.c.Wait(ctx) }, tsync.ErrNotOwner, "cond.Wait feed/c" + notCaller},
		{"notify", func() error { return a.c.Notify(1) }, tsync.ErrNotOwner, "cond.Notify feed/c" + notCaller},
	})
	c.Kill()
	repair := errors.New("beyond repair")
	check(t, []row{
		{"dead holder", func() error { return a.h.Lock(ctx) }, tsync.ErrOwnerDied, "holder.Lock feed/re" + died},
		{"try dead holder", func() error { return second(a.h.TryLock()) }, tsync.ErrOwnerDied, "holder.TryLock feed/re" + died},
		{"dead writer", func() error { return a.rw.Lock(ctx) }, tsync.ErrOwnerDied, "rwmutex.Lock feed/rw" + died},
		{"dead writer, reading", func() error { return a.rw.RLock(ctx) }, tsync.ErrOwnerDied, "rwmutex.RLock feed/rw" + died},
		{"repair fails", func() error {
			a.rw.OnOwnerDied(func(context.Context) error { return repair })
			return a.rw.RLock(ctx)
		}, repair, "rwmutex.RLock feed/rw" + died + "; the repair failed: beyond repair"},
	})
	if err := read.Lock(ctx); err != nil { // a dead reader does not count
		t.Error(err)
	}
	if suspect, err := a.h.Recover(ctx); !suspect || err != nil {
		t.Fatalf("Recover = %v, %v", suspect, err)
	}
	check(t, []row{
		{"wait, abandoned", func() error { return a.c.Wait(ctx) }, tsync.ErrOwnerDied, "cond.Wait feed/c" + died + "; not notified"},
	})
}

// A removed object is used on by who has it open; a handle on it that arrives
// finds none, or another.
func TestSyncRemoved(t *testing.T) {
	r := feed(t, nil)
	for _, k := range kinds {
		t.Run(k.kind, func(t *testing.T) {
			h := testproc.Get(k.by(r, "x"))(t)
			b := testproc.Get(h.MarshalBinary())(t)
			if err := r.Remove("x"); err != nil {
				t.Fatal(err)
			}
			check(t, []row{{"arrives", func() error { return k.zero().UnmarshalBinary(b) }, fs.ErrNotExist, "sync." + k.open + " feed/x: no such object: file does not exist"}})
		})
	}
}
