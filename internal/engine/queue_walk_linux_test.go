package engine

import (
	"fmt"
	"syscall"
	"testing"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// Who only looks may have the region mapped read-only. A walk from an old hint comes by
// slots at which one who takes stores the hint: on lease, and void.
func TestQueueReadOnly(t *testing.T) {
	for _, n := range []int{64, 100} {
		for _, over := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d slots, stepped over %v", n, over), func(t *testing.T) {
				c := QueueConfig{Slots: n, Room: 16, Rows: 8}
				b, err := syscall.Mmap(-1, 0, int(c.Size()), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { syscall.Munmap(b) })
				a := mem.At(unsafe.Pointer(&b[0]), c.Size())
				c.initLap(a, nearWrap)
				q := attachQueue(t, a, 0)
				old := *q.head.shared
				fill(t, q, 1)
				if _, err := q.Take(nil, true); err != nil {
					t.Fatal(err)
				}
				if over {
					pass(t, q, n)
				}
				fill(t, q, 3)
				*q.head.shared = old
				if err := syscall.Mprotect(b, syscall.PROT_READ); err != nil {
					t.Fatal(err)
				}
				if err := unhurt(func() {
					if l := lookQueue(a); l.Len != 3 {
						t.Errorf("%d messages, want 3", l.Len)
					}
					if err := checkQueue(a); err != nil {
						t.Error(err)
					}
				}); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
