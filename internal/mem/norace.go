//go:build !race

package mem

import "unsafe"

// RaceEnabled says whether this is a build for the race detector. Without it
// the annotations are nothing, and inline to that.
const RaceEnabled = false

func RaceDisable()                    {}
func RaceEnable()                     {}
func RaceRead(unsafe.Pointer, int)    {}
func RaceAcquire(unsafe.Pointer)      {}
func RaceRelease(unsafe.Pointer)      {}
func RaceReleaseMerge(unsafe.Pointer) {}
