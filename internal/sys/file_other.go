//go:build !linux

package sys

import (
	"errors"
	"os"
)

func Fallocate(f *os.File, off, n int64) error { return errors.ErrUnsupported }
func PunchHole(f *os.File, off, n int64) error { return errors.ErrUnsupported }
func FreeInodes(string) (free, limit uint64, err error) {
	return 0, 0, errors.ErrUnsupported
}
func FreeBytes(f *os.File) (int64, error)  { return 0, errors.ErrUnsupported }
func NextData(f *os.File, off int64) int64 { return off }
func Reopen(f *os.File, writable bool) (*os.File, error) {
	return nil, errors.ErrUnsupported
}

// FileID tells two files apart.
type FileID struct{ Dev, Ino uint64 }

func ID(f *os.File) (FileID, error) { return FileID{}, errors.ErrUnsupported }
