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
// It looks at the two words of the interface, as == would be a call again.
func Endless(ctx context.Context) bool {
	x, y := (*[2]uintptr)(unsafe.Pointer(&ctx)), (*[2]uintptr)(unsafe.Pointer(&background))
	return x[0] == y[0] && x[1] == y[1]
}

var background = context.Background()
