package ring_test

import (
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
)

// A listener that was closed leaves nothing, though a connection that it accepted goes on.
func TestListenerLeavesItsConnections(t *testing.T) {
	r := region(t)
	watch := testproc.Watchdog(t)
	l := listen(t, r, "svc", &ring.ListenOptions{Buffer: 4096})
	d, a := meet(t, r, "svc", l)
	testproc.OK(t, l.Close())
	l = listen(t, r, "svc", &ring.ListenOptions{Buffer: 8192}) // an object anew
	for testproc.Get(r.Snapshot())(t).Directory.Removed > 0 {
		if watch.Err() != nil {
			t.Fatalf("the first listener's object is there yet:\n%v", testproc.Get(r.Snapshot())(t))
		}
		time.Sleep(time.Millisecond)
	}
	speaks(t, d, a, "hello")
	testproc.OK(t, l.Close())
}
