//go:build !linux

package sys

import (
	"errors"
	"os"
	"unsafe"
)

// Supported reports whether regions work on this system at all.
const Supported = false

// PageSize is the kernel's page size in bytes.
func PageSize() int { return os.Getpagesize() }

func Reserve(n uintptr) (unsafe.Pointer, error) { return nil, errors.ErrUnsupported }
func MapFile(addr unsafe.Pointer, f *os.File, n uintptr, writable bool) error {
	return errors.ErrUnsupported
}
func MapZeroes(addr unsafe.Pointer, n uintptr) error { return errors.ErrUnsupported }
func MapSparse(addr unsafe.Pointer, n uintptr) error { return errors.ErrUnsupported }
func Unmap(addr unsafe.Pointer, n uintptr) error     { return errors.ErrUnsupported }

func Map(f *os.File, n uintptr, writable bool) (unsafe.Pointer, error) {
	return nil, errors.ErrUnsupported
}
