package shm

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A cleanup of the program's that blocks is waited for once, and not by a call whose context
// ends, or whose region is closed.
func TestCleanupThatBlocks(t *testing.T) {
	was := cleanupLimit
	defer func() { cleanupLimit = was }()
	r := newHeapRegion(t, 1<<20, 2, 8).attach(0)
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
	ctx, cancel := context.WithCancel(t.Context())
	cleanupLimit = time.Hour
	time.AfterFunc(10*time.Millisecond, cancel)
	if r.a.awaitCleanups(ctx) {
		t.Error("the cleanup has run, as one whose context ended is told")
	}
	cleanupLimit = time.Millisecond
	if r.a.awaitCleanups(t.Context()) {
		t.Error("the cleanup has run, as one is told that has waited long enough")
	}
	cleanupLimit = time.Hour
	if r.a.awaitCleanups(t.Context()) {
		t.Error("the cleanup has run, as one is told that comes later")
	}
	stuck.Store(0)
	if r.a.awaitCleanups(t.Context()) {
		t.Error("the cleanup has run, as one is told that comes when others have run")
	}
	left.Store(0)
	time.AfterFunc(10*time.Millisecond, r.a.gate.Shut)
	if r.a.awaitCleanups(t.Context()) {
		t.Error("the cleanup has run, as one is told whose region was closed")
	}
	close(over)
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
	for all := 0; all < calls; time.Sleep(time.Millisecond) { // that each has come to the lock
		all = 0
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
