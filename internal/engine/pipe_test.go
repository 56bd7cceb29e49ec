package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"example.com/tandem/internal/mem"
)

func heapPipe(t testing.TB, c PipeConfig, env Env) (mem.Area, *Pipe) {
	t.Helper()
	if c.Size() == 0 {
		t.Fatalf("%+v cannot be made", c)
	}
	a := mem.Heap(c.Size())
	c.Init(a)
	return a, attachPipe(t, a, env)
}

func attachPipe(t testing.TB, a mem.Area, env Env) *Pipe {
	t.Helper()
	p, err := AttachPipe(a, env)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// heapEnds are both ends of a pipe, of one process.
func heapEnds(t testing.TB, c PipeConfig, env Env) (left, right *PipeEnd) {
	t.Helper()
	_, p := heapPipe(t, c, env)
	return openEnd(t, p, PipeLeft), openEnd(t, p, PipeRight)
}

func openEnd(t testing.TB, p *Pipe, side int) *PipeEnd {
	t.Helper()
	h, err := p.Open(side, new(atomic.Bool))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func closeEnd(h *PipeEnd) {
	h.closed.Store(true)
	h.Close()
}

// fillPipe sends msg until there is no room.
func fillPipe(h *PipeEnd, msg []byte) error {
	for {
		if _, err := h.SendNow(msg); err != nil {
			return err
		}
	}
}

// recvAll receives what is there.
func recvAll(h *PipeEnd) error {
	for {
		m, err := h.RecvNow()
		if err != nil {
			return err
		}
		m.Took()
	}
}

func recvBytes(h *PipeEnd) ([]byte, error) {
	m, err := h.RecvNow()
	if err != nil {
		return nil, err
	}
	b := make([]byte, m.Len())
	m.Read(b)
	m.Took()
	return b, nil
}

// Messages of every length, from every place of the ring, each whole.
func TestPipeBoundaries(t *testing.T) {
	for _, buffer := range []int{8, 9, 64, 100, 128, 200} {
		a, p := heapPipe(t, PipeConfig{Buffer: buffer, Participants: 2}, envOf(1))
		left, right := openEnd(t, p, PipeLeft), openEnd(t, p, PipeRight)
		if p.MaxMessage() != buffer-8 {
			t.Errorf("buffer %d: a message has at most %d", buffer, p.MaxMessage())
		}
		var sent [][]byte
		for i := range 500 {
			msg := make([]byte, i*7%(p.MaxMessage()+1))
			for k := range msg {
				msg[k] = byte(i + k)
			}
			_, err := left.SendNow(msg)
			if err == nil {
				sent = append(sent, msg)
				continue
			}
			if err != ErrFull || len(sent) == 0 {
				t.Fatal(err)
			}
			for len(sent) > i%3 {
				b, err := recvBytes(right)
				if err != nil || string(b) != string(sent[0]) {
					t.Fatalf("buffer %d: %x, %v; want %x", buffer, b, err, sent[0])
				}
				sent = sent[1:]
			}
			if err := checkPipe(a); err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range sent {
			if b, err := recvBytes(right); err != nil || string(b) != string(want) {
				t.Fatalf("%x, %v; want %x", b, err, want)
			}
		}
		if _, err := right.RecvNow(); err != ErrEmpty {
			t.Fatal(err)
		}
	}
}

// The end of an end: what was sent, then io.EOF; and ErrPeerGone. It takes the last holder.
func TestPipeEnds(t *testing.T) {
	a, p := heapPipe(t, PipeConfig{Buffer: 64, Participants: 128, Duplex: true}, envOf(1))
	q := attachPipe(t, a, envOf(70))
	left, again, other := openEnd(t, p, PipeLeft), openEnd(t, p, PipeLeft), openEnd(t, q, PipeLeft)
	right := openEnd(t, q, PipeRight)
	state := func(want string) {
		t.Helper()
		if l := lookPipe(a); l.State != want {
			t.Errorf("%s, want %s", l.State, want)
		}
	}
	for _, h := range []*PipeEnd{left, again, other} {
		if _, err := h.SendNow([]byte{1}); err != nil {
			t.Error(err)
		}
	}
	closeEnd(left)
	closeEnd(left)
	if _, err := left.SendNow(nil); err != ErrLeft {
		t.Errorf("a closed handle sends: %v", err)
	}
	if _, err := left.RecvNow(); err != ErrLeft {
		t.Errorf("a closed handle receives: %v", err)
	}
	drop := again.Hold()
	closeEnd(again)
	closeEnd(other)
	state("left open, right open")
	if again.Hold() != nil {
		t.Error("a closed handle holds")
	}
	for range 2 {
		drop()
		state("left gone, right open")
	}
	if right.Ready() != true {
		t.Error("not ready, and messages are there")
	}
	for range 3 {
		if b, err := recvBytes(right); err != nil || len(b) != 1 {
			t.Error(b, err)
		}
	}
	for range 2 {
		if _, err := right.RecvNow(); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
	}
	if err := right.Poll(nobody{}); err != nil || !right.Ready() {
		t.Errorf("Poll at the end: %v", err)
	}
	if _, err := right.SendNow(nil); err != ErrPeerGone {
		t.Errorf("to an end that is gone: %v", err)
	}
	if _, err := q.Open(PipeLeft, new(atomic.Bool)); err != ErrPeerGone {
		t.Errorf("what is gone was opened: %v", err)
	}
	if PipeOver(a) {
		t.Error("over, and one end is open")
	}
	closeEnd(right)
	state("left gone, right gone")
	if !PipeOver(a) {
		t.Error("not over")
	}
	if v := mem.Load64(a.W64(pipeHeld)) | mem.Load64(a.W64(pipeHeld+8)) | mem.Load64(a.W64(pipeHeld+pipeHeldSize+8)); v != 0 {
		t.Errorf("bits are left: %#x", v)
	}
}

// An end that never came is no end.
func TestPipeOneWay(t *testing.T) {
	_, p := heapPipe(t, PipeConfig{Buffer: 64, Participants: 2}, envOf(1))
	left := openEnd(t, p, PipeLeft)
	if _, err := left.SendNow([]byte("early")); err != nil {
		t.Error(err)
	}
	right := openEnd(t, p, PipeRight)
	if _, err := right.SendNow(nil); err != ErrWay {
		t.Errorf("Send of the right end: %v", err)
	}
	if _, err := right.Send(nobody{}, nil); err != ErrWay {
		t.Errorf("Send of the right end: %v", err)
	}
	if _, err := left.RecvNow(); err != ErrWay {
		t.Errorf("Recv of the left end: %v", err)
	}
	if _, err := left.Recv(nobody{}); err != ErrWay {
		t.Errorf("Recv of the left end: %v", err)
	}
	if err := left.Poll(nobody{}); err != ErrWay || left.Ready() || left.RecvSoon(false, 1) {
		t.Errorf("Poll of the left end: %v", err)
	}
	if b, err := recvBytes(right); string(b) != "early" || err != nil {
		t.Error(b, err)
	}
}

// What the dead left: its locks, its bits, and all who sleep hear of it, again and again.
func TestPipeRecovery(t *testing.T) {
	a, p := heapPipe(t, PipeConfig{Buffer: 64, Participants: 2}, envOf(1))
	q := attachPipe(t, a, envOf(0))
	left, right := openEnd(t, p, PipeLeft), openEnd(t, q, PipeRight)
	if _, err := left.SendNow([]byte{7}); err != nil {
		t.Fatal(err)
	}
	if !left.out.sending.LockNow() {
		t.Fatal("held")
	}
	before := mem.Load32(left.out.data.w)
	for i := range 2 {
		woken := 0
		env := Env{Wake: func(*uint32, int) int { woken++; return 0 }}
		if err := recoverPipe(a, env, Self{1, 1}); err != nil {
			t.Error(err)
		}
		if v := mem.Load32(left.out.data.w); v == before || woken < 4 {
			t.Errorf("recovery %d: data %#x, was %#x, %d woken", i, v, before, woken)
		}
		before = mem.Load32(left.out.data.w)
	}
	l := lookPipe(a)
	if fmt.Sprint(l.State, l.Holders, l.Len) != "left gone, right open[{{0 0} right end 1 0}] 16" {
		t.Errorf("%+v", l)
	}
	if b, err := recvBytes(right); len(b) != 1 || err != nil {
		t.Error(b, err)
	}
	if _, err := right.RecvNow(); err != io.EOF {
		t.Error(err)
	}
	if err := recoverPipe(a, envOf(0), Self{900, 1}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("recovery of one that cannot be: %v", err)
	}
}

// What is shown.
func TestPipeLook(t *testing.T) {
	a, p := heapPipe(t, PipeConfig{Buffer: 64, Participants: 70, Duplex: true}, envOf(65))
	if l := lookPipe(a); l.State != "left never opened, right never opened" || l.Len != 0 || l.Cap != 128 {
		t.Errorf("%+v", l)
	}
	left, right := openEnd(t, p, PipeLeft), openEnd(t, p, PipeRight)
	left.SendNow(make([]byte, 10))
	right.SendNow(nil)
	right.SendNow(nil)
	m, err := right.RecvNow()
	if err != nil {
		t.Fatal(err)
	}
	left.in.data.Arm()
	l := lookPipe(a)
	if l.Value != "24 from the left, 16 from the right" || l.Len != 40 || l.Waiters != 1 ||
		fmt.Sprint(l.Holders) != "[{{65 0} left end 1 0} {{65 0} right end 1 0} {{65 1} right receiving 1 0}]" {
		t.Errorf("%+v", l)
	}
	m.Left()
	if err := checkPipe(a); err != nil {
		t.Error(err)
	}
}

// Check finds what cannot be.
func TestPipeCheck(t *testing.T) {
	for name, damage := range map[string]func(a mem.Area){
		"state":       func(a mem.Area) { *a.W64(pipeE) = pipeOpening | 3 },
		"no opening":  func(a mem.Area) { *a.W64(pipeE) = pipeOpen },
		"W":           func(a mem.Area) { *a.W64(pipeWay0 + pipeW) = 72 },
		"R":           func(a mem.Area) { *a.W64(pipeWay0 + pipeWaySize + pipeR) = 8 },
		"odd":         func(a mem.Area) { *a.W64(pipeWay0 + pipeW) = 4 },
		"lock":        func(a mem.Area) { *a.W64(pipeWay0 + pipeReceiving) = 2000 },
		"ways":        func(a mem.Area) { *a.W32(pipeWays) = 3 },
		"buffer":      func(a mem.Area) { *a.W64(pipeBuffer) = 1 << 50 },
		"long":        func(a mem.Area) { *a.W64(pipeBuffer) = 200 },
		"no one":      func(a mem.Area) { *a.W32(pipeParticipants) = 0 },
		"many people": func(a mem.Area) { *a.W32(pipeParticipants) = 1025 },
	} {
		a, _ := heapPipe(t, PipeConfig{Buffer: 64, Participants: 2, Duplex: true}, envOf(1))
		if err := checkPipe(a); err != nil {
			t.Fatal(err)
		}
		damage(a)
		if err := checkPipe(a); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A frame that cannot be is told, and stays; nothing is read beside the ring.
func TestPipeBadFrame(t *testing.T) {
	a, p := heapPipe(t, PipeConfig{Buffer: 64, Participants: 2}, envOf(1))
	left, right := openEnd(t, p, PipeLeft), openEnd(t, p, PipeRight)
	left.SendNow(make([]byte, 8))
	for _, n := range []uint64{9, 57, 1 << 32, 1<<64 - 1} {
		binary.LittleEndian.PutUint64(a.Bytes(pipeWay0+pipeWaySize, 8), n)
		for range 2 {
			if _, err := right.RecvNow(); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%d: %v", n, err)
			}
		}
	}
}

// Where messages cannot be is told, and nothing is sent or received there.
func TestPipeBadPlaces(t *testing.T) {
	send := func(left, _ *PipeEnd) error { _, err := left.SendNow(make([]byte, 8)); return err }
	recv := func(_, right *PipeEnd) error { _, err := recvBytes(right); return err }
	for _, tt := range []struct {
		what string
		w, r uint64
		call func(left, right *PipeEnd) error
	}{
		{"a Send, with more there than can be", 104, 32, send},
		{"a Send in the middle of a word", 36, 32, send},
		{"a Recv, with more there than can be", 104, 32, recv},
		{"a Recv, with more received than was sent", 32, 40, recv},
		{"a Recv up to the middle of a word", 44, 32, recv},
		{"a Recv in the middle of a word", 32, 20, recv},
	} {
		a, p := heapPipe(t, PipeConfig{Buffer: 64, Participants: 2}, envOf(1))
		left, right := openEnd(t, p, PipeLeft), openEnd(t, p, PipeRight)
		for range 2 {
			if err := errors.Join(send(left, right), recv(left, right)); err != nil {
				t.Fatal(err)
			}
		}
		*a.W64(pipeWay0 + pipeW), *a.W64(pipeWay0 + pipeR) = tt.w, tt.r
		if err := tt.call(left, right); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", tt.what, err)
		}
		if w, r := *a.W64(pipeWay0 + pipeW), *a.W64(pipeWay0 + pipeR); w != tt.w || r != tt.r {
			t.Errorf("%s: %d sent, %d received then", tt.what, w, r)
		}
	}
}

// In the zeroes that come in the region's place nothing is sent or received, which one that has
// done so in the region would take for its own.
func TestPipeInZeroes(t *testing.T) {
	a, p := heapPipe(t, PipeConfig{Buffer: 64, Participants: 2}, envOf(1))
	left, right := openEnd(t, p, PipeLeft), openEnd(t, p, PipeRight)
	sent, err := left.SendNow(make([]byte, 8))
	if err != nil {
		t.Fatal(err)
	}
	mem.Zero(a.Ptr(0, a.Size()), uintptr(a.Size()))
	if _, err := left.SendNow(make([]byte, 8)); err != ErrGone || left.SentInZeroes(sent) {
		t.Errorf("Send in zeroes: %v; it takes the one before for sent there: %v", err, left.SentInZeroes(sent))
	}
	if _, err := right.RecvNow(); err != ErrGone || *right.in.r != 0 {
		t.Errorf("Recv in zeroes: %v, up to %d", err, *right.in.r)
	}
}

// Several of each end over heap memory, for the race detector: every message once, and each
// sender's in order.
func TestPipeHammer(t *testing.T) {
	const each = 2000
	a, _ := heapPipe(t, PipeConfig{Buffer: 100, Participants: 8}, envOf(0))
	var senders, receivers sync.WaitGroup
	got := make([][]uint64, 3)
	wake := Env{Wake: func(*uint32, int) int { return 0 }}
	for i := range 3 {
		env := wake
		env.Self = Self{uint32(i), 1}
		left := openEnd(t, attachPipe(t, a, env), PipeLeft)
		env.Self.Index += 3
		right := openEnd(t, attachPipe(t, a, env), PipeRight)
		senders.Go(func() {
			b := make([]byte, 8+8*i)
			for n := range uint64(each) {
				binary.LittleEndian.PutUint64(b, uint64(i)<<32|n)
				if _, err := left.Send(&racer{}, b); err != nil {
					t.Error(err)
					return
				}
			}
			closeEnd(left)
		})
		receivers.Go(func() {
			var b [24]byte
			for {
				m, err := right.Recv(&racer{})
				if err == io.EOF {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				m.Read(b[:m.Len()])
				m.Took()
				got[i] = append(got[i], binary.LittleEndian.Uint64(b[:]))
			}
		})
	}
	senders.Wait()
	receivers.Wait()
	seen := map[uint64]bool{}
	for _, ids := range got {
		last := map[uint64]uint64{}
		for _, id := range ids {
			if n, ok := last[id>>32]; seen[id] || ok && n >= id {
				t.Fatalf("message %#x: twice, or out of order", id)
			}
			seen[id], last[id>>32] = true, id
		}
	}
	if len(seen) != 3*each {
		t.Errorf("%d of %d messages", len(seen), 3*each)
	}
}

// A racer does not sleep.
type racer struct{ n int64 }

func (r *racer) Sleep(*uint32, uint32) error { r.n++; mem.Yield(); return nil }
func (r *racer) Spin() bool                  { mem.Yield(); return true }
func (r *racer) Now() int64                  { r.n++; return r.n }
