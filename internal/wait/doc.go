// Package wait is how a goroutine waits for a word in shared memory to change:
// it spins for a while, then sleeps in the kernel on a futex.
package wait
