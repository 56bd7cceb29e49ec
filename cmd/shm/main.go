// Command shm looks into regions of shared memory: which there are, who holds
// and who waits for what in one of them, and whether it is whole. It maps them
// read-only, takes no lock and no participant's place, and works while every
// lock is held by a stopped process.
//
// Its exit status is 0 if it did what it was asked for, 1 if it could not or
// found something wrong, and 2 if it was asked wrongly.
package main

import (
	"os"

	"example.com/tandem/shm"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// open maps a region to look at it.
func open(name string) (*shm.Region, error) {
	return shm.Open(name, &shm.Options{ReadOnly: true, AnyOwner: true})
}
