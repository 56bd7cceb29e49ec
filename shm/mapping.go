package shm

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"unsafe"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
)

// A mapping owns an address range:
//
//	base                 robustGap bytes, private to this process
//	base+robustGap       the region
//
// The node of the kernel's robust list that belongs to the alive word at
// offset x of the region stands at base+x, in the private part, so that the
// distance from node to word is robustGap for every region, whatever its size
// and this process's record (the list has one distance for all its nodes), and
// no other process can scribble on a link.
//
// The range is unmapped when nothing reaches the mapping any more: not at
// Close, which only replaces the region by zeroes, since operations of other
// goroutines may still be on their way out.
type mapping struct {
	base unsafe.Pointer
	mem  unsafe.Pointer // base + robustGap
	size uintptr        // of the region

	zeroed *atomic.Bool
}

// robustGap covers the records of engine.MaxParticipants participants.
const robustGap = 512 << 10

var _ [robustGap - region.HeaderSize - 1024*region.RecordSize]byte // records lie below the gap

// mapRegion maps size bytes of f.
func mapRegion(f *os.File, size uint64, writable bool) (*mapping, error) {
	var base unsafe.Pointer
	err := withRoom(func() (err error) {
		base, err = mapWithGap(f, uintptr(size), writable)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("map %d bytes: %w", size, err)
	}
	m := &mapping{base: base, mem: unsafe.Add(base, robustGap), size: uintptr(size), zeroed: new(atomic.Bool)}
	runtime.AddCleanup(m, func(m mapping) {
		sys.Unmap(m.base, robustGap+m.size)
		if m.zeroed.Load() {
			unmapped.closed.Add(-1)
		}
		unmapped.tell()
	}, *m)
	return m, nil
}

// mapWithGap maps size bytes of f behind a gap of zeroes. Each of its steps may
// find that there is no room: where mappings are counted, a step makes one more.
func mapWithGap(f *os.File, size uintptr, writable bool) (base unsafe.Pointer, err error) {
	if base, err = sys.Reserve(robustGap + size); err != nil {
		return nil, err
	}
	if err = sys.MapZeroes(base, robustGap); err == nil {
		err = sys.MapFile(unsafe.Add(base, robustGap), f, 0, size, writable)
	}
	if err != nil {
		sys.Unmap(base, robustGap+size)
		return nil, err
	}
	return base, nil
}

// mapAny maps n bytes of f for a short while; sys.Unmap ends it.
func mapAny(f *os.File, n uint64, writable bool) (m unsafe.Pointer, err error) {
	err = withRoom(func() error {
		m, err = sys.Map(f, uintptr(n), writable)
		return err
	})
	return m, err
}

// node is the robust node of the alive word at offset off.
func (m *mapping) node(off uint64) *sys.RobustNode {
	return (*sys.RobustNode)(unsafe.Add(m.base, off))
}

// zero replaces the region, for this process alone, by zeroes of its own. No
// operation that is still in flight here can reach the region afterwards.
func (m *mapping) zero() error {
	err := sys.MapZeroes(m.mem, m.size)
	if err != nil || sys.Forced("sparsezeroes") {
		// A system that does not overcommit counts private zeroes as memory in
		// use, and may refuse so many; those of a sparse file it does not count.
		err = sys.MapSparse(m.mem, m.size)
	}
	if err == nil && !m.zeroed.Swap(true) {
		unmapped.closed.Add(1)
	}
	runtime.KeepAlive(m) // or its end would unmap what is being replaced
	return err
}

// announce maps what others must be told through, where there is no room to map
// the whole region again: the header and the records, at the place of the robust
// nodes, which nobody needs any more. Nothing that is still under way here
// touches that.
func (m *mapping) announce(f *os.File, g region.Geometry) (w words, err error) {
	// All of the gap, though the file may end before: of a part, a mapping more would be
	// made, and mappings may be what there is no room for.
	if err := sys.MapFile(m.base, f, 0, robustGap, true); err != nil {
		return w, err
	}
	return words{region.On(mem.At(m.base, g.RecordAt(g.Participants)), g)}, nil
}

// window says where in the file an object is whose area in this mapping, of zeroes by
// now, is a: there, too, as much of its beginning as there is place for, until the next
// call. Where the kernel refuses that it is a itself.
func (m *mapping) window(f *os.File) func(a mem.Area) mem.Area {
	return func(a mem.Area) mem.Area {
		off := uint64(uintptr(a.Ptr(0, 0)) - uintptr(m.mem))
		from := off &^ (pageSize - 1)
		if sys.MapFile(m.base, f, int64(from), robustGap, true) != nil {
			return a
		}
		n := min(uint64(m.size)-from, robustGap)
		return mem.At(m.base, n).Sub(off-from, min(a.Size(), n-(off-from)))
	}
}

// silence ends announce and window.
func (m *mapping) silence() {
	sys.MapZeroes(m.base, robustGap)
	runtime.KeepAlive(m)
}
