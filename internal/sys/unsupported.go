//go:build !linux

package sys

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"time"
	"unsafe"
)

// Off Linux this package compiles, so that programs that use a region somewhere
// and not here do, and nothing in it works: no region can be opened, so nobody
// gets further. In the order of the files that have the same names for Linux.

// Supported reports whether regions work on this system at all.
const Supported = false

// birth_linux.go

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

// clock_linux.go

func readMonotonic() int64 { return time.Now().UnixNano() }

// file_linux.go

// FileID tells two files apart.
type FileID struct{ Dev, Ino uint64 }

func ID(f *os.File) (FileID, error)            { return FileID{}, errors.ErrUnsupported }
func Fallocate(f *os.File, off, n int64) error { return errors.ErrUnsupported }
func PunchHole(f *os.File, off, n int64) error { return errors.ErrUnsupported }
func FreeBytes(f *os.File) (int64, error)      { return 0, errors.ErrUnsupported }
func NextData(f *os.File, off int64) int64     { return off }
func FreeInodes(string) (free, limit uint64, err error) {
	return 0, 0, errors.ErrUnsupported
}
func Reopen(f *os.File, writable bool) (*os.File, error) {
	return nil, errors.ErrUnsupported
}
func ReadNow(fd uintptr, p []byte) (int, error)     { return 0, errors.ErrUnsupported }
func WriteNow(fd uintptr, p []byte) (int, error)    { return 0, errors.ErrUnsupported }
func PeekNow(fd uintptr, p []byte) (int, error)     { return 0, errors.ErrUnsupported }
func RecvNow(fd uintptr, p []byte) (int, error)     { return 0, errors.ErrUnsupported }
func SendNow(fd uintptr, p []byte) (int, error)     { return 0, errors.ErrUnsupported }
func RecvPeekNow(fd uintptr, p []byte) (int, error) { return 0, errors.ErrUnsupported }

// futex_linux.go

// MaxWaitv is how many words one FutexWaitv takes.
const MaxWaitv = 128

// A Waitv is one word of a FutexWaitv.
type Waitv struct{}

func FutexWake(w *uint32, n int) int                  { return 0 }
func FutexWakePrivate(w *uint32, n int) int           { return 0 }
func FutexWakeBits(w *uint32, n int, bits uint32) int { return 0 }

func FutexWait(w *uint32, v uint32, deadline int64) error           { return errors.ErrUnsupported }
func FutexWaitBits(w *uint32, v, bits uint32, deadline int64) error { return errors.ErrUnsupported }

func SharedWaitv(w *uint32, v uint32) Waitv                 { return Waitv{} }
func PrivateWaitv(w *uint32, v uint32) Waitv                { return Waitv{} }
func FutexWaitv(words []Waitv, deadline int64) (int, error) { return 0, errors.ErrUnsupported }
func HaveWaitv() bool                                       { return false }

// map_linux.go

// PageSize is the kernel's page size in bytes.
func PageSize() int { return os.Getpagesize() }

func Reserve(n uintptr) (unsafe.Pointer, error)      { return nil, errors.ErrUnsupported }
func MapZeroes(addr unsafe.Pointer, n uintptr) error { return errors.ErrUnsupported }
func MapSparse(addr unsafe.Pointer, n uintptr) error { return errors.ErrUnsupported }
func Unmap(addr unsafe.Pointer, n uintptr) error     { return errors.ErrUnsupported }
func MapFile(addr unsafe.Pointer, f *os.File, off int64, n uintptr, writable bool) error {
	return errors.ErrUnsupported
}
func Map(f *os.File, n uintptr, writable bool) (unsafe.Pointer, error) {
	return nil, errors.ErrUnsupported
}

// membarrier_linux.go

func RegisterMembarrier() error { return errors.ErrUnsupported }
func Membarrier() error         { return errors.ErrUnsupported }
func MembarrierOwn() error      { return errors.ErrUnsupported }

// ofd_linux.go

func Lock(f *os.File, off, n int64, exclusive bool) error { return errors.ErrUnsupported }
func Unlock(f *os.File, off, n int64) error               { return errors.ErrUnsupported }
func Test(f *os.File, off int64) (held bool, err error)   { return false, errors.ErrUnsupported }
func Descriptor(f *os.File) (uintptr, error)              { return 0, errors.ErrUnsupported }
func Exclusive(f *os.File, off int64) (exclusive, held bool, err error) {
	return false, false, errors.ErrUnsupported
}
func FirstLocked(f *os.File, off, n int64) (at int64, held bool, err error) {
	return 0, false, errors.ErrUnsupported
}

// open_linux.go

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

// process_linux.go, self_linux.go

func Gettid() int                       { return 0 }
func Namespace() (uint64, error)        { return 0, errors.ErrUnsupported }
func StartTime(pid int) (uint64, error) { return 0, errors.ErrUnsupported }
func OwnStart() (uint64, error)         { return 0, errors.ErrUnsupported }
func Ended(pid int, start uint64) bool  { return false }
func Stopped(pid int, s uint64) bool    { return false }
func Gone(pid int) bool                 { return false }
func BootID() (id [16]byte)             { return id }
func IsMainThread() bool                { return false }

// processors_linux.go

// Processors is how many processors the calling thread may run on.
func Processors() int { return runtime.NumCPU() }

// Switches is how often the calling thread has had a processor.
func Switches() int64 { return -1 }

// Yield lets another thread run.
func Yield() { runtime.Gosched() }

// robust_linux.go

func SetRobustList(head *RobustHead) error { return errors.ErrUnsupported }

// vigil_linux.go

type scratch struct{}

func (v *Vigil) Sleep() error { return errors.ErrUnsupported }
