package messages_test

import (
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
				"sync." + k.open + " feed/second: no space: an entry needed, 1 objects of at most 1 in the region (Options.Objects, when it was made), and 0 removed ones or connections that somebody has open"},
			row{k.kind + " bytes", func() error { return second(k.by(small, "new")) }, shm.ErrNoSpace,
				"sync." + k.open + " small/new: no space: # bytes needed, # free in the region (of #), # free in its file system"})
	}
	check(t, rows)
}
