// Package engine holds the algorithms, on plain memory.
//
// An engine knows nothing of names, Go types or contexts. It is given its
// memory (a mem.Area), who it is and how to wake (an Env), and, where it
// blocks, how to sleep (a Sleeper). So the same code runs on a mapped region,
// on heap bytes under the race detector, and under a scheduler that kills; and
// every process can recover, show and check every kind of object.
//
// One file a kind, each with the same rooms in the same order: its words,
// init, operations, recovery, look (for the snapshot) and check.
package engine
