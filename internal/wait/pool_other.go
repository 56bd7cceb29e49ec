//go:build !linux

package wait

import "unsafe"

func allocate(n int) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(make([]uint32, n/4))) }
