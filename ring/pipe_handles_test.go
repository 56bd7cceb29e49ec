package ring_test

import (
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/sync"
)

// Handles travel in messages, too, to whatever process has the region open.
func TestHandlesInMessages(t *testing.T) {
	type order struct {
		What   string
		Answer *ring.Queue[string]
		Mutex  *sync.Mutex
	}
	r := region(t)
	left := testproc.Get(ring.OpenPipe[order](r, "orders", ring.Left, nil))(t)
	right := testproc.Get(ring.OpenPipe[order](r, "orders", ring.Right, nil))(t)
	answers := testproc.Get(ring.OpenQueue[string](r, "answers", nil))(t)
	m := testproc.Get(sync.OpenMutex(r, "m"))(t)
	testproc.OK(t, left.Send(bg, order{"count", answers, m}))
	o := testproc.Get(right.Recv(bg))(t)
	testproc.OK(t, o.Mutex.Lock(bg))
	if ok, err := m.TryLock(); ok || err != nil {
		t.Errorf("TryLock = %v, %v", ok, err)
	}
	testproc.OK(t, o.Answer.Put(bg, o.What+": 1"))
	if got := testproc.Get(answers.Get(bg))(t); got != "count: 1" {
		t.Errorf("the answer is %q", got)
	}
	testproc.OK(t, o.Mutex.Unlock())
}
