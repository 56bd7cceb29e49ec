package ring_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

func TestLease(t *testing.T) {
	each(t, func(t *testing.T, q queue) {
		q = q.new(t, region(t), &ring.QueueOptions{Capacity: 3})
		ctx := watchdog(t)
		for i := range 20 {
			if err := q.put(ctx, i); err != nil {
				t.Fatal(err)
			}
			for attempt := 1; attempt <= 3; attempt++ {
				d, err := q.lease(ctx)
				if err != nil || d.attempt != attempt {
					t.Fatal(err, d.attempt)
				}
				q.is(t, d.value, i)
				if q.len() != 0 {
					t.Errorf("Len %d with the message leased", q.len())
				}
				end := d.nack
				if attempt == 3 {
					end = d.ack
				}
				if err := end(); err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(d.ack()); !errors.Is(err, shm.ErrNotOwner) {
					t.Errorf("a second Ack = %v", err)
				}
				if err := d.nack(); !errors.Is(err, shm.ErrNotOwner) {
					t.Errorf("a Nack after it = %v", err)
				}
			}
		}
		if q.len() != 0 {
			t.Errorf("Len %d", q.len())
		}
	})
}

// An old Delivery does not end a new lease of the same slot.
func TestOldDeliveryIsOver(t *testing.T) {
	q := open[int64](t, region(t), "q", &ring.QueueOptions{Capacity: 1})
	ctx := watchdog(t)
	lease := func(i int64) ring.Delivery[int64] {
		t.Helper()
		if err := q.TryPut(i); err != nil {
			t.Fatal(err)
		}
		d, err := q.Lease(ctx)
		if err != nil || d.Value() != i {
			t.Fatal(d, err)
		}
		return d
	}
	old := lease(1)
	same := old
	if err := old.Ack(); err != nil {
		t.Fatal(err)
	}
	d := lease(2)
	for _, x := range []ring.Delivery[int64]{old, same, {}} {
		if !errors.Is(x.Ack(), shm.ErrNotOwner) || !errors.Is(x.Nack(), shm.ErrNotOwner) {
			t.Error("an old delivery was acknowledged")
		}
	}
	if err := d.Nack(); err != nil {
		t.Fatal(err)
	}
	if again, err := q.Lease(ctx); err != nil || again.Value() != 2 || again.Attempt() != 2 || again.Ack() != nil {
		t.Error(again, err)
	}
}

// A queue of capacity 8 with a lease held for ever passes any number of other
// messages.
func TestLeaseStallsNothing(t *testing.T) {
	n := effort.Or(1_000_000, 50_000)
	q := open[pair](t, region(t), "q", &ring.QueueOptions{Capacity: 8})
	ctx := watchdog(t)
	if err := q.Put(ctx, pair{A: -1}); err != nil {
		t.Fatal(err)
	}
	held, err := q.Lease(ctx)
	if err != nil || held.Value().A != -1 {
		t.Fatal(held, err)
	}
	go func() {
		vs := make([]pair, 5)
		for i := 0; i < n; {
			for k := range vs {
				vs[k].A = int64(i + k)
			}
			put, err := q.PutBatch(ctx, vs[:min(5, n-i)])
			if err != nil {
				t.Error(err)
				return
			}
			i += put
		}
	}()
	vs := make([]pair, 5)
	for i := 0; i < n; {
		got, err := q.GetBatch(ctx, vs)
		if err != nil {
			t.Fatal(i, err)
		}
		for _, v := range vs[:got] {
			if v.A != int64(i) {
				t.Fatalf("%d came as number %d", v.A, i)
			}
			i++
		}
	}
	if err := q.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if _, err := q.TryGet(); !errors.Is(err, ring.ErrEmpty) {
		t.Errorf("the end came before the lease: %v", err)
	}
	end := make(chan error)
	go func() { _, err := q.Get(ctx); end <- err }()
	if err := held.Ack(); err != nil {
		t.Fatal(err)
	}
	if err := <-end; !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestLeasesEnd(t *testing.T) {
	q := open[int32](t, region(t), "q", nil)
	ctx := watchdog(t)
	for i := range int32(10) {
		if err := q.Put(ctx, i); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Shutdown(); err != nil {
		t.Fatal(err)
	}
	next := int32(0)
	for d, err := range q.Leases(ctx) {
		if err != nil || d.Value() != next {
			t.Fatal(d, err)
		}
		next++
		if err := d.Ack(); err != nil {
			t.Fatal(err)
		}
	}
	if next != 10 {
		t.Errorf("%d came", next)
	}
}

// Q18, Q19: JoinableQueue.
func TestJoin(t *testing.T) {
	each(t, func(t *testing.T, q queue) {
		q = q.new(t, region(t), nil)
		ctx := watchdog(t)
		if err := q.join(ctx); err != nil {
			t.Fatal(err)
		}
		if err := q.taskDone(); !errors.Is(err, ring.ErrOverDone) {
			t.Errorf("TaskDone of nothing = %v", err)
		}
		for i := range 40 {
			if err := q.put(ctx, i); err != nil {
				t.Fatal(err)
			}
		}
		joined := make(chan error, 1)
		go func() { joined <- q.join(ctx) }()
		for i := range 40 {
			select {
			case err := <-joined:
				t.Fatalf("Join returned %v with %d undone", err, 40-i)
			default:
			}
			if i%2 == 0 {
				if _, err := q.get(ctx); err != nil {
					t.Fatal(err)
				}
				if i == 38 {
					time.Sleep(time.Millisecond) // a chance to return early
				}
				if err := q.taskDone(); err != nil {
					t.Fatal(err)
				}
			} else if d, err := q.lease(ctx); err != nil || d.ack() != nil {
				t.Fatal(err)
			}
		}
		if err := <-joined; err != nil {
			t.Error(err)
		}
		if err := q.taskDone(); !errors.Is(err, ring.ErrOverDone) {
			t.Errorf("TaskDone past the number = %v", err)
		}
	})
}
