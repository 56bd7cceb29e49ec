package hostile_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	gosync "sync"
	"syscall"
	"testing"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/effort"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// Opening beside Close: an object, or ErrClosed. What is found of one whose
// region is closed meanwhile is zeroes, and no damage.
func TestOpenBesideClose(t *testing.T) {
	opens := []func(r *shm.Region) error{
		func(r *shm.Region) error { _, err := sync.OpenMutex(r, "mutex"); return err },
		func(r *shm.Region) error { _, err := sync.OpenRMutex(r, "rmutex"); return err },
		func(r *shm.Region) error { _, err := sync.OpenRWMutex(r, "rwmutex"); return err },
		func(r *shm.Region) error { _, err := sync.OpenCond(r, "cond", nil); return err },
		func(r *shm.Region) error { _, err := sync.OpenSemaphore(r, "semaphore", 1); return err },
		func(r *shm.Region) error { _, err := sync.OpenBoundedSemaphore(r, "bounded", 1); return err },
		func(r *shm.Region) error { _, err := sync.OpenEvent(r, "event"); return err },
		func(r *shm.Region) error { _, err := sync.OpenBarrier(r, "barrier", 3, nil); return err },
		func(r *shm.Region) error { _, err := sync.OpenOnce(r, "once"); return err },
		func(r *shm.Region) error { _, err := atomics.OpenValue(r, "value", 1); return err },
		func(r *shm.Region) error { _, err := atomics.OpenArray[int32](r, "array", 5); return err },
		func(r *shm.Region) error { _, err := atomics.OpenValue(r, "wide", [3]int64{}); return err },
		func(r *shm.Region) error { _, err := atomics.OpenSlice[byte](r, "slice", 5); return err },
		func(r *shm.Region) error { _, err := ring.OpenQueue[int](r, "queue", nil); return err },
		func(r *shm.Region) error { _, err := ring.OpenSPSC[int](r, "spsc", nil); return err },
		func(r *shm.Region) (err error) { // a new one, each time
			for _, end := range []ring.End{ring.Left, ring.Right} {
				if c, e := ring.OpenPipe[int](r, "pipe", end, nil); e == nil {
					err = errors.Join(err, c.Close())
				} else {
					err = errors.Join(err, e)
				}
			}
			return err
		},
		func(r *shm.Region) error {
			b, err := ring.OpenBroadcast[int](r, "broadcast", nil)
			if err != nil {
				return err
			}
			s, err := b.Subscribe()
			if err != nil {
				return err
			}
			return s.Close()
		},
		func(r *shm.Region) error { return hungUp(meet(r, "listener")) },
		func(r *shm.Region) error {
			_, err := ring.Dial(context.Background(), r, "nobody")
			return ignore(err, syscall.ECONNREFUSED)
		},
	}
	rounds := effort.Or(30, 15)
	for range rounds {
		r, err := shm.Anonymous(&shm.Options{Size: 64 << 20})
		if err != nil {
			t.Fatal(err)
		}
		for _, open := range opens { // they are there
			if err := open(r); err != nil {
				t.Fatal(err)
			}
		}
		var all gosync.WaitGroup
		begun := make(chan bool, len(opens))
		for _, open := range opens {
			all.Go(func() {
				var err error
				for n := 0; err == nil; n++ {
					if err = open(r); n == 0 {
						begun <- true
					}
				}
				if !errors.Is(err, shm.ErrClosed) {
					t.Error(err)
				}
			})
		}
		for range opens {
			<-begun
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		all.Wait()
	}
}

// meet listens, and is dialled from here: a connection, or the error of whoever has another
// than ErrClosed.
func meet(r *shm.Region, name string) (net.Conn, error) {
	l, err := ring.Listen(r, name, &ring.ListenOptions{Buffer: 64, Backlog: 1})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	dialled := make(chan error, 1)
	go func() {
		err := hungUp(ring.Dial(context.Background(), r, name))
		if err != nil && !errors.Is(err, shm.ErrClosed) {
			l.Close() // nobody comes
		}
		dialled <- err
	}()
	c, err := l.Accept()
	if failed := <-dialled; failed != nil && (err == nil || !errors.Is(failed, shm.ErrClosed)) {
		err = fmt.Errorf("Dial: %v, Accept: %v", failed, err)
	}
	return c, err
}
