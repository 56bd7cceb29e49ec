package engine

import (
	"testing"

	"example.com/tandem/internal/mem"
)

// A roomTest is a full pipe of 64 bytes, and one that waits for room for all of them.
type roomTest struct {
	t            *testing.T
	a            mem.Area
	k            *wakes
	left, right  *PipeEnd
	y            *pipeWay
	waits, other *script
}

func newRoomTest(t *testing.T) *roomTest {
	k := &wakes{}
	a, p := heapPipe(t, PipeConfig{Buffer: 64, Participants: 2}, k.env(0, 1))
	x := &roomTest{t: t, a: a, k: k, left: openEnd(t, p, PipeLeft), right: openEnd(t, p, PipeRight), y: p.ways[0]}
	if err := fillPipe(x.left, make([]byte, 8)); err != ErrFull {
		t.Fatal(err)
	}
	x.waits, x.other = &script{t: t, now: 1e9}, &script{t: t, now: 1e9}
	return x
}

func (x *roomTest) starving(want uint32) {
	x.t.Helper()
	if h := mem.Load32(x.y.starving); h != want {
		x.t.Errorf("after %d ns starving is %d, want %d", x.waits.now-1e9, h, want)
	}
}

// passed is a message that is received, and one that another sends into its place.
func (x *roomTest) passed() {
	x.t.Helper()
	m, err := x.right.RecvNow()
	if err != nil {
		x.t.Fatal(err)
	}
	m.Took()
	if _, err := x.left.trySend(nil, make([]byte, 8)); err != nil {
		x.t.Error(err)
	}
}

// Who has waited for longer than patience, and no shorter, and has seen others send, is
// starving until it has sent; then it rings for those that stand back.
func TestPipeStarving(t *testing.T) {
	x := newRoomTest(t)
	x.waits.sleeps = []func(int64){
		func(int64) { x.waits.now += patience + 1 },
		func(int64) { x.starving(0); x.passed(); x.waits.now = 1e9 + patience },
		func(int64) { x.starving(0); x.waits.now++ },
		func(int64) {
			x.starving(1)
			if _, err := x.left.SendNow(nil); err != ErrFull {
				t.Errorf("SendNow while another is starving = %v, want ErrFull", err)
			}
			mem.Store32(x.y.starving, 0) // another was, too
		},
		func(int64) {
			x.starving(1)
			x.y.turn.Arm()
			if err := recvAll(x.right); err != ErrEmpty {
				t.Error(err)
			}
			*x.k = nil
		},
	}
	if _, err := x.left.Send(x.waits, make([]byte, 56)); err != nil {
		t.Fatal(err)
	}
	x.waits.ended()
	x.starving(0)
	x.k.want(t, -1)
}

// Who gives up is not starving any more either, or whose context ends.
func TestPipeStarvingEnds(t *testing.T) {
	x := newRoomTest(t)
	x.waits.sleeps = []func(int64){
		func(int64) { x.passed(); x.waits.now += patience + 1 },
		func(int64) { x.starving(1) },
	}
	x.waits.ends = true
	if _, err := x.left.Send(x.waits, make([]byte, 56)); err != errAsleep {
		t.Fatal(err)
	}
	x.starving(0)
	x = newRoomTest(t)
	x.waits.sleeps = []func(int64){
		func(int64) { x.passed(); x.waits.now += patience + 1 },
		func(int64) { x.starving(1); x.left.closed.Store(true) },
	}
	if _, err := x.left.Send(x.waits, make([]byte, 56)); err != ErrLeft {
		t.Fatal(err)
	}
	x.waits.ended()
	x.starving(0)
}

// Who comes stands back for patience, or until nobody is starving, and has then its turn
// though somebody is.
func TestPipeStandsBack(t *testing.T) {
	x := newRoomTest(t)
	if err := recvAll(x.right); err != ErrEmpty {
		t.Fatal(err)
	}
	send := func(sleeps ...func(limit int64)) {
		t.Helper()
		mem.Store32(x.y.starving, 1)
		x.other.sleeps = sleeps
		if _, err := x.left.Send(x.other, nil); err != nil {
			t.Fatal(err)
		}
		x.other.ended()
	}
	until := func(want int64) func(int64) {
		return func(limit int64) {
			if limit != want {
				t.Errorf("it sleeps for %d ns, want %d", limit-1e9, want-1e9)
			}
			x.other.now = want - 1
		}
	}
	send(until(1e9+patience), func(limit int64) { x.other.now = limit + 1 })
	send(func(int64) { mem.Store32(x.y.starving, 0) })
	x.other.spin = func() { mem.Store32(x.y.starving, 0) } // between the look and the bell
	x.starving(0)
	send()
}

// Recovery ends a dead one's starving, and tells those that stand back.
func TestPipeStarvingDies(t *testing.T) {
	x := newRoomTest(t)
	mem.Store32(x.y.starving, 1)
	v := x.y.turn.Arm()
	if err := recoverPipe(x.a, x.k.env(0, 1), Self{Index: 1, Epoch: 1}); err != nil {
		t.Fatal(err)
	}
	x.starving(0)
	if mem.Load32(x.y.turn.Word()) == v {
		t.Error("those that stand back are not told of a recovery")
	}
}
