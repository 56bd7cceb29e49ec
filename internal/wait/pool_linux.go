package wait

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// allocate returns n zeroed bytes, for good.
func allocate(n int) unsafe.Pointer {
	p, err := unix.MmapPtr(-1, 0, nil, uintptr(n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		panic("tandem: no memory to wait in: " + err.Error()) // where Go itself gives up
	}
	return p
}
