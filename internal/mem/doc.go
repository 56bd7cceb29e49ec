// Package mem is the bottom of the house: words in memory that other
// processes share, and the few operations on them that the algorithms use.
//
// Every load, store and compare-and-swap of a shared word goes through this
// package. That gives one place to say what each is worth on each machine
// (word.go), and one place where a test can put itself between any two
// accesses: with the build tag tandem_sim the same functions ask a scheduler
// who goes next (word_sim.go), and stores without a fence are late, as they are on
// amd64 (buffer_sim.go); so the very code that ships is what is driven through
// random interleavings with deaths. Without the tag the functions inline to single
// instructions.
//
// What a claim owns is no shared word as long as the claim stands: a message's
// bytes, its length, tag, first block and count of deliveries in the slot (queue_put,
// queue_get, queue_slots and queue_loan of package engine; ring, for values that
// lie in the slot as they are, and for what is filled or read in place). The owner
// may load and store it plainly, by the address that Place gives, and then the
// scheduler does not stop there, nor is such a store late; Copy stops twice, and what
// it stores is. That is enough: nobody else acts on what is owned between the CAS that
// takes the claim and the store that ends it, and the scheduler stops at both; and no
// earlier store of the owner's is late any more, since that CAS waited for it. A reader without a claim (a snapshot, a
// check, recovery) loads it through this package, and looks at the claim once more
// before believing it.
//
// The copies of wide cells and the messages of a broadcast (wide.go, broadcast.go of package
// engine) are read while others may write them, and what was read is thrown away if they
// did: CopyRacing.
//
// The data of a Slice is the user's altogether and does not come by here.
//
// A word is little-endian, naturally aligned and never stored as a pointer.
// Go's atomics are sequentially consistent and, being machine instructions on
// the address they are given, hold between processes that map the same page
// exactly as they hold between goroutines. Hint64, Release64, Copy and Zero are no
// atomics of Go's, and what they store may be seen after loads that follow them.
package mem
