package sys

import "unsafe"

// A Vigil is a long sleep of a thread that shall also look at some words now
// and then, in case a wake-up went to somebody who does not act on it. A look
// that finds nothing costs a timer and some loads: the thread does not return
// to the Go scheduler for it, which would wake the runtime's monitor each time
// and cost five times as much.
type Vigil struct {
	Words  []Waitv // slept on, the first MaxWaitv; without futex_waitv the first, and the others are looked at
	Until  int64   // ends the sleep: CLOCK_MONOTONIC nanoseconds, or 0
	Period int64   // nanoseconds between looks, or 0: none; they are at its multiples, see next
	Rows   []Rows

	Pulses    []Pulse
	PulseAt   int64 // when they are looked at first: CLOCK_MONOTONIC nanoseconds
	PulseStep int64 // nanoseconds from one such look to the next
	PulseRest int64 // a pulse that stands still for so long, from such a look on, ends the sleep

	pulse   int64 // when the pulses are looked at next
	watched bool  // to see whether they stood still
	scratch
}

// Rows are pairs of words in shared memory which the sleeper looks at in each
// period: a u64, and behind it a u32.
type Rows struct {
	Base   unsafe.Pointer
	Stride uintptr
	Wide   []uint64 // what the rows were seen to be; the sleep ends when one differs
	Narrow []uint32
	Beat   *uint32 // grows by one in each period

	// Some of these bytes of the file are tried in each period, in turn: the
	// sleep ends when nobody else has a lock on one.
	File  uintptr // its descriptor
	Bytes []int64
	Some  int
	Next  int   // whose turn it is
	Found int64 // the byte on which nobody had a lock, or -1
}

// A Pulse is words in shared memory that somebody else makes grow. It stands
// still as long as their sum does.
type Pulse struct {
	Base   unsafe.Pointer
	Stride uintptr
	N      int
	Still  bool // it ended the sleep

	seen uint32
}
