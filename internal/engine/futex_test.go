package engine_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

// A heapFutex is what the kernel's futexes are, for words of the Go heap.
type heapFutex struct {
	mu sync.Mutex
	q  map[*uint32][]chan struct{}
}

func newHeapFutex() *heapFutex { return &heapFutex{q: map[*uint32][]chan struct{}{}} }

// env is participant index's.
func (f *heapFutex) env(index, epoch uint32) engine.Env {
	return engine.Env{Self: engine.Self{Index: index, Epoch: epoch}, Wake: f.wake}
}

func (f *heapFutex) wake(w *uint32, n int) (woken int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for ; (n < 0 || woken < n) && len(f.q[w]) > 0; woken++ {
		close(f.q[w][0])
		f.q[w] = f.q[w][1:]
	}
	return woken
}

func (f *heapFutex) asleep(w *uint32) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.q[w])
}

// until waits for n sleepers on w.
func (f *heapFutex) until(t testing.TB, w *uint32, n int) {
	t.Helper()
	for start := time.Now(); f.asleep(w) != n; runtime.Gosched() {
		if time.Since(start) > time.Minute {
			t.Fatalf("%d asleep, want %d", f.asleep(w), n)
		}
	}
}

// A heapSleeper is an engine.TimedSleeper without any re-look: a wake-up that
// is lost stays lost.
type heapSleeper struct {
	f   *heapFutex
	ctx context.Context
}

func (s heapSleeper) Now() int64 { return time.Now().UnixNano() }
func (s heapSleeper) Spin() bool { runtime.Gosched(); return rand.IntN(4) > 0 }

func (s heapSleeper) Sleep(w *uint32, v uint32) error { return s.SleepUntil(w, v, 0) }

func (s heapSleeper) SleepUntil(w *uint32, v uint32, limit int64) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	s.f.mu.Lock()
	if mem.Load32(w) != v {
		s.f.mu.Unlock()
		return nil
	}
	c := make(chan struct{})
	s.f.q[w] = append(s.f.q[w], c)
	s.f.mu.Unlock()
	var late <-chan time.Time
	if limit != 0 {
		late = time.After(time.Duration(limit - s.Now()))
	}
	select {
	case <-c:
		return nil
	case <-s.ctx.Done():
	case <-late:
	}
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	for i, x := range s.f.q[w] {
		if x == c {
			s.f.q[w] = append(s.f.q[w][:i:i], s.f.q[w][i+1:]...)
		}
	}
	return s.ctx.Err()
}
