package messages_test

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	tsync "example.com/tandem/sync"
)

// How each kind of package sync is opened: the Open and the kind in messages,
// and a handle that nothing made.
var kinds = []struct {
	open, kind, an string
	by             func(r *shm.Region, name string) (encoding.BinaryMarshaler, error)
	zero           func() encoding.BinaryUnmarshaler
}{
	{"OpenMutex", "mutex", "a mutex", opener(tsync.OpenMutex), zero[tsync.Mutex]},
	{"OpenRMutex", "rmutex", "an rmutex", opener(tsync.OpenRMutex), zero[tsync.RMutex]},
	{"OpenRWMutex", "rwmutex", "an rwmutex", opener(tsync.OpenRWMutex), zero[tsync.RWMutex]},
	{"OpenCond", "cond", "a cond", opener(func(r *shm.Region, name string) (*tsync.Cond, error) { return tsync.OpenCond(r, name, nil) }), zero[tsync.Cond]},
	{"OpenSemaphore", "semaphore", "a semaphore", opener(func(r *shm.Region, name string) (*tsync.Semaphore, error) { return tsync.OpenSemaphore(r, name, 2) }), zero[tsync.Semaphore]},
	{"OpenBoundedSemaphore", "bounded semaphore", "a bounded semaphore", opener(func(r *shm.Region, name string) (*tsync.BoundedSemaphore, error) {
		return tsync.OpenBoundedSemaphore(r, name, 2)
	}), zero[tsync.BoundedSemaphore]},
	{"OpenEvent", "event", "an event", opener(tsync.OpenEvent), zero[tsync.Event]},
	{"OpenBarrier", "barrier", "a barrier", opener(func(r *shm.Region, name string) (*tsync.Barrier, error) { return tsync.OpenBarrier(r, name, 3, nil) }), zero[tsync.Barrier]},
	{"OpenOnce", "once", "a once", opener(tsync.OpenOnce), zero[tsync.Once]},
}

func opener[H encoding.BinaryMarshaler](open func(*shm.Region, string) (H, error)) func(*shm.Region, string) (encoding.BinaryMarshaler, error) {
	return func(r *shm.Region, name string) (encoding.BinaryMarshaler, error) { return open(r, name) }
}

func zero[T any, P interface {
	*T
	encoding.BinaryUnmarshaler
}]() encoding.BinaryUnmarshaler {
	return P(new(T))
}

// What every kind's Open says.
func TestSyncOpen(t *testing.T) {
	r := feed(t, &shm.Options{Size: 1 << 20})
	for _, k := range kinds {
		testproc.Get(k.by(r, strings.ReplaceAll(k.kind, " ", "-")))(t)
	}
	unchanged(t, r)
	var rows []row
	for i, k := range kinds {
		open := func(r *shm.Region, name string) func() error { return func() error { return second(k.by(r, name)) } }
		say := func(object, text string) string { return "sync." + k.open + " feed" + object + text }
		other := kinds[(i+1)%len(kinds)]
		name := strings.ReplaceAll(other.kind, " ", "-")
		rows = append(rows,
			row{k.kind + " kind", open(r, name), shm.ErrMismatch, say("/"+name, another+"kind: "+k.kind+" here, "+other.kind+" in the region")},
			row{k.kind + " name", open(r, "a/b"), fs.ErrInvalid, say("/a/b", `: name "a/b", want 1 to 200 of A-Z a-z 0-9 . _ - (not . or ..): invalid argument`)},
			row{k.kind + " no name", open(r, ""), fs.ErrInvalid, say("", `: name "", want 1 to 200 of A-Z a-z 0-9 . _ - (not . or ..): invalid argument`)},
			row{k.kind + " typo", open(r.Existing(), "mutexx"), fs.ErrNotExist, say("/mutexx", `: no such object, did you mean "mutex" or "rmutex"? file does not exist`)},
			row{k.kind + " nil region", open(nil, "m"), fs.ErrInvalid, "sync." + k.open + " m: the region is nil or was not opened: invalid argument"},
		)
		b := testproc.Get(testproc.Get(k.by(r, strings.ReplaceAll(k.kind, " ", "-")))(t).MarshalBinary())(t)
		rows = append(rows, row{k.kind + " arrives as another", func() error { return other.zero().UnmarshalBinary(b) }, shm.ErrMismatch,
			strings.ReplaceAll(other.kind, " ", "") + ".UnmarshalBinary " + strings.ReplaceAll(k.kind, " ", "-") + another + "a handle on " + k.an + ", want one on " + other.an})
		rows = append(rows, row{k.kind + " zero", func() error { return second(k.zero().(encoding.BinaryMarshaler).MarshalBinary()) }, fs.ErrInvalid,
			strings.ReplaceAll(k.kind, " ", "") + ".MarshalBinary" + noHandle})
	}
	check(t, rows)
}

