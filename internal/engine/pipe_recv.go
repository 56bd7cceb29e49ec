package engine

import (
	"io"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// A Received is a message that was found, with its way's receiving held until Took or
// Left. It is copied out in between.
type Received struct {
	y   *pipeWay
	pos uint64 // of its body
	n   uint64
}

// Len is how many bytes it has.
func (m Received) Len() int { return int(m.n) }

// Read copies it to dst, which has Len bytes.
func (m Received) Read(dst []byte) {
	m.y.copyOut(unsafe.Pointer(unsafe.SliceData(dst)), m.pos, uintptr(min(m.n, uint64(len(dst)))))
}

// Took ends the receiving of m: it is out. pos is for TookInZeroes.
func (m Received) Took() (pos uint64) {
	y, pos := m.y, m.pos-pipeFrame+framed(m.n)
	mem.Release64(y.r, pos) // V5
	see(&y.recvs.inside, 0)
	y.receiving.giveBack() // V6
	y.room.Ring(-1)        // V7
	return pos
}

// Left leaves it where it is.
func (m Received) Left() {
	see(&m.y.recvs.inside, 0)
	m.y.receiving.giveBack()
}

// TookInZeroes is asked in zeroes: whether a message was taken there.
func (h *PipeEnd) TookInZeroes(pos uint64) bool { return mem.Load64(h.in.r) == pos }

// RecvNow is Recv that does not wait: ErrEmpty where Recv would.
func (h *PipeEnd) RecvNow() (Received, error) { return h.tryRecv(nil) }

// Recv finds the next message, and waits for it by s. io.EOF: all was received, and the
// other end is gone. ErrLeft, ErrWay, ErrCorrupt, or what s says.
func (h *PipeEnd) Recv(s Sleeper) (m Received, err error) {
	y := h.in
	if m, err = h.tryRecv(s); err != ErrEmpty {
		return m, err
	}
	slept, e := y.data.await(s, func() bool {
		m, err = h.tryRecv(s)
		return err != ErrEmpty
	}, beside{moved: y.there})
	if e != nil {
		m, err = Received{}, e
	}
	if err != nil && slept {
		y.passOn()
	}
	return m, err
}

// there reports whether something is to be received.
func (y *pipeWay) there() bool { return mem.Load64(y.w) != mem.Load64(y.r) }

// passOn is for one that slept on data and takes nothing: it may have been the one woken.
func (y *pipeWay) passOn() {
	if y.there() {
		y.data.Ring(1)
	}
}

// tryRecv is V1 to V4, V8 and V9's ErrEmpty. With a nil s it does not wait for the lock,
// either.
func (h *PipeEnd) tryRecv(s Sleeper) (m Received, err error) {
	y := h.in
	if y == nil {
		return m, ErrWay
	}
	if ok, err := y.receiving.take(s); !ok { // V1
		if err == nil {
			err = ErrEmpty
		}
		return m, err
	}
	m, err = h.next(y)
	if err != nil {
		y.receiving.giveBack()
		return Received{}, err
	}
	see(&y.recvs.inside, 1)
	y.recvs.had()
	y.raceReceived(m.pos - pipeFrame + framed(m.n))
	return m, nil
}

// next is V2 to V4, and V8.
func (h *PipeEnd) next(y *pipeWay) (m Received, err error) {
	mem.Between()
	if h.closed.Load() { // V2
		return m, ErrLeft
	}
	r := mem.Load64(y.r) // V3
	e := mem.Load64(h.p.e)
	if e == 0 {
		return m, ErrGone
	}
	there := seen(&y.seenW) - r
	if there == 0 || there > y.bytes {
		w := mem.Load64(y.w)
		if there = w - r; there > y.bytes || (w|r)&7 != 0 {
			return m, badPipe("sent %d, received %d, of %d bytes", w, r, y.bytes)
		}
		if there == 0 {
			if pipeState(e, 1-h.side) == pipeGone { // V8
				return m, io.EOF
			}
			return m, ErrEmpty
		}
		see(&y.seenW, w)
	}
	if err := aligned(r); err != nil {
		return m, err
	}
	var n uint64
	mem.CopyWord(unsafe.Pointer(&n), y.header(r))
	if n > h.p.most || framed(n) > there {
		return m, badPipe("a message of %d bytes in %d", n, there)
	}
	return Received{y: y, pos: r + pipeFrame, n: n}, nil // V4
}

// Ready reports whether a Recv would not wait: a message is there, or the end. It takes
// nothing, and what it says is of an instant. Of a way that there is not it is false.
func (h *PipeEnd) Ready() bool {
	y := h.in
	if y == nil {
		return false
	}
	e := mem.Load64(h.p.e) // V3
	return y.there() || pipeState(e, 1-h.side) == pipeGone
}

// Data is the bell on which those sleep who receive: for one that waits for Ready by other
// means than Poll. It rings for one, so that whoever slept on it and finds Ready rings it
// for one.
func (h *PipeEnd) Data() *Bell { return &h.in.data }

// Poll waits by s until Ready, and takes nothing.
func (h *PipeEnd) Poll(s Sleeper) error {
	y := h.in
	if y == nil {
		return ErrWay
	}
	if h.Ready() {
		return nil
	}
	slept, err := y.data.Await(s, h.Ready)
	if slept {
		y.passOn()
	}
	return err
}

// RecvSoon is what one does after a fruitless look, before it has a Waiter: it lets
// time pass, if it may and that pays (queue_lull.go), or looks for so many PAUSEs. It
// reports whether something came.
//
//go:noinline
func (h *PipeEnd) RecvSoon(lulls bool, looks int) bool {
	y := h.in
	if y == nil {
		return false
	}
	if lulls && y.recvs.lull.letPass(mem.Load64(y.r)/pipeUnit, y.bytes/pipeUnit) {
		return y.there()
	}
	for paused := 0; paused < looks; {
		if y.there() {
			return true
		}
		n := 1 + paused/8
		mem.Relax(n)
		paused += n
	}
	return false
}
