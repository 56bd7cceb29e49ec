package atomics

import (
	"bytes"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// The operations on cells of a T that is no machine word. What lies between its
// fields is zeroed in the caller's copy before that goes in, so that what is there
// has zeroes there, and is compared by all of its bytes. In a region that was
// damaged it may be anything: it is zeroed where it comes out, too, and of bools there
// is one bit left.
//
// Where the engine finds no cell the region is gone, and a cell reads as zero.

func (h *handle) loadWide(i int, x unsafe.Pointer) {
	_ = h.index[i]
	if h.closed.Load() && h.gone() {
		return
	}
	if _, ok := h.wide.Load(uint64(i), x); !ok {
		clear(h.bytes(x))
	}
	if h.mended {
		h.typ.Mend(x)
	}
	if mem.RaceEnabled {
		h.acquired(i)
	}
	h.core.KeepAlive()
}

func (h *handle) storeWide(i int, x unsafe.Pointer) {
	_ = h.index[i]
	if h.closed.Load() && h.gone() {
		return
	}
	if h.padded {
		h.typ.ZeroPadding(x)
	}
	if mem.RaceEnabled {
		h.releases(i)
	}
	h.wide.Store(uint64(i), x)
	h.core.KeepAlive()
}

func (h *handle) swapWide(i int, x, old unsafe.Pointer) {
	_ = h.index[i]
	if h.closed.Load() && h.gone() {
		return
	}
	if h.padded {
		h.typ.ZeroPadding(x)
	}
	if mem.RaceEnabled {
		h.releases(i)
	}
	for {
		s, ok := h.wide.Load(uint64(i), old)
		done := false
		if ok {
			done, ok = h.wide.Replace(uint64(i), s, x)
		}
		if !ok {
			clear(h.bytes(old))
			return
		}
		if done {
			break
		}
	}
	if h.mended {
		h.typ.Mend(old)
	}
	if mem.RaceEnabled {
		h.acquired(i)
	}
	h.core.KeepAlive()
}

// casWide looks at the value's bytes again where Replace finds that it has changed: it
// may have changed to the same bytes. There is room for them at is.
func (h *handle) casWide(i int, old, new, is unsafe.Pointer) (done bool) {
	_ = h.index[i]
	if h.padded {
		h.typ.ZeroPadding(old)
		h.typ.ZeroPadding(new)
	}
	if h.closed.Load() && h.gone() {
		return bytes.Equal(h.bytes(old), h.bytes(is))
	}
	if mem.RaceEnabled {
		h.releases(i)
	}
	for !done {
		s, ok := h.wide.Load(uint64(i), is)
		if h.mended {
			h.typ.Mend(is)
		}
		if ok && !bytes.Equal(h.bytes(old), h.bytes(is)) {
			break
		}
		if ok {
			done, ok = h.wide.Replace(uint64(i), s, new)
		}
		if !ok {
			clear(h.bytes(is))
			return bytes.Equal(h.bytes(old), h.bytes(is))
		}
	}
	if mem.RaceEnabled {
		h.acquired(i)
	}
	h.core.KeepAlive()
	return done
}

func updateWide[T any](h *handle, i int, f func(T) T) T {
	_ = h.index[i]
	for {
		var is T
		if h.closed.Load() && h.gone() {
			return f(is)
		}
		s, ok := h.wide.Load(uint64(i), unsafe.Pointer(&is))
		if !ok {
			return f(*new(T))
		}
		if h.mended {
			h.typ.Mend(unsafe.Pointer(&is))
		}
		if mem.RaceEnabled {
			h.acquired(i)
		}
		x := f(is)
		put := x
		if h.padded {
			h.typ.ZeroPadding(unsafe.Pointer(&put))
		}
		if mem.RaceEnabled {
			h.releases(i)
		}
		done, ok := h.wide.Replace(uint64(i), s, unsafe.Pointer(&put))
		if mem.RaceEnabled {
			h.acquired(i)
		}
		h.core.KeepAlive()
		if done || !ok {
			return x
		}
	}
}

// bytes are those of the T at p.
func (h *handle) bytes(p unsafe.Pointer) []byte { return unsafe.Slice((*byte)(p), h.typ.Size) }

func bytesOf[T any](x *T) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(x)), unsafe.Sizeof(*x)) }
