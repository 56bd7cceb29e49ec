//go:build !race && !tandem_sim

package mem

import (
	"testing"
	"unsafe"

	"golang.org/x/arch/x86/x86asm"
)

// What waits until all stores are visible, and what does not, by its machine code.
func TestLocked(t *testing.T) {
	var word uint64
	for _, tt := range []struct {
		name string
		f    func()
		want bool
	}{
		{"Fence", Fence, true},
		{"Store64", func() { Store64(&word, 1) }, true},
		{"CAS64", func() { CAS64(&word, 1, 2) }, true},
		{"Or64", func() { Or64(&word, 0) }, true}, // though it changes nothing
		{"Load64", func() { Load64(&word) }, false},
		{"Release64", func() { Release64(&word, 1) }, fenced},
		{"Hint64", func() { Hint64(&word, 1) }, fenced},
		{"FenceLoad", FenceLoad, false},
		{"FenceStore", FenceStore, false},
	} {
		if got := locked(t, tt.f); got != tt.want {
			t.Errorf("%s has a locked instruction: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// locked reports whether there is a locked instruction in f, up to its return.
func locked(t *testing.T, f func()) bool {
	code := unsafe.Slice(**(***byte)(unsafe.Pointer(&f)), 512)
	for len(code) > 16 {
		i, err := x86asm.Decode(code, 64)
		if err != nil {
			t.Fatal(err)
		}
		if i.Op == x86asm.RET {
			return false
		}
		_, memory := i.Args[0].(x86asm.Mem)
		if _, second := i.Args[1].(x86asm.Mem); i.Op == x86asm.XCHG && (memory || second) {
			return true
		}
		for _, p := range i.Prefix {
			if p&0xff == x86asm.PrefixLOCK {
				return true
			}
		}
		code = code[i.Len:]
	}
	t.Fatal("no return")
	return false
}
