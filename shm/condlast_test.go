package shm

import (
	"fmt"
	"runtime"
	"testing"
	"unsafe"
	"weak"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/testproc"
)

// Who waits on a Cond looks at its lock when the Cond wakes it, and then not for
// half a second. So a Cond is told of a death when its lock is abandoned
// already, wherever the two are in the directory.

const condLocks = 60

// condAmongLocks has r open a Cond between two halves of many mutexes, and take
// them all.
func condAmongLocks(t *testing.T, r *Region) (cond *object.Core, locks []*engine.Mutex) {
	t.Helper()
	spec := object.Spec{Op: "test.Open", Kind: engine.KindCond, Name: "cond",
		Create: func(participants int) ([]object.Field, uint64, func(mem.Area), error) {
			return nil, engine.CondSize(participants), engine.InitCond, nil
		}}
	for i := range condLocks {
		if i == condLocks/2 {
			cond = openOK(t, r, spec)
		}
		core := openOK(t, r, lockOf(fmt.Sprint("lock", i)))
		m := testproc.Get(engine.AttachMutex(core.Area, core.Env))(t)
		if ok, err := m.TryLock(); !ok || err != nil {
			t.Fatal(ok, err)
		}
		locks = append(locks, m)
	}
	return cond, locks
}

// afterLocks is an Env's Wake that fails the test if it wakes for the Cond
// while a lock is held.
func afterLocks(t *testing.T, cond mem.Area, locks []*engine.Mutex, told *int) func(*uint32, int) int {
	from := uintptr(cond.Ptr(0, 1))
	return func(w *uint32, n int) int {
		if at := uintptr(unsafe.Pointer(w)); at < from || at >= from+uintptr(cond.Size()) {
			return 0
		}
		*told++
		for i, m := range locks {
			if !m.Abandoned() {
				t.Fatalf("the Cond is told while lock %d of %d is held", i, len(locks))
			}
		}
		return 0
	}
}

func TestCondsAreRecoveredLast(t *testing.T) {
	h := newHeapRegion(t, 1<<20, 4, 100)
	dead := h.attach(1)
	cond, locks := condAmongLocks(t, dead)
	told := 0
	w := words{region.On(h.Area, h.g)}
	if !w.recoverObjects(engine.Env{Wake: afterLocks(t, cond.Area, locks, &told)}, dead.a.self) {
		t.Error("recoverObjects = false")
	}
	if told == 0 {
		t.Error("the Cond was not told")
	}
	runtime.KeepAlive(dead)
}

// The same where a process ends its use of what others have removed.
func TestUsesOfCondsEndLast(t *testing.T) {
	h := newHeapRegion(t, 1<<20, 4, 100)
	r, other := h.attach(1), h.attach(2)
	cond, locks := condAmongLocks(t, r)
	area := cond.Area
	told := 0
	r.a.env.Wake = afterLocks(t, area, locks, &told)
	for i := range condLocks {
		if err := other.Remove(fmt.Sprint("lock", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.Remove("cond"); err != nil {
		t.Fatal(err)
	}
	for i := range r.a.uses.m { // as when the collector has been there
		r.a.uses.m[i].core = weak.Pointer[object.Core]{}
	}
	r.a.sweep()
	if told == 0 {
		t.Error("the Cond was not told")
	}
	if n := len(r.a.uses.m); n != 0 {
		t.Errorf("%d uses left", n)
	}
	runtime.KeepAlive(cond)
}
