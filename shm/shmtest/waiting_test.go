package shmtest_test

import (
	"context"
	"testing"

	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

func TestWaiting(t *testing.T) {
	r := shmtest.Region(t)
	m, err := sync.OpenMutex(r, "m")
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if err := m.Lock(ctx); err != nil {
		t.Fatal(err)
	}
	for _, object := range []string{"m", "", "none"} {
		if n := shmtest.Waiting(r, object); n != 0 {
			t.Errorf("%d wait for %q before anybody does", n, object)
		}
		shmtest.AwaitWaiting(t, r, object, 0)
	}
	const n = 5
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error)
	for range n {
		go func() { ended <- m.Lock(ctx) }()
	}
	shmtest.AwaitWaiting(t, r, "m", n)
	if got := shmtest.Waiting(r, "m"); got != n {
		t.Errorf("%d wait, want %d", got, n)
	}
	cancel()
	for range n {
		if err := <-ended; err == nil {
			t.Error("locked what is held")
		}
	}
	if got := shmtest.Waiting(r, "m"); got != 0 {
		t.Errorf("%d wait when all have given up", got)
	}
	if err := m.Unlock(); err != nil {
		t.Error(err)
	}
}
