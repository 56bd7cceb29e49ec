package engine

import (
	"io"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// streamPiece bounds the bytes that are published at once, so that the peer copies while
// this end does.
const streamPiece = 32 << 10

// streamRaces is what the race detector knows all streams by, as package syscall has it
// of all files: what was done before a Write, or the end of one's reading or writing, comes
// before what is done after a Read, or an error that tells of the end.
var streamRaces uint64

// TryWrite is one attempt: it writes and publishes as much of p as there is room for,
// which is at least a byte; or ErrFull, ErrUnread, ErrOver, ErrCorrupt, ErrGone.
func (s *Stream) TryWrite(p []byte) (int, error) {
	h := &s.out
	n, err := s.room(uint64(min(len(p), streamPiece)))
	if err != nil {
		return 0, err
	}
	at := h.pos % s.buffer
	first := min(n, s.buffer-at)
	mem.Copy(mem.Place(unsafe.Add(h.ring, at)), unsafe.Pointer(&p[0]), uintptr(first)) // W3
	if first < n {
		mem.Copy(mem.Place(h.ring), unsafe.Pointer(&p[first]), uintptr(n-first))
	}
	s.Filled(n)
	return int(n), nil
}

// room is W1 and W2: for how many bytes there is room, which is want at most.
func (s *Stream) room(want uint64) (uint64, error) {
	h := &s.out
	if h.over.Load() {
		return 0, ErrOver
	}
	x := mem.Load64(s.peer) // W1
	if x == 0 {
		return 0, ErrGone
	}
	if x&(streamRC|streamGone) != 0 {
		raceEnded()
		return 0, ErrUnread
	}
	room := s.buffer - (h.pos - h.other)
	if room < want { // W2
		r := mem.Load64(h.r)
		if used := h.pos - r; used > s.buffer || r < h.other {
			return 0, badStream("%d bytes read of %d written, and %d before", r, h.pos, h.other)
		}
		h.other = r
		room = s.buffer - (h.pos - r)
	}
	if room == 0 {
		return 0, ErrFull
	}
	return min(room, want), nil
}

// Filled is W4 and W5: it publishes n bytes that lie where Room said.
func (s *Stream) Filled(n uint64) {
	h := &s.out
	if mem.RaceEnabled {
		mem.RaceReleaseMerge(unsafe.Pointer(&streamRaces))
	}
	h.pos += n
	mem.Store64(h.w, h.pos) // W4
	h.data.Ring(-1)         // W5
}

// Write writes all of p, and waits for room. It returns how much it has written; less than
// all with an error: WriteSome's.
func (s *Stream) Write(by Sleeper, p []byte) (n int, err error) {
	for len(p) > 0 {
		k, err := s.WriteSome(by, p)
		if err != nil {
			return n, err
		}
		n, p = n+k, p[k:]
	}
	return n, nil
}

// WriteSome is TryWrite that waits for room. Errors are TryWrite's, or by's, after a last
// attempt.
func (s *Stream) WriteSome(by Sleeper, p []byte) (n int, err error) {
	return await(&s.out.room, by, s.TryWrite, p, ErrFull)
}

// WroteInZeroes is asked in zeroes: whether the last that was written was written there.
func (s *Stream) WroteInZeroes() bool { return mem.Load64(s.out.w) == s.out.pos }

// await makes attempts until one does not say no. An error of by's comes after a last one.
func await(b *Bell, by Sleeper, try func([]byte) (int, error), p []byte, no error) (n int, err error) {
	if n, err = try(p); err != no {
		return n, err
	}
	_, e := b.Await(by, func() bool {
		n, err = try(p)
		return err != no
	})
	if e != nil {
		if n, err = try(p); err == no {
			err = e
		}
	}
	return n, err
}

// TryRead is one attempt: it reads what is there into p, which has at least a byte, and at
// most that; or ErrEmpty, io.EOF, ErrReset, ErrOver, ErrCorrupt, ErrGone.
func (s *Stream) TryRead(p []byte) (int, error) {
	h := &s.in
	n, err := s.there(uint64(len(p)))
	if err != nil {
		return 0, err
	}
	at := h.pos % s.buffer
	first := min(n, s.buffer-at)
	mem.Copy(unsafe.Pointer(&p[0]), mem.Place(unsafe.Add(h.ring, at)), uintptr(first)) // R3
	if first < n {
		mem.Copy(unsafe.Pointer(&p[first]), mem.Place(h.ring), uintptr(n-first))
	}
	s.Emptied(n)
	return int(n), nil
}

// there is R1, R2, R6 and R7: how many bytes are there, which is want at most.
func (s *Stream) there(want uint64) (uint64, error) {
	h := &s.in
	if h.over.Load() {
		return 0, ErrOver
	}
	x := uint64(0)
	if h.other-h.pos < want {
		x = mem.Load64(s.peer) // R1
		if x == 0 {
			return 0, ErrGone
		}
		w := mem.Load64(h.w) // R2
		if w-h.pos > s.buffer || w < h.other {
			return 0, badStream("%d bytes written, %d read, and %d written before", w, h.pos, h.other)
		}
		h.other = w
	}
	n := min(h.other-h.pos, want)
	if n == 0 {
		return 0, s.nothing(x)
	}
	return n, nil
}

// Emptied is R4 and R5: n bytes are read that lay where There said.
func (s *Stream) Emptied(n uint64) {
	h := &s.in
	if mem.RaceEnabled {
		mem.RaceAcquire(unsafe.Pointer(&streamRaces))
	}
	h.pos += n
	mem.Store64(h.r, h.pos) // R4
	h.room.Ring(-1)         // R5
}

// nothing is R6 and R7: x is the peer's end, and after it was seen nothing was there. What
// is said of one that is gone is said for good, though a Write that had begun before that
// publishes something yet.
func (s *Stream) nothing(x uint64) error {
	if x&(streamWC|streamGone) == 0 {
		return ErrEmpty
	}
	raceEnded()
	switch {
	case x&streamGone == 0:
		return io.EOF
	case s.in.last == nil:
		if s.in.last = io.EOF; mem.Load64(s.out.r) != mem.Load64(s.out.w) {
			s.in.last = ErrReset
		}
	}
	return s.in.last
}

func raceEnded() {
	if mem.RaceEnabled {
		mem.RaceAcquire(unsafe.Pointer(&streamRaces))
	}
}

// Read waits until there is something, and reads it. Errors are TryRead's, or by's, after
// a last attempt.
func (s *Stream) Read(by Sleeper, p []byte) (n int, err error) {
	return await(&s.in.data, by, s.TryRead, p, ErrEmpty)
}

// ReadInZeroes is WroteInZeroes of what was read.
func (s *Stream) ReadInZeroes() bool { return mem.Load64(s.in.r) == s.in.pos }

// Wrote is how much this end has written.
func (s *Stream) Wrote() uint64 { return mem.Load64(s.out.w) }

// ReadSoon is what one does after a fruitless look, before it has a Sleeper: it reports
// whether something came within that many looks. WriteSoon is that of room.
func (s *Stream) ReadSoon(looks int) bool  { return changesSoon(s.in.w, s.in.pos, looks) }
func (s *Stream) WriteSoon(looks int) bool { return changesSoon(s.out.r, s.out.other, looks) }

//go:noinline
func changesSoon(index *uint64, from uint64, looks int) bool {
	for paused := 0; paused < looks; {
		if mem.Load64(index) != from {
			return true
		}
		n := 1 + paused/8
		mem.Relax(n)
		paused += n
	}
	return false
}

// Ready reports whether a Read would not wait, that is under way, or waits: it goes by the
// index that is the end's own.
//
//go:norace
func (s *Stream) Ready() bool {
	x := mem.Load64(s.peer)
	return x == 0 || x&(streamWC|streamGone) != 0 || mem.Load64(s.in.w) != s.in.pos
}
