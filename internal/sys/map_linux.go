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

// MapFile maps the first n bytes of f at addr, replacing what was there, and
// keeps forked children and core dumps away from them.
func MapFile(addr unsafe.Pointer, f *os.File, n uintptr, writable bool) error {
	prot := unix.PROT_READ
	if writable {
		prot |= unix.PROT_WRITE
	}
	if _, err := unix.MmapPtr(int(f.Fd()), 0, addr, n, prot, unix.MAP_SHARED|unix.MAP_FIXED); err != nil {
		return err
	}
	b := unsafe.Slice((*byte)(addr), n)
	if err := unix.Madvise(b, unix.MADV_DONTFORK); err != nil {
		return err
	}
	return unix.Madvise(b, unix.MADV_DONTDUMP)
}

// MapZeroes replaces n bytes at addr by private zeroes, in one step for every
// thread: whoever touches them before sees what was there, and after, zeroes.
func MapZeroes(addr unsafe.Pointer, n uintptr) error {
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
	return MapFile(addr, f, n, true)
}

// Unmap gives the address range back.
func Unmap(addr unsafe.Pointer, n uintptr) error { return unix.MunmapPtr(addr, n) }
