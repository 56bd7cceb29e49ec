package api_test

import (
	"iter"
	"net"

	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

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
	_ = ring.PipeOptions{Direction: ring.Direction(0), Buffer: int(0), Codec: ring.Codec(nil)}

	_ [2]ring.End       = [...]ring.End{ring.Left, ring.Right}
	_ [2]ring.Direction = [...]ring.Direction{ring.Duplex, ring.OneWay}

	_ func(*shm.Region, string, ring.End, *ring.PipeOptions) (*ring.Conn[msg], error) = ring.OpenPipe[msg]
	_ func(*ring.Conn[msg], ctx, msg) error                                           = (*ring.Conn[msg]).Send
	_ func(*ring.Conn[msg], ctx) (msg, error)                                         = (*ring.Conn[msg]).Recv
	_ func(*ring.Conn[msg], ctx, *msg) error                                          = (*ring.Conn[msg]).RecvInto
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

// Package ring: streams.
var (
	_ = ring.ListenOptions{Buffer: int(0), Backlog: int(0)}

	_ func(*shm.Region, string, *ring.ListenOptions) (net.Listener, error) = ring.Listen
	_ func(ctx, *shm.Region, string) (net.Conn, error)                     = ring.Dial
)
