package sync_test

import (
	"errors"
	"io/fs"
	"testing"

	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// Close wakes who waits, and ends every handle.
func TestCondRegionCloses(t *testing.T) {
	eachLock(t, func(t *testing.T, r *shm.Region, claim func() (*sync.Cond, sync.Lock)) {
		c, l := claim()
		told := make(chan error, 5)
		for range 2 {
			waitOn(background, claim, told)
		}
		awaitWaiting(t, r, "c", 2)
		must(t, l.Lock(background)) // one is notified and waits for the lock
		must(t, c.Notify(1))
		waiters(t, 2)
		h := c.Holder()
		must(t, r.Close())
		for range 2 {
			if err := <-told; !errors.Is(err, shm.ErrClosed) {
				t.Errorf("a waiter in a region that closes is told %v", err)
			}
		}
		_, openErr := sync.OpenCond(r, "c", nil)
		_, mutexErr := sync.OpenCond(r, "c", l)
		_, marshalErr := c.MarshalBinary()
		yes := func() bool { return true }
		for name, err := range map[string]error{"Wait": c.Wait(background), "WaitFor": c.WaitFor(background, yes),
			"Notify": c.Notify(1), "NotifyAll": c.NotifyAll(), "OpenCond": openErr, "OpenCond with a lock": mutexErr,
			"MarshalBinary": marshalErr} {
			if !errors.Is(err, shm.ErrClosed) {
				t.Errorf("%s in a closed region = %v", name, err)
			}
		}
		if h != nil && !errors.Is(h.Lock(background), shm.ErrClosed) {
			t.Error("a holder of the own lock locks in a closed region")
		}
		r, err := shm.Open(r.Name(), nil)
		must(t, err)
		t.Cleanup(func() { r.Close() })
		if n, _ := condWaiting(t, r, "c"); n != 0 {
			t.Errorf("%d wait after all have left", n)
		}
	})
}

// otherLock is a Lock that a Cond cannot have.
type otherLock struct{ *sync.Mutex }

// Beside what any OpenX refuses: see test/handles.
func TestOpenCondErrors(t *testing.T) {
	r, elsewhere := shmtest.Region(t), shmtest.Region(t)
	m, h := mutex(t, r, "m"), rmutex(t, r, "r").NewHolder()
	for name, l := range map[string]sync.Lock{"with-none": nil, "with-m": m, "with-h": h} {
		cond(t, r, name, l)
		for _, other := range []sync.Lock{nil, m, h, mutex(t, r, "m2"), rmutex(t, r, "r2").NewHolder()} {
			if _, err := sync.OpenCond(r, name, other); other == l != (err == nil) || err != nil && !errors.Is(err, shm.ErrMismatch) {
				t.Errorf("OpenCond %s with %T = %v", name, other, err)
			}
		}
	}
	var noMutex *sync.Mutex
	var noHolder *sync.Holder
	for name, l := range map[string]sync.Lock{"a foreign type": otherLock{m}, "a nil mutex": noMutex, "a nil holder": noHolder,
		"a zero mutex": new(sync.Mutex), "a zero holder": new(sync.Holder), "a foreign mutex": mutex(t, elsewhere, "m"),
		"a foreign holder": cond(t, elsewhere, "new", nil).Holder()} {
		if _, err := sync.OpenCond(r, "new", l); !errors.Is(err, fs.ErrInvalid) && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("OpenCond with %s = %v", name, err)
		}
	}
}

// A Cond arrives with its lock, and waits through whichever holder has it.
func TestCondTravels(t *testing.T) {
	eachLock(t, func(t *testing.T, r *shm.Region, claim func() (*sync.Cond, sync.Lock)) {
		c, l := claim()
		b, err := c.MarshalBinary()
		must(t, err)
		var other sync.Cond
		must(t, other.UnmarshalBinary(b))
		if (other.Holder() == nil) != (c.Holder() == nil) {
			t.Error("what arrived has another lock")
		}
		if err := other.Notify(1); !errors.Is(err, sync.ErrNotLocked) {
			t.Errorf("Notify without the lock = %v", err)
		}
		told := make(chan error, 1)
		waitOn(patience(t), func() (*sync.Cond, sync.Lock) { _, l := claim(); return &other, l }, told)
		awaitWaiting(t, r, "c", 1)
		must(t, l.Lock(background))
		must(t, other.Notify(1))
		must(t, l.Unlock())
		must(t, <-told)
		if err := new(sync.RMutex).UnmarshalBinary(b); !errors.Is(err, shm.ErrMismatch) {
			t.Errorf("a cond arrives as an rmutex: %v", err)
		}
		if c.Holder() == nil {
			must(t, r.Remove("c.lock"))
			if err := new(sync.Cond).UnmarshalBinary(b); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a Cond arrives whose lock was removed: %v", err)
			}
		}
	})
}

// Two conditions of one lock, which is the own one of the first.
func TestCondSharesAnOwnLock(t *testing.T) {
	r := shmtest.Region(t)
	full := cond(t, r, "full", nil)
	h := full.Holder()
	empty := cond(t, r, "empty", h)
	must(t, h.Lock(background))
	told := make(chan error)
	go func() { told <- empty.Wait(patience(t)) }()
	awaitWaiting(t, r, "empty", 1)
	b, err := empty.MarshalBinary()
	must(t, err)
	var arrived sync.Cond
	must(t, arrived.UnmarshalBinary(b))
	other := full.Holder()
	must(t, other.Lock(background))
	must(t, full.NotifyAll())
	if n, notified := condWaiting(t, r, "empty"); n != 1 || notified != 0 {
		t.Errorf("%d wait and %d are notified by the other condition", n, notified)
	}
	must(t, arrived.NotifyAll())
	must(t, other.Unlock())
	must(t, <-told)
	depth(t, h, 1)
}
