package engine

import "example.com/tandem/internal/mem"

// QueueConfig is what a queue is made with, and keeps.
type QueueConfig struct {
	Slots int // messages
	Room  int // bytes of payload in a slot, at most 4096
	// Without blocks every message is of Room bytes. With them one of up to
	// Room bytes lies in its slot, and a longer one in blocks.
	Blocks     int
	BlockSize  int // 64 to 65536, a multiple of 64
	MaxMessage int // bytes, at most Blocks·BlockSize
	Rows       int // participants; 0: MaxParticipants
}

// The words of a queue. Its slots follow its rows; then the blocks' words, and
// their bytes.
//
//	  0  config    written by Init, then read-only
//	128  state     pending, shut down; bells: items, space, idle; rests
//	256  tail
//	384  head
//	512  rows      see queue_join.go
const (
	queueSlots  = 0
	queueRoom   = 4
	queueBlocks = 8
	queueBlock  = 12
	queueMost   = 16
	queueRows   = 20

	queueState = 128
	queueItems = 136
	queueSpace = 140
	queueIdle  = 144
	queueRests = 152
	queueTail  = 256
	queueHead  = 384
	queueTable = 512
)

// Bits of the state word: {generation:62, shut, pending}.
const (
	statePending = 1 << iota
	stateShut
	stateGen
)

// A slot is its word, a count (u32 @8), the message's length (u32 @12, where it
// varies), and its bytes, or in their place the tag of its blocks (u64 @16) and the
// first of them (u32 @24). The count is of how often the message was given back and
// taken again.
//
// Where all messages are of one length, slots are small, for what two processes pass to
// each other costs both of them so much a line: up to the next multiple of 16 bytes.
// Where they are short, a slot is the word, and the bytes (@8), in 16 bytes or 32; and
// the counts, which nobody changes as a rule, lie apart.
const (
	slotCount = 8
	slotLen   = 12
	slotBody  = 16
	slotTag   = 16
	slotFirst = 24

	smallBody = 8
	smallRoom = 24 // bytes at most of a message in a small slot
)

// A queueLayout is where a configuration puts things.
type queueLayout struct {
	stride, slots, counts, heads, bytes, size uint64

	body  uint64 // of a slot
	shift uint8  // from a slot's offset to its count's, if those lie apart; else 0
}

func (c QueueConfig) layout() (l queueLayout, ok bool) {
	if c.Slots < 1 || c.Slots > 1<<posBits || c.Room < 0 || c.Room > 4096 || c.Rows < 1 || c.Rows > MaxParticipants {
		return l, false
	}
	if c.Blocks != 0 && (c.Blocks < 1 || c.Blocks > 1<<28 || c.BlockSize < 64 || c.BlockSize > 1<<16 || c.BlockSize%64 != 0 ||
		c.Room < 16 || c.MaxMessage < 1 || uint64(c.MaxMessage) > uint64(c.Blocks)*uint64(c.BlockSize) || c.MaxMessage > 1<<31-1) {
		return l, false
	}
	if c.Blocks == 0 && (c.BlockSize != 0 || c.MaxMessage != c.Room) {
		return l, false
	}
	up := func(x, to uint64) uint64 { return (x + to - 1) / to * to }
	l.body, l.stride = slotBody, up(slotBody+uint64(c.Room), 64)
	if c.Blocks == 0 {
		l.stride = up(slotBody+uint64(c.Room), 16)
	}
	apart := uint64(0)
	if c.Blocks == 0 && c.Room <= smallRoom {
		l.body, l.stride, l.shift, apart = smallBody, 32, 3, 4*uint64(c.Slots)
		if smallBody+c.Room <= 16 {
			l.stride, l.shift = 16, 2
		}
	}
	l.slots = up(queueTable+rowsSize(c.Rows), 128)
	l.counts = up(l.slots+uint64(c.Slots)*l.stride, 128)
	l.heads = up(l.counts+apart, 128)
	l.bytes = up(l.heads+uint64(c.Blocks)*headBytes, 128)
	l.size = l.bytes + uint64(c.Blocks)*uint64(c.BlockSize)
	return l, true
}

func (c QueueConfig) withRows() QueueConfig {
	if c.Rows == 0 {
		c.Rows = MaxParticipants
	}
	if c.Blocks == 0 {
		c.MaxMessage = c.Room
	}
	return c
}

// Size is how many bytes the queue needs; 0 if it cannot be made.
func (c QueueConfig) Size() uint64 {
	l, ok := c.withRows().layout()
	if !ok {
		return 0
	}
	return l.size
}

// Init writes the queue's words, on zeroed memory of Size bytes: empty, no
// sleepers, lap 0.
func (c QueueConfig) Init(a mem.Area) {
	c = c.withRows()
	for off, v := range map[uint64]int{queueSlots: c.Slots, queueRoom: c.Room, queueBlocks: c.Blocks,
		queueBlock: c.BlockSize, queueMost: c.MaxMessage, queueRows: c.Rows} {
		*a.W32(off) = uint32(v)
	}
	if l, ok := c.layout(); ok && c.Blocks > 0 {
		c.initPool(a, l)
	}
}

// initLap is Init for tests: as if lap laps had passed.
func (c QueueConfig) initLap(a mem.Area, lap uint64) {
	c.Init(a)
	l, _ := c.withRows().layout()
	*a.W64(queueTail) = position(uint32(lap), 0)
	*a.W64(queueHead) = position(uint32(lap), 0)
	for i := range uint64(c.Slots) {
		*a.W64(l.slots + i*l.stride) = slotWord(lapTurn(position(uint32(lap), 0)), slotEmpty, 0)
	}
}

// queueConfig reads and checks the configuration of a queue.
func queueConfig(a mem.Area) (c QueueConfig, l queueLayout, err error) {
	if !a.Has(0, queueTable) {
		return c, l, ErrCorrupt
	}
	word := func(off uint64) int { return int(mem.Load32(a.W32(off))) }
	c = QueueConfig{Slots: word(queueSlots), Room: word(queueRoom), Blocks: word(queueBlocks),
		BlockSize: word(queueBlock), MaxMessage: word(queueMost), Rows: word(queueRows)}
	l, ok := c.layout()
	if !ok || l.size > a.Size() {
		return c, l, ErrCorrupt
	}
	return c, l, nil
}
