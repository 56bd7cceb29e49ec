//go:build !linux

package sys

import "errors"

// MaxWaitv is how many words one FutexWaitv takes.
const MaxWaitv = 128

// A Waitv is one word of a FutexWaitv.
type Waitv struct{}

// Off Linux there is no futex; a region cannot be opened, so nobody gets here.

func FutexWake(w *uint32, n int) int                  { return 0 }
func FutexWakePrivate(w *uint32, n int) int           { return 0 }
func FutexWakeBits(w *uint32, n int, bits uint32) int { return 0 }

func FutexWait(w *uint32, v uint32, deadline int64) error           { return errors.ErrUnsupported }
func FutexWaitBits(w *uint32, v, bits uint32, deadline int64) error { return errors.ErrUnsupported }

func SharedWaitv(w *uint32, v uint32) Waitv  { return Waitv{} }
func PrivateWaitv(w *uint32, v uint32) Waitv { return Waitv{} }

func FutexWaitv(words []Waitv, deadline int64) (int, error) { return 0, errors.ErrUnsupported }

func HaveWaitv() bool { return false }
