//go:build !tandem_sim

package mem

import (
	"bytes"
	"runtime/debug"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Copy copies what it is to, of whatever length and wherever it lies, and nothing beside it.
func TestCopyOfAnyLength(t *testing.T) {
	const most, off = 5000, 64
	src, dst, want := make([]byte, most+2*off), make([]byte, most+2*off), make([]byte, most+2*off)
	for i := range src {
		src[i] = byte(i*7%251 + 1)
	}
	for _, n := range []int{0, 1, 7, 8, 63, 64, 2047, 2048, 2049, 4095, 4096, 4097, most} {
		for _, at := range []int{0, 1, 8, 63} {
			clear(dst)
			clear(want)
			copy(want[off:off+n], src[at:])
			Copy(unsafe.Pointer(&dst[off]), unsafe.Pointer(&src[at]), uintptr(n))
			if !bytes.Equal(dst, want) {
				t.Errorf("%d bytes from %d on: another copy", n, at)
			}
		}
	}
}

// Memory that faults is a panic to who has asked for that, and the next Copy goes on.
func TestCopyOfWhatIsNotThere(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	b := make([]byte, 3000)
	pages, err := unix.Mmap(-1, 0, 1<<16, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(pages)
	nowhere := unsafe.Pointer(unsafe.SliceData(pages))
	for name, f := range map[string]func(){
		"from": func() { Copy(unsafe.Pointer(&b[0]), nowhere, uintptr(len(b))) },
		"to":   func() { Copy(nowhere, unsafe.Pointer(&b[0]), uintptr(len(b))) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s nowhere: no panic", name)
				}
			}()
			f()
		}()
	}
	c := make([]byte, 3000)
	b[2999] = 1
	if Copy(unsafe.Pointer(&c[0]), unsafe.Pointer(&b[0]), uintptr(len(b))); !bytes.Equal(b, c) {
		t.Error("after a fault: another copy")
	}
}

// What is passed to Copy does not escape.
func TestCopyAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(10, func() {
		var a, b [longest]byte
		a[longest-1] = 1
		if Copy(unsafe.Pointer(&b), unsafe.Pointer(&a), longest); b[longest-1] != 1 {
			t.Error("another copy")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

const longest = 4096
