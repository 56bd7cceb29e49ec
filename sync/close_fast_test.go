package sync_test

import (
	"context"
	"errors"
	"testing"

	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// Calls that meet nobody look at little. Through a handle that is closed they take
// and tell nothing all the same, whatever they have seen before.
func TestClosedHandleMeetsNobody(t *testing.T) {
	r := shmtest.Region(t)
	nothing := func(context.Context) error { return nil }
	m, rm, rw, e, o := mutex(t, r, "m"), rmutex(t, r, "rm"), rwmutex(t, r, "rw"), event(t, r, "e"), once(t, r, "o")
	h, again := rm.NewHolder(), rmutex(t, r, "again")
	deep := again.NewHolder()
	l := mutex(t, r, "l")
	c, err := sync.OpenCond(r, "c", l)
	must(t, err)
	must(t, l.Lock(background))
	must(t, deep.Lock(background))
	must(t, e.Set())
	calls := map[string]func() error{
		"Mutex.Lock":     func() error { return m.Lock(background) },
		"Mutex.TryLock":  func() error { _, err := m.TryLock(); return err },
		"Holder.Lock":    func() error { return h.Lock(background) },
		"RWMutex.Lock":   func() error { return rw.Lock(background) },
		"RWMutex.RLock":  func() error { return rw.RLock(background) },
		"Event.Wait":     func() error { return e.Wait(background) },
		"Once.Do":        func() error { return o.Do(background, nothing) },
		"Cond.Notify":    func() error { return c.Notify(1) },
		"Cond.NotifyAll": func() error { return c.NotifyAll() },
		"again":          func() error { return deep.Lock(background) },
	}
	undo := map[string]func() error{
		"Mutex.Lock": m.Unlock, "Mutex.TryLock": m.Unlock, "Holder.Lock": h.Unlock, "RWMutex.Lock": rw.Unlock,
		"RWMutex.RLock": rw.RUnlock, "again": deep.Unlock,
	}
	for name, call := range calls {
		for range 2 {
			if err := call(); err != nil {
				t.Fatalf("%s = %v", name, err)
			}
			if f := undo[name]; f != nil {
				must(t, f())
			}
		}
	}
	for _, x := range []interface{ Close() error }{m, rm, rw, e, o, c, again} {
		must(t, x.Close())
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, shm.ErrClosed) {
			t.Errorf("%s through a closed handle = %v, want ErrClosed", name, err)
		}
	}
	if e.IsSet() {
		t.Error("IsSet through a closed handle")
	}
	for _, want := range []int{1, 0} { // which is one Lock's
		if d := deep.Depth(); d != want {
			t.Errorf("a holder of a closed handle is %d deep, want %d", d, want)
		}
		if want > 0 {
			must(t, deep.Unlock())
		}
	}
	for name, l := range map[string]interface{ TryLock() (bool, error) }{"mutex": mutex(t, r, "m"), "rwmutex": rwmutex(t, r, "rw"),
		"rmutex": rmutex(t, r, "rm").NewHolder(), "the one that was locked again": rmutex(t, r, "again").NewHolder()} {
		if ok, err := l.TryLock(); !ok || err != nil {
			t.Errorf("the %s is not free: %v, %v", name, ok, err)
		}
	}
}
