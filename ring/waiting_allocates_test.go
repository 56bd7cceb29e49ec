package ring_test

import (
	"context"
	"testing"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// A oneWay is what carries messages of which each comes once.
type oneWay struct {
	send, receive func(ctx context.Context) error
}

func spscWay(t *testing.T, r *shm.Region, name string) oneWay {
	s := openSPSC[pair](t, r, name, &ring.SPSCOptions{Capacity: 1})
	return oneWay{
		func(ctx context.Context) error { return s.Put(ctx, pair{}) },
		func(ctx context.Context) error { _, err := s.Get(ctx); return err },
	}
}

func spscBatchWay(t *testing.T, r *shm.Region, name string) oneWay {
	s := openSPSC[pair](t, r, name, &ring.SPSCOptions{Capacity: 1})
	in, out := make([]pair, 1), make([]pair, 1)
	return oneWay{
		func(ctx context.Context) error { _, err := s.PutBatch(ctx, in); return err },
		func(ctx context.Context) error { _, err := s.GetBatch(ctx, out); return err },
	}
}

func pipeWay(t *testing.T, r *shm.Region, name string) oneWay {
	left, right := bothEnds[big](t, r, name, &ring.PipeOptions{Buffer: 1024}) // room for one
	var b big
	return oneWay{
		func(ctx context.Context) error { return left.Send(ctx, b) },
		func(ctx context.Context) error { _, err := right.Recv(ctx); return err },
	}
}

func broadcastWay[T any](v T, o ring.BroadcastOptions) func(t *testing.T, r *shm.Region, name string) oneWay {
	return func(t *testing.T, r *shm.Region, name string) oneWay {
		b := testproc.Get(ring.OpenBroadcast[T](r, name, &o))(t)
		s := testproc.Get(b.Subscribe())(t)
		way := oneWay{
			func(ctx context.Context) error { return b.Publish(ctx, v) },
			func(ctx context.Context) error { _, _, err := s.Next(ctx); return err },
		}
		if o.Mode == ring.Lossy {
			way.send = func(context.Context) error { return b.TryPublish(v) }
		}
		return way
	}
}

// What waits allocates no more than what does not. A partner answers each message; there is
// room for one, or two, and three are sent before the first answer is received, so that
// those who send wait as well.
func TestWaitingAllocatesNothing(t *testing.T) {
	if mem.RaceEnabled {
		t.Skip("the race detector's build allocates otherwise")
	}
	const runs, sent = 100, 3
	for _, tt := range []struct {
		name string
		most float64 // of a run: the messages themselves, where they are []byte
		open func(t *testing.T, r *shm.Region, name string) oneWay
	}{
		{"SPSC", 0, spscWay},
		{"SPSC, batches", 0, spscBatchWay},
		{"pipe", 0, pipeWay},
		{"broadcast", 0, broadcastWay(quote{1, 2}, ring.BroadcastOptions{Capacity: 1})},
		{"broadcast, several blocks", 2 * sent, broadcastWay(make([]byte, 200), ring.BroadcastOptions{Capacity: 8, Buffer: 512, MaxMessage: 200})},
		{"broadcast, attempts, Lossy", 0, broadcastWay(quote{1, 2}, ring.BroadcastOptions{Mode: ring.Lossy, Capacity: 4})},
		{"broadcast, attempts, Lossy, several blocks", 2 * sent, broadcastWay(make([]byte, 200), ring.BroadcastOptions{Mode: ring.Lossy, Capacity: 8, Buffer: 2048, MaxMessage: 200})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := region(t)
			there, back := tt.open(t, r, "there"), tt.open(t, r, "back")
			ctx := context.Background() // another costs a wait what context.AfterFunc does
			answered := make(chan error, 1)
			go func() {
				var err error
				for n := 0; n < (runs+1)*sent && err == nil; n++ { // AllocsPerRun has one more
					if err = there.receive(ctx); err == nil {
						err = back.send(ctx)
					}
				}
				answered <- err
			}()
			n := testing.AllocsPerRun(runs, func() {
				for range sent {
					testproc.OK(t, there.send(ctx))
				}
				for range sent {
					testproc.OK(t, back.receive(ctx))
				}
			})
			testproc.OK(t, <-answered)
			if n > tt.most {
				t.Errorf("%v allocations, want %v at most", n, tt.most)
			}
		})
	}
}
