package atomics

// Word is what the eight bytes from the cell on hold.
func Word[T any](v *Value[T]) uint64 { return *(*uint64)(v.base) }
