package engine

import "example.com/tandem/internal/mem"

// BroadcastConfig is what a broadcast is made with, and keeps.
type BroadcastConfig struct {
	Slots       int // messages
	Reliable    bool
	Fixed       bool // every message is of MaxMessage bytes
	MaxMessage  int  // bytes
	Blocks      int
	BlockSize   int // 64 to 65536, a multiple of 64
	Rows        int // participants; 0: MaxParticipants
	Subscribers int // at once
}

// The words of a broadcast. Behind them lie the drains, a line each; the subscribers'
// owners, 8 bytes each, and cursors, two lines each; the slots; the blocks' words, and
// their bytes.
//
//	  0  config    written by Init, then read-only
//	128  state     shut down; bells: items, space
//	256  front
//	384  drains
const (
	broadcastSlots  = 0
	broadcastFlags  = 4 // reliable, fixed
	broadcastBlocks = 8
	broadcastBlock  = 12
	broadcastMost   = 16
	broadcastRows   = 20
	broadcastSubs   = 24

	broadcastState = 128
	broadcastItems = 136
	broadcastSpace = 140
	broadcastFront = 256
	broadcastTable = 384

	drainBytes = 64
)

const (
	flagReliable = 1 << iota
	flagFixed
)

// The first bytes of a message's first block.
const (
	messagePos  = 0
	messageLen  = 8
	messageBody = 16
)

// firstLap is the lap of the first message: no slot's word is 0 then, and no position
// has fewer than a lap before it.
const firstLap = 2

type broadcastLayout struct {
	drains, owners, cursors, slots, heads, bytes, size uint64
}

func (c BroadcastConfig) layout() (l broadcastLayout, ok bool) {
	if c.Slots < 1 || c.Slots > 1<<posBits || c.Rows < 1 || c.Rows > MaxParticipants ||
		c.Subscribers < 1 || c.Subscribers > 1<<16 || c.Blocks < 1 || c.Blocks > 1<<28 ||
		c.BlockSize < 64 || c.BlockSize > 1<<16 || c.BlockSize%64 != 0 ||
		c.MaxMessage < 0 || c.MaxMessage > 1<<31-1-messageBody ||
		uint64(c.MaxMessage)+messageBody > uint64(c.Blocks)*uint64(c.BlockSize) {
		return l, false
	}
	up := func(x uint64) uint64 { return (x + 127) / 128 * 128 }
	l.drains = broadcastTable
	l.owners = up(l.drains + drainBytes*uint64(c.Rows))
	l.cursors = up(l.owners + 8*uint64(c.Subscribers))
	l.slots = l.cursors + cursorBytes*uint64(c.Subscribers)
	l.heads = up(l.slots + 8*uint64(c.Slots))
	l.bytes = up(l.heads + headBytes*uint64(c.Blocks))
	l.size = l.bytes + uint64(c.Blocks)*uint64(c.BlockSize)
	return l, true
}

// pool is the configuration of the blocks.
func (c BroadcastConfig) pool() QueueConfig {
	return QueueConfig{Blocks: c.Blocks, BlockSize: c.BlockSize, MaxMessage: c.MaxMessage + messageBody}
}

func (c BroadcastConfig) withRows() BroadcastConfig {
	if c.Rows == 0 {
		c.Rows = MaxParticipants
	}
	return c
}

// Size is how many bytes the broadcast needs; 0 if it cannot be made.
func (c BroadcastConfig) Size() uint64 {
	l, ok := c.withRows().layout()
	if !ok {
		return 0
	}
	return l.size
}

// Init writes the words, on zeroed memory of Size bytes: no message, no subscriber.
func (c BroadcastConfig) Init(a mem.Area) { c.initLap(a, firstLap) }

// initLap is Init for tests: as if the laps before lap had passed.
func (c BroadcastConfig) initLap(a mem.Area, lap uint64) {
	c = c.withRows()
	flags := 0
	if c.Reliable {
		flags |= flagReliable
	}
	if c.Fixed {
		flags |= flagFixed
	}
	for off, v := range map[uint64]int{broadcastSlots: c.Slots, broadcastFlags: flags, broadcastBlocks: c.Blocks,
		broadcastBlock: c.BlockSize, broadcastMost: c.MaxMessage, broadcastRows: c.Rows, broadcastSubs: c.Subscribers} {
		*a.W32(off) = uint32(v)
	}
	l, ok := c.layout()
	if !ok {
		return
	}
	*a.W64(broadcastFront) = lap * uint64(c.Slots)
	for i := range uint64(c.Slots) {
		*a.W64(l.slots + 8*i) = voidWord(lap-1, 0)
	}
	for i := range uint64(c.Subscribers) {
		*a.W64(l.owners + 8*i) = rowFree
	}
	c.pool().initPool(a, queueLayout{heads: l.heads, bytes: l.bytes})
}

// broadcastConfig reads and checks the configuration of a broadcast.
func broadcastConfig(a mem.Area) (c BroadcastConfig, l broadcastLayout, err error) {
	if !a.Has(0, broadcastTable) {
		return c, l, ErrCorrupt
	}
	word := func(off uint64) int { return int(mem.Load32(a.W32(off))) }
	flags := word(broadcastFlags)
	c = BroadcastConfig{Slots: word(broadcastSlots), Reliable: flags&flagReliable != 0, Fixed: flags&flagFixed != 0,
		Blocks: word(broadcastBlocks), BlockSize: word(broadcastBlock), MaxMessage: word(broadcastMost),
		Rows: word(broadcastRows), Subscribers: word(broadcastSubs)}
	l, ok := c.layout()
	if !ok || l.size > a.Size() || flags&^(flagReliable|flagFixed) != 0 {
		return c, l, ErrCorrupt
	}
	return c, l, nil
}
