//go:build tandem_sim

package mem

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"
)

// Stores without a fence, as amd64 makes them (x86-TSO: [Sewell and others, CACM
// 53(7), 2010]). Each thread has a buffer of the stores that it has made and
// that the others do not see yet:
//
//	T1  a store without a fence goes to the end of its thread's buffer
//	T2  the oldest store of a buffer becomes visible, to all at once, at any time
//	T3  a load finds what its own thread stored last, visible or not
//	T4  a locked instruction waits until its thread's buffer is empty
//
// So a load overtakes its own thread's earlier stores, and nothing else
// overtakes anything. A load that needs a part of a store waits until that is
// visible, as on a processor that cannot forward it.
//
// [Sewell and others, CACM 53(7), 2010]: https://dl.acm.org/doi/10.1145/1785414.1785443
type Buffer struct {
	stores []store
}

type store struct {
	p     unsafe.Pointer
	n     uintptr
	word  uint64 // of 4 and 8 bytes
	bytes []byte // of others
	due   int
}

// Buffers is who has the buffers, when Stores is set: the scheduler of a simulation.
type Buffers interface {
	// Own is the running thread's buffer, or nil if none is running.
	Own() *Buffer
	// Late is asked before a store at p: whether it goes to the buffer, and when
	// it becomes visible there.
	Late(p unsafe.Pointer) (due int, late bool)
	// Drain makes the running thread's oldest store visible. It reports whether
	// there was one.
	Drain() bool
}

var (
	Stores Buffers
	Made   func(Area) // told of the memory that Heap makes
)

func made(a Area) {
	if Made != nil {
		Made(a)
	}
}

func (b *Buffer) Empty() bool { return len(b.stores) == 0 }

// Due is when the oldest store becomes visible, and LastDue when the youngest.
func (b *Buffer) Due() int     { return b.stores[0].due }
func (b *Buffer) LastDue() int { return b.stores[len(b.stores)-1].due }

// Show is T2.
func (b *Buffer) Show() {
	b.stores[0].show()
	b.stores = b.stores[1:]
}

func (s *store) show() {
	switch {
	case s.bytes != nil:
		copy(unsafe.Slice((*byte)(s.p), s.n), s.bytes)
	case s.n == 4:
		atomic.StoreUint32((*uint32)(s.p), uint32(s.word))
	default:
		atomic.StoreUint64((*uint64)(s.p), s.word)
	}
}

// touches reports whether the store and n bytes at p have any in common.
func (s *store) touches(p unsafe.Pointer, n uintptr) bool {
	return uintptr(p) < uintptr(s.p)+s.n && uintptr(s.p) < uintptr(p)+n
}

// part is the n bytes at p, if the store has them all.
func (s *store) part(p unsafe.Pointer, n uintptr) (v uint64, ok bool) {
	off := uintptr(p) - uintptr(s.p)
	if uintptr(p) < uintptr(s.p) || off+n > s.n {
		return 0, false
	}
	if s.bytes == nil {
		return s.word >> (8 * off), true
	}
	var b [8]byte
	copy(b[:n], s.bytes[off:])
	return binary.LittleEndian.Uint64(b[:]), true
}

// touching is the youngest store that touches n bytes at p, or nil.
func (b *Buffer) touching(p unsafe.Pointer, n uintptr) *store {
	for i := len(b.stores) - 1; i >= 0; i-- {
		if b.stores[i].touches(p, n) {
			return &b.stores[i]
		}
	}
	return nil
}

// put is T1. It reports false if the store is to be made at once.
func put(s store) bool {
	if Stores == nil {
		return false
	}
	due, late := Stores.Late(s.p)
	if late {
		s.due = due
		b := Stores.Own()
		b.stores = append(b.stores, s)
	}
	return late
}

// own is T3: the n bytes at p, if the running thread's buffer has them.
func own(p unsafe.Pointer, n uintptr) (v uint64, ok bool) {
	if Stores == nil {
		return 0, false
	}
	b := Stores.Own()
	if b == nil {
		return 0, false
	}
	for s := b.touching(p, n); s != nil; s = b.touching(p, n) {
		if v, ok := s.part(p, n); ok {
			return v, true
		}
		Stores.Drain()
	}
	return 0, false
}

// settled waits until none of the running thread's stores to n bytes at p is late.
func settled(p unsafe.Pointer, n uintptr) {
	if Stores == nil {
		return
	}
	for b := Stores.Own(); b != nil && b.touching(p, n) != nil; {
		Stores.Drain()
	}
}

// drain is T4. Each store becomes visible by itself, and others may run in between.
func drain() {
	for Stores != nil && Stores.Drain() {
		point()
	}
}

// Fence waits until the running thread's stores are visible.
func Fence() {
	point()
	drain()
}
