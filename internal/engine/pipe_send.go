package engine

import (
	"unsafe"

	"example.com/tandem/internal/mem"
)

// SendNow is Send that does not wait: ErrFull where Send would.
func (h *PipeEnd) SendNow(msg []byte) (pos uint64, err error) {
	if y := h.out; y != nil && y.isStarved() {
		return 0, ErrFull
	}
	return h.trySend(nil, msg)
}

// Send sends a message of MaxMessage bytes at most, and waits for room by s. pos is for
// SentInZeroes. ErrPeerGone, ErrLeft, ErrWay, ErrCorrupt, or what s says: then nothing
// was sent.
func (h *PipeEnd) Send(s Sleeper, msg []byte) (pos uint64, err error) {
	y := h.out
	if y == nil {
		return 0, ErrWay
	}
	if y.isStarved() {
		if err := y.standBack(s); err != nil {
			return 0, err
		}
	}
	q := y.waitsForRoom(s)
	defer q.over()
	if pos, err = h.trySend(s, msg); err != ErrFull {
		return pos, err
	}
	_, e := y.room.await(s, func() bool {
		q.look(s)
		pos, err = h.trySend(s, msg)
		return err != ErrFull
	}, beside{moved: q.moved})
	if e != nil {
		return 0, e
	}
	return pos, err
}

// trySend is S1 to S8, and ErrFull at S4. With a nil s it does not wait for the lock,
// either.
func (h *PipeEnd) trySend(s Sleeper, msg []byte) (pos uint64, err error) {
	y := h.out
	if y == nil {
		return 0, ErrWay
	}
	if ok, err := y.sending.take(s); !ok { // S1
		if err == nil {
			err = ErrFull
		}
		return 0, err
	}
	pos, err = h.room(y, framed(uint64(len(msg))))
	if err != nil {
		y.sending.giveBack()
		return 0, err
	}
	y.frame(pos, msg) // S5
	pos += framed(uint64(len(msg)))
	y.sends.had()
	y.raceSent(pos)
	mem.Release64(y.w, pos) // S6
	see(&y.sends.inside, 0)
	y.sending.giveBack() // S7
	y.data.Ring(1)       // S8
	return pos, nil
}

// frame is S5. If msg is memory that cannot be read, any more, and the fault a panic
// (debug.SetPanicOnFault), nothing is sent, and the lock is free.
func (y *pipeWay) frame(pos uint64, msg []byte) {
	see(&y.sends.inside, 1)
	whole := false
	defer func() {
		if !whole {
			see(&y.sends.inside, 0)
			y.sending.giveBack()
		}
	}()
	n := uint64(len(msg))
	mem.CopyWord(y.header(pos), unsafe.Pointer(&n))
	y.copyIn(pos+pipeFrame, unsafe.Pointer(unsafe.SliceData(msg)), uintptr(n))
	whole = true
}

// room is S2 to S4: where need bytes are free.
func (h *PipeEnd) room(y *pipeWay, need uint64) (pos uint64, err error) {
	mem.Between()
	if h.closed.Load() { // S2
		return 0, ErrLeft
	}
	w := mem.Load64(y.w) // S3
	e := mem.Load64(h.p.e)
	switch {
	case e == 0:
		return 0, ErrGone
	case pipeState(e, 1-h.side) == pipeGone:
		return 0, ErrPeerGone
	}
	if used := w - seen(&y.seenR); used <= y.bytes && y.bytes-used >= need {
		return w, aligned(w)
	}
	r := mem.Load64(y.r) // S4
	used := w - r
	if used > y.bytes || (w|r)&7 != 0 {
		return 0, badPipe("sent %d, received %d, of %d bytes", w, r, y.bytes)
	}
	see(&y.seenR, r)
	if y.bytes-used < need {
		return 0, ErrFull
	}
	return w, nil
}

func aligned(pos uint64) error {
	if pos&7 != 0 {
		return badPipe("at %d", pos)
	}
	return nil
}

// SentInZeroes is asked in zeroes: whether the message of that pos was sent there.
func (h *PipeEnd) SentInZeroes(pos uint64) bool { return mem.Load64(h.out.w) == pos }

// take takes a lock of a pipe's. With a nil s it does not wait: false, and no error, if it
// had to.
func (m *Mutex) take(s Sleeper) (bool, error) {
	if m.LockNow() {
		return true, nil
	}
	return m.takeSlow(s)
}

//go:noinline
func (m *Mutex) takeSlow(s Sleeper) (bool, error) {
	if s == nil {
		return false, nil
	}
	err := m.Lock(s)
	if err == ErrOwnerDied {
		err = badPipe("a lock that says it is abandoned")
	}
	return err == nil, err
}

// giveBack unlocks it. One that is not this process's any more is nobody's business: of a
// region that is closed, or damaged.
func (m *Mutex) giveBack() {
	if !m.UnlockGuess() {
		m.Unlock()
	}
}
