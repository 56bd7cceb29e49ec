package ring_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
)

// A message that takes the whole pipe gets its turn among short ones, of which others send
// as many as there is room for, though there is never room for it while they do.
func TestPipeLongAmongShort(t *testing.T) {
	const buffer, most = 4096, 20_000
	ctx := testproc.Watchdog(t)
	left, right := bothEnds[[]byte](t, region(t), "pipe", &ring.PipeOptions{Direction: ring.OneWay, Buffer: buffer})
	var over atomic.Bool
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for !over.Load() {
				if err := left.Send(ctx, make([]byte, 8)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	long := make(chan error, 1)
	shorts := 0
	var began time.Time
	for begun := false; ; shorts++ {
		b, err := right.Recv(ctx)
		testproc.OK(t, err)
		if len(b) > 8 {
			break
		}
		if shorts >= most && begun && time.Since(began) > testproc.Patience/2 { // it may have had no processor
			t.Errorf("%d short messages came, and the long one has not", shorts)
			break
		}
		if shorts > buffer/16 && !begun { // they are at it
			begun, began = true, time.Now()
			wg.Go(func() { long <- left.Send(ctx, make([]byte, buffer-8)) })
		}
		time.Sleep(time.Microsecond) // slower than they are
	}
	over.Store(true)
	go func() {
		wg.Wait()
		left.Close()
	}()
	for {
		if _, err := right.Recv(ctx); err != nil {
			break
		}
	}
	testproc.OK(t, <-long)
	t.Logf("the long one came after %d short ones", shorts)
}
