//go:build !linux

package sys

import (
	"errors"
	"os"
)

func Lock(f *os.File, off, n int64, exclusive bool) error { return errors.ErrUnsupported }
func Unlock(f *os.File, off, n int64) error               { return errors.ErrUnsupported }
func Test(f *os.File, off int64) (held bool, err error)   { return false, errors.ErrUnsupported }
func Exclusive(f *os.File, off int64) (exclusive, held bool, err error) {
	return false, false, errors.ErrUnsupported
}
func FirstLocked(f *os.File, off, n int64) (at int64, held bool, err error) {
	return 0, false, errors.ErrUnsupported
}

func Descriptor(f *os.File) (uintptr, error) { return 0, errors.ErrUnsupported }
