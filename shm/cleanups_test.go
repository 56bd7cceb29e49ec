package shm

import (
	"context"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
)

// A cleanup of the program's that blocks is waited for once, and not by a call whose context
// ends, or whose region is closed; those that come later are, when it has run.
func TestCleanupThatBlocks(t *testing.T) {
	was := debug.SetGCPercent(-1) // so that no more are due
	t.Cleanup(func() { debug.SetGCPercent(was) })
	a := newHeapRegion(t, 1<<20, 2, 8).attach(0).a
	block := func() (release func()) {
		begun, over := make(chan bool), make(chan bool)
		runtime.AddCleanup(new([1]*int), func(int) {
			close(begun)
			<-over
		}, 0)
		collectUntil(t, func() bool {
			select {
			case <-begun:
				return true
			default:
				return false
			}
		})
		return func() { close(over) }
	}
	vain.Store(0)
	release := block()
	a.cleanupLimit = testproc.Patience
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if a.awaitCleanups(ctx) || ctx.Err() == nil {
		t.Error("the cleanup has run, as one whose context ended is told")
	}
	a.cleanupLimit = time.Millisecond
	if a.awaitCleanups(t.Context()) {
		t.Error("the cleanup has run, as one is told that has waited long enough")
	}
	a.cleanupLimit = testproc.Patience
	begun := time.Now()
	if a.awaitCleanups(t.Context()) || time.Since(begun) >= a.cleanupLimit {
		t.Error("one that comes later waits for it, too")
	}
	release()
	release = block()
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(10*cleanupShort, cancel)
	if a.awaitCleanups(ctx) || ctx.Err() == nil {
		t.Error("the next one that blocks is not waited for")
	}
	time.AfterFunc(10*time.Millisecond, a.gate.Shut)
	begun = time.Now()
	if a.awaitCleanups(t.Context()) || time.Since(begun) >= a.cleanupLimit {
		t.Error("the cleanup has run, as one is told whose region was closed")
	}
	release()
}

// Who has waited for another in vain until its time was over looks once more at what this
// process has let go of meanwhile, and no more often, whatever it finds.
func TestLateLook(t *testing.T) {
	_, other := removedByOther(t)
	s := &search{a: other.a, until: time.Now().Add(-time.Second)}
	if !s.again() {
		t.Error("it does not look at what only garbage has open")
	}
	s.ended-- // as if another use had ended since
	if s.again() {
		t.Error("it looks without end")
	}
}

// Of many who find no room at once one collects garbage.
func TestManyDropGarbage(t *testing.T) {
	_, other := removedByOther(t)
	a := other.a
	a.uses.mu.Lock()
	const calls = 10
	done := make(chan uint64, calls)
	for range calls {
		go func() { done <- a.dropGarbage() }()
	}
	stacks := make([]byte, 1<<20)
	for all, end := 0, time.Now().Add(testproc.Patience); all < calls; time.Sleep(time.Millisecond) { // that each has come to the lock
		if all = 0; time.Now().After(end) {
			t.Fatalf("not all collect, or wait to:\n%s", stacks)
		}
		for _, one := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			if strings.Contains(one, "dropGarbage") && strings.Contains(one, "[sync.Mutex.Lock") {
				all++
			}
		}
	}
	begun := a.uses.begun.Load()
	a.uses.mu.Unlock()
	for range calls {
		if ended := <-done; ended != 1 {
			t.Errorf("%d uses have ended, as one is told, want 1", ended)
		}
	}
	if n := a.uses.begun.Load() - begun; n != 1 {
		t.Errorf("garbage was collected %d times", n)
	}
}
