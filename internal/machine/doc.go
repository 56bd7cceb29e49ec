// Package machine reads the machine code of functions as they were linked, for
// tests of what is in a fast path and what is not. It reads amd64's.
package machine
