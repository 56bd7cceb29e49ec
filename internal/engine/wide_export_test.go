package engine

import (
	"errors"
	"fmt"
	"math/bits"

	"example.com/tandem/internal/mem"
)

// Wide cells for tests that cannot be in this package.

// HeapWide is a new object on heap memory, of so many spares a participant.
func HeapWide(n, width uint64, participants int, spares uint32) mem.Area {
	l, ok := wideLayoutOf(n, width, uint32(participants), spares)
	if !ok {
		panic("no such cells")
	}
	a := mem.Heap(l.size)
	InitCells(a, KindArray, n, width, ScalarBytes)
	line := a.Sub(128, 64)
	*line.W32(16), *line.W32(20) = uint32(participants), spares
	for i := range n {
		*a.W64(l.copy(i + 1)) = 2047<<53 | 1
		*a.W64(l.cell(i)) = 1<<bits.Len64(l.count+1) | (i + 1)
	}
	return a
}

// Enter is what a first claim begins with.
func (c *Wide) Enter() { c.enter() }

// Now is the bytes of cell i's copy, as they are.
func (c *Wide) Now(i uint64) []byte {
	w := *c.a.W64(c.cell(i))
	return c.a.Bytes(c.copy(c.copyOf(w))+wideTag, c.width)
}

// Hurry is how many Stores are still to begin with a pause.
func (c *Wide) Hurry() *uint64 { return c.hurry }

// TagOf is copy k's.
func (c *Wide) TagOf(k uint64) *uint64 { return c.a.W64(c.copy(k)) }

// Accounted says whether each copy is in one cell, free, or the spare of one of those
// who live.
func Accounted(a mem.Area, live ...*Wide) error {
	r, err := cellsOf(a, KindArray)
	if err != nil {
		return err
	}
	l := r.wide
	has := map[uint64]int{}
	for i := range l.n {
		has[l.copyOf(*a.W64(l.cell(i)))]++
	}
	for _, c := range live {
		for i := range c.seats {
			k := l.copyOf(c.seats[i].spare)
			if c.seats[i].spare == seatTaken {
				err = errors.Join(err, fmt.Errorf("participant %d's seat %d is taken", c.env.Self.Index, i))
			} else if k != 0 {
				if tag := *a.W64(l.copy(k)); l.names(c.seats[i].spare, tag) && tag>>53 != 0 {
					has[k]++
				}
			}
		}
	}
	for k := uint64(1); k <= l.count; k++ {
		if tag := *a.W64(l.copy(k)); tag>>53 != 0 && has[k] != 1 || tag>>53 == 0 && has[k] != 0 {
			err = errors.Join(err, fmt.Errorf("copy %d, tag %#x, has %d owners", k, tag, has[k]))
		}
	}
	return err
}
