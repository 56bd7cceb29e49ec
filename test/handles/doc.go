// Package handles has the tests of what is the same for the handles of every
// kind: what their making refuses, and what Close does. It ends the handle and
// nothing else. What a process holds in an object it still holds, its other
// handles go on, and a call that waits through the closed one is told.
package handles
