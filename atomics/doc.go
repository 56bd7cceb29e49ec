// Package atomics has typed cells in shared memory: a [Value] holds one, an
// [Array] many of one type, a [Slice] is plain memory.
//
// A Value or an Array holds any T of fixed size that has no pointer in it:
// numbers, bools, arrays and structs of such. Each operation on a cell is a
// single atomic one, in the one order of all atomic operations of all
// processes, as those of package sync/atomic are within a process. None blocks
// and none fails. A process that is stopped or killed in the middle of one holds
// up nobody, and has changed the cell entirely or not at all.
//
// A T of 1, 2, 4 or 8 bytes is a machine word, and takes that. A value of any
// other size lies in a copy of its own, and a word says which copy counts: to
// store is to write another copy and to change the word. So a reader never sees
// a part of a value, whoever stops where, and waits for no writer; it reads again
// if, while it was reading, a process has stored four times, the first time into
// that cell (twice, where T has more than 256 bytes). Should that happen eight times
// running, the next Stores begin with a pause of some microseconds, or of as long as it
// takes to read the value. A Store waits for no other process. Of its own process three
// goroutines at a time store into one Value or Array (one, where T has more than 256
// bytes); more of them take turns.
//
// Of copies there are one for each cell and three for each participant of the region
// (one, where T has more than 256 bytes), whatever the number of cells. In a region for
// 64 participants a Value of 64 bytes takes 27 KB, one of 4096 bytes 271 KB.
//
//	hits, err := atomics.OpenValue(region, "hits", int64(0))
//	…
//	atomics.Add(hits, 1) // from any number of processes
//
// Cells are compared by their bytes, of which those between the fields do not
// count: a NaN equals itself, and 0 and -0 differ.
//
// Every Value and Array has a lock beside its cells, multiprocessing's
// get_lock, for what takes more than one operation. It is a lock of its own:
// Load and Store do not look at it, and so neither wait for its holder nor
// fail when one died.
//
//	if err := v.Lock(ctx); err != nil {
//		return err // not held
//	}
//	v.Store(v.Load() + 1)
//	return v.Unlock()
//
// A handle may be used by any number of goroutines, and sent to another
// process as an argument. Once this process has closed the region every cell
// reads as zero and is written nowhere; the lock's methods return
// shm.ErrClosed. So it is when the handle was closed.
package atomics
