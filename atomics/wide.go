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

func loadWide[T any](h *handle, i int) (x T) {
	_ = h.index[i]
	if h.closed.Load() && h.gone() {
		return x
	}
	if _, ok := h.wide.Load(uint64(i), unsafe.Pointer(&x)); !ok {
		x = *new(T)
	}
	if h.mended {
		h.typ.Mend(unsafe.Pointer(&x))
	}
	if mem.RaceEnabled {
		h.acquired(i)
	}
	h.core.KeepAlive()
	return x
}

func storeWide[T any](h *handle, i int, x T) {
	_ = h.index[i]
	if h.closed.Load() && h.gone() {
		return
	}
	if h.padded {
		h.typ.ZeroPadding(unsafe.Pointer(&x))
	}
	if mem.RaceEnabled {
		h.releases(i)
	}
	h.wide.Store(uint64(i), unsafe.Pointer(&x))
	h.core.KeepAlive()
}

func swapWide[T any](h *handle, i int, x T) (old T) {
	_ = h.index[i]
	if h.closed.Load() && h.gone() {
		return old
	}
	if h.padded {
		h.typ.ZeroPadding(unsafe.Pointer(&x))
	}
	if mem.RaceEnabled {
		h.releases(i)
	}
	for {
		s, ok := h.wide.Load(uint64(i), unsafe.Pointer(&old))
		done := false
		if ok {
			done, ok = h.wide.Replace(uint64(i), s, unsafe.Pointer(&x))
		}
		if !ok {
			return *new(T)
		}
		if done {
			break
		}
	}
	if h.mended {
		h.typ.Mend(unsafe.Pointer(&old))
	}
	if mem.RaceEnabled {
		h.acquired(i)
	}
	h.core.KeepAlive()
	return old
}

// casWide looks at the value's bytes again where Replace finds that it has changed: it
// may have changed to the same bytes.
func casWide[T any](h *handle, i int, old, new T) (done bool) {
	_ = h.index[i]
	var is T
	if h.padded {
		h.typ.ZeroPadding(unsafe.Pointer(&old))
		h.typ.ZeroPadding(unsafe.Pointer(&new))
	}
	if h.closed.Load() && h.gone() {
		return bytes.Equal(bytesOf(&old), bytesOf(&is))
	}
	if mem.RaceEnabled {
		h.releases(i)
	}
	for !done {
		s, ok := h.wide.Load(uint64(i), unsafe.Pointer(&is))
		if h.mended {
			h.typ.Mend(unsafe.Pointer(&is))
		}
		if ok && !bytes.Equal(bytesOf(&old), bytesOf(&is)) {
			break
		}
		if ok {
			done, ok = h.wide.Replace(uint64(i), s, unsafe.Pointer(&new))
		}
		if !ok {
			clear(bytesOf(&is))
			return bytes.Equal(bytesOf(&old), bytesOf(&is))
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

func bytesOf[T any](x *T) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(x)), unsafe.Sizeof(*x)) }
