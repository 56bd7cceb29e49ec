package ring_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill"
)

// blank is message n of so many bytes.
func blank(n, size int) string {
	return fmt.Sprintf("%03d%s%03d", n, strings.Repeat("\x00", size-6), n)
}

func unblank(s string) (int, error) {
	n, err := strconv.Atoi(s[:min(len(s), 3)])
	if err != nil || len(s) < 6 || s != blank(n, len(s)) {
		return 0, fmt.Errorf("torn message %q", s)
	}
	return n, nil
}

// inPlace is the queue of stepForms' blocks, whose victims fill and read in place. A
// loan is of two blocks; message 102 needs one of them, and message 3 none.
func inPlace(r *shm.Region, name string) (*numbers, error) {
	q, err := ring.OpenQueue[[]byte](r, name, &ring.QueueOptions{Capacity: 2 * holds, Buffer: 4096, MaxMessage: 1024})
	if err != nil {
		return nil, err
	}
	ready := map[int][]byte{}
	for n, size := range map[int]int{1: 900, 2: 900, 3: 100, 101: 900, 102: 400, 200: 900} {
		ready[n] = []byte(blank(n, size))
	}
	into := make([]byte, 0, 1024)
	took := func(d ring.Delivery[[]byte], err error) (lent, error) {
		if err != nil {
			return lent{}, err
		}
		n, err := unblank(string(d.View()))
		return lent{n, d.Attempt(), d.Ack, d.Nack}, err
	}
	return &numbers{
		cap: q.Cap(),
		put: func(ctx context.Context, n int) error {
			l, err := q.Loan(ctx, 1000)
			if err != nil {
				return err
			}
			return l.Put(ctx, copy(l.Bytes(), ready[n]))
		},
		tryPut: func(n int) error { return q.TryPut([]byte(blank(n, 900))) },
		drop:   func(ctx context.Context) error { return q.GetInto(ctx, &into) },
		get: func(ctx context.Context) (int, error) {
			if err := q.GetInto(ctx, &into); err != nil {
				return 0, err
			}
			return unblank(string(into))
		},
		lease: func(ctx context.Context) (lent, error) {
			d, err := q.Lease(ctx)
			if err == nil && d.View()[0] != '0' && d.View()[0] != '1' {
				err = fmt.Errorf("torn message %q", d.View())
			}
			return lent{ack: d.Ack, nack: d.Nack}, err
		},
		tryLease: func() (lent, error) { return took(q.TryLease()) },
		shutdown: q.Shutdown,
		taskDone: q.TaskDone,
		join:     q.Join,
		len:      q.Len,
	}, nil
}

// A loan is taken and dropped: whatever the instruction, nothing was put, and all
// memory is there again. A putter that sleeps for want of it is woken.
var dropping = stepkill.Rehearsed("loan, drop", "q", func(r *shm.Region, name string) (func() error, error) {
	q, err := ring.OpenQueue[[]byte](r, name, &ring.QueueOptions{Capacity: 8, Buffer: 4096, MaxMessage: 1024})
	return func() error {
		for range 2 {
			l, err := q.Loan(background, 700)
			if err == nil {
				err = l.Drop()
			}
			if err != nil {
				return err
			}
		}
		return nil
	}, err
})

func TestLoanDroppedKilledAnywhere(t *testing.T) {
	for _, taken := range stepkill.Some(t, 0, 2, 3) {
		t.Run(fmt.Sprintf("beside %d", taken), func(t *testing.T) {
			stepkill.Every(t, dropping, func(t *testing.T, s *stepkill.Stage) {
				q, err := inPlace(s.Region, "q")
				if err != nil {
					t.Fatal(err)
				}
				for n := range taken {
					if err := q.tryPut(n + 1); err != nil {
						t.Fatal(err)
					}
				}
				d := s.Die(nil)
				ctx := stepkill.Watchdog(t)
				for n := taken; n < holds; n++ { // waits for what the victim had
					if err := q.put(ctx, n%2+1); err != nil {
						t.Fatalf("after a death %v: %v", d, err)
					}
				}
				for n := range holds {
					if l, err := takeOne(q); err != nil || n < taken && l.n != n+1 {
						t.Errorf("after a death %v: message %d, %v", d, l.n, err)
					}
				}
				whole(t, ctx, q, false)
			})
		})
	}
}
