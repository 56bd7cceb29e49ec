package engine

import (
	"io"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// A Subscription is a subscriber: a row, and a cursor of this process's own.
//
//	N1  slot(c): nothing new; the end; or a message
//	N2  copy it out
//	N3  slot(c) is the same, but for S, and the message's position is c: the copy is
//	    whole. (The word alone is the same again 2^31 laps later.)
//	N4  cursor := c+1; Reliable: look at space
//
// received + missed = c - the position it began at, at every instant.
//
// mu is of one call at a time, but not of one that sleeps; Close takes it, so that no
// cursor is stored in a row that is another's by then. The race detector is not to see it,
// and so not what it guards.
type Subscription struct {
	b    *Broadcast
	row  uint32
	word uint64 // of the row, as long as it is this one's

	mu     latch
	next   uint64
	spot   spot // of next
	missed uint64
	lapped uint // times in a row that it was lapped
	closed bool
	lull   lull
}

// ErrNoRow says that there are as many subscribers as there may be.
var ErrNoRow = errNoRow{}

type errNoRow struct{}

func (errNoRow) Error() string { return "as many subscribers as there may be" }

// Subscribe makes a subscriber that sees all messages from the next one on.
func (b *Broadcast) Subscribe() (*Subscription, error) {
	s := &Subscription{b: b, word: rowOf(b.who, rowActive)}
	for ; ; s.row++ {
		if s.row == b.subs.n {
			if b.gone() {
				return nil, ErrGone
			}
			return nil, ErrNoRow
		}
		if w := b.subs.owner(s.row); mem.Load64(w) == rowFree && mem.CAS64(w, rowFree, rowOf(b.who, rowJoining)) {
			break
		}
	}
	if err := b.join(s); err != nil {
		if !mem.CAS64(b.subs.owner(s.row), rowOf(b.who, rowJoining), rowFree) {
			s.Close() // it was active
		}
		return nil, err
	}
	return s, nil
}

// join is B9.
func (b *Broadcast) join(s *Subscription) error {
	h, _, err := b.walk(b.front.load(), false)
	if err != nil {
		return err
	}
	mem.Release64(b.subs.cursor(s.row), h)
	if !mem.CAS64(b.subs.owner(s.row), rowOf(b.who, rowJoining), s.word) {
		return b.lost()
	}
	if s.next, _, err = b.walk(h, false); err != nil {
		return err
	}
	s.spot = b.spot(s.next)
	b.storeCursor(s.row, s.next)
	b.space.Ring(-1)
	return nil
}

// storeCursor is a store-release, with a fence where nobody else makes one: see
// queue_store.go. For a cursor of a Lossy broadcast nobody waits.
func (b *Broadcast) storeCursor(row uint32, p uint64) {
	if w := b.subs.cursor(row); !b.reliable || b.unfenced.Load() {
		mem.Release64(w, p)
	} else {
		storeFenced(w, p)
	}
}

// Close ends the subscriber: nobody waits for it any more. A second one does nothing.
//
//go:norace
func (s *Subscription) Close() {
	s.Lock()
	defer s.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	mem.CAS64(s.b.subs.owner(s.row), s.word, rowFree)
	s.b.space.Ring(-1)
}

// Lock and Unlock are of mu, around Look, Read and Take.
func (s *Subscription) Lock()   { s.mu.lock() }
func (s *Subscription) Unlock() { s.mu.unlock() }

// An Incoming is a message that Look has found.
type Incoming struct{ placed }

// Len is how many bytes it has.
func (m *Incoming) Len() int { return int(m.n) }

// ErrEnded is what calls of a subscriber end with that was closed.
var ErrEnded = errEnded{}

type errEnded struct{}

func (errEnded) Error() string { return "the subscriber was closed" }

// Look is N1: the next message, ErrEmpty or io.EOF. What was missed on the way is
// counted.
//
//go:norace
func (s *Subscription) Look(m *Incoming) error {
	b, at := s.b, &m.placed
	if s.closed {
		return ErrEnded
	}
	for range b.bound() {
		c := s.next
		ok := b.lookAt(at, s.spot, false)
		switch {
		case !ok:
			if at.w == 0 {
				return b.lost()
			}
			if mem.Load64(at.at) == at.w {
				return b.lost() // it says what cannot be
			}
		case at.p == c && hasMessage(at.w):
			return nil
		case at.p == c-b.n:
			if at.w&slotEnd != 0 {
				return io.EOF
			}
			if !b.isShut() {
				return ErrEmpty
			}
			b.seal(at)
		case b.reliable || at.p < c:
			return b.lost()
		case at.p == c: // void
			s.skip(c + 1)
		default:
			f, _, err := b.walk(at.p+1, false)
			if err != nil {
				return err
			}
			to := f - max(b.n>>min(s.lapped, 63), 1) // from its oldest on; nearer to the front it has longer
			s.lapped++
			s.skip(max(to, c))
		}
	}
	return b.lost()
}

//go:norace
func (s *Subscription) skip(to uint64) {
	s.missed += to - s.next
	s.next = to
	s.spot = s.b.spot(to)
}

// Read is N2. false: it was replaced meanwhile, or is damaged; Take tells.
func (s *Subscription) Read(m *Incoming, dst []byte) bool {
	b, skip := s.b, uintptr(messageBody)
	if n := uintptr(len(dst)); n+skip <= uintptr(b.pool.size) && m.first < b.pool.n { // all in its first block
		mem.CopyRacing(unsafe.Pointer(unsafe.SliceData(dst)), unsafe.Add(b.pool.at(m.first), skip), n)
		return true
	}
	for first := m.first; len(dst) > 0; skip = 0 {
		if first >= b.pool.n {
			return false
		}
		e := mem.Load64(b.pool.extent(first))
		size := uintptr(b.pool.length(first, e)) * uintptr(b.pool.size)
		if size <= skip {
			return false
		}
		k := min(uintptr(len(dst)), size-skip)
		mem.CopyRacing(unsafe.Pointer(unsafe.SliceData(dst)), unsafe.Add(b.pool.at(first), skip), k)
		dst, first = dst[k:], uint32(e>>extentNext)
	}
	return true
}

// Take is N3 and N4: whether the message that was read is got. If it is not, the
// caller looks again; an error says that there is no use. read is what Read said.
//
//go:norace
func (s *Subscription) Take(m *Incoming, read bool) (got bool, err error) {
	b := s.b
	mem.FenceLoad()
	if mem.Load64(m.at)&^slotEnd != m.w&^slotEnd || mem.Load64(b.pos(m.first)) != s.next { // N3
		if b.reliable {
			return false, b.lost()
		}
		return false, nil
	}
	if !read {
		return false, b.lost()
	}
	b.raceAcquire(s.next)
	s.next++
	s.spot = b.after(s.spot)
	s.lapped = 0
	b.storeCursor(s.row, s.next) // N4
	if b.reliable && b.space.Armed() {
		b.passSpace(s.next)
	}
	return true, nil
}

// Missed is how many messages were missed since it was last called.
//
//go:norace
func (s *Subscription) Missed() uint64 {
	n := s.missed
	s.missed = 0
	return n
}

// Keep counts them again, for who could not tell them.
//
//go:norace
func (s *Subscription) Keep(missed uint64) { s.missed += missed }

// Wait waits by the Sleeper while there is nothing new.
func (s *Subscription) Wait(by Sleeper) error {
	_, err := s.b.items.Await(by, s.stirred)
	return err
}

func (s *Subscription) stirred() bool {
	s.Lock()
	var m Incoming
	err := s.Look(&m)
	s.Unlock()
	return err != ErrEmpty
}

// Shutdown is B10: nothing comes into the ring any more. It reports whether that is so:
// not if the region is gone.
func (b *Broadcast) Shutdown() error {
	mem.Or64(b.state, stateShut)
	p := b.front.load()
	for range b.bound() {
		f, s, err := b.walk(p, false)
		if err != nil {
			return err
		}
		if p = f; b.seal(&s) {
			return nil
		}
	}
	return b.lost()
}

// seal sets S at the front, where s was seen, after Shutdown has set the flag.
func (b *Broadcast) seal(s *placed) bool {
	if s.w&slotEnd == 0 && !mem.CAS64(s.at, s.w, s.w|slotEnd) {
		return false
	}
	b.tellEnd()
	return true
}

func (b *Broadcast) tellEnd() {
	b.items.Bump()
	b.space.Bump()
}
