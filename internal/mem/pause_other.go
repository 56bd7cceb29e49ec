//go:build !amd64 && !arm64

package mem

import "sync/atomic"

var pauseWord atomic.Uint32

// pause without an instruction for it: loads, which the compiler cannot drop.
func pause(n int) {
	for range n {
		pauseWord.Load()
	}
}
