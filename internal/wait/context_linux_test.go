package wait

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

func TestContextEndedBefore(t *testing.T) {
	l, w := NewList(), word(t)
	ctx, cancel := context.WithCancel(background)
	cancel()
	if err := await(l, ctx, w, 0); err != context.Canceled {
		t.Errorf("await = %v, want context.Canceled", err)
	}
	past, cancel := context.WithDeadline(background, time.Now().Add(-time.Hour))
	defer cancel()
	if err := await(l, past, w, 0); err != context.DeadlineExceeded {
		t.Errorf("await = %v, want context.DeadlineExceeded", err)
	}
}

func TestContextEndsDuring(t *testing.T) {
	l, w := NewList(), word(t)
	cause := errors.New("the cause")
	for i := range 100 {
		ctx, cancel := context.WithCancelCause(background)
		errs := make(chan error)
		go func() { errs <- await(l, ctx, w, 0) }()
		if i%2 == 0 {
			until(t, "a sleeper", func() bool { return l.Sleeping() == 1 })
		}
		cancel(cause)
		select {
		case err := <-errs:
			if err != context.Canceled {
				t.Fatalf("await = %v, want context.Canceled", err)
			}
		case <-time.After(patience):
			t.Fatal("the context's end was not heard")
		}
	}
}

// A context that is cancelled must not end another wait of the same Waiter,
// whose nudge word it still knows.
func TestLateCallbackIsHarmless(t *testing.T) {
	l, w := NewList(), word(t)
	for range 100 {
		ctx, cancel := context.WithCancel(background)
		wt := l.Waiter(ctx)
		go cancel()
		for wt.Sleep(w, 0) == nil {
		}
		raise := wt.raise
		wt.Done()
		again := l.Waiter(background)
		if again != wt {
			again.Done()
			continue // a parallel test took it
		}
		up, over := make(chan bool), make(chan bool)
		go func() {
			defer close(over)
			raise()
			for {
				select {
				case <-up:
					return
				case <-time.After(50 * time.Microsecond):
					Wake(w, 1)
				}
			}
		}()
		if err := again.Sleep(w, 0); err != nil {
			t.Fatalf("Sleep = %v by the end of somebody else's context", err)
		}
		close(up)
		<-over
		again.Done()
	}
}

func TestDeadlineIsNeverEarly(t *testing.T) {
	l, w := NewList(), word(t)
	var worst time.Duration
	for i := range 60 {
		d := time.Duration(i%6) * 2 * time.Millisecond
		ctx, cancel := context.WithTimeout(background, d)
		end, _ := ctx.Deadline()
		err := await(l, ctx, w, 0)
		late := time.Since(end)
		cancel()
		if err != context.DeadlineExceeded {
			t.Fatalf("await = %v, want context.DeadlineExceeded", err)
		}
		if late < 0 {
			t.Fatalf("the wait of %v ended %v early", d, -late)
		}
		worst = max(worst, late)
	}
	t.Logf("late by at most %v", worst)
}

func TestFarDeadline(t *testing.T) {
	l, w := NewList(), word(t)
	ctx, cancel := context.WithDeadline(background, time.Unix(1<<40, 0))
	defer cancel()
	errs := make(chan error)
	go func() { errs <- await(l, ctx, w, 0) }()
	inKernel(t, w, 1)
	atomic.StoreUint32(w, 1)
	Wake(w, 1)
	if err := <-errs; err != nil {
		t.Errorf("await = %v", err)
	}
}
