//go:build !linux

package sys

import "errors"

func Gettid() int                       { return 0 }
func Namespace() (uint64, error)        { return 0, errors.ErrUnsupported }
func StartTime(pid int) (uint64, error) { return 0, errors.ErrUnsupported }
func OwnStart() (uint64, error)         { return 0, errors.ErrUnsupported }
func Ended(pid int, start uint64) bool  { return false }
func Stopped(pid int, s uint64) bool    { return false }
func Gone(pid int) bool                 { return false }
func BootID() (id [16]byte)             { return id }

func IsMainThread() bool { return false }
