package ring_test

import (
	"context"
	"errors"
	"fmt"
	"io"

	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill"
)

// numbers is a queue of numbered messages, whatever their type. It holds four.
type numbers struct {
	cap      int
	tryPut   func(n int) error
	get      func(ctx context.Context) (int, error)
	tryLease func() (lent, error)

	// For the victim, with as little beside the operation as can be.
	put   func(ctx context.Context, n int) error // one of ready
	drop  func(ctx context.Context) error        // Get
	lease func(ctx context.Context) (lent, error)

	putBoth func(ctx context.Context) (int, error) // 101 and 102, as a batch; nil: there is none
	dropTwo func(ctx context.Context) (int, error) // GetBatch

	shutdown func() error
	taskDone func() error
	join     func(context.Context) error
	len      func() int
}

// lent is a message on lease.
type lent struct {
	n, attempt int
	ack, nack  func() error
}

type openNumbers func(r *shm.Region, name string) (*numbers, error)

func numbered[T any](o ring.QueueOptions, pack func(n int) T, unpack func(T) (int, error)) openNumbers {
	return func(r *shm.Region, name string) (*numbers, error) {
		q, err := ring.OpenQueue[T](r, name, &o)
		if err != nil {
			return nil, err
		}
		ready, two := make([]T, 202), make([]T, 2)
		for _, n := range []int{1, 2, 3, 101, 102, 200} {
			ready[n] = pack(n)
		}
		return &numbers{
			cap:    q.Cap(),
			put:    func(ctx context.Context, n int) error { return q.Put(ctx, ready[n]) },
			tryPut: func(n int) error { return q.TryPut(pack(n)) },
			drop:   func(ctx context.Context) error { _, err := q.Get(ctx); return err },
			get: func(ctx context.Context) (int, error) {
				v, err := q.Get(ctx)
				if err != nil {
					return 0, err
				}
				return unpack(v)
			},
			lease: func(ctx context.Context) (lent, error) {
				d, err := q.Lease(ctx)
				return lent{ack: d.Ack, nack: d.Nack}, err
			},
			putBoth: func(ctx context.Context) (int, error) { return q.PutBatch(ctx, ready[101:103]) },
			dropTwo: func(ctx context.Context) (int, error) { return q.GetBatch(ctx, two) },
			tryLease: func() (lent, error) {
				d, err := q.TryLease()
				if err != nil {
					return lent{}, err
				}
				n, err := unpack(d.Value())
				return lent{n, d.Attempt(), d.Ack, d.Nack}, err
			},
			shutdown: q.Shutdown,
			taskDone: q.TaskDone,
			join:     q.Join,
			len:      q.Len,
		}, nil
	}
}

const holds = 4 // messages, in either form

var stepForms = map[string]openNumbers{
	// The message lies in its slot.
	"slot": numbered(ring.QueueOptions{Capacity: holds},
		func(n int) [2]int64 { return [2]int64{int64(n), int64(-n)} },
		func(v [2]int64) (int, error) {
			if v[0] != -v[1] {
				return 0, fmt.Errorf("torn message %v", v)
			}
			return int(v[0]), nil
		}),
	// It is filled and read in place.
	"loan": inPlace,
	// It takes two of eight blocks. It is blank but for its number at both
	// ends: each change of a byte is one more instruction to die at.
	"blocks": numbered(ring.QueueOptions{Capacity: 2 * holds, Buffer: 4096, MaxMessage: 1024},
		func(n int) string { return blank(n, 900) },
		func(s string) (int, error) { return unblank(s) }),
}

// sceneOps has the victims of all scenes in all forms; a victim needs them
// registered before it knows which it is.
var (
	sceneOps = map[string]stepkill.Op{}
	getPeers = map[string]stepkill.Op{}
	putPeers = map[string]stepkill.Op{}
	_        = registerScenes()
)

func registerScenes() bool {
	for form, open := range stepForms {
		for _, sc := range scenes {
			op := "queue of " + form + ": " + sc.name
			sceneOps[form+sc.name] = stepkill.Rehearsed(op, "q", func(r *shm.Region, name string) (func() error, error) {
				q, err := open(r, name)
				if err != nil || name == stepkill.Rehearsal {
					return func() error { return rehearse(q) }, err
				}
				var held []lent
				if sc.prepare != nil {
					held, err = sc.prepare(q)
				}
				return func() error { return sc.do(q, held) }, err
			})
		}
		// A getter notes what it got; -1 for the end.
		getPeers[form] = stepkill.Register("peer gets of "+form, func(r *shm.Region) (func() error, error) {
			q, err := open(r, "q")
			return func() error {
				n, err := q.get(background)
				if errors.Is(err, io.EOF) {
					n, err = -1, nil
				} else if err == nil {
					err = q.taskDone()
				}
				stepkill.Note(n)
				return err
			}, err
		})
		// A putter puts 200, and notes -1 if it may not.
		putPeers[form] = stepkill.Register("peer puts of "+form, func(r *shm.Region) (func() error, error) {
			q, err := open(r, "q")
			return func() error {
				err := q.put(background, 200)
				if errors.Is(err, ring.ErrShutdown) {
					stepkill.Note(-1)
					return nil
				}
				return err
			}, err
		})
	}
	return true
}

// rehearse does everything once that a victim may do.
func rehearse(q *numbers) error {
	for n := range 3 {
		if err := q.put(background, n+1); err != nil {
			return err
		}
	}
	if err := q.drop(background); err != nil {
		return err
	}
	if q.putBoth != nil {
		if n, err := q.dropTwo(background); err != nil || n != 2 {
			return fmt.Errorf("GetBatch of two: %d, %w", n, err)
		}
		if n, err := q.putBoth(background); err != nil || n != 2 {
			return fmt.Errorf("PutBatch of two: %d, %w", n, err)
		}
	}
	for range 2 {
		d, err := q.lease(background)
		if err == nil {
			err = d.nack()
		}
		if err == nil {
			d, err = q.lease(background)
		}
		if err == nil {
			err = d.ack()
		}
		if err != nil {
			return err
		}
	}
	return q.shutdown()
}

// takeOne takes a message that is there for good.
func takeOne(q *numbers) (lent, error) {
	d, err := q.tryLease()
	if err == nil {
		err = d.ack()
	}
	return d, err
}
