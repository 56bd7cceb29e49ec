package ring_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/tandem/internal/effort"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// What goes through a queue: of each form one type.
type (
	pair struct {
		A int64
		B int32
	}
	big struct{ Words [100]uint64 }
	job struct {
		URL   string
		Tags  []string
		When  time.Time
		Depth int
	}
)

// each calls f for a queue of each form of T, with the i-th message of each.
func each(t *testing.T, f func(t *testing.T, q queue)) {
	form(t, "slot", f, func(i int) pair { return pair{int64(i), -int32(i)} })
	form(t, "raw", f, func(i int) (b big) { b.Words[0], b.Words[99] = uint64(i), uint64(i); return b })
	form(t, "bytes", f, func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, i*i%3000) })
	form(t, "text", f, func(i int) string { return strings.Repeat(string(rune('a'+i%26)), i*i%3000) })
	form(t, "cbor", f, func(i int) job {
		return job{fmt.Sprint("http://", i), []string{strings.Repeat("x", i*i%3000)}, time.Unix(int64(i), 7).UTC(), i}
	})
}

// queue is a Queue of any T, for tests of all of them.
type queue struct {
	open               func(r *shm.Region, name string, o *ring.QueueOptions) (queue, error)
	put                func(ctx context.Context, i int) error
	tryPut             func(i int) error
	get                func(ctx context.Context) (got any, err error)
	tryGet             func() (any, error)
	lease              func(ctx context.Context) (delivery, error)
	message            func(i int) any
	shutdown, taskDone func() error
	join               func(context.Context) error
	len, cap           func() int
}

type delivery struct {
	value     any
	attempt   int
	ack, nack func() error
}

func form[T any](t *testing.T, name string, f func(t *testing.T, q queue), message func(int) T) {
	t.Run(name, func(t *testing.T) {
		f(t, queue{open: func(r *shm.Region, name string, o *ring.QueueOptions) (queue, error) {
			q, err := ring.OpenQueue[T](r, name, o)
			if err != nil {
				return queue{}, err
			}
			return queue{
				put:    func(ctx context.Context, i int) error { return q.Put(ctx, message(i)) },
				tryPut: func(i int) error { return q.TryPut(message(i)) },
				get:    func(ctx context.Context) (any, error) { return q.Get(ctx) },
				tryGet: func() (any, error) { return q.TryGet() },
				lease: func(ctx context.Context) (delivery, error) {
					d, err := q.Lease(ctx)
					return delivery{d.Value(), d.Attempt(), d.Ack, d.Nack}, err
				},
				message:  func(i int) any { return message(i) },
				shutdown: q.Shutdown, taskDone: q.TaskDone, join: q.Join, len: q.Len, cap: q.Cap,
			}, nil
		}})
	})
}

func (q queue) new(t *testing.T, r *shm.Region, o *ring.QueueOptions) queue {
	t.Helper()
	n, err := q.open(r, "q", o)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (q queue) is(t *testing.T, got any, i int) {
	t.Helper()
	if d := cmp.Diff(q.message(i), got); d != "" {
		t.Fatalf("message %d: %s", i, d)
	}
}

// Q1 to Q7: what fits, in which order, and what a full and an empty queue say.
func TestQueueFullAndEmpty(t *testing.T) {
	each(t, func(t *testing.T, q queue) {
		for _, capacity := range []int{1, 2, 6} {
			q := q.new(t, region(t), &ring.QueueOptions{Capacity: capacity})
			if q.len() != 0 || q.cap() != capacity {
				t.Errorf("Len %d, Cap %d", q.len(), q.cap())
			}
			for lap := range 3 {
				for i := range capacity {
					put := q.tryPut
					if i%2 == 0 {
						put = func(i int) error { return q.put(context.Background(), i) }
					}
					if err := put(lap*capacity + i); err != nil {
						t.Fatal(err)
					}
					if q.len() != i+1 {
						t.Errorf("Len %d after %d", q.len(), i+1)
					}
				}
				if err := q.tryPut(0); !errors.Is(err, ring.ErrFull) {
					t.Errorf("TryPut on full = %v", err)
				}
				start := time.Now()
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
				if err := q.put(ctx, 0); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) < 20*time.Millisecond {
					t.Errorf("Put on full = %v after %v", err, time.Since(start))
				}
				cancel()
				for i := range capacity {
					get := q.tryGet
					if i%2 == 0 {
						get = func() (any, error) { return q.get(context.Background()) }
					}
					got, err := get()
					if err != nil {
						t.Fatal(err)
					}
					q.is(t, got, lap*capacity+i)
				}
				if _, err := q.tryGet(); !errors.Is(err, ring.ErrEmpty) {
					t.Errorf("TryGet on empty = %v", err)
				}
				ctx, cancel = context.WithTimeout(context.Background(), 20*time.Millisecond)
				if _, err := q.get(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Get on empty = %v", err)
				}
				cancel()
			}
		}
	})
}

