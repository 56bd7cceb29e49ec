package engine

import (
	"encoding/hex"
	"fmt"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// recover takes back what the dead one had. A copy is a candidate if its tag is the
// dead one's, or in one of its drains. Those tags can be in a cell from before the
// death only: they are never put there again. So one look at all cells finds the
// candidates that stay, which whoever takes them out will free; and any that is
// freed has been out of its cell since that look. It is freed by CAS from its tag:
// it may be somebody's spare, who finds that out by S1.
func (l *wideLayout) recover(a mem.Area, dead Self) {
	who := tagWhoOf(dead)
	var drained [maxSpares]uint64
	if dead.Index < l.rows {
		for k := range l.spares {
			drained[k] = mem.Load64(a.W64(l.drain(dead.Index, k)))
		}
	}
	candidate := func(tag uint64) bool {
		return tag != 0 && (tag&^tagSeq == who || tag == drained[0] || tag == drained[1] || tag == drained[2])
	}
	stays := make([]uint64, (l.count+63)/64)
	for i := range l.n {
		w := mem.Load64(a.W64(l.cell(i)))
		if k := l.copyOf(w); k < l.count {
			if tag := mem.Load64(a.W64(l.copy(k))); candidate(tag) && l.names(w, tag) {
				stays[k/64] |= 1 << (k % 64)
			}
		}
	}
	for k := range l.count {
		w := a.W64(l.copy(k))
		if tag := mem.Load64(w); candidate(tag) && stays[k/64]&(1<<(k%64)) == 0 {
			mem.CAS64(w, tag, 0)
		}
	}
	if dead.Index < l.rows { // last: whoever recovers the recoverer needs them. The row's next user would look in vain
		for k := range l.spares {
			mem.Release64(a.W64(l.drain(dead.Index, k)), 0)
		}
	}
}

// whole copies the value of cell i to dst, as Load does. It gives up soon: beside
// writers that never rest, and in a region that is corrupt.
func (l *wideLayout) whole(a mem.Area, i uint64, dst []byte) bool {
	for range 100 {
		w := mem.Load64(a.W64(l.cell(i)))
		k := l.copyOf(w)
		if w == 0 || k >= l.count {
			return false
		}
		tag := mem.Load64(a.W64(l.copy(k)))
		if !l.names(w, tag) {
			continue
		}
		if len(dst) > 0 {
			mem.CopyRacing(unsafe.Pointer(&dst[0]), a.Ptr(l.copy(k)+wideTag, l.width), uintptr(len(dst)))
		}
		mem.FenceLoad()
		if mem.Load64(a.W64(l.copy(k))) == tag {
			return true
		}
	}
	return false
}

// shownBytes is how much of a value a snapshot shows.
const shownBytes = 4096

// look adds the values to a Look.
func (l *wideLayout) look(a mem.Area, k *Look) {
	for i := range min(l.n, shownCells) {
		b := make([]byte, min(l.width, shownBytes))
		if !l.whole(a, i, b) {
			b = nil
		}
		k.Cells = append(k.Cells, b)
	}
	if l.n == 1 && len(k.Cells[0]) > 0 {
		k.Value = "0x" + hex.EncodeToString(k.Cells[0][:min(len(k.Cells[0]), 64)])
	}
}

// check verifies that each cell names a copy that is no other cell's.
func (l *wideLayout) check(a mem.Area) error {
	in := make([]uint32, l.count) // by copy: the number of its cell, and 1
	for i := range l.n {
		if !l.whole(a, i, nil) && !l.busy(a, i) {
			return fmt.Errorf("cell %d, word %#x: %w", i, mem.Load64(a.W64(l.cell(i))), ErrCorrupt)
		}
		w := mem.Load64(a.W64(l.cell(i)))
		k := l.copyOf(w)
		if k >= l.count {
			continue // it was whole, and is damaged now
		}
		j := uint64(in[k]) - 1
		again := in[k] != 0
		in[k] = uint32(i) + 1
		if !again {
			continue
		}
		// One of them may have given it up meanwhile.
		v := mem.Load64(a.W64(l.cell(j)))
		if l.copyOf(v) == k && mem.Load64(a.W64(l.cell(i))) == w && mem.Load64(a.W64(l.cell(j))) == v {
			return fmt.Errorf("cells %d and %d have copy %d: %w", j, i, k, ErrCorrupt)
		}
	}
	return nil
}

// busy reports whether cell i changes.
func (l *wideLayout) busy(a mem.Area, i uint64) bool {
	w := mem.Load64(a.W64(l.cell(i)))
	for range 1000 {
		if mem.Load64(a.W64(l.cell(i))) != w {
			return true
		}
	}
	return false
}
