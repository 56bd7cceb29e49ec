//go:build !linux

package sys

import (
	"errors"
	"unsafe"
)

type RobustHead struct {
	Next        unsafe.Pointer
	FutexOffset int64
	Pending     unsafe.Pointer
}

type RobustNode struct{ Next unsafe.Pointer }

const (
	FutexWaiters   = 0x80000000
	FutexOwnerDied = 0x40000000
	FutexTIDMask   = 0x3fffffff
)

func SetRobustList(head *RobustHead) error { return errors.ErrUnsupported }
