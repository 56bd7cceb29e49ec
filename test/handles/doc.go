// Package handles has the tests of what Close of a handle does, of every kind: it
// ends the handle and nothing else. What a process holds in an object it still
// holds, its other handles go on, and who waits through the closed one is told.
package handles
