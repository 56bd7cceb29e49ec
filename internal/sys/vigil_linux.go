package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// scratch is what the kernel reads and writes, which would be too much for the
// little stack that there is.
type scratch struct {
	ts   timespec64
	lock unix.Flock_t
}

// Sleep sleeps until a word of Words is woken or differs, a look finds
// something, or Until is there: the caller looks at everything. It is called by
// one goroutine at a time, whose thread it blocks.
func (v *Vigil) Sleep() error {
	if len(v.Words) == 0 {
		return unix.EINVAL
	}
	for i := range v.Rows {
		v.Rows[i].Found = -1
	}
	v.pulse, v.watched = v.PulseAt, false
	v.sleep(MonotonicNow(), HaveWaitv())
	return nil
}

// next is when the next look is due, or what ends the sleep; 0: never. All
// processes look at the same times, whenever they began: a processor that slept
// wakes up once for all of them, and waking up is most of what a look costs.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (v *Vigil) next(now int64) int64 {
	next := v.Until
	if v.Period != 0 {
		if at := now - now%v.Period + v.Period; next == 0 || at < next {
			next = at
		}
	}
	if len(v.Pulses) > 0 && (next == 0 || v.pulse < next) {
		next = v.pulse
	}
	return next
}

// goesOn reports whether the sleep goes on after a futex call ended with errno.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (v *Vigil) goesOn(errno syscall.Errno, now int64, waitv bool) bool {
	return (errno == unix.ETIMEDOUT || errno == unix.EINTR) && !v.differs(now, waitv) && (v.Until == 0 || now < v.Until)
}

// futex sleeps on the words, without telling the scheduler.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (v *Vigil) futex(until int64, waitv bool) syscall.Errno {
	p := unsafe.Pointer(nil)
	if until != 0 {
		v.ts.sec, v.ts.nsec = until/1e9, until%1e9
		p = unsafe.Pointer(&v.ts)
	}
	w := &v.Words[0]
	var errno syscall.Errno
	if waitv {
		_, _, errno = unix.RawSyscall6(unix.SYS_FUTEX_WAITV, uintptr(unsafe.Pointer(w)), uintptr(min(len(v.Words), MaxWaitv)), 0,
			uintptr(p), unix.CLOCK_MONOTONIC, 0)
	} else {
		_, _, errno = unix.RawSyscall6(unix.SYS_FUTEX, uintptr(w.Addr), futexWaitBitset, uintptr(w.Val),
			uintptr(p), 0, futexAnyBit)
	}
	return errno
}

// rawNow is MonotonicNow by a system call: the way through the vDSO needs more
// stack than there is.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (v *Vigil) rawNow() int64 {
	unix.RawSyscall6(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&v.ts)), 0, 0, 0, 0)
	return v.ts.sec*1e9 + v.ts.nsec
}

//go:nosplit
//go:norace
//go:nocheckptr
func (v *Vigil) differs(now int64, waitv bool) bool {
	if !waitv || len(v.Words) > MaxWaitv { // what the kernel does not look at
		for i := range v.Words {
			w := &v.Words[i]
			if *wordOf(w) != uint32(w.Val) {
				return true
			}
		}
	}
	for i := range v.Rows {
		if v.Rows[i].differ() {
			return true
		}
	}
	return len(v.Pulses) > 0 && now >= v.pulse && v.still(now)
}

// still looks at the pulses, and some time later once more.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (v *Vigil) still(now int64) (found bool) {
	for i := range v.Pulses {
		p := &v.Pulses[i]
		sum := p.sum()
		p.Still = v.watched && sum == p.seen
		found = found || p.Still
		p.seen = sum
	}
	step := v.PulseStep
	if v.watched = !v.watched; v.watched {
		step = v.PulseRest
	}
	if v.pulse += step; v.pulse < now+step/2 { // it was late
		v.pulse = now + step
	}
	return found
}

//go:nosplit
//go:norace
//go:nocheckptr
func (r *Rows) differ() bool {
	*r.Beat++
	for i := range r.Wide {
		p := unsafe.Add(r.Base, uintptr(i)*r.Stride)
		if *(*uint64)(p) != r.Wide[i] || *(*uint32)(unsafe.Add(p, 8)) != r.Narrow[i] {
			return true
		}
	}
	return false
}

// free tries the next bytes of each file, and reports whether it has found one
// that nobody has locked.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (v *Vigil) free() bool {
	for i := range v.Rows {
		r := &v.Rows[i]
		for range min(r.Some, len(r.Bytes)) {
			if r.Next >= len(r.Bytes) {
				r.Next = 0
			}
			v.lock = unix.Flock_t{Type: unix.F_WRLCK, Start: r.Bytes[r.Next], Len: 1}
			_, _, errno := unix.RawSyscall6(unix.SYS_FCNTL, r.File, unix.F_OFD_GETLK, uintptr(unsafe.Pointer(&v.lock)), 0, 0, 0)
			if errno == 0 && v.lock.Type == unix.F_UNLCK {
				r.Found = r.Bytes[r.Next]
				return true
			}
			r.Next++
		}
	}
	return false
}

//go:nosplit
//go:norace
//go:nocheckptr
func wordOf(w *Waitv) *uint32 { return *(**uint32)(unsafe.Pointer(&w.Addr)) }

//go:nosplit
//go:norace
//go:nocheckptr
func (p *Pulse) sum() (sum uint32) {
	for i := range p.N {
		sum += *(*uint32)(unsafe.Add(p.Base, uintptr(i)*p.Stride))
	}
	return sum
}
