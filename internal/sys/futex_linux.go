package sys

import (
	"math"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel's numbers; x/sys has the calls but not these (linux/futex.h).
const (
	futexWake       = 1
	futexWaitBitset = 9
	futexWakeBitset = 10
	futexPrivate    = 128
	futexAnyBit     = 0xffffffff

	futex2U32     = 0x02
	futex2Private = 0x80
)

// MaxWaitv is how many words one FutexWaitv takes.
const MaxWaitv = 128

// FutexWake wakes up to n sleepers on w, in every process that maps the page,
// and returns how many; n < 0 means all. It never blocks. A wake of one is a
// raw system call: it is over in half a microsecond, and telling the
// scheduler would cost as much. A wake of many is announced, for a raw call
// holds up a stop-the-world for its whole length.
//
// It returns 0, too, for an address that is not mapped: nobody sleeps there.
func FutexWake(w *uint32, n int) int { return wake(w, futexWake, n, 0) }

// FutexWakePrivate is FutexWake on a word that only this process knows, asleep
// on by PrivateWaitv: the kernel then need not look up the page.
func FutexWakePrivate(w *uint32, n int) int { return wake(w, futexWake|futexPrivate, n, 0) }

// FutexWakeBits wakes only those whose FutexWaitBits has one of the bits.
func FutexWakeBits(w *uint32, n int, bits uint32) int { return wake(w, futexWakeBitset, n, bits) }

func wake(w *uint32, op uintptr, n int, bits uint32) int {
	var woken uintptr
	var errno syscall.Errno
	if n == 1 {
		woken, _, errno = unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), op, 1, 0, 0, uintptr(bits))
	} else {
		if n < 0 || n > math.MaxInt32 {
			n = math.MaxInt32
		}
		woken, _, errno = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), op, uintptr(n), 0, 0, uintptr(bits))
	}
	if errno != 0 {
		return 0
	}
	return int(woken)
}

// FutexWait sleeps while *w == v, until somebody wakes w, in any process, or
// CLOCK_MONOTONIC reaches deadline, in nanoseconds (0: none). It returns nil
// when woken, EAGAIN when *w is not v, ETIMEDOUT, EINTR, or EFAULT when w is
// not mapped, which is a bug of the caller and must not be tried again.
func FutexWait(w *uint32, v uint32, deadline int64) error {
	return FutexWaitBits(w, v, futexAnyBit, deadline)
}

// FutexWaitBits is FutexWait that FutexWakeBits can single out by a bit.
func FutexWaitBits(w *uint32, v, bits uint32, deadline int64) error {
	var ts *unix.Timespec
	if deadline != 0 {
		t := unix.NsecToTimespec(deadline)
		ts = &t
	}
	_, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), futexWaitBitset, uintptr(v),
		uintptr(unsafe.Pointer(ts)), 0, uintptr(bits))
	if errno != 0 {
		return errno
	}
	return nil
}

// A Waitv is one word of a FutexWaitv: the kernel's struct futex_waitv.
type Waitv struct {
	Val   uint64
	Addr  uint64
	Flags uint32
	_     uint32
}

var _ [24]byte = [unsafe.Sizeof(Waitv{})]byte{}

// SharedWaitv waits on a word that other processes may wake. The garbage
// collector does not see the address: w must be outside of the Go heap, or be
// kept alive and never have been on a stack.
func SharedWaitv(w *uint32, v uint32) Waitv {
	return Waitv{Val: uint64(v), Addr: uint64(uintptr(unsafe.Pointer(w))), Flags: futex2U32}
}

// PrivateWaitv waits on a word that only this process wakes, by
// FutexWakePrivate. The same holds for its address.
func PrivateWaitv(w *uint32, v uint32) Waitv {
	return Waitv{Val: uint64(v), Addr: uint64(uintptr(unsafe.Pointer(w))), Flags: futex2U32 | futex2Private}
}

// timespec64 is what futex_waitv takes on every architecture.
type timespec64 struct{ sec, nsec int64 }

// FutexWaitv sleeps while all words have their values, until one is woken or
// CLOCK_MONOTONIC reaches deadline, in nanoseconds (0: none). It returns the
// index of a woken word (others may have been woken too: look at all), or
// EAGAIN when one differs, ETIMEDOUT, EINTR, EFAULT; ENOSYS or EPERM where
// HaveWaitv is false. At most MaxWaitv words.
func FutexWaitv(words []Waitv, deadline int64) (int, error) {
	if len(words) == 0 || len(words) > MaxWaitv {
		return 0, unix.EINVAL
	}
	var ts *timespec64
	if deadline != 0 {
		t := timespec64{deadline / 1e9, deadline % 1e9}
		ts = &t
	}
	i, _, errno := unix.Syscall6(unix.SYS_FUTEX_WAITV, uintptr(unsafe.Pointer(&words[0])), uintptr(len(words)), 0,
		uintptr(unsafe.Pointer(ts)), unix.CLOCK_MONOTONIC, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(i), nil
}

var haveWaitv = probeWaitv()

// HaveWaitv reports whether FutexWaitv works here: since Linux 5.16, unless a
// sandbox forbids it. It was tried once at start; TANDEM_FORCE=nowaitv makes
// it false.
func HaveWaitv() bool { return haveWaitv }

var probeWord uint32 // never on a stack

func probeWaitv() bool {
	if Forced("nowaitv") {
		return false
	}
	words := []Waitv{SharedWaitv(&probeWord, 1), PrivateWaitv(&probeWord, 1)}
	for {
		switch _, err := FutexWaitv(words, 0); err {
		case unix.EAGAIN:
			return true
		case unix.EINTR:
		default:
			return false
		}
	}
}
