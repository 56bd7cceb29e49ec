package engine

import (
	"unsafe"

	"example.com/tandem/internal/mem"
)

// Without a copy: who can be trusted with the ring's memory has it for as long as the call
// of its end is under way. The peer may see, and change, what lies there meanwhile; so that
// is the kernel, which looks once at each byte, and no code that may look again.

// Room is where at most so many bytes can be put, one after the other, before Filled; or
// what TryWrite says.
func (s *Stream) Room(most int) ([]byte, error) {
	n, err := s.room(uint64(min(most, streamPiece)))
	if err != nil {
		return nil, err
	}
	return s.out.part(s.buffer, n), nil
}

// There is where the next bytes lie, at most so many, before Emptied; or what TryRead says.
func (s *Stream) There(most int) ([]byte, error) {
	n, err := s.there(uint64(min(most, streamPiece)))
	if err != nil {
		return nil, err
	}
	return s.in.part(s.buffer, n), nil
}

// part is what lies in one piece of n bytes from pos on.
func (h *streamWay) part(buffer, n uint64) []byte {
	at := h.pos % buffer
	return unsafe.Slice((*byte)(mem.Place(unsafe.Add(h.ring, at))), min(n, buffer-at))
}

// HasRoom is a TryWrite that writes nothing, AwaitRoom a WriteSome; nil: some can be written.
func (s *Stream) HasRoom([]byte) (int, error) {
	_, err := s.room(1)
	return 0, err
}

func (s *Stream) AwaitRoom(by Sleeper, _ []byte) (n int, err error) {
	return await(&s.out.room, by, s.HasRoom, nil, ErrFull)
}

// HasBytes is a TryRead that reads nothing, AwaitBytes a Read.
func (s *Stream) HasBytes([]byte) (int, error) {
	_, err := s.there(1)
	return 0, err
}

func (s *Stream) AwaitBytes(by Sleeper, _ []byte) (n int, err error) {
	return await(&s.in.data, by, s.HasBytes, nil, ErrEmpty)
}
