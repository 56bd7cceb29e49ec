//go:build !linux

package sys

import "runtime"

// Processors is how many processors the calling thread may run on.
func Processors() int { return runtime.NumCPU() }

// Yield lets another thread run.
func Yield() { runtime.Gosched() }
