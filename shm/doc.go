// Package shm keeps regions: files mapped by several processes, in which the
// objects of packages sync, atomics and ring live.
package shm