const noHandle = ": the handle was not made by an OpenX of package sync: invalid argument"

func TestSyncSettings(t *testing.T) {
	r := feed(t, &shm.Options{Size: 1 << 20})
	mu, other := testproc.Get(tsync.OpenMutex(r, "mu"))(t), testproc.Get(tsync.OpenMutex(r, "other"))(t)
	re := testproc.Get(tsync.OpenRMutex(r, "re"))(t)
	own := testproc.Get(tsync.OpenCond(r, "own", nil))(t)
	testproc.Get(tsync.OpenCond(r, "of-mu", mu))(t)
	testproc.Get(tsync.OpenCond(r, "of-re", re.NewHolder()))(t)
	testproc.Get(tsync.OpenBarrier(r, "bar", 3, nil))(t)
	away := testproc.Get(shm.Create("away", &shm.Options{Size: 1 << 20}))(t)
	defer away.Close()
	stranger := testproc.Get(tsync.OpenMutex(away, "mu"))(t)
	unchanged(t, r)
	cond := func(name string, l tsync.Lock) func() error {
		return func() error { return second(tsync.OpenCond(r, name, l)) }
	}
	barrier := func(name string, n int) func() error {
		return func() error { return second(tsync.OpenBarrier(r, name, n, nil)) }
	}
	semaphore := func(name string, n int) func() error {
		return func() error { return second(tsync.OpenSemaphore(r, name, n)) }
	}
	bounded := func(name string, n int) func() error {
		return func() error { return second(tsync.OpenBoundedSemaphore(r, name, n)) }
	}
	const o = "sync.OpenCond feed/"
	check(t, []row{
		{"own, mutex here", cond("own", mu), shm.ErrMismatch, o + "own" + another + "lock: mutex mu here, own in the region"},
		{"mutex, own here", cond("of-mu", nil), shm.ErrMismatch, o + "of-mu" + another + "lock: own here, mutex mu in the region"},
		{"another mutex", cond("of-mu", other), shm.ErrMismatch, o + "of-mu" + another + "lock: mutex other here, mutex mu in the region"},
		{"mutex, holder here", cond("of-mu", re.NewHolder()), shm.ErrMismatch, o + "of-mu" + another + "lock: rmutex re here, mutex mu in the region"},
		{"another's own", cond("of-re", own.Holder()), shm.ErrMismatch, o + "of-re" + another + "lock: cond own here, rmutex re in the region"},
		{"an RWMutex", cond("new", testproc.Get(new(tsync.RWMutex), nil)(t)), fs.ErrInvalid, o + "new: a *sync.RWMutex as its lock, want a *sync.Mutex, a *sync.Holder or nil: invalid argument"},
		{"nil mutex", cond("new", (*tsync.Mutex)(nil)), fs.ErrInvalid, o + "new" + noHandle},
		{"zero holder", cond("new", new(tsync.Holder)), fs.ErrInvalid, o + "new" + noHandle},
		{"another region's", cond("new", stranger), fs.ErrInvalid, o + "new: its lock away/mu is not the one in this region: invalid argument"},

		{"parties", barrier("bar", 4), shm.ErrMismatch, "sync.OpenBarrier feed/bar" + another + "parties: 4 here, 3 in the region"},
		{"no parties", barrier("new", 0), fs.ErrNotExist, "sync.OpenBarrier feed/new: 0 parties, and there is no barrier to take their number from: invalid argument, file does not exist"},
		{"fewer parties", barrier("new", -1), fs.ErrInvalid, "sync.OpenBarrier feed/new: -1 parties, want 1 to 1048576: invalid argument"},
		{"more parties", barrier("new", 1<<20+1), fs.ErrInvalid, "sync.OpenBarrier feed/new: 1048577 parties, want 1 to 1048576: invalid argument"},
		{"too many for the region", barrier("new", 1<<20), shm.ErrNoSpace, "sync.OpenBarrier feed/new: no space: # bytes needed, # free in the region (of #), # free in its file system"},

		{"fewer permits", semaphore("new", -2), fs.ErrInvalid, "sync.OpenSemaphore feed/new: -2 permits, want 0 to 16777215: invalid argument"},
		{"more permits", semaphore("new", 1<<24), fs.ErrInvalid, "sync.OpenSemaphore feed/new: 16777216 permits, want 0 to 16777215: invalid argument"},
		{"no count", semaphore("new", -1), fs.ErrNotExist, "sync.OpenSemaphore feed/new: there is none to take the count from: file does not exist"},
		{"fewer bounded", bounded("new", -2), fs.ErrInvalid, "sync.OpenBoundedSemaphore feed/new: -2 permits, want 0 to 16777215: invalid argument"},
		{"more bounded", bounded("new", 1<<24), fs.ErrInvalid, "sync.OpenBoundedSemaphore feed/new: 16777216 permits, want 0 to 16777215: invalid argument"},
		{"no bound", bounded("new", -1), fs.ErrNotExist, "sync.OpenBoundedSemaphore feed/new: there is none to take the count from: file does not exist"},
	})
}

