package wait

import (
	"context"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestCloseEndsAll(t *testing.T) {
	const n = 200
	l, page := NewList(), make([]*uint32, 8)
	for i := range page {
		page[i] = word(t)
	}
	errs := make(chan error, n)
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	for i := range n {
		c := background
		if i%2 == 0 {
			c = ctx
		}
		go func() { errs <- await(l, c, page[i%len(page)], 0) }()
	}
	until(t, "all asleep", func() bool { return l.Sleeping() == n })
	var closers sync.WaitGroup
	for range 2 {
		closers.Go(func() {
			l.Close()
			if s := l.Sleeping(); s != 0 {
				t.Errorf("%d asleep after Close", s)
			}
		})
	}
	closers.Wait()
	for range n {
		select {
		case err := <-errs:
			if err != ErrClosed {
				t.Errorf("await = %v, want ErrClosed", err)
			}
		case <-time.After(patience):
			t.Fatal("a sleeper did not hear of Close")
		}
	}
	if !l.Closed() {
		t.Error("Closed is false")
	}
	if err := await(l, ctx, page[0], 0); err != ErrClosed {
		t.Errorf("await after Close = %v, want ErrClosed", err)
	}
	l.Close()
}

// After Close the memory may go: here it does, at once.
func TestCloseThenUnmap(t *testing.T) {
	for range 50 {
		p, err := unix.MmapPtr(-1, 0, nil, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
		if err != nil {
			t.Fatal(err)
		}
		l, w := NewList(), (*uint32)(p)
		errs := make(chan error)
		for range 3 {
			go func() {
				wt := l.Waiter(background)
				defer wt.Done()
				for {
					if err := wt.Sleep(w, 0); err != nil {
						errs <- err
						return
					}
				}
			}()
		}
		until(t, "a sleeper", func() bool { return l.Sleeping() > 0 })
		l.Close()
		unix.MunmapPtr(p, 4096)
		for range 3 {
			if err := <-errs; err != ErrClosed {
				t.Fatalf("Sleep = %v, want ErrClosed", err)
			}
		}
	}
}
