package api_test

import (
	"context"

	"example.com/tandem/shm"
	tsync "example.com/tandem/sync"
)

// Package sync.
var (
	_ func(ctx, tsync.Lock, func() error) error = tsync.With
	_ tsync.Lock                                = interface {
		Lock(context.Context) error
		Unlock() error
	}(nil)
	_ func(*shm.Region, string) (*tsync.Mutex, error) = tsync.OpenMutex
	_ func(*tsync.Mutex, ctx) error                   = (*tsync.Mutex).Lock
	_ func(*tsync.Mutex) (bool, error)                = (*tsync.Mutex).TryLock
	_ func(*tsync.Mutex, ctx) (bool, error)           = (*tsync.Mutex).Recover
	_ func(*tsync.Mutex) error                        = (*tsync.Mutex).MarkConsistent
	_ func(*tsync.Mutex, func(ctx) error)             = (*tsync.Mutex).OnOwnerDied
	_ func(*tsync.Mutex) error                        = (*tsync.Mutex).Unlock
	_ func(*tsync.Mutex) (shm.Participant, bool)      = (*tsync.Mutex).Owner
	_ tsync.Lock                                      = (*tsync.Mutex)(nil)
	_ handle                                          = (*tsync.Mutex)(nil)
	_ [3]error                                        = [...]error{tsync.ErrOwnerDied, tsync.ErrNotOwner, tsync.ErrNotLocked}
)

// Package sync: rwmutex.
var (
	_ func(*shm.Region, string) (*tsync.RWMutex, error) = tsync.OpenRWMutex
	_ func(*tsync.RWMutex, ctx) error                   = (*tsync.RWMutex).Lock
	_ func(*tsync.RWMutex) (bool, error)                = (*tsync.RWMutex).TryLock
	_ func(*tsync.RWMutex, ctx) (bool, error)           = (*tsync.RWMutex).Recover
	_ func(*tsync.RWMutex) error                        = (*tsync.RWMutex).MarkConsistent
	_ func(*tsync.RWMutex, func(ctx) error)             = (*tsync.RWMutex).OnOwnerDied
	_ func(*tsync.RWMutex) error                        = (*tsync.RWMutex).Unlock
	_ func(*tsync.RWMutex) (shm.Participant, bool)      = (*tsync.RWMutex).Owner
	_ func(*tsync.RWMutex, ctx) error                   = (*tsync.RWMutex).RLock
	_ func(*tsync.RWMutex) (bool, error)                = (*tsync.RWMutex).TryRLock
	_ func(*tsync.RWMutex) error                        = (*tsync.RWMutex).RUnlock
	_ tsync.Lock                                        = (*tsync.RWMutex)(nil)
	_ handle                                            = (*tsync.RWMutex)(nil)
)

// Package sync: event.
var (
	_ func(*shm.Region, string) (*tsync.Event, error) = tsync.OpenEvent
	_ func(*tsync.Event) error                        = (*tsync.Event).Set
	_ func(*tsync.Event) error                        = (*tsync.Event).Clear
	_ func(*tsync.Event) bool                         = (*tsync.Event).IsSet
	_ func(*tsync.Event, ctx) error                   = (*tsync.Event).Wait
	_ handle                                          = (*tsync.Event)(nil)
)

// Package sync: once.
var (
	_ func(*shm.Region, string) (*tsync.Once, error) = tsync.OpenOnce
	_ func(*tsync.Once, ctx, func(ctx) error) error  = (*tsync.Once).Do
	_ handle                                         = (*tsync.Once)(nil)
)

// Package sync: barrier.
var (
	_ = tsync.BarrierOptions{Action: func() error { return nil }}

	_ func(*shm.Region, string, int, *tsync.BarrierOptions) (*tsync.Barrier, error) = tsync.OpenBarrier

	_ func(*tsync.Barrier, ctx) (int, error) = (*tsync.Barrier).Wait
	_ func(*tsync.Barrier) error             = (*tsync.Barrier).Abort
	_ func(*tsync.Barrier) error             = (*tsync.Barrier).Reset
	_ func(*tsync.Barrier) int               = (*tsync.Barrier).Parties
	_ func(*tsync.Barrier) int               = (*tsync.Barrier).Waiting
	_ func(*tsync.Barrier) bool              = (*tsync.Barrier).Broken
	_ handle                                 = (*tsync.Barrier)(nil)
	_ error                                  = tsync.ErrBroken
)

// Package sync: semaphore.
var (
	_ func(*shm.Region, string, int) (*tsync.Semaphore, error)        = tsync.OpenSemaphore
	_ func(*shm.Region, string, int) (*tsync.BoundedSemaphore, error) = tsync.OpenBoundedSemaphore
	_ func(*tsync.Semaphore, ctx) error                               = (*tsync.Semaphore).Acquire
	_ func(*tsync.Semaphore) (bool, error)                            = (*tsync.Semaphore).TryAcquire
	_ func(*tsync.Semaphore, int) error                               = (*tsync.Semaphore).Release
	_ func(*tsync.Semaphore) int                                      = (*tsync.Semaphore).Value
	_ handle                                                          = (*tsync.Semaphore)(nil)
	_ func(*tsync.BoundedSemaphore, ctx) error                        = (*tsync.BoundedSemaphore).Acquire
	_ func(*tsync.BoundedSemaphore) (bool, error)                     = (*tsync.BoundedSemaphore).TryAcquire
	_ func(*tsync.BoundedSemaphore, int) error                        = (*tsync.BoundedSemaphore).Release
	_ func(*tsync.BoundedSemaphore) int                               = (*tsync.BoundedSemaphore).Value
	_ handle                                                          = (*tsync.BoundedSemaphore)(nil)
	_ error                                                           = tsync.ErrOverRelease
)

// Package sync: reentrant locks and conditions.
var (
	_ func(*shm.Region, string) (*tsync.RMutex, error) = tsync.OpenRMutex
	_ func(*tsync.RMutex) *tsync.Holder                = (*tsync.RMutex).NewHolder
	_ func(*tsync.RMutex) (shm.Participant, bool)      = (*tsync.RMutex).Owner
	_ handle                                           = (*tsync.RMutex)(nil)
	_ func(*tsync.Holder, ctx) error                   = (*tsync.Holder).Lock
	_ func(*tsync.Holder) (bool, error)                = (*tsync.Holder).TryLock
	_ func(*tsync.Holder, ctx) (bool, error)           = (*tsync.Holder).Recover
	_ func(*tsync.Holder) error                        = (*tsync.Holder).MarkConsistent
	_ func(*tsync.Holder) error                        = (*tsync.Holder).Unlock
	_ func(*tsync.Holder) int                          = (*tsync.Holder).Depth
	_ tsync.Lock                                       = (*tsync.Holder)(nil)

	_ func(*shm.Region, string, tsync.Lock) (*tsync.Cond, error) = tsync.OpenCond
	_ func(*tsync.Cond) *tsync.Holder                            = (*tsync.Cond).Holder
	_ func(*tsync.Cond, ctx) error                               = (*tsync.Cond).Wait
	_ func(*tsync.Cond, ctx, func() bool) error                  = (*tsync.Cond).WaitFor
	_ func(*tsync.Cond, int) error                               = (*tsync.Cond).Notify
	_ func(*tsync.Cond) error                                    = (*tsync.Cond).NotifyAll
	_ handle                                                     = (*tsync.Cond)(nil)
)
