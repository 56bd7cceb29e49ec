package engine

import (
	"unsafe"

	"example.com/tandem/internal/mem"
)

// What is done with wide cells. An index is below n: its caller has checked that.
// Every copy's number that was read is checked before it is used.
//
// An operation reports false where there is no such cell: the region is gone, or
// its words are no cells any more.

// A Seen is the word that Load found in a cell: a Replace replaces that and nothing else.
type Seen uint64

// Load copies the value of cell i to dst. A cell that has twice the same word, and its
// copy another sequence, is none.
func (c *Wide) Load(i uint64, dst unsafe.Pointer) (Seen, bool) {
	cell := c.wordAt(i)
	for last, try := uint64(0), 1; ; try++ {
		w := mem.Load64(cell) // L1
		k := c.copyOf(w)
		if w == last || !c.is(k) { // 0 is none
			return 0, false
		}
		mem.CopyRacing(dst, c.bytesAt(k), uintptr(c.width)) // L2
		mem.FenceLoad()
		if c.names(w, mem.Load64(c.tagAt(k))) { // L3
			return Seen(w), true
		}
		if last = w; try%hurryAfter == 0 {
			mem.Hint64(c.hurry, hurryStores)
		}
	}
}

// Store puts the value at src into cell i.
//
//go:norace
func (c *Wide) Store(i uint64, src unsafe.Pointer) bool {
	t, w := c.prepare(src)
	if t == nil {
		return false
	}
	cell := c.wordAt(i)
	for {
		s := mem.Load64(cell) // S3
		if !c.is(c.copyOf(s)) {
			t.leave(w)
			return false
		}
		if t.install(cell, s, w) {
			return true
		}
	}
}

// Replace puts the value at src into cell i if that holds what s is of. done reports
// whether it did.
//
//go:norace
func (c *Wide) Replace(i uint64, s Seen, src unsafe.Pointer) (done, ok bool) {
	t, w := c.prepare(src)
	if t == nil {
		return false, false
	}
	if t.install(c.wordAt(i), uint64(s), w) {
		return true, true
	}
	t.leave(w)
	return false, true
}

const (
	hurryAfter  = 8
	hurryStores = 16
)

// giveWay is the pause for those who cannot load: some microseconds, or as long as it takes
// to copy a long value from afar.
//
//go:noinline
func (c *Wide) giveWay(n uint64) {
	mem.Hint64(c.hurry, min(n, hurryStores)-1)
	for range 2 + c.width>>10 {
		mem.RelaxMicro()
	}
}

// prepare has a seat, and its copy with the bytes of the value at src; w is the word of a
// cell that has it.
//
//go:norace
func (c *Wide) prepare(src unsafe.Pointer) (t *seat, w uint64) {
	if n := mem.Load64(c.hurry); n != 0 {
		c.giveWay(n)
	}
	if t, w = c.take(); t != nil { // S1
		mem.FenceStore()
		mem.CopyRacing(c.bytesAt(c.copyOf(w)), src, uintptr(c.width)) // S2
	}
	return t, w
}

// install is S4 to S6.
//
//go:norace
func (t *seat) install(cell *uint64, s, w uint64) bool {
	mem.Release64(t.drain, s)   // S4
	if !mem.CAS64(cell, s, w) { // S5
		return false
	}
	t.leave(s) // S6
	return true
}

// SetWide writes the first value of an object that nobody else knows of yet.
func SetWide(a mem.Area, k Kind, value []byte) {
	r, err := cellsOf(a, k)
	if err != nil || r.wide == nil || uint64(len(value)) != r.width {
		return
	}
	copy(a.Bytes(r.wide.copy(1)+wideTag, r.width), value)
}
