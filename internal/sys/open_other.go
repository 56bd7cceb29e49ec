//go:build !linux

package sys

import (
	"errors"
	"io/fs"
	"os"
)

type FileStat struct {
	FileID
	Mode         fs.FileMode
	Size, Memory int64
	UID          int
	Links        uint64
}

func Stat(f *os.File) (FileStat, error)                 { return FileStat{}, errors.ErrUnsupported }
func Lstat(path string) (FileStat, error)               { return FileStat{}, errors.ErrUnsupported }
func Open(path string, writable bool) (*os.File, error) { return nil, errors.ErrUnsupported }
func Dup(f *os.File) (*os.File, error)                  { return nil, errors.ErrUnsupported }
func Writable(f *os.File) (bool, error)                 { return false, errors.ErrUnsupported }
func PathOf(f *os.File) string                          { return "" }
func EUID() int                                         { return os.Geteuid() }
func Unlink(path string) error                          { return errors.ErrUnsupported }
