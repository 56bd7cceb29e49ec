package shm

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"example.com/tandem/internal/object"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/testproc"
)

// rest waits until a has done what it was asked to tidy.
func rest(t *testing.T, a *attachment) {
	t.Helper()
	for end := time.Now().Add(testproc.Patience); a.tidying.state.Load() != choreNone; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it is never tidy")
		}
	}
}

func comesBackSoon(t *testing.T, path string, empty int64) {
	t.Helper()
	for end := time.Now().Add(testproc.Patience); blocks(t, path) > empty+64<<10; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("the file still takes %d bytes, want some %d", blocks(t, path), empty)
			return
		}
	}
}

// All handles are closed and nothing reaches them, and then the only process
// removes the object.
func TestClosedThenRemovedAlone(t *testing.T) {
	r, path := newRegion(t, &Options{Size: 64 << 20})
	empty := blocks(t, path)
	func() { openOK(t, r, sizedSpec("big", bigObject)).Close() }()
	rest(t, r.a)
	if err := r.Remove("big"); err != nil {
		t.Fatal(err)
	}
	comesBackSoon(t, path, empty)
}

// An object of which a closed handle was still reached when the collector
// looked for another one's sake, while it was not even removed.
func TestKeptWhileLive(t *testing.T) {
	r, path := newRegion(t, &Options{Size: 64 << 20})
	empty := blocks(t, path)
	first := openOK(t, r, sizedSpec("big", bigObject))
	first.Close()
	func() {
		c := openOK(t, r, sizedSpec("small", 100))
		if err := r.Remove("small"); err != nil {
			t.Fatal(err)
		}
		c.Close() // the collector looks
	}()
	rest(t, r.a)
	r.a.uses.mu.Lock()
	if n := r.a.uses.m[first.Entry].kept.n; n != 0 {
		t.Errorf("it was looked for %d times", n)
	}
	r.a.uses.mu.Unlock()
	first.KeepAlive()
	first = nil
	func() {
		again := openOK(t, r, sizedSpec("big", bigObject)) // may be a new Core or the same
		if err := r.Remove("big"); err != nil {
			t.Fatal(err)
		}
		again.Close() // the last one of a removed object: the collector is to look at once
	}()
	comesBackSoon(t, path, empty)
}

// Several removed objects, whose handles are closed one after the other: some
// while the collector is at work for the first.
func TestClosedWhileTheCollectorLooks(t *testing.T) {
	r, path := newRegion(t, &Options{Size: 128 << 20})
	empty := blocks(t, path)
	var cores [8]*object.Core
	for i := range cores {
		name := string(rune('a' + i))
		cores[i] = openOK(t, r, sizedSpec(name, bigObject))
		if err := r.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	closeOne := func(i int) {
		c := cores[i]
		cores[i] = nil
		c.Close()
	}
	for i := range cores {
		closeOne(i)
		time.Sleep(100 * time.Microsecond)
	}
	comesBackSoon(t, path, empty)
}

// A process whose collector is at work, for as long as that takes, keeps no other
// from the directory's lock.
func TestCollectionHoldsNobodyUp(t *testing.T) {
	h := newHeapRegion(t, 1<<20, 4, 16)
	r, other := h.attach(0), h.attach(1)
	openOK(t, r, lockOf("a")).Close()
	r.a.uses.mu.Lock() // as the collection does
	busy := make(chan bool)
	for _, do := range []func(){
		func() { openOK(t, r, lockOf("b")) },
		func() {
			if err := r.Remove("a"); err != nil {
				t.Error(err)
			}
		},
	} {
		go func() { do(); busy <- true }()
	}
	awaitMutexWaiter(t)
	done := make(chan bool)
	go func() {
		openOK(t, other, lockOf("c"))
		if err := other.Remove("c"); err != nil {
			t.Error(err)
		}
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(testproc.Patience):
		t.Error("another process waits for the lock")
	}
	r.a.uses.mu.Unlock()
	<-busy
	<-busy
	if _, ok, err := r.a.locate(&object.Spec{Name: "b"}, region.HashName("b")); !ok || err != nil {
		t.Errorf("b is there: %v, %v", ok, err)
	}
}

// awaitMutexWaiter waits until a goroutine that the test has made waits for a
// sync.Mutex.
func awaitMutexWaiter(t *testing.T) {
	t.Helper()
	buf := make([]byte, 1<<20)
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "(*Mutex).lockSlow") && strings.Contains(g, "created by") && strings.Contains(g, t.Name()) {
				return
			}
		}
		if time.Since(start) > testproc.Patience {
			t.Fatalf("nobody waits for the mutex:\n%s", buf[:runtime.Stack(buf, true)])
		}
	}
}
