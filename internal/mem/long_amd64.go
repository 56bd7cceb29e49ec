//go:build !tandem_sim && !race

package mem

import (
	"unsafe"

	"golang.org/x/sys/cpu"

	"example.com/tandem/internal/sys"
)

// longCopy is from how many bytes on Copy is one instruction, REP MOVSB, where processors
// are made for that (ERMS): it takes a line to be written without fetching what another
// processor has there. Message by message through a ring that two processors share that is
// up to five times as fast as any loop of loads and stores, which fetches each line to write
// over it; and by itself, with all in the own cache, it costs some twenty nanoseconds more.
//
// Its stores come in any order, but after every store before it, and before every one that
// follows (Intel's Software Developer's Manual, volume 3, "Fast-String Operation and
// Out-of-Order Stores"): what publishes a copy comes after it, as after any other.
const longCopy = 2 << 10

var byString = cpu.X86.HasERMS && !sys.Forced("nostrings")

//go:noescape
func copyLong(dst, src unsafe.Pointer, n uintptr)

// Copy copies n bytes of payload. It promises no atomicity and no order: the
// caller owns both sides, by a claim or because nobody else knows of them.
func Copy(dst, src unsafe.Pointer, n uintptr) {
	if n >= longCopy && byString {
		copyLong(dst, src, n)
		return
	}
	copy(unsafe.Slice((*byte)(dst), n), unsafe.Slice((*byte)(src), n))
}
