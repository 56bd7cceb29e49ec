package object

import "os"

// A Passage is a region on its way into a process that is being started:
// package proc's. File is a descriptor for that process. Of an ephemeral region
// it keeps the region from ending for as long as anybody has it open: a process
// that inherited it has entered the region before it closes the file.
//
// After the sender has closed its File, and again when the process has ended,
// it calls End, which ends the region if that was the last of it.
type Passage struct {
	Key      RegionKey
	Name     string
	ReadOnly bool
	File     *os.File
	End      func()
}
