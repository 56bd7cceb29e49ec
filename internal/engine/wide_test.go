package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"example.com/tandem/internal/mem"
)

func newWide(t testing.TB, k Kind, n, width uint64, participants int) mem.Area {
	t.Helper()
	size, ok := WideSize(n, width, participants)
	if !ok {
		t.Fatalf("no size for %d cells of %d bytes", n, width)
	}
	a := mem.Heap(size)
	InitWide(a, k, n, width, participants)
	return a
}

func attachWide(t testing.TB, a mem.Area, k Kind, n, width uint64, index uint32) *Wide {
	t.Helper()
	c, err := AttachWide(a, k, n, width, Env{Self: Self{index, 1}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Wide cells against a plain slice, by several participants in turn.
func TestWideAgainstModel(t *testing.T) {
	for _, width := range []uint64{0, 3, 5, 7, 9, 12, 16, 24, 56, 57, 64, 100, 256, 257, 4096} {
		const n, participants = 5, 3
		r := rand.New(rand.NewPCG(width, 1))
		a := newWide(t, KindArray, n, width, participants)
		var us []*Wide
		for i := range uint32(participants) {
			us = append(us, attachWide(t, a, KindArray, n, width, i))
		}
		model := make([][]byte, n)
		for i := range model {
			model[i] = make([]byte, width)
		}
		b, got := make([]byte, width+1), make([]byte, width+1)
		for step := range 3000 {
			c, i := us[r.IntN(participants)], r.Uint64N(n)
			for j := range b {
				b[j] = byte(r.Uint32())
			}
			if r.IntN(10) == 0 { // as if its handles were dropped
				c.recover(a, c.env.Self)
				*c = *attachWide(t, a, KindArray, n, width, c.env.Self.Index)
			}
			switch r.IntN(3) {
			case 0:
				if !c.Store(i, unsafe.Pointer(&b[0])) {
					t.Fatalf("width %d step %d: Store", width, step)
				}
				copy(model[i], b)
			case 1:
				s, ok := c.Load(i, unsafe.Pointer(&got[0]))
				done, ok2 := c.Replace(i, s, unsafe.Pointer(&b[0]))
				if !ok || !done || !ok2 {
					t.Fatalf("width %d step %d: Replace = %v, %v", width, step, done, ok2)
				}
				copy(model[i], b)
			case 2:
				s, _ := c.Load(i, unsafe.Pointer(&got[0]))
				other := us[r.IntN(participants)]
				same := append(bytes.Clone(model[i]), 0)
				other.Store(i, unsafe.Pointer(&same[0]))
				if done, ok := c.Replace(i, s, unsafe.Pointer(&b[0])); done || !ok {
					t.Fatalf("width %d step %d: Replace of what is there no more = %v, %v", width, step, done, ok)
				}
			}
			for i := range uint64(n) {
				if _, ok := us[0].Load(i, unsafe.Pointer(&got[0])); !ok || !bytes.Equal(got[:width], model[i]) {
					t.Fatalf("width %d step %d: cell %d has %x, want %x", width, step, i, got[:width], model[i])
				}
			}
		}
		ops, _ := OpsOf(KindArray)
		for _, c := range us {
			c.Enter()
		}
		if err := errors.Join(ops.Check(a), Accounted(a, us...)); err != nil {
			t.Errorf("width %d: %v", width, err)
		}
	}
}

func TestWideLayout(t *testing.T) {
	for _, tt := range []struct {
		n, width     uint64
		participants int
		size         uint64 // 192 + drains + cells + copies
	}{
		{1, 12, 64, 192 + 2048 + 64 + 193*32},
		{1, 24, 64, 192 + 2048 + 64 + 193*32},
		{1, 56, 64, 192 + 2048 + 64 + 193*64},
		{1, 64, 64, 192 + 2048 + 64 + 193*128},
		{1, 257, 64, 192 + 512 + 64 + 65*320},
		{100, 3, 1, 192 + 64 + 832 + 103*16},
		{1000, 0, 5, 192 + 192 + 8000 + 1015*8},
	} {
		size, ok := WideSize(tt.n, tt.width, tt.participants)
		if !ok || size != tt.size {
			t.Errorf("WideSize(%d, %d, %d) = %d, %v; want %d", tt.n, tt.width, tt.participants, size, ok, tt.size)
		}
	}
	for _, tt := range [][3]uint64{{1 << 30, 12, 1}, {1 << 29, math.MaxUint32, 1}, {math.MaxUint64, 12, 1}, {1, math.MaxUint64, 1}, {1, 12, 0}, {1, 12, 1025}, {1, 8, 1}, {1, 1, 1}} {
		if size, ok := WideSize(tt[0], tt[1], int(tt[2])); ok && (size > math.MaxInt64 || size < tt[1]) || ok && tt[0] != 1<<29 {
			t.Errorf("WideSize(%v) = %d", tt, size)
		}
	}
	// No two drains are one word, and none of a neighbour's is on the same line.
	for _, spares := range []uint32{1, 3} {
		l, _ := wideLayoutOf(1, 12, 64, spares)
		had := map[uint64]bool{}
		for i := range uint32(64) {
			for k := range spares {
				at := l.drain(i, k)
				if had[at] || at < 192 || at+8 > l.cells || i > 0 && at/64 == l.drain(i-1, 0)/64 {
					t.Errorf("drain %d of %d, of %d, is at %d; cells from %d on", k, i, spares, at, l.cells)
				}
				had[at] = true
			}
		}
	}
}

// What an earlier use of the process's own has left is taken back by the next, whether
// it had stored or only prepared.
func TestWideEnters(t *testing.T) {
	a := newWide(t, KindValue, 1, 16, 1)
	var v [16]byte
	for range 20 {
		c := attachWide(t, a, KindValue, 1, 16, 0)
		for range rand.IntN(3) {
			if !c.Store(0, unsafe.Pointer(&v)) {
				t.Fatal("no copy is left")
			}
		}
		if _, ok := c.Replace(0, Seen(1), unsafe.Pointer(&v)); !ok {
			t.Fatal("no copy is left")
		}
	}
}

// A word never comes again, in whichever cell, and whoever has the copy; and none is 0.
func TestWideWordsDoNotComeAgain(t *testing.T) {
	const n, participants = 2, 3
	a := newWide(t, KindArray, n, 16, participants)
	l, _ := newWideLayout(n, 16, participants)
	var v [16]byte
	us := make([]*Wide, participants)
	had := map[uint64]bool{}
	r := rand.New(rand.NewPCG(1, 1))
	for step := range 5000 {
		p := r.IntN(participants)
		switch c := us[p]; {
		case c == nil:
			us[p] = attachWide(t, a, KindArray, n, 16, uint32(p))
		case r.IntN(20) == 0: // it dies, and another gets its index
			l.recover(a, c.env.Self)
			us[p] = nil
		default:
			i := r.Uint64N(n)
			if !c.Store(i, unsafe.Pointer(&v)) {
				t.Fatalf("step %d: no Store", step)
			}
			w := *a.W64(l.cell(i))
			if had[w] {
				t.Fatalf("step %d: word %#x, again", step, w)
			}
			had[w] = true
		}
	}
}

// Where a sequence goes round, in the tag and in the word, all goes on.
func TestWideSequenceGoesRound(t *testing.T) {
	for _, bits := range []uint8{3, 30} { // of a copy's number
		l, _ := newWideLayout(1, 16, 1)
		a := mem.Heap(l.size)
		InitWide(a, KindValue, 1, 16, 1)
		c := attachWide(t, a, KindValue, 1, 16, 0)
		c.bits = bits
		last := uint64(copySeq)
		if bits == 30 {
			last = 1<<34 - 1
		}
		for k := uint64(1); k <= c.count; k++ {
			*a.W64(c.copy(k)) = last - k
		}
		*a.W64(c.copy(1)) |= copyNobody
		*a.W64(c.cell(0)) = c.word(1, last-1)
		for i := range uint64(40) {
			v := [2]uint64{i, i}
			if !c.Store(0, unsafe.Pointer(&v)) {
				t.Fatalf("%d bits: no Store %d", bits, i)
			}
			if _, ok := c.Load(0, unsafe.Pointer(&v)); !ok || v != [2]uint64{i, i} {
				t.Fatalf("%d bits: Load = %v, %v; stored %d", bits, v, ok, i)
			}
		}
		if err := Accounted(a, c); bits == 3 && err != nil {
			t.Error(err)
		}
	}
}

// Where no copy is free, in a region that is damaged, a Store ends; and each seat serves
// again when there is one.
func TestWideClaimEnds(t *testing.T) {
	a := newWide(t, KindValue, 1, 16, 2)
	c := attachWide(t, a, KindValue, 1, 16, 1)
	for k := uint64(1); k <= c.count; k++ {
		*a.W64(c.copy(k)) |= copyNobody
	}
	var v [16]byte
	for range 2 * maxSpares {
		if c.Store(0, unsafe.Pointer(&v)) {
			t.Fatal("a Store without a copy")
		}
	}
	for k := uint64(2); k <= c.count; k++ {
		*a.W64(c.copy(k)) &= copySeq
	}
	for range 2 * maxSpares {
		if !c.Store(0, unsafe.Pointer(&v)) {
			t.Fatal("no Store, though there are copies")
		}
	}
	if err := Accounted(a, c); err != nil {
		t.Error(err)
	}
}

func TestWideCorrupt(t *testing.T) {
	var v [16]byte
	ops, _ := OpsOf(KindArray)
	l, _ := newWideLayout(2, 16, 2)
	for name, damage := range map[string]func(a mem.Area){
		"no cell":         func(a mem.Area) { *a.W64(l.cell(0)) = 0 },
		"no copy":         func(a mem.Area) { *a.W64(l.cell(0)) |= 1<<l.bits - 1 },
		"copy 0":          func(a mem.Area) { *a.W64(l.cell(0)) = 1 << l.bits },
		"a high bit":      func(a mem.Area) { *a.W64(l.cell(0)) |= 1 << 63 },
		"another tag":     func(a mem.Area) { *a.W64(l.copy(1)) = 77 },
		"a free copy":     func(a mem.Area) { *a.W64(l.copy(1)) &= copySeq },
		"another's copy":  func(a mem.Area) { *a.W64(l.cell(0)) = *a.W64(l.cell(1)) },
		"many cells":      func(a mem.Area) { *a.W64(128) = 1 << 40 },
		"some more cells": func(a mem.Area) { *a.W64(128) = 20 },
		"longer cells":    func(a mem.Area) { *a.W32(136) = 100 },
		"words":           func(a mem.Area) { *a.W32(136) = 8 },
		"no rows":         func(a mem.Area) { *a.W32(144) = 0 },
		"many rows":       func(a mem.Area) { *a.W32(144) = 1000 },
		"other spares":    func(a mem.Area) { *a.W32(148) = 2 },
		"no copy is free": func(a mem.Area) {
			for k := uint64(1); k <= l.count; k++ {
				*a.W64(l.copy(k)) |= copyNobody
			}
		},
		"nothing but ones": func(a mem.Area) {
			for i := uint64(0); i < a.Size(); i += 8 {
				*a.W64(i) = math.MaxUint64
			}
		},
	} {
		a := newWide(t, KindArray, 2, 16, 2)
		c := attachWide(t, a, KindArray, 2, 16, 1)
		damage(a)
		if name != "no copy is free" && name != "words" {
			if err := ops.Check(a); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: Check = %v", name, err)
			}
		}
		c.Load(0, unsafe.Pointer(&v))
		c.Store(0, unsafe.Pointer(&v))
		c.Replace(0, Seen(1), unsafe.Pointer(&v))
		ops.Look(a)
		ops.Recover(a, Env{Wake: func(*uint32, int) int { return 0 }}, Self{1, 1})
		if c, err := AttachWide(a, KindArray, 2, 16, Env{Self: Self{1, 1}}); err == nil {
			c.Load(0, unsafe.Pointer(&v))
			c.Store(1, unsafe.Pointer(&v))
		}
	}
	a := newWide(t, KindArray, 2, 16, 2)
	for _, tt := range [][3]uint64{{1, 16, 0}, {2, 17, 0}, {2, 16, 2}} {
		if _, err := AttachWide(a, KindArray, tt[0], tt[1], Env{Self: Self{uint32(tt[2]), 1}}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("AttachWide as %v = %v", tt, err)
		}
	}
	if _, err := AttachCells(a, KindArray, 2, 16); !errors.Is(err, ErrCorrupt) {
		t.Errorf("AttachCells of wide cells = %v", err)
	}
	if _, err := AttachWide(newCells(t, KindArray, 2, 8, ScalarInt), KindArray, 2, 8, Env{}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("AttachWide of words = %v", err)
	}
}

func TestWideLook(t *testing.T) {
	a := newWide(t, KindArray, 10, 12, 2)
	c := attachWide(t, a, KindArray, 10, 12, 0)
	v := [12]byte{1, 2, 3, 11: 9}
	c.Store(2, unsafe.Pointer(&v))
	ops, _ := OpsOf(KindArray)
	l := ops.Look(a)
	if l.Len != 10 || len(l.Cells) != shownCells || !bytes.Equal(l.Cells[2], v[:]) || !bytes.Equal(l.Cells[1], make([]byte, 12)) {
		t.Errorf("Look = %+v", l)
	}
	*a.W64(c.cell(1)) = 0
	if l := ops.Look(a); l.Cells[1] != nil || l.Cells[2] == nil {
		t.Errorf("Look at damage = %+v", l)
	}
}

// Goroutines of several participants on heap memory, which the race detector watches:
// no value is torn, no update is lost, and Check holds all the while.
func TestWideHammer(t *testing.T) {
	for _, width := range []uint64{24, 64, 1000} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			const n, participants, each = 3, 3, 3000
			a := newWide(t, KindArray, n, width, participants)
			ops, _ := OpsOf(KindArray)
			var us []*Wide
			var wg, readers sync.WaitGroup
			var done atomic.Bool
			torn := func(b []byte) bool {
				for i := 8; i+8 <= len(b); i += 8 {
					if binary.LittleEndian.Uint64(b[i:]) != binary.LittleEndian.Uint64(b) {
						return true
					}
				}
				return false
			}
			set := func(b []byte, v uint64) {
				for i := 0; i+8 <= len(b); i += 8 {
					binary.LittleEndian.PutUint64(b[i:], v)
				}
			}
			for p := range uint32(participants) {
				c := attachWide(t, a, KindArray, n, width, p)
				us = append(us, c)
				for range 2 {
					wg.Go(func() {
						b := make([]byte, width)
						for k := range each {
							set(b, uint64(k))
							c.Store(uint64(1+k%2), unsafe.Pointer(&b[0]))
							for {
								s, ok := c.Load(0, unsafe.Pointer(&b[0]))
								if !ok || torn(b) {
									t.Errorf("torn: %x", b)
									return
								}
								set(b, binary.LittleEndian.Uint64(b)+1)
								if ok, _ := c.Replace(0, s, unsafe.Pointer(&b[0])); ok {
									break
								}
							}
						}
					})
				}
				readers.Go(func() {
					b := make([]byte, width)
					for i := uint64(0); !done.Load(); i++ {
						if _, ok := c.Load(i%n, unsafe.Pointer(&b[0])); !ok || torn(b) {
							t.Errorf("torn: %x", b)
							return
						}
						if i%64 == 0 {
							if err := ops.Check(a); err != nil {
								t.Error(err)
								return
							}
						}
					}
				})
			}
			wg.Wait()
			done.Store(true)
			readers.Wait()
			b := make([]byte, width)
			us[0].Load(0, unsafe.Pointer(&b[0]))
			if got := binary.LittleEndian.Uint64(b); got != 2*participants*each {
				t.Errorf("%d updates, want %d", got, 2*participants*each)
			}
			if err := Accounted(a, us...); err != nil {
				t.Error(err)
			}
		})
	}
}

func BenchmarkWide(b *testing.B) {
	for _, width := range []uint64{16, 64, 256} {
		a := newWide(b, KindValue, 1, width, 64)
		c := attachWide(b, a, KindValue, 1, width, 0)
		v := make([]byte, width)
		b.Run(fmt.Sprintf("load/width=%d", width), func(b *testing.B) {
			for b.Loop() {
				c.Load(0, unsafe.Pointer(&v[0]))
			}
		})
		b.Run(fmt.Sprintf("store/width=%d", width), func(b *testing.B) {
			for b.Loop() {
				c.Store(0, unsafe.Pointer(&v[0]))
			}
		})
	}
}