// What a Cond says of a lock that was removed, and of one that was made anew.
func TestSyncLockRemoved(t *testing.T) {
	r := feed(t, nil)
	mu := testproc.Get(tsync.OpenMutex(r, "mu"))(t)
	testproc.Get(tsync.OpenCond(r, "c", mu))(t)
	if err := r.Remove("mu"); err != nil {
		t.Fatal(err)
	}
	check(t, []row{{"removed", func() error { return second(tsync.OpenCond(r, "c", mu)) }, fs.ErrNotExist, "sync.OpenCond feed/c: sync.OpenMutex feed/mu: no such object: file does not exist"}})
	testproc.Get(tsync.OpenMutex(r, "mu"))(t)
	check(t, []row{{"another", func() error { return second(tsync.OpenCond(r, "c", mu)) }, fs.ErrInvalid, "sync.OpenCond feed/c: its lock feed/mu is not the one in this region: invalid argument"}})
}

// Nothing is made where there is no room for it.
func TestSyncNoRoom(t *testing.T) {
	r := feed(t, &shm.Options{Objects: 1, Size: 1 << 20})
	testproc.Get(tsync.OpenEvent(r, "first"))(t)
	small := testproc.Get(shm.Create("small", &shm.Options{Size: 1 << 20}))(t)
	t.Cleanup(func() { small.Close() })
	for i, err := 0, error(nil); err == nil; i++ {
		if _, err = tsync.OpenBarrier(small, fmt.Sprint("large", i), 4000, nil); err != nil && !errors.Is(err, shm.ErrNoSpace) {
			t.Fatal(err)
		}
	}
	for i, err := 0, error(nil); err == nil; i++ {
		if _, err = tsync.OpenMutex(small, fmt.Sprint("small", i)); err != nil && !errors.Is(err, shm.ErrNoSpace) {
			t.Fatal(err)
		}
	}
	unchanged(t, r)
	unchanged(t, small)
	var rows []row
	for _, k := range kinds {
		rows = append(rows,
			row{k.kind + " entry", func() error { return second(k.by(r, "second")) }, shm.ErrNoSpace,
				"sync." + k.open + " feed/second: no space: an entry needed, 1 objects of at most 1 in the region, and 0 removed ones that somebody has open"},
			row{k.kind + " bytes", func() error { return second(k.by(small, "new")) }, shm.ErrNoSpace,
				"sync." + k.open + " small/new: no space: # bytes needed, # free in the region (of #), # free in its file system"})
	}
	check(t, rows)
}

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
	const notOwner, notLocked = ": not held by this process", ": not locked"
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
		{"another holder's wait", func() error { return a.c.Wait(ctx) }, tsync.ErrNotOwner, "cond.Wait feed/c: not locked by the caller: not held by this process"},
		{"another holder's notify", a.c.NotifyAll, tsync.ErrNotOwner, "cond.NotifyAll feed/c: not locked by the caller: not held by this process"},
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
	const notOwner, died = ": not held by this process", ": a holder died and nobody has repaired since"
	const notCaller = ": not locked by the caller: not held by this process"
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
