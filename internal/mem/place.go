//go:build !tandem_sim

package mem

import "unsafe"

// Place is where the memory at p is. Under the simulator it moves with the
// mapping of the process that asks; so what is accessed other than by the
// functions of this package, since it is owned, goes through Place.
func Place(p unsafe.Pointer) unsafe.Pointer { return p }

// made tells a simulation of memory that Heap has made.
func made(Area) {}
