package object

import (
	"context"
	"unsafe"
)

// Endless reports that ctx is context.Background, which never ends, so that its
// Err need not be asked: a call by an interface costs more than all else that a
// lock does when there is nothing to wait for, but for its locked instructions.
// Of another context it says nothing. A call begins with
//
//	if object.Endless(ctx) || ctx.Err() == nil {
//
// It looks at the interface's type alone, of which there is one value; == would be a
// call again.
func Endless(ctx context.Context) bool {
	return *(*uintptr)(unsafe.Pointer(&ctx)) == *(*uintptr)(unsafe.Pointer(&background))
}

var background = context.Background()
