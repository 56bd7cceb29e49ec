package ring_test

import (
	"strings"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm/shmtest"
)

// Of a decoder that does not return the message is gone, and an encoder that does not return
// has sent nothing; neither has a lock.
func TestPipePanics(t *testing.T) {
	for name, codec := range map[string]ring.Codec{"cbor": nil, "codec": wildCodec{}} {
		ctx := testproc.Watchdog(t)
		left, right := bothEnds[wild](t, region(t), "p", &ring.PipeOptions{Codec: codec})
		for _, how := range []string{panics, exits, panics + strings.Repeat(" ", 8<<10)} {
			want := wanted(strings.TrimSpace(how))
			testproc.OK(t, left.Send(ctx, wild{how}))
			var err error
			if got := testproc.EndOf(func() { _, err = right.Recv(ctx) }); got != want {
				t.Fatalf("%s: Recv of one that does %.9q: %v, %v", name, how, got, err)
			}
			if got := testproc.EndOf(func() { err = left.Send(ctx, wild{"put " + strings.TrimSpace(how)}) }); got != want {
				t.Fatalf("%s: Send of one that does %.9q: %v, %v", name, how, got, err)
			}
			testproc.OK(t, left.Send(ctx, wild{"next"}))
			if v, err := right.Recv(ctx); v.says != "next" || err != nil {
				t.Errorf("%s: after one that does %.9q: %.9q, %v", name, how, v.says, err)
			}
		}
	}
}

// So it is with a broadcast, where it counts as seen.
func TestBroadcastPanics(t *testing.T) {
	for name, codec := range map[string]ring.Codec{"cbor": nil, "codec": wildCodec{}} {
		ctx := testproc.Watchdog(t)
		b := testproc.Get(ring.OpenBroadcast[wild](shmtest.Region(t), "b", &ring.BroadcastOptions{Mode: ring.Lossy, Capacity: 2, MaxMessage: 9 << 10, Codec: codec}))(t)
		s := testproc.Get(b.Subscribe())(t)
		for _, how := range []string{panics, exits, panics + strings.Repeat(" ", 8<<10)} {
			want := wanted(strings.TrimSpace(how))
			testproc.OK(t, b.Publish(ctx, wild{none})) // is missed
			testproc.OK(t, b.Publish(ctx, wild{how}))
			testproc.OK(t, b.Publish(ctx, wild{"next"}))
			var err error
			if got := testproc.EndOf(func() { _, _, err = s.Next(ctx) }); got != want {
				t.Fatalf("%s: Next of one that does %.9q: %v, %v", name, how, got, err)
			}
			if got := testproc.EndOf(func() { err = b.Publish(ctx, wild{"put " + strings.TrimSpace(how)}) }); got != want {
				t.Fatalf("%s: Publish of one that does %.9q: %v, %v", name, how, got, err)
			}
			if v, missed, err := s.Next(ctx); v.says != "next" || missed != 1 || err != nil {
				t.Errorf("%s: after one that does %.9q: %.9q, %d missed, %v", name, how, v.says, missed, err)
			}
		}
	}
}
