package sys

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Supported reports whether regions work on this system at all.
const Supported = true

// PageSize is the kernel's page size in bytes.
func PageSize() int { return os.Getpagesize() }

// Reserve takes n bytes of address space without memory behind them.
func Reserve(n uintptr) (unsafe.Pointer, error) {
	return unix.MmapPtr(-1, 0, nil, n, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
}

// MapFile maps n bytes of f from off on at addr, replacing what was there, and
// keeps forked children and core dumps away from them. Of a sparse file it takes
// no memory, even after mlockall(MCL_FUTURE): what is mapped is not locked. An
// mlockall(MCL_CURRENT) that comes later fills and locks all of it, but for one
// with MCL_ONFAULT.
func MapFile(addr unsafe.Pointer, f *os.File, off int64, n uintptr, writable bool) error {
	prot := unix.PROT_READ
	if writable {
		prot |= unix.PROT_WRITE
	}
	first := prot
	fills := fillsMappings()
	if fills {
		first = unix.PROT_NONE // has nothing to fill
	}
	if _, err := unix.MmapPtr(int(f.Fd()), off, addr, n, first, unix.MAP_SHARED|unix.MAP_FIXED); err != nil {
		return err
	}
	b := unsafe.Slice((*byte)(addr), n)
	if fills {
		if err := unlocked(b, prot); err != nil {
			return err
		}
	}
	if err := unix.Madvise(b, unix.MADV_DONTFORK); err != nil {
		return err
	}
	return unix.Madvise(b, unix.MADV_DONTDUMP)
}

// Map is MapFile of the first n bytes, wherever there is room. Unmap ends it.
func Map(f *os.File, n uintptr, writable bool) (unsafe.Pointer, error) {
	p, err := Reserve(n)
	if err != nil {
		return nil, err
	}
	if err := MapFile(p, f, 0, n, writable); err != nil {
		Unmap(p, n)
		return nil, err
	}
	return p, nil
}

// fillsMappings reports whether the kernel puts memory behind whatever is mapped,
// since this process has called mlockall for the future.
func fillsMappings() bool {
	p, err := unix.MmapPtr(-1, 0, nil, uintptr(PageSize()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return false
	}
	defer unix.MunmapPtr(p, uintptr(PageSize()))
	var in [1]byte
	_, _, e := unix.Syscall(unix.SYS_MINCORE, uintptr(p), uintptr(PageSize()), uintptr(unsafe.Pointer(&in[0])))
	return e == 0 && in[0]&1 != 0
}

// unlocked makes b, mapped without permissions, ordinary memory.
func unlocked(b []byte, prot int) error {
	if err := unix.Munlock(b); err != nil {
		return err
	}
	return unix.Mprotect(b, prot)
}

// MapZeroes replaces n bytes at addr by private zeroes, in one step for every
// thread: a thread that touches them before sees what was there, and after,
// zeroes.
func MapZeroes(addr unsafe.Pointer, n uintptr) error {
	if n > 1<<20 && fillsMappings() {
		// Made elsewhere, and moved there in one step.
		p, err := Reserve(n)
		if err != nil {
			return err
		}
		if err = unlocked(unsafe.Slice((*byte)(p), n), unix.PROT_READ|unix.PROT_WRITE); err == nil {
			if _, err = unix.MremapPtr(p, n, addr, n, unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED); err == nil {
				return nil
			}
		}
		Unmap(p, n)
		return err
	}
	_, err := unix.MmapPtr(-1, 0, addr, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_FIXED|unix.MAP_NORESERVE)
	return err
}

// MapSparse is MapZeroes with a new file without a name behind them.
func MapSparse(addr unsafe.Pointer, n uintptr) error {
	f, err := Memfd("zeroes")
	if err != nil {
		return err
	}
	defer f.Close()
	if err := Truncate(f, int64(n)); err != nil {
		return err
	}
	return MapFile(addr, f, 0, n, true)
}

// Unmap gives the address range back.
func Unmap(addr unsafe.Pointer, n uintptr) error { return unix.MunmapPtr(addr, n) }
