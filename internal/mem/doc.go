// Package mem is the bottom of the house: words in memory that other
// processes share, and the few operations on them that the algorithms use.
//
// Every load, store and compare-and-swap of a shared word goes through this
// package. That gives one place to say what each is worth on each machine
// (word.go), and one place where a test can put itself between any two
// accesses: with the build tag tandem_sim the same functions ask a scheduler
// who goes next (word_sim.go), so the very code that ships is what is driven
// through random interleavings with deaths. Without the tag the functions
// inline to single instructions.
//
// A word is little-endian, naturally aligned and never stored as a pointer.
// Go's atomics are sequentially consistent and, being machine instructions on
// the address they are given, hold between processes that map the same page
// exactly as they hold between goroutines.
package mem