func TestEndedContextMakesNoAttempt(t *testing.T) {
	q := open[pair](t, region(t), "q", nil)
	if err := q.TryPut(pair{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, get := q.Get(ctx)
	_, lease := q.Lease(ctx)
	n, batch := q.PutBatch(ctx, make([]pair, 3))
	for name, err := range map[string]error{"Put": q.Put(ctx, pair{}), "Get": get, "Lease": lease, "PutBatch": batch, "Join": q.Join(ctx)} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v", name, err)
		}
	}
	if q.Len() != 1 || n != 0 {
		t.Errorf("Len %d", q.Len())
	}
	for v, err := range q.All(ctx) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("All yields %v, %v", v, err)
		}
	}
}

func TestBatches(t *testing.T) {
	q := open[pair](t, region(t), "q", &ring.QueueOptions{Capacity: 5})
	ctx := watchdog(t)
	vs := make([]pair, 8)
	for i := range vs {
		vs[i].A = int64(i)
	}
	if n, err := q.PutBatch(ctx, vs); n != 5 || err != nil {
		t.Errorf("PutBatch = %d, %v", n, err)
	}
	got := make([]pair, 3)
	if n, err := q.GetBatch(ctx, got); n != 3 || err != nil || got[2].A != 2 {
		t.Errorf("GetBatch = %d, %v, %v", n, err, got)
	}
	if n, err := q.GetBatch(ctx, make([]pair, 9)); n != 2 || err != nil {
		t.Errorf("GetBatch = %d, %v", n, err)
	}
	if n, err := q.PutBatch(ctx, nil); n != 0 || err != nil {
		t.Errorf("PutBatch of nothing = %d, %v", n, err)
	}
	if err := errors.Join(q.TryPut(vs[1]), q.Shutdown()); err != nil {
		t.Fatal(err)
	}
	if n, err := q.PutBatch(ctx, vs); n != 0 || !errors.Is(err, ring.ErrShutdown) {
		t.Errorf("PutBatch = %d, %v", n, err)
	}
	if n, err := q.GetBatch(ctx, got); n != 1 || err != nil {
		t.Errorf("GetBatch = %d, %v", n, err)
	}
	if n, err := q.GetBatch(ctx, got); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("GetBatch = %d, %v", n, err)
	}
}

func TestShutdownWakesAll(t *testing.T) {
	each(t, func(t *testing.T, q queue) {
		r := region(t)
		full, empty := q.new(t, r, &ring.QueueOptions{Capacity: 1}), queue{}
		if err := full.tryPut(1); err != nil {
			t.Fatal(err)
		}
		empty, err := q.open(r, "empty", nil)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := full.put(watchdog(t), 1); !errors.Is(err, ring.ErrShutdown) {
					t.Errorf("Put = %v", err)
				}
			})
			wg.Go(func() {
				if _, err := empty.get(watchdog(t)); !errors.Is(err, io.EOF) {
					t.Errorf("Get = %v", err)
				}
			})
		}
		if err := errors.Join(full.shutdown(), empty.shutdown(), empty.shutdown()); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if err := full.tryPut(1); !errors.Is(err, ring.ErrShutdown) {
			t.Errorf("TryPut = %v", err)
		}
		if _, err := full.get(watchdog(t)); err != nil {
			t.Error(err)
		}
		if _, err := full.tryGet(); !errors.Is(err, io.EOF) {
			t.Errorf("TryGet = %v", err)
		}
	})
}

// Q9: each message goes to exactly one getter, and a producer's in its order.
func TestManyProducersAndConsumers(t *testing.T) {
	for _, capacity := range []int{1, 3, 100} {
		q := open[pair](t, region(t), "q", &ring.QueueOptions{Capacity: capacity})
		const producers = 4
		each := effort.Or(3000, 600)
		ctx := watchdog(t)
		var puts, gets sync.WaitGroup
		for p := range producers {
			puts.Go(func() {
				for i := range each {
					if err := q.Put(ctx, pair{int64(i), int32(p)}); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		var mu sync.Mutex
		seen := map[pair]int{}
		for range 3 {
			gets.Go(func() {
				last := [producers]int64{-1, -1, -1, -1}
				for v, err := range q.All(ctx) {
					if err != nil {
						t.Error(err)
						return
					}
					if v.A <= last[v.B] {
						t.Errorf("producer %d: %d after %d", v.B, v.A, last[v.B])
					}
					last[v.B] = v.A
					mu.Lock()
					seen[v]++
					mu.Unlock()
				}
			})
		}
		puts.Wait()
		if err := q.Shutdown(); err != nil {
			t.Error(err)
		}
		gets.Wait()
		if len(seen) != producers*each {
			t.Errorf("%d messages came of %d", len(seen), producers*each)
		}
		for v, n := range seen {
			if n != 1 {
				t.Errorf("%v came %d times", v, n)
			}
		}
	}
}
