// Package sys is the Linux system calls that Tandem needs and that Go's
// standard library and golang.org/x/sys do not wrap, or wrap too slowly. Off
// Linux every call answers errors.ErrUnsupported (unsupported.go). It also keeps
// the process's name (name.go).
package sys
