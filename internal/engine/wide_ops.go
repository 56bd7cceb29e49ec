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

// A Seen is what Load saw in a cell: a Replace replaces that and nothing else.
type Seen struct{ w, tag uint64 }

// Load copies the value of cell i to dst.
func (c *Wide) Load(i uint64, dst unsafe.Pointer) (s Seen, ok bool) {
	for {
		s, p := c.seen(i)
		if p == nil {
			return s, false
		}
		mem.CopyRacing(dst, unsafe.Add(p, wideTag), uintptr(c.width)) // L3
		mem.FenceLoad()
		if mem.Load64((*uint64)(p)) == s.tag { // L4
			return s, true
		}
	}
}

// seen is L1 and L2, or S3. It returns the copy as well, or nil: a cell that names
// twice the same copy by another tag than it has is none.
func (c *Wide) seen(i uint64) (s Seen, p unsafe.Pointer) {
	cell := (*uint64)(c.a.Ptr(c.cell(i), 8))
	for last := uint64(0); ; last = s.w {
		s.w = mem.Load64(cell)
		k := c.copyOf(s.w)
		if s.w == last || k >= c.count { // 0 is none
			return s, nil
		}
		p = c.a.Ptr(c.copy(k), c.stride)
		if s.tag = mem.Load64((*uint64)(p)); c.names(s.w, s.tag) {
			return s, p
		}
	}
}

// Store puts the value at src into cell i.
//
//go:norace
func (c *Wide) Store(i uint64, src unsafe.Pointer) bool {
	t := c.take()
	ok := c.prepare(t, src)
	for ok {
		s, p := c.seen(i) // S3
		if p == nil {
			ok = false
		} else if c.install(t, i, s) {
			break
		}
	}
	c.leave(t)
	return ok
}

// Replace puts the value at src into cell i if that holds what s is of. done reports
// whether it did.
//
//go:norace
func (c *Wide) Replace(i uint64, s Seen, src unsafe.Pointer) (done, ok bool) {
	t := c.take()
	if ok = c.prepare(t, src); ok {
		done = c.install(t, i, s)
	}
	c.leave(t)
	return done, ok
}

// prepare has a copy with a new tag and the bytes of the value at src.
//
//go:norace
func (c *Wide) prepare(t *seat, src unsafe.Pointer) bool {
	tag := c.newTag(t)
	if t.tag == 0 || !mem.CAS64(c.a.W64(c.copy(t.copy)), t.tag, tag) { // S1
		if !c.claim(t, tag) {
			t.tag = 0
			return false
		}
	}
	t.tag = tag
	mem.FenceStore()
	mem.CopyRacing(c.a.Ptr(c.copy(t.copy)+wideTag, c.width), src, uintptr(c.width)) // S2
	return true
}

// install is S4 to S6.
//
//go:norace
func (c *Wide) install(t *seat, i uint64, s Seen) bool {
	mem.Release64(t.drain, s.tag)                                   // S4
	if !mem.CAS64(c.a.W64(c.cell(i)), s.w, c.word(t.tag, t.copy)) { // S5
		return false
	}
	t.copy, t.tag = c.copyOf(s.w), s.tag // S6
	return true
}

// claimLooks is how often claim looks at all copies.
const claimLooks = 8

// claim takes a free copy for the seat. There is one at any instant, as long as a seat
// has none. So a look at all that finds none has met with a recovery, which has freed one
// that it had passed, while another has claimed one ahead of it. Where that happens
// again and again the region is corrupt.
//
//go:noinline
//go:norace
func (c *Wide) claim(t *seat, tag uint64) bool {
	if !c.enter() {
		return false
	}
	k := c.n + uint64(c.env.Self.Index)*uint64(c.spares) + t.number
	for range claimLooks {
		for range c.count {
			if k >= c.count {
				k = 0
			}
			w := c.a.W64(c.copy(k))
			if mem.Load64(w) == 0 {
				switch ok, err := c.env.change(w, 0, tag); {
				case err != nil:
					return false
				case ok:
					t.copy = k
					return true
				}
			}
			k++
		}
	}
	return false
}

// SetWide writes the first value of an object that nobody else knows of yet.
func SetWide(a mem.Area, k Kind, value []byte) {
	r, err := cellsOf(a, k)
	if err != nil || r.wide == nil || uint64(len(value)) != r.width {
		return
	}
	copy(a.Bytes(r.wide.copy(0)+wideTag, r.width), value)
}
