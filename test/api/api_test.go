// Package api_test holds the public API still. It uses every name and
// signature that programs are written against; a build that changes one does
// not compile here.
package api_test

import (
	"context"
	"encoding"
	"errors"
	"io"
	"io/fs"
	"iter"
	"net"
	"os"
	"reflect"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/proc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	tsync "example.com/tandem/sync"
)

// A handle is what travels to a child as an argument.
type handle interface {
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

// What is opened can be closed.
var _ = []io.Closer{
	(*shm.Region)(nil),
	(*tsync.Mutex)(nil), (*tsync.RMutex)(nil), (*tsync.RWMutex)(nil), (*tsync.Cond)(nil), (*tsync.Semaphore)(nil),
	(*tsync.BoundedSemaphore)(nil), (*tsync.Event)(nil), (*tsync.Barrier)(nil), (*tsync.Once)(nil),
	(*atomics.Value[int])(nil), (*atomics.Array[int])(nil), (*atomics.Slice[int])(nil),
	(*ring.Queue[int])(nil), (*ring.SPSC[int])(nil),
	(*ring.Broadcast[int])(nil), (*ring.Subscriber[int])(nil), (*ring.Conn[int])(nil),
}

type (
	ctx  = context.Context
	msg  struct{ A, B int64 }
	args struct{ Jobs *ring.Queue[msg] }
)

// Package shm.
var (
	_ = shm.Options{
		Size:         int64(0),
		Mode:         fs.FileMode(0),
		AnyOwner:     false,
		Participants: int(0),
		Objects:      int(0),
		ReadOnly:     false,
		Ephemeral:    false,
	}
	_ func(string, *shm.Options) (*shm.Region, error)   = shm.Create
	_ func(string, *shm.Options) (*shm.Region, error)   = shm.Open
	_ func(string, *shm.Options) (*shm.Region, error)   = shm.OpenOrCreate
	_ func(*shm.Options) (*shm.Region, error)           = shm.Anonymous
	_ func(*os.File, *shm.Options) (*shm.Region, error) = shm.OpenFile
	_ func(string) error                                = shm.Remove
	_ func() ([]shm.Info, error)                        = shm.List
	_ func() string                                     = shm.Dir

	_ func(*shm.Region) error                          = (*shm.Region).Close
	_ func(*shm.Region) *shm.Region                    = (*shm.Region).Existing
	_ func(*shm.Region) string                         = (*shm.Region).Name
	_ func(*shm.Region) int64                          = (*shm.Region).Size
	_ func(*shm.Region) (*os.File, error)              = (*shm.Region).File
	_ func(*shm.Region, string) error                  = (*shm.Region).Remove
	_ func(*shm.Region) iter.Seq[shm.Object]           = (*shm.Region).Objects
	_ func(*shm.Region) shm.Participant                = (*shm.Region).Self
	_ func(*shm.Region) []shm.Participant              = (*shm.Region).Participants
	_ func(*shm.Region, ctx) iter.Seq[shm.Participant] = (*shm.Region).Exits
	_ func(*shm.Region) (*shm.Snapshot, error)         = (*shm.Region).Snapshot
	_ func(*shm.Region) error                          = (*shm.Region).Check
	_ handle                                           = (*shm.Region)(nil)
	_ func(testing.TB) *shm.Region                     = shmtest.Region
	_                                                  = shm.Object{Name: "", Kind: "", Type: "", Bytes: int64(0)}
	_                                                  = shm.Error{Op: "", Region: "", Object: "", Err: error(nil)}
	_ interface{ Unwrap() error }                      = (*shm.Error)(nil)
	_ error                                            = (*shm.Error)(nil)
	_                                                  = shm.Participant{Index: int(0), Epoch: uint32(0), PID: int(0), Name: "", Started: time.Time{}, State: shm.State(0)}
	_ [3]shm.State                                     = [...]shm.State{shm.Alive, shm.Leaving, shm.Dead}
	_ [8]error                                         = [...]error{shm.ErrClosed, shm.ErrMismatch, shm.ErrNotRegion, shm.ErrVersion, shm.ErrCorrupt, shm.ErrNoSpace, shm.ErrTooManyParticipants, shm.ErrNotPlain}
	_ [3]error                                         = [...]error{shm.ErrOwnerDied, shm.ErrNotOwner, shm.ErrNotLocked}
)

// Package shm: waiting for one of several.
var (
	_ func(ctx, ...shm.Waitable) (int, error) = shm.WaitAny
	_                                         = []shm.Waitable{
		(*tsync.Event)(nil), (*tsync.Semaphore)(nil), (*tsync.BoundedSemaphore)(nil),
		(*ring.Queue[msg])(nil), (*ring.SPSC[msg])(nil), (*ring.Subscriber[msg])(nil), (*ring.Conn[msg])(nil), (*proc.Process)(nil),
	}
	_ = []interface{ Poll(context.Context) error }{(*ring.Queue[msg])(nil), (*ring.SPSC[msg])(nil), (*ring.Subscriber[msg])(nil), (*ring.Conn[msg])(nil)}
)

// Package shm: what a program, or the tool, sees of others.
var (
	_ func() ([]shm.Info, error)                   = shm.ListAll
	_ func([]shm.Info) string                      = shm.ListText
	_ func(*shm.Snapshot) string                   = (*shm.Snapshot).String
	_ func(*shm.Snapshot, string) *shm.ObjectState = (*shm.Snapshot).Object
	_ func(*shm.Snapshot, *shm.ObjectState) string = (*shm.Snapshot).ObjectText
	_ []shm.Departed                               = shm.Snapshot{}.Gone
	_ []shm.Holder                                 = shm.ObjectState{}.Waits
	_                                              = shm.Holder{PID: 0, N: 0, Since: time.Time{}, Dead: false, Stopped: false}
	_ func(*shm.Region, string) int                = shmtest.Waiting
	_ func(testing.TB, *shm.Region, string, int)   = shmtest.AwaitWaiting
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

// Package ring.
var (
	_ ring.Codec = interface {
		Name() string
		Append(dst []byte, v any) ([]byte, error)
		Decode(src []byte, v any) error
	}(nil)
	_ = ring.QueueOptions{
		Capacity:   int(0),
		Buffer:     int(0),
		MaxMessage: int(0),
		Codec:      ring.Codec(nil),
		Wait:       ring.Wait(0),
	}
	_ [3]ring.Wait = [...]ring.Wait{ring.Adaptive, ring.Spin, ring.Sleep}
	_ [7]error     = [...]error{ring.ErrFull, ring.ErrEmpty, ring.ErrTooLarge, ring.ErrShutdown, ring.ErrOverDone, ring.ErrBusy, ring.ErrCodec}

	_ func(*shm.Region, string, *ring.QueueOptions) (*ring.Queue[msg], error) = ring.OpenQueue[msg]
	_ func(*ring.Queue[msg], ctx, msg) error                                  = (*ring.Queue[msg]).Put
	_ func(*ring.Queue[msg], msg) error                                       = (*ring.Queue[msg]).TryPut
	_ func(*ring.Queue[msg], ctx) (msg, error)                                = (*ring.Queue[msg]).Get
	_ func(*ring.Queue[msg]) (msg, error)                                     = (*ring.Queue[msg]).TryGet
	_ func(*ring.Queue[msg], ctx) iter.Seq2[msg, error]                       = (*ring.Queue[msg]).All
	_ func(*ring.Queue[msg], ctx, []msg) (int, error)                         = (*ring.Queue[msg]).PutBatch
	_ func(*ring.Queue[msg], ctx, []msg) (int, error)                         = (*ring.Queue[msg]).GetBatch
	_ func(*ring.Queue[msg], ctx) (ring.Delivery[msg], error)                 = (*ring.Queue[msg]).Lease
	_ func(*ring.Queue[msg]) (ring.Delivery[msg], error)                      = (*ring.Queue[msg]).TryLease
	_ func(*ring.Queue[msg], ctx) iter.Seq2[ring.Delivery[msg], error]        = (*ring.Queue[msg]).Leases
	_ func(ring.Delivery[msg]) msg                                            = ring.Delivery[msg].Value
	_ func(ring.Delivery[msg]) error                                          = ring.Delivery[msg].Ack
	_ func(ring.Delivery[msg]) error                                          = ring.Delivery[msg].Nack
	_ func(ring.Delivery[msg]) int                                            = ring.Delivery[msg].Attempt
	_ func(*ring.Queue[msg], ctx, *msg) error                                 = (*ring.Queue[msg]).GetInto
	_ func(*ring.Queue[msg], ctx, int) (ring.Loan[msg], error)                = (*ring.Queue[msg]).Loan
	_ func(ring.Loan[msg]) []byte                                             = ring.Loan[msg].Bytes
	_ func(ring.Loan[msg]) *msg                                               = ring.Loan[msg].Ptr
	_ func(ring.Loan[msg], ctx, int) error                                    = ring.Loan[msg].Put
	_ func(ring.Loan[msg]) error                                              = ring.Loan[msg].Drop
	_ func(ring.Delivery[msg]) []byte                                         = ring.Delivery[msg].View
	_ func(ring.Delivery[msg]) *msg                                           = ring.Delivery[msg].Ptr
	_ func(*ring.Queue[msg]) error                                            = (*ring.Queue[msg]).TaskDone
	_ func(*ring.Queue[msg], ctx) error                                       = (*ring.Queue[msg]).Join
	_ func(*ring.Queue[msg]) error                                            = (*ring.Queue[msg]).Shutdown
	_ func(*ring.Queue[msg]) int                                              = (*ring.Queue[msg]).Len
	_ func(*ring.Queue[msg]) int                                              = (*ring.Queue[msg]).Cap
	_ handle                                                                  = (*ring.Queue[msg])(nil)

	_                                                                       = ring.SPSCOptions{Capacity: int(0), Wait: ring.Wait(0)}
	_ func(*shm.Region, string, *ring.SPSCOptions) (*ring.SPSC[msg], error) = ring.OpenSPSC[msg]
	_ func(*ring.SPSC[msg], ctx, msg) error                                 = (*ring.SPSC[msg]).Put
	_ func(*ring.SPSC[msg], msg) error                                      = (*ring.SPSC[msg]).TryPut
	_ func(*ring.SPSC[msg], ctx) (msg, error)                               = (*ring.SPSC[msg]).Get
	_ func(*ring.SPSC[msg]) (msg, error)                                    = (*ring.SPSC[msg]).TryGet
	_ func(*ring.SPSC[msg], ctx) iter.Seq2[msg, error]                      = (*ring.SPSC[msg]).All
	_ func(*ring.SPSC[msg], ctx, []msg) (int, error)                        = (*ring.SPSC[msg]).PutBatch
	_ func(*ring.SPSC[msg], ctx, []msg) (int, error)                        = (*ring.SPSC[msg]).GetBatch
	_ func(*ring.SPSC[msg]) error                                           = (*ring.SPSC[msg]).Shutdown
	_ func(*ring.SPSC[msg]) int                                             = (*ring.SPSC[msg]).Len
	_ func(*ring.SPSC[msg]) int                                             = (*ring.SPSC[msg]).Cap
	_ handle                                                                = (*ring.SPSC[msg])(nil)
)

var (
	_ = ring.ListenOptions{Buffer: int(0), Backlog: int(0)}

	_ func(*shm.Region, string, *ring.ListenOptions) (net.Listener, error) = ring.Listen
	_ func(ctx, *shm.Region, string) (net.Conn, error)                     = ring.Dial
)

var (
	_ = ring.PipeOptions{Direction: ring.Direction(0), Buffer: int(0), Codec: ring.Codec(nil)}

	_ [2]ring.End       = [...]ring.End{ring.Left, ring.Right}
	_ [2]ring.Direction = [...]ring.Direction{ring.Duplex, ring.OneWay}

	_ func(*shm.Region, string, ring.End, *ring.PipeOptions) (*ring.Conn[msg], error) = ring.OpenPipe[msg]
	_ func(*ring.Conn[msg], ctx, msg) error                                           = (*ring.Conn[msg]).Send
	_ func(*ring.Conn[msg], ctx) (msg, error)                                         = (*ring.Conn[msg]).Recv
	_ func(*ring.Conn[msg], ctx) error                                                = (*ring.Conn[msg]).Poll
	_ func(*ring.Conn[msg]) error                                                     = (*ring.Conn[msg]).Close
	_ handle                                                                          = (*ring.Conn[msg])(nil)
	_ error                                                                           = ring.ErrDirection
)

var (
	_ = ring.BroadcastOptions{
		Mode:       ring.BroadcastMode(0),
		Capacity:   int(0),
		Buffer:     int(0),
		MaxMessage: int(0),
		Codec:      ring.Codec(nil),
		Wait:       ring.Wait(0),
	}
	_ [2]ring.BroadcastMode = [...]ring.BroadcastMode{ring.Reliable, ring.Lossy}

	_ func(*shm.Region, string, *ring.BroadcastOptions) (*ring.Broadcast[msg], error) = ring.OpenBroadcast[msg]
	_ func(*ring.Broadcast[msg], ctx, msg) error                                      = (*ring.Broadcast[msg]).Publish
	_ func(*ring.Broadcast[msg], msg) error                                           = (*ring.Broadcast[msg]).TryPublish
	_ func(*ring.Broadcast[msg]) (*ring.Subscriber[msg], error)                       = (*ring.Broadcast[msg]).Subscribe
	_ func(*ring.Broadcast[msg]) error                                                = (*ring.Broadcast[msg]).Shutdown
	_ func(*ring.Broadcast[msg]) int                                                  = (*ring.Broadcast[msg]).Cap
	_ func(*ring.Subscriber[msg], ctx) (msg, uint64, error)                           = (*ring.Subscriber[msg]).Next
	_ func(*ring.Subscriber[msg], ctx) iter.Seq2[msg, error]                          = (*ring.Subscriber[msg]).All
	_ handle                                                                          = (*ring.Broadcast[msg])(nil)
)

// Package proc.
var (
	_ func(string, func(ctx, args) error) proc.Func[args]                    = proc.Register[args]
	_ func()                                                                 = proc.Main
	_ func(proc.Func[args], ctx, args, *proc.Options) (*proc.Process, error) = proc.Func[args].Start
	_                                                                        = proc.Options{
		Name:       "",
		Stdin:      io.Reader(nil),
		Stdout:     io.Writer(nil),
		Stderr:     io.Writer(nil),
		Env:        []string(nil),
		Dir:        "",
		Regions:    []*shm.Region(nil),
		Grace:      time.Duration(0),
		KeepOnExit: false,
	}
	_ func(*proc.Process, ctx) error       = (*proc.Process).Wait
	_ func(*proc.Process) int              = (*proc.Process).PID
	_ func(*proc.Process) string           = (*proc.Process).Name
	_ func(*proc.Process) (int, bool)      = (*proc.Process).ExitCode
	_ func(*proc.Process) bool             = (*proc.Process).Alive
	_ func(*proc.Process) <-chan struct{}  = (*proc.Process).Done
	_ func(*proc.Process, os.Signal) error = (*proc.Process).Signal
	_ func(*proc.Process) error            = (*proc.Process).Terminate
	_ func(*proc.Process) error            = (*proc.Process).Kill
	_ func() []*shm.Region                 = proc.Regions
	_ func(ctx) error                      = proc.WaitAll
	_ error                                = (*proc.ExitError)(nil)
	_                                      = proc.ExitError{Code: int(0), Signal: os.Signal(nil)}
	_ error                                = proc.ErrNoMain
)

// The zero of Wait is Adaptive, that of State nobody's.
var (
	_ [0]struct{} = [ring.Adaptive]struct{}{}
	_ [1]struct{} = [shm.Alive]struct{}{}
)

// What a caller compares with errors.Is are one value under each name, and
// different ones otherwise.
func TestSentinels(t *testing.T) {
	if tsync.ErrOwnerDied != shm.ErrOwnerDied || tsync.ErrNotOwner != shm.ErrNotOwner || tsync.ErrNotLocked != shm.ErrNotLocked {
		t.Error("sync's sentinels are not shm's")
	}
	all := []error{shm.ErrClosed, shm.ErrMismatch, shm.ErrNotRegion, shm.ErrVersion, shm.ErrCorrupt, shm.ErrNoSpace,
		shm.ErrTooManyParticipants, shm.ErrNotPlain, shm.ErrOwnerDied, shm.ErrNotOwner, shm.ErrNotLocked, tsync.ErrOverRelease,
		ring.ErrFull, ring.ErrEmpty, ring.ErrTooLarge, ring.ErrShutdown, ring.ErrOverDone, ring.ErrBusy, ring.ErrCodec, proc.ErrNoMain,
		fs.ErrInvalid, fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, errors.ErrUnsupported, io.EOF}
	for i, a := range all {
		for _, b := range all[:i] {
			if errors.Is(a, b) || errors.Is(b, a) {
				t.Errorf("%v and %v are one", a, b)
			}
		}
	}
}

// The structs that callers write have no fields besides those above, so that
// none is needed.
func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		of   any
		want []string
	}{
		{shm.Options{}, []string{"Size", "Mode", "AnyOwner", "Participants", "Objects", "ReadOnly", "Ephemeral"}},
		{shm.Error{}, []string{"Op", "Region", "Object", "Err"}},
		{shm.Participant{}, []string{"Index", "Epoch", "PID", "Name", "Started", "State"}},
		{ring.QueueOptions{}, []string{"Capacity", "Buffer", "MaxMessage", "Codec", "Wait"}},
		{ring.SPSCOptions{}, []string{"Capacity", "Wait"}},
		{ring.PipeOptions{}, []string{"Direction", "Buffer", "Codec"}},
		{ring.ListenOptions{}, []string{"Buffer", "Backlog"}},
		{ring.BroadcastOptions{}, []string{"Mode", "Capacity", "Buffer", "MaxMessage", "Codec", "Wait"}},
		{proc.Options{}, []string{"Name", "Stdin", "Stdout", "Stderr", "Env", "Dir", "Regions", "Grace", "KeepOnExit"}},
	} {
		typ := reflect.TypeOf(tt.of)
		var have []string
		for i := range typ.NumField() {
			have = append(have, typ.Field(i).Name)
		}
		if !reflect.DeepEqual(have, tt.want) {
			t.Errorf("%v has %v, want %v", typ, have, tt.want)
		}
	}
}
