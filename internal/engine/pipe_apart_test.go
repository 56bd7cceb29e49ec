package engine

import "testing"

// Who comes near those at the other end looks at them once in 64 messages, lets some time
// pass for them, and seldom does so again where that was in vain.
func TestPipeApart(t *testing.T) {
	left, right := heapEnds(t, PipeConfig{Buffer: apartLeast * pipeUnit, Participants: 4}, envOf(1))
	msg := make([]byte, 56) // a unit, with its length
	send := func(n int) {
		t.Helper()
		for range n {
			if _, err := left.SendNow(msg); err != nil {
				t.Fatal(err)
			}
		}
	}
	recv := func(n int) {
		t.Helper()
		for range n {
			m, err := right.RecvNow()
			if err != nil {
				t.Fatal(err)
			}
			m.Took()
		}
	}
	send(1)
	recv(1) // it knows of one
	send(markEvery - 2)
	recv(markEvery - 2)
	send(9)
	if right.RecvsClose() {
		t.Error("a receiver looks before 64 messages have passed")
	}
	recv(1)
	if right.RecvsClose() {
		t.Error("a receiver looks while it knows of more")
	}
	recv(8)
	if !right.RecvsClose() || right.SendsClose(56) || left.RecvsClose() {
		t.Error("a receiver that knows of nothing does not look, or one of a way that there is not")
	}
	for range 2 {
		right.RecvLate(true) // nobody sends
		if right.RecvsClose() {
			t.Error("a receiver that has looked looks again at once")
		}
	}
	a := &right.in.recvs.apart
	if every, left := a.every.Load(), a.left.Load(); every != 1 || left != 0 {
		t.Errorf("gave way in vain, then passed an occasion: every %d, %d left", every, left)
	}
	send(apartLeast)
	if !left.SendsClose(56) {
		t.Error("a sender does not look into a full ring")
	}
	left.SendLate(false)
	if every := left.out.sends.apart.every.Load(); every != 0 || left.SendsClose(56) {
		t.Errorf("a sender that may not give way does, every %d", every)
	}
	recv(markEvery)
	right.RecvLate(true)
	if a.isDue() || a.every.Load() != 1 || seen(&right.in.recvs.looked) != seen(&right.in.recvs.count) {
		t.Error("the sender is far, and the receiver gives way")
	}
	short, _ := heapEnds(t, PipeConfig{Buffer: 4096, Participants: 4}, envOf(1))
	for range 4096 / pipeUnit {
		if _, err := short.SendNow(msg); err != nil {
			t.Fatal(err)
		}
	}
	if short.SendsClose(56) {
		t.Error("one looks in a short ring")
	}
}
