package ring_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"syscall"
	"testing"

	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill"
)

// A maker makes an object, or opens the one that is there; by use a message goes through it.
type maker func(r *shm.Region, name string) (use func(ctx context.Context) error, err error)

var makers = map[string]maker{
	"queue": func(r *shm.Region, name string) (func(context.Context) error, error) {
		q, err := ring.OpenQueue[string](r, name, &ring.QueueOptions{Capacity: 2, Buffer: 4096})
		return func(ctx context.Context) error {
			return sameAgain(func(v string) error { return q.Put(ctx, v) }, func() (string, error) { return q.Get(ctx) })
		}, err
	},
	"SPSC": func(r *shm.Region, name string) (func(context.Context) error, error) {
		s, err := ring.OpenSPSC[int64](r, name, &ring.SPSCOptions{Capacity: 2})
		return func(ctx context.Context) error {
			return sameAgain(func(v int64) error { return s.Put(ctx, v) }, func() (int64, error) { return s.Get(ctx) })
		}, err
	},
	"broadcast": func(r *shm.Region, name string) (func(context.Context) error, error) {
		b, err := ring.OpenBroadcast[string](r, name, &ring.BroadcastOptions{Capacity: 2, Buffer: 256, MaxMessage: 64})
		return func(ctx context.Context) error {
			s, err := b.Subscribe()
			if err != nil {
				return err
			}
			return sameAgain(func(v string) error { return b.Publish(ctx, v) }, func() (string, error) { v, _, err := s.Next(ctx); return v, err })
		}, err
	},
	"pipe": func(r *shm.Region, name string) (func(context.Context) error, error) {
		left, err := ring.OpenPipe[string](r, name, ring.Left, &ring.PipeOptions{Buffer: 4096})
		return func(ctx context.Context) error {
			right, err := ring.OpenPipe[string](r, name, ring.Right, nil)
			if err != nil {
				return err
			}
			return sameAgain(func(v string) error { return left.Send(ctx, v) }, func() (string, error) { return right.Recv(ctx) })
		}, err
	},
	"listener": func(r *shm.Region, name string) (func(context.Context) error, error) {
		l, err := ring.Listen(r, name, &ring.ListenOptions{Buffer: 4096})
		return func(ctx context.Context) error {
			go func() {
				if c, err := l.Accept(); err == nil {
					io.Copy(c, c)
				}
			}()
			c, err := ring.Dial(ctx, r, name)
			if err != nil {
				return err
			}
			b := []byte{0}
			return sameAgain(func(v byte) error { _, err := c.Write([]byte{v}); return err }, func() (byte, error) { _, err := c.Read(b); return b[0], err })
		}, err
	},
}

// sameAgain puts something, and gets it.
func sameAgain[T comparable](put func(T) error, get func() (T, error)) error {
	var v T
	err := put(v)
	if err == nil {
		var got T
		if got, err = get(); err == nil && got != v {
			err = errors.New("another message than was put")
		}
	}
	return err
}

var (
	makeOps = map[string]stepkill.Op{}
	_       = registerMakers()
)

func registerMakers() (none struct{}) {
	for kind, make := range makers {
		makeOps[kind] = stepkill.Rehearsed("make/"+kind, "", func(r *shm.Region, name string) (func() error, error) {
			return func() error { _, err := make(r, name+"x"); return err }, nil
		})
	}
	return none
}

// Whoever dies in making an object has made it, or not: others open it or make it, and when
// it is removed its memory is there for the next.
func TestMadeKilledAnywhere(t *testing.T) {
	for _, kind := range stepkill.Some(t, "queue", "SPSC", "broadcast", "pipe", "listener") {
		t.Run(kind, func(t *testing.T) {
			stepkill.Every(t, makeOps[kind], func(t *testing.T, s *stepkill.Stage) {
				d := s.Die(nil)
				use, err := makers[kind](s.Region, "x")
				if kind == "pipe" && errors.Is(err, syscall.EPIPE) { // it had opened its end, which is gone with it
					if err = s.Region.Remove("x"); err == nil {
						use, err = makers[kind](s.Region, "x")
					}
				}
				if err == nil {
					err = use(stepkill.Watchdog(t))
				}
				if err != nil {
					t.Errorf("after a death %v: %v", d, err)
				}
				if err := s.Region.Remove("x"); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("after a death %v: %v", d, err)
				}
			})
		})
	}
}
