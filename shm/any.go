package shm

import (
	"context"
	"fmt"
	"io/fs"
	"runtime"

	"example.com/tandem/internal/object"
)

// A Waitable is something that [WaitAny] can wait for, and when it is ready:
//
//	sync.Event                       it is set, or was since the call began
//	sync.Semaphore, BoundedSemaphore there is a permit
//	ring.Queue                       there is a message to get or lease, or io.EOF
//	ring.SPSC                        there is a message to get, or io.EOF: also in a process
//	                                 that is not the consumer, and whoever that is
//	ring.Subscriber                  Next would not wait
//	ring.Conn                        Recv would not wait
//	proc.Process                     it is Done
//
// They need not be of one region. WaitSource is for WaitAny alone.
type Waitable interface{ WaitSource() object.Source }

// WaitAny waits until one of ws is ready, and returns the number of the lowest that is:
// Go's select over shared objects. It spins for moments, then sleeps, without using a
// processor, however many there are.
//
// It takes nothing, and that something is ready is a hint: another may take it, before the
// caller does. So the caller tries (TryAcquire, TryGet), and comes back if it was too late:
//
//	for {
//		i, err := shm.WaitAny(ctx, jobs, results, stop)
//		if err != nil {
//			return err
//		}
//		switch i {
//		case 0:
//			job, err := jobs.TryGet()
//			if errors.Is(err, ring.ErrEmpty) {
//				continue
//			}
//			…
//
// It leaves the objects as they were: who waits for one of them in another call is woken as
// if this one had not been there. An event that is set and cleared at once is seen by all
// who were waiting; between two calls it passes unseen.
//
// An error comes with -1: ctx's, with nothing ready; [ErrClosed], of a handle or a region
// that this process has closed, before the call or while it waits, and the error names it;
// [ErrCorrupt]; ring.ErrDirection of an end of a pipe at which nothing is received;
// fs.ErrInvalid where there is nothing to wait for. A context that has ended makes no
// attempt. An object that was removed is waited for like any other. The same object may be
// there more than once.
//
// A process that dies in WaitAny leaves nothing, and what it was woken for others are woken
// for when its death is noticed. One that dies, or is stopped, elsewhere holds up nobody who
// waits. Where the kernel has no futex_waitv the objects, if there are several, are looked at
// every 10 ms.
//
// In the terminology of the [Go memory model], a call of Event.Set or Semaphore.Release
// synchronizes before the return of the WaitAny that it makes return; of a message it is
// what gets it that is ordered.
//
// [Go memory model]: https://go.dev/ref/mem
func WaitAny(ctx context.Context, ws ...Waitable) (int, error) {
	a := object.NewAny("shm.WaitAny")
	for i, w := range ws {
		s := object.Source{}
		if s.Err = errNil; w != nil {
			s = w.WaitSource()
		}
		if s.Err != nil {
			s.Err = fmt.Errorf("number %d of what to wait for: %w", i, s.Err)
		}
		a.Add(s)
	}
	i, err := a.Wait(ctx)
	runtime.KeepAlive(ws)
	return i, err
}

var errNil = fmt.Errorf("it is nil: %w", fs.ErrInvalid)
