//go:build !amd64 && !arm64 && !tandem_sim

package mem

import "sync/atomic"

var fenceWord atomic.Uint32

// All are full fences: an atomic read-modify-write.
func FenceLoad()  { fenceWord.Add(0) }
func FenceStore() { fenceWord.Add(0) }
func Fence()      { fenceWord.Add(0) }
