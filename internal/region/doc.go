// Package region is the format of a region: what each of its bytes means, who
// writes it, and in which order. It works on memory alone, a mapping or heap
// bytes: it opens no file, takes no lock, and knows no process but by its record.
// What processes do with a region is package shm's.
//
// docs/layout.md specifies the same for readers in other languages, and testdata
// holds images.
//
//	layout.go     offsets, and where everything is
//	header.go     what a region is: read once, and checked
//	records.go    participants
//	openers.go    who has which object open
//	waits.go      who sleeps on which word
//	directory.go  which objects there are
//	fields.go     what an object was made with
//	heap.go       the objects' memory, and what is free of it
//	repair.go     what is derived, made anew
//	check.go      what is wrong
package region
