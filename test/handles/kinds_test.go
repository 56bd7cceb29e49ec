package handles

import (
	"context"
	"errors"
	"io"
	"testing"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

func TestMain(m *testing.M) { testproc.Main(m) }

func first[T any](_ T, err error) error { return err }

// A kind is what can be done with a handle on an object.
type kind struct {
	open  func(r *shm.Region) (io.Closer, error)
	calls map[string]func(ctx context.Context, h any) error // each ErrClosed after Close
	hold  func(ctx context.Context, h any) error            // makes wait wait, or is nil
	wait  string                                            // of calls
	free  func(h any) error                                 // what hold took is still there; nil: nothing is
}

type bg = context.Context

func open[T io.Closer](f func(r *shm.Region) (T, error)) func(r *shm.Region) (io.Closer, error) {
	return func(r *shm.Region) (io.Closer, error) { return f(r) }
}

type robust interface {
	Lock(context.Context) error
	TryLock() (bool, error)
	Recover(context.Context) (bool, error)
	MarkConsistent() error
	Unlock() error
}

var lockCalls = map[string]func(bg, any) error{
	"Lock":           func(ctx bg, h any) error { return h.(robust).Lock(ctx) },
	"TryLock":        func(ctx bg, h any) error { return first(h.(robust).TryLock()) },
	"Recover":        func(ctx bg, h any) error { return first(h.(robust).Recover(ctx)) },
	"MarkConsistent": func(ctx bg, h any) error { return h.(robust).MarkConsistent() },
	"Unlock":         func(ctx bg, h any) error { return h.(robust).Unlock() },
}

func holdLock(ctx bg, h any) error { return h.(robust).Lock(ctx) }
func freeLock(h any) error         { return h.(robust).Unlock() }

type permits interface {
	Acquire(context.Context) error
	TryAcquire() (bool, error)
	Release(int) error
}

var permitCalls = map[string]func(bg, any) error{
	"Acquire":    func(ctx bg, h any) error { return h.(permits).Acquire(ctx) },
	"TryAcquire": func(ctx bg, h any) error { return first(h.(permits).TryAcquire()) },
	"Release":    func(ctx bg, h any) error { return h.(permits).Release(1) },
	"WaitAny":    waitAny,
}

func takePermit(ctx bg, h any) error { return h.(permits).Acquire(ctx) }
func givePermit(h any) error         { return h.(permits).Release(1) }

type queue = *ring.Queue[string]

func queueCalls(wait string) map[string]func(bg, any) error {
	return map[string]func(bg, any) error{
		"Put":      func(ctx bg, h any) error { return h.(queue).Put(ctx, "x") },
		"TryPut":   func(ctx bg, h any) error { return h.(queue).TryPut("x") },
		"Get":      func(ctx bg, h any) error { return first(h.(queue).Get(ctx)) },
		"TryGet":   func(ctx bg, h any) error { return first(h.(queue).TryGet()) },
		"GetInto":  func(ctx bg, h any) error { return h.(queue).GetInto(ctx, new(string)) },
		"Lease":    func(ctx bg, h any) error { return first(h.(queue).Lease(ctx)) },
		"TryLease": func(ctx bg, h any) error { return first(h.(queue).TryLease()) },
		"Join":     func(ctx bg, h any) error { return h.(queue).Join(ctx) },
		"TaskDone": func(ctx bg, h any) error { return h.(queue).TaskDone() },
		"Shutdown": func(ctx bg, h any) error { return h.(queue).Shutdown() },
		"Poll":     func(ctx bg, h any) error { return h.(queue).Poll(ctx) },
		"WaitAny":  waitAny,
	}
}

// waitAny is of any kind that can be waited for.
func waitAny(ctx bg, h any) error { return first(shm.WaitAny(ctx, h.(shm.Waitable))) }

// A sheet lies in blocks, of which a queue for one has as many as that takes.
type sheet [500]byte

func openQueue(r *shm.Region) (queue, error) {
	return ring.OpenQueue[string](r, "object", &ring.QueueOptions{Capacity: 1})
}

type spsc = *ring.SPSC[int64]

var spscCalls = map[string]func(bg, any) error{
	"Put":      func(ctx bg, h any) error { return h.(spsc).Put(ctx, 1) },
	"TryPut":   func(ctx bg, h any) error { return h.(spsc).TryPut(1) },
	"PutBatch": func(ctx bg, h any) error { return first(h.(spsc).PutBatch(ctx, make([]int64, 2))) },
	"Get":      func(ctx bg, h any) error { return first(h.(spsc).Get(ctx)) },
	"TryGet":   func(ctx bg, h any) error { return first(h.(spsc).TryGet()) },
	"GetBatch": func(ctx bg, h any) error { return first(h.(spsc).GetBatch(ctx, make([]int64, 2))) },
	"Shutdown": func(ctx bg, h any) error { return h.(spsc).Shutdown() },
	"Poll":     func(ctx bg, h any) error { return h.(spsc).Poll(ctx) },
	"WaitAny":  waitAny,
}

func openSPSC(r *shm.Region) (spsc, error) {
	return ring.OpenSPSC[int64](r, "object", &ring.SPSCOptions{Capacity: 1})
}

func putWord(ctx bg, h any) error { return h.(spsc).Put(ctx, 1) }
func getWord(h any) error         { return first(h.(spsc).TryGet()) }

func put(ctx bg, h any) error { return h.(queue).Put(ctx, "held") }
func get(h any) error         { return first(h.(queue).TryGet()) }

type conn = *ring.Conn[int64]

var connCalls = map[string]func(bg, any) error{
	"Send":     func(ctx bg, h any) error { return h.(conn).Send(ctx, 1) },
	"Recv":     func(ctx bg, h any) error { return first(h.(conn).Recv(ctx)) },
	"RecvInto": func(ctx bg, h any) error { var n int64; return h.(conn).RecvInto(ctx, &n) },
	"Poll":     func(ctx bg, h any) error { return h.(conn).Poll(ctx) },
}

// openConn opens an end of a pipe that has room for one message.
func openConn(r *shm.Region) (conn, error) {
	return ring.OpenPipe[int64](r, "object", ring.Left, &ring.PipeOptions{Buffer: 16})
}

// A listened broadcast has a subscriber that reads nothing.
type listened struct {
	*ring.Broadcast[string]
	by *ring.Subscriber[string]
}

func listen(r *shm.Region) (l listened, err error) {
	if l.Broadcast, err = ring.OpenBroadcast[string](r, "object", &ring.BroadcastOptions{Capacity: 1}); err == nil {
		l.by, err = l.Subscribe()
	}
	return l, err
}

var broadcastCalls = map[string]func(bg, any) error{
	"Publish":    func(ctx bg, h any) error { return h.(listened).Publish(ctx, "x") },
	"TryPublish": func(ctx bg, h any) error { return h.(listened).TryPublish("x") },
	"Subscribe":  func(ctx bg, h any) error { return first(h.(listened).Subscribe()) },
	"Shutdown":   func(ctx bg, h any) error { return h.(listened).Shutdown() },
}

var kinds = map[string]kind{
	"mutex": {open(func(r *shm.Region) (*sync.Mutex, error) { return sync.OpenMutex(r, "object") }),
		lockCalls, holdLock, "Lock", freeLock},
	"rwmutex": {open(func(r *shm.Region) (*sync.RWMutex, error) { return sync.OpenRWMutex(r, "object") }),
		lockCalls, holdLock, "Lock", freeLock},
	"rwmutex, reading": {open(func(r *shm.Region) (*sync.RWMutex, error) { return sync.OpenRWMutex(r, "object") }),
		map[string]func(bg, any) error{
			"RLock":    func(ctx bg, h any) error { return h.(*sync.RWMutex).RLock(ctx) },
			"TryRLock": func(ctx bg, h any) error { return first(h.(*sync.RWMutex).TryRLock()) },
			"RUnlock":  func(ctx bg, h any) error { return h.(*sync.RWMutex).RUnlock() },
			"Lock":     func(ctx bg, h any) error { return h.(*sync.RWMutex).Lock(ctx) },
		},
		func(ctx bg, h any) error { return h.(*sync.RWMutex).RLock(ctx) }, "Lock",
		func(h any) error { return h.(*sync.RWMutex).RUnlock() }},
	"semaphore": {open(func(r *shm.Region) (*sync.Semaphore, error) { return sync.OpenSemaphore(r, "object", 1) }),
		permitCalls, takePermit, "Acquire", givePermit},
	"bounded semaphore": {open(func(r *shm.Region) (*sync.BoundedSemaphore, error) { return sync.OpenBoundedSemaphore(r, "object", 1) }),
		permitCalls, takePermit, "Acquire", givePermit},
	"event": {open(func(r *shm.Region) (*sync.Event, error) { return sync.OpenEvent(r, "object") }),
		map[string]func(bg, any) error{
			"Wait":  func(ctx bg, h any) error { return h.(*sync.Event).Wait(ctx) },
			"Set":   func(ctx bg, h any) error { return h.(*sync.Event).Set() },
			"Clear": func(ctx bg, h any) error { return h.(*sync.Event).Clear() },

			"WaitAny": waitAny,
		}, nil, "Wait", nil},
	"event, among others": {open(func(r *shm.Region) (*sync.Event, error) { return sync.OpenEvent(r, "object") }),
		map[string]func(bg, any) error{"WaitAny": waitAny}, nil, "WaitAny", nil},
	"barrier": {open(func(r *shm.Region) (*sync.Barrier, error) { return sync.OpenBarrier(r, "object", 2, nil) }),
		map[string]func(bg, any) error{
			"Wait":  func(ctx bg, h any) error { return first(h.(*sync.Barrier).Wait(ctx)) },
			"Abort": func(ctx bg, h any) error { return h.(*sync.Barrier).Abort() },
			"Reset": func(ctx bg, h any) error { return h.(*sync.Barrier).Reset() },
		}, nil, "Wait", func(h any) error { // the round is broken
			if b := h.(*sync.Barrier); !b.Broken() {
				return errors.New("the round is not broken")
			}
			return h.(*sync.Barrier).Reset()
		}},
	"once": {open(func(r *shm.Region) (*sync.Once, error) { return sync.OpenOnce(r, "object") }),
		map[string]func(bg, any) error{
			"Do": func(ctx bg, h any) error {
				return h.(*sync.Once).Do(ctx, func(context.Context) error { return errors.New("it ran") })
			},
		}, nil, "", nil},
	"value": {open(func(r *shm.Region) (*atomics.Value[int64], error) { return atomics.OpenValue(r, "object", int64(7)) }),
		lockCalls, holdLock, "Lock", freeLock},
	"wide value": {open(func(r *shm.Region) (*atomics.Value[[3]int64], error) {
		return atomics.OpenValue(r, "object", [3]int64{7})
	}),
		lockCalls, holdLock, "Lock", freeLock},
	"array": {open(func(r *shm.Region) (*atomics.Array[int32], error) { return atomics.OpenArray[int32](r, "object", 3) }),
		lockCalls, holdLock, "Lock", freeLock},
	"queue, full":         {open(openQueue), queueCalls(""), put, "Put", get},
	"queue, to be joined": {open(openQueue), queueCalls(""), put, "Join", get},
	"queue, empty":        {open(openQueue), queueCalls(""), nil, "Get", nil},
	"queue, polled":       {open(openQueue), queueCalls(""), nil, "Poll", nil},
	"queue, empty, into":  {open(openQueue), queueCalls(""), nil, "GetInto", nil},
	"queue, nothing to lend": {open(func(r *shm.Region) (*ring.Queue[sheet], error) {
		return ring.OpenQueue[sheet](r, "object", &ring.QueueOptions{Capacity: 1})
	}), map[string]func(bg, any) error{
		"Loan": func(ctx bg, h any) error { return first(h.(*ring.Queue[sheet]).Loan(ctx, 1)) },
	}, func(ctx bg, h any) error { return h.(*ring.Queue[sheet]).Put(ctx, sheet{}) }, "Loan", func(h any) error {
		return first(h.(*ring.Queue[sheet]).TryGet())
	}},
	"broadcast, full": {open(func(r *shm.Region) (listened, error) { return listen(r) }), broadcastCalls,
		func(ctx bg, h any) error { return h.(listened).Publish(ctx, "held") }, "Publish", nil},
	"subscriber": {open(func(r *shm.Region) (*ring.Subscriber[string], error) {
		b, err := ring.OpenBroadcast[string](r, "object", nil)
		if err != nil {
			return nil, err
		}
		return b.Subscribe()
	}), map[string]func(bg, any) error{
		"Next": func(ctx bg, h any) error {
			_, _, err := h.(*ring.Subscriber[string]).Next(ctx)
			return err
		},
		"Poll": func(ctx bg, h any) error { return h.(*ring.Subscriber[string]).Poll(ctx) },
	}, nil, "Next", nil},
	"queue, empty, by lease": {open(openQueue), queueCalls(""), nil, "Lease", nil},
	"pipe, full": {open(openConn), connCalls, func(ctx bg, h any) error {
		for range 4 { // the ring is of 64 bytes
			if err := h.(conn).Send(ctx, 1); err != nil {
				return err
			}
		}
		return nil
	}, "Send", nil},
	"pipe, empty":            {open(openConn), connCalls, nil, "Recv", nil},
	"pipe, empty, into":      {open(openConn), connCalls, nil, "RecvInto", nil},
	"pipe, empty, by a poll": {open(openConn), connCalls, nil, "Poll", nil},
	"spsc, full":             {open(openSPSC), spscCalls, putWord, "Put", getWord},
	"spsc, full, a batch":    {open(openSPSC), spscCalls, putWord, "PutBatch", getWord},
	"spsc, empty":            {open(openSPSC), spscCalls, nil, "Get", nil},
	"spsc, empty, a batch":   {open(openSPSC), spscCalls, nil, "GetBatch", nil},
}
