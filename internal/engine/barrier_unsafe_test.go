package engine_test

import "unsafe"

func ptr(w *uint64) unsafe.Pointer { return unsafe.Pointer(w) }
