// Package engine holds the algorithms, on plain memory.
//
// An engine knows nothing of names, Go types or contexts. It is given its
// memory (a mem.Area), who it is and how to wake (an Env), and, where it
// blocks, how to sleep (a Sleeper). So the same code runs on a mapped region,
// on heap bytes under the race detector, and under a scheduler that kills; and
// every process can recover, show and check every kind of object.
//
// A kind is one file, or several that begin with its name. They have the same
// rooms in the same order: the words and why they are right, init, attach,
// operations, recovery, look (for the snapshot), check, and an init that
// registers the kind's Ops. Large kinds have rooms in files of their own:
//
//	kind_recover.go  what any process can do: recovery, look, check
//	rwmutex_read.go  what readers do
//	cond_notify.go   notify and heal; cond_line.go: a process's own line of waiters
//	queue_*.go       slots, room behind leases, blocks, put, get, join, look
//	spsc_*.go        sides, put, get, the end, recovery and look
//	pipe_*.go        how ends come and go, send, room, receive, recovery and look
//	stream_*.go      one connection: write and read, how an end begins and ends, recovery
//	                 and look; listener.go: where it is dialled
//	broadcast_*.go   the ring and its front, publish, how far that may go, next; blocks
//	                 are the queue's; latch.go: what its goroutines take turns by
//
// Event, Once, RMutex, the semaphores (semaphore.go) and Value, Array and Slice
// (value.go) are a file each. What is not a kind but a part of some: Bell, which
// sleepers sleep on; Ledger, a count with shares; the operations on cells that are
// words (cellops.go), and on others (wide_*.go). Any waits for one of several, of what
// kinds any_sources.go says. engine.go has what all of them are
// given and give.
package engine
