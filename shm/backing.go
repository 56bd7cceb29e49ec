package shm

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"syscall"
	"unsafe"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
)

// What a region uses of its file has memory behind it before anybody touches
// it, since a touch of a hole of a full file system is a SIGBUS:
//
//	header, directory  by Create
//	an object          by its creator (provide), until it is gone (giveBack)
//	a copy             by a process that enters it while nobody is in: cp
//	                   --sparse makes holes of what is zero
//
// In the region that it was copied from somebody may live, in the copy nobody
// does. So a process that finds a participant's byte locked finds a file that
// the first to come has backed, before that one took its byte.

// backNew puts memory behind the first n bytes, all zero, of a file that is
// nobody else's yet.
func backNew(f *os.File, n uint64) error {
	err := sys.Fallocate(f, 0, int64(n))
	if noFallocate(err) {
		err = writeZeroes(f, region.Extent{Off: 0, Size: n})
	}
	switch {
	case noRoom(err):
		free, ferr := sys.FreeBytes(f)
		if ferr != nil {
			return fmt.Errorf("header and directory need %d bytes: %w", n, ErrNoSpace)
		}
		return fmt.Errorf("header and directory need %d bytes, the file system has %d free: %w", n, free, ErrNoSpace)
	case err != nil:
		return fmt.Errorf("take %d bytes for header and directory: %w", n, err)
	}
	return nil
}

// backCopy puts memory behind all of the file that the region uses, unless
// somebody is in it.
func (v *regionFile) backCopy(st sys.FileStat, readOnly bool) error {
	f, g := v.f, v.h.Geometry
	_, held, err := sys.FirstLocked(f, region.HeaderSize, int64(g.Participants)*region.RecordSize)
	switch {
	case held:
		return nil
	case readOnly: // whether that can be asked or not
		return touchHead(f, g, st)
	case err != nil:
		return err
	}
	used, err := usedExtents(f, g)
	if err != nil {
		return err
	}
	need := uint64(0)
	for _, x := range used {
		need += x.Size
	}
	if need > uint64(st.Memory) { // or all of it may be behind what is used
		if free, err := sys.FreeBytes(f); err == nil && uint64(free) < need-uint64(st.Memory) {
			return noRoomForCopy(f, need, st)
		}
	}
	for _, x := range used {
		err := sys.Fallocate(f, int64(x.Off), int64(x.Size))
		if noFallocate(err) {
			return touchAll(f, g, used, need, st)
		}
		switch {
		case noRoom(err):
			return noRoomForCopy(f, need, st)
		case err != nil:
			return fmt.Errorf("take %d bytes for a copy of a region: %w", need, err)
		}
	}
	return nil
}

func noRoomForCopy(f *os.File, need uint64, st sys.FileStat) error {
	free, err := sys.FreeBytes(f)
	if err != nil {
		return fmt.Errorf("header, directory and objects need %d bytes, the file has %d: %w", need, st.Memory, ErrNoSpace)
	}
	return fmt.Errorf("header, directory and objects need %d bytes, the file has %d and its file system %d free: %w", need, st.Memory, free, ErrNoSpace)
}

// usedExtents is header, directory, and what each entry has that may be one, by
// whole pages, in order. It is read from the file, which cannot fault, but for
// what the file system knows to be zero: of a table for a million objects hardly
// anything may be in use.
func usedExtents(f *os.File, g region.Geometry) ([]region.Extent, error) {
	const at = 1024 // entries at a time
	used := []region.Extent{{Off: 0, Size: g.HeapOff}}
	w := words{region.On(mem.Heap(min(at, uint64(g.Objects))*region.EntrySize), g)}
	for first, n := uint32(0), uint32(0); ; first += n {
		data := sys.NextData(f, int64(g.EntryAt(first)))
		if data >= int64(g.EntryAt(g.Objects)) {
			break
		}
		first = uint32((uint64(data) - g.EntriesOff) / region.EntrySize)
		n = min(at, g.Objects-first)
		if _, err := f.ReadAt(w.Bytes(0, uint64(n)*region.EntrySize), int64(g.EntryAt(first))); err != nil {
			return nil, err
		}
		w.Geo.EntriesOff = -uint64(first) * region.EntrySize // w has the entries from first on
		for i := first; i < first+n; i++ {
			if w.EntryState(i) == region.EntFree {
				continue
			}
			if e := w.Entry(i); w.Valid(&e) == nil {
				from := e.Off &^ (pageSize - 1)
				to := (e.Off + e.Words + uint64(e.Fields) + pageSize - 1) &^ (pageSize - 1)
				used = append(used, region.Extent{Off: from, Size: to - from})
			}
		}
	}
	slices.SortFunc(used, func(x, y region.Extent) int { return cmp.Compare(x.Off, y.Off) })
	merged := used[:1]
	for _, x := range used[1:] {
		if last := &merged[len(merged)-1]; x.Off <= last.End() {
			last.Size = max(last.End(), x.End()) - last.Off
		} else {
			merged = append(merged, x)
		}
	}
	return merged, nil
}

// touchAll is for a file system without fallocate: each page is changed to what
// it is, so that nothing is lost if others come in meanwhile.
func touchAll(f *os.File, g region.Geometry, used []region.Extent, need uint64, st sys.FileStat) error {
	return guarded(f, g.Size, true, func(m []byte) {
		for _, x := range used {
			for off := x.Off; off < x.End(); off += pageSize {
				atomic.AddUint32((*uint32)(unsafe.Pointer(&m[off])), 0)
			}
		}
	}, func() error { return noRoomForCopy(f, need, st) })
}

// touchHead reads header and directory, for a process that may change nothing.
// A look at a hole of a tmpfs takes memory, too. Objects are looked at with a
// fault in mind (peek).
func touchHead(f *os.File, g region.Geometry, st sys.FileStat) error {
	if uint64(st.Memory) >= g.Size {
		return nil
	}
	return guarded(f, g.HeapOff, false, func(m []byte) {
		for off := uint64(0); off < g.HeapOff; off += pageSize {
			atomic.LoadUint32((*uint32)(unsafe.Pointer(&m[off])))
		}
	}, func() error { return noRoomForCopy(f, g.HeapOff, st) })
}

// guarded calls look with the first n bytes of f mapped, and fault if a page of
// them cannot be had.
func guarded(f *os.File, n uint64, writable bool, look func(m []byte), fault func() error) (err error) {
	m, err := mapAny(f, n, writable)
	if err != nil {
		return fmt.Errorf("map %d bytes: %w", n, err)
	}
	defer sys.Unmap(m, uintptr(n))
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			if _, is := r.(interface{ Addr() uintptr }); !is {
				panic(r)
			}
			err = fault()
		}
	}()
	look(unsafe.Slice((*byte)(m), n))
	return nil
}

// noFallocate reports whether err says that there is no fallocate here.
func noFallocate(err error) bool {
	return errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS)
}

// noRoom reports whether err says that a file system is full, or may give this
// user no more.
func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.ENOMEM)
}

// writeZeroes is fallocate for a file system without it. Nobody else has bytes
// in x, so there is nothing to lose.
func writeZeroes(f *os.File, x region.Extent) error {
	zeroes := make([]byte, min(x.Size, 1<<20))
	for off := x.Off; off < x.End(); off += uint64(len(zeroes)) {
		n := min(uint64(len(zeroes)), x.End()-off)
		if _, err := f.WriteAt(zeroes[:n], int64(off)); err != nil {
			return err
		}
	}
	return nil
}
