package sync_test

import (
	"testing"

	"example.com/tandem/shm/shmtest"
)

// A writer that sleeps until readers have left is woken by the last of them.
func TestRWMutexDrains(t *testing.T) {
	r := shmtest.Region(t)
	m := rwmutex(t, r, "m")
	must(t, m.RLock(background))
	must(t, m.RLock(background))
	written := make(chan error, 1)
	go func() { written <- m.Lock(t.Context()) }()
	shmtest.AwaitWaiting(t, r, "m", 1)
	must(t, m.RUnlock())
	must(t, m.RUnlock())
	must(t, <-written)
	must(t, m.Unlock())
}
