package region

import "example.com/tandem/internal/mem"

// The shelf: which removed entries that nobody has open are kept for a while, for who makes
// the next of their kind. A word names an entry and 32 bits of its generation. It is a hint,
// and may name what is used again by now, or has gone: who takes it looks at the entry.
// shm/object_shelf.go has the rules.

// A Shelf is a copy of its words.
type Shelf [ShelfPlaces]uint64

// ShelfWord names the object of a generation in entry i.
func ShelfWord(i uint32, gen uint64) uint64 { return gen<<32 | uint64(i+1) }

// ShelfEntry is the entry that a word names, plus 1; 0: none.
func ShelfEntry(word uint64) uint32 { return uint32(word) }

// ShelfPlace is the word of place k.
func (w *Memory) ShelfPlace(k int) *uint64 { return w.W64(hdrShelf + uint64(k)*8) }

// Shelf copies the words, one by one.
func (w *Memory) Shelf() (s Shelf) {
	for k := range s {
		s[k] = mem.Load64(w.ShelfPlace(k))
	}
	return s
}

// ClearShelf takes down all that is there.
func (w *Memory) ClearShelf() {
	for k := range ShelfPlaces {
		if at := w.ShelfPlace(k); mem.Load64(at) != 0 {
			mem.Store64(at, 0)
		}
	}
}

// Has reports whether the object of a generation in entry i is on the shelf.
func (s *Shelf) Has(i uint32, gen uint64) bool {
	want := ShelfWord(i, gen)
	for _, word := range s {
		if word == want {
			return true
		}
	}
	return false
}

// Empty reports whether nothing is.
func (s *Shelf) Empty() bool { return *s == Shelf{} }
