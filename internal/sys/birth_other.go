//go:build !linux

package sys

import (
	"errors"
	"io/fs"
	"os"
)

var ErrNoTemp = errors.New("no files without a name here")

func Temp(dir string) (*os.File, error)        { return nil, errors.ErrUnsupported }
func Link(f *os.File, path string) error       { return errors.ErrUnsupported }
func New(path string) (*os.File, error)        { return nil, errors.ErrUnsupported }
func Rename(from, to string) error             { return errors.ErrUnsupported }
func Truncate(f *os.File, size int64) error    { return errors.ErrUnsupported }
func Chmod(f *os.File, mode fs.FileMode) error { return errors.ErrUnsupported }
func Memfd(name string) (*os.File, error)      { return nil, errors.ErrUnsupported }
func Seal(f *os.File) error                    { return errors.ErrUnsupported }
func Sealed(f *os.File) bool                   { return false }
