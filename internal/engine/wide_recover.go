package engine

import (
	"encoding/hex"
	"fmt"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// recover takes back what the dead one had. A copy is a candidate if its tag has the
// dead one's index, or one of its drains names it. It can be in a cell from before the
// death only: no copy is put into a cell again by the same sequence. So one look at all
// cells finds the candidates that stay, which whoever takes them out will free; and any
// that is freed has been out of its cell since that look. It is freed by CAS from its
// tag: it may be somebody's spare, who finds that out by S1.
func (l *wideLayout) recover(a mem.Area, dead Self) {
	who := tagWhoOf(dead)
	var drained [maxSpares]uint64
	if dead.Index < l.rows {
		for k := range l.spares {
			drained[k] = mem.Load64(a.W64(l.drain(dead.Index, k)))
		}
	}
	candidate := func(k, tag uint64) bool {
		if tag>>copyWho == 0 {
			return false
		}
		for _, w := range drained {
			if l.copyOf(w) == k && l.names(w, tag) {
				return true
			}
		}
		return tag>>copyWho == who>>copyWho
	}
	stays := make([]uint64, l.count/64+1)
	for i := range l.n {
		w := mem.Load64(a.W64(l.cell(i)))
		if k := l.copyOf(w); l.is(k) {
			if tag := mem.Load64(a.W64(l.copy(k))); candidate(k, tag) && l.names(w, tag) {
				stays[k/64] |= 1 << (k % 64)
			}
		}
	}
	for k := uint64(1); k <= l.count; k++ {
		w := a.W64(l.copy(k))
		if tag := mem.Load64(w); candidate(k, tag) && stays[k/64]&(1<<(k%64)) == 0 {
			mem.CAS64(w, tag, tag&copySeq)
		}
	}
	if dead.Index < l.rows { // last: whoever recovers the recoverer needs them. The row's next user would look in vain
		for k := range l.spares {
			mem.Release64(a.W64(l.drain(dead.Index, k)), 0)
		}
	}
}

// looks is how often a cell is looked at that changes each time.
const looks = 100

// at is the word of cell i, and its copy's tag of the word's sequence. There is no tag
// if the cell is damaged: it has twice the same word and its copy another sequence, or is
// free; busy says that it has not stood still.
func (l *wideLayout) at(a mem.Area, i uint64) (w, tag uint64, busy bool) {
	for range looks {
		last := w
		w = mem.Load64(a.W64(l.cell(i)))
		k := l.copyOf(w)
		if w == last || !l.is(k) {
			return w, 0, false
		}
		tag = mem.Load64(a.W64(l.copy(k)))
		if l.names(w, tag) && tag>>copyWho != 0 {
			return w, tag, false
		}
	}
	return w, 0, true
}

// whole copies the value of cell i to dst, as Load does. It gives up soon: beside
// writers that never rest, and in a region that is corrupt.
func (l *wideLayout) whole(a mem.Area, i uint64, dst []byte) bool {
	for range looks {
		w, tag, _ := l.at(a, i)
		if tag == 0 {
			return false
		}
		k := l.copyOf(w)
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
	in := make([]uint32, l.count+1) // by copy: the number of its cell, and 1
	for i := range l.n {
		w, tag, busy := l.at(a, i)
		if busy {
			continue
		}
		if tag == 0 {
			return fmt.Errorf("cell %d, word %#x: %w", i, w, ErrCorrupt)
		}
		k := l.copyOf(w)
		j, again := uint64(in[k])-1, in[k] != 0
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
