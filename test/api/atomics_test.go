package api_test

import (
	"iter"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/shm"
	tsync "example.com/tandem/sync"
)

// Package atomics.
var (
	_ func(*shm.Region, string, msg) (*atomics.Value[msg], error) = atomics.OpenValue[msg]
	_ func(*atomics.Value[msg]) msg                               = (*atomics.Value[msg]).Load
	_ func(*atomics.Value[msg], msg)                              = (*atomics.Value[msg]).Store
	_ func(*atomics.Value[msg], msg) msg                          = (*atomics.Value[msg]).Swap
	_ func(*atomics.Value[msg], msg, msg) bool                    = (*atomics.Value[msg]).CompareAndSwap
	_ func(*atomics.Value[msg], func(msg) msg) msg                = (*atomics.Value[msg]).Update
	_ func(*atomics.Value[msg], ctx) error                        = (*atomics.Value[msg]).Lock
	_ func(*atomics.Value[msg], ctx) (bool, error)                = (*atomics.Value[msg]).Recover
	_ func(*atomics.Value[msg]) error                             = (*atomics.Value[msg]).MarkConsistent
	_ func(*atomics.Value[msg]) error                             = (*atomics.Value[msg]).Unlock
	_ tsync.Lock                                                  = (*atomics.Value[msg])(nil)
	_ handle                                                      = (*atomics.Value[msg])(nil)

	_ func(*shm.Region, string, int) (*atomics.Array[msg], error) = atomics.OpenArray[msg]
	_ func(*atomics.Array[msg]) int                               = (*atomics.Array[msg]).Len
	_ func(*atomics.Array[msg], int) msg                          = (*atomics.Array[msg]).Load
	_ func(*atomics.Array[msg], int, msg)                         = (*atomics.Array[msg]).Store
	_ func(*atomics.Array[msg], int, msg) msg                     = (*atomics.Array[msg]).Swap
	_ func(*atomics.Array[msg], int, msg, msg) bool               = (*atomics.Array[msg]).CompareAndSwap
	_ func(*atomics.Array[msg], int, func(msg) msg) msg           = (*atomics.Array[msg]).Update
	_ func(*atomics.Array[msg], []msg) int                        = (*atomics.Array[msg]).CopyTo
	_ func(*atomics.Array[msg], []msg) int                        = (*atomics.Array[msg]).CopyFrom
	_ func(*atomics.Array[msg]) iter.Seq2[int, msg]               = (*atomics.Array[msg]).All
	_ func(*atomics.Array[msg], ctx) error                        = (*atomics.Array[msg]).Lock
	_ func(*atomics.Array[msg], ctx) (bool, error)                = (*atomics.Array[msg]).Recover
	_ func(*atomics.Array[msg]) error                             = (*atomics.Array[msg]).MarkConsistent
	_ func(*atomics.Array[msg]) error                             = (*atomics.Array[msg]).Unlock
	_ tsync.Lock                                                  = (*atomics.Array[msg])(nil)
	_ handle                                                      = (*atomics.Array[msg])(nil)

	_ func(*shm.Region, string, int) (*atomics.Slice[msg], error) = atomics.OpenSlice[msg]
	_ func(*atomics.Slice[msg]) []msg                             = (*atomics.Slice[msg]).Data
	_ handle                                                      = (*atomics.Slice[msg])(nil)

	_ = []any{number[int8], number[int16], number[int32], number[int64], number[int],
		number[uint8], number[uint16], number[uint32], number[uint64], number[uint],
		number[float32], number[float64], number[time.Duration]}
)

func number[T atomics.Number]() {
	var _ func(*atomics.Value[T], T) T = atomics.Add[T]
	var _ func(*atomics.Array[T], int, T) T = atomics.AddAt[T]
}
