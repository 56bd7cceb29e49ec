package engine

import (
	"runtime"
	"testing"
)

// Who closes the last handle on an end waits for a copy of its process's own, however long
// that takes: only then is the end gone.
func TestPipeCloseAwaitsACopy(t *testing.T) {
	defer func(most int) { copyingMost = most }(copyingMost)
	copyingMost = 100
	for _, sends := range []bool{true, false} {
		left, right := heapEnds(t, PipeConfig{Buffer: 64, Participants: 2}, Env{Self: Self{Index: 1, Epoch: 1}, Wake: func(*uint32, int) int { return 0 }})
		h, other := left, right
		var over func()
		if sends {
			y := left.out
			if !y.sending.LockNow() {
				t.Fatal("sending is held")
			}
			see(&y.sends.inside, 1)
			over = func() { see(&y.sends.inside, 0); y.sending.giveBack() }
		} else {
			if _, err := left.SendNow([]byte("message")); err != nil {
				t.Fatal(err)
			}
			m, err := right.RecvNow()
			if err != nil {
				t.Fatal(err)
			}
			h, other = right, left
			over = func() { m.Took() }
		}
		done := make(chan bool)
		go func() { h.Close(); close(done) }()
		for range 100 * copyingMost {
			runtime.Gosched()
			select {
			case <-done:
				t.Fatalf("sends=%v: Close has returned in the middle of a copy", sends)
			default:
			}
		}
		over()
		<-done
		other.Close()
	}
}
