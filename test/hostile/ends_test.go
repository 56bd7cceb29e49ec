package hostile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	tsync "example.com/tandem/sync"
)

// The shortest and a very long queue: filled to the last place, in order,
// and again, across the wrap.
func TestCapacities(t *testing.T) {
	long := effort.Or(1<<20, 1<<14)
	for _, capacity := range []int{1, 2, 3, long} {
		t.Run(fmt.Sprint(capacity), func(t *testing.T) {
			q := testproc.Get(ring.OpenQueue[int64](shmtest.Region(t), "q", &ring.QueueOptions{Capacity: capacity}))(t)
			if got := q.Cap(); got != capacity {
				t.Fatalf("Cap = %d, want %d", got, capacity)
			}
			for lap := range 2 {
				for i := range capacity {
					if err := q.TryPut(int64(i)); err != nil {
						t.Fatalf("lap %d, message %d: %v", lap, i, err)
					}
				}
				if err := q.TryPut(0); !errors.Is(err, ring.ErrFull) {
					t.Fatalf("TryPut past the capacity = %v, want ErrFull", err)
				}
				if got := q.Len(); got != capacity {
					t.Errorf("Len of a full queue = %d, want %d", got, capacity)
				}
				for i := range capacity {
					if v, err := q.TryGet(); err != nil || v != int64(i) {
						t.Fatalf("lap %d: TryGet = %d, %v, want %d", lap, v, err, i)
					}
				}
				if _, err := q.TryGet(); !errors.Is(err, ring.ErrEmpty) {
					t.Fatalf("TryGet of an empty queue = %v, want ErrEmpty", err)
				}
			}
		})
	}
}

// Likewise of an SPSC, and of a Broadcast with a subscriber.
func TestCapacitiesOfOthers(t *testing.T) {
	long := effort.Or(1<<20, 1<<14)
	for _, capacity := range []int{1, 2, 3, long} {
		t.Run(fmt.Sprint(capacity), func(t *testing.T) {
			r := shmtest.Region(t)
			q := testproc.Get(ring.OpenSPSC[int64](r, "spsc", &ring.SPSCOptions{Capacity: capacity}))(t)
			b := testproc.Get(ring.OpenBroadcast[int64](r, "broadcast", &ring.BroadcastOptions{Capacity: capacity}))(t)
			s := testproc.Get(b.Subscribe())(t)
			ended, cancel := context.WithCancel(context.Background())
			cancel()
			for lap := range 2 {
				for i := range capacity {
					if err := errors.Join(q.TryPut(int64(i)), b.TryPublish(int64(i))); err != nil {
						t.Fatalf("lap %d, message %d: %v", lap, i, err)
					}
				}
				for _, err := range []error{q.TryPut(0), b.TryPublish(0)} {
					if !errors.Is(err, ring.ErrFull) {
						t.Fatalf("one past the capacity = %v, want ErrFull", err)
					}
				}
				if q.Len() != capacity || q.Cap() != capacity {
					t.Errorf("Len %d and Cap %d of a full SPSC, want %d", q.Len(), q.Cap(), capacity)
				}
				for i := range capacity {
					v, err := q.TryGet()
					u, missed, errNext := s.Next(testproc.Watchdog(t))
					if err != nil || errNext != nil || v != int64(i) || u != int64(i) || missed != 0 {
						t.Fatalf("lap %d: TryGet = %d, %v, Next = %d, %d, %v, want %d", lap, v, err, u, missed, errNext, i)
					}
				}
				if _, err := q.TryGet(); !errors.Is(err, ring.ErrEmpty) {
					t.Fatalf("TryGet of an empty SPSC = %v, want ErrEmpty", err)
				}
				if _, _, err := s.Next(ended); !errors.Is(err, context.Canceled) {
					t.Fatalf("Next of nothing = %v", err)
				}
			}
		})
	}
}

// Messages of no bytes, of the most, and of one more, which changes nothing.
func TestMessageSizes(t *testing.T) {
	r, ctx := shmtest.Region(t), testproc.Watchdog(t)
	for _, most := range []int{1, 112, 113, 256, 4096, 100_000} {
		o := &ring.QueueOptions{Capacity: 4, MaxMessage: most}
		q := testproc.Get(ring.OpenQueue[[]byte](r, fmt.Sprint("bytes", most), o))(t)
		s := testproc.Get(ring.OpenQueue[string](r, fmt.Sprint("text", most), o))(t)
		for range 20 {
			for _, n := range []int{0, 1, most - 1, most} {
				want := bytes.Repeat([]byte{byte(n) | 1}, n)
				if err := errors.Join(q.Put(ctx, want), s.Put(ctx, string(want))); err != nil {
					t.Fatalf("most %d: Put of %d bytes: %v", most, n, err)
				}
				if got, err := q.Get(ctx); err != nil || !bytes.Equal(got, want) {
					t.Fatalf("most %d: %d bytes became %d, %v", most, n, len(got), err)
				}
				d, err := s.Lease(ctx)
				if err != nil || d.Value() != string(want) {
					t.Fatalf("most %d: %d bytes of text became %d, %v", most, n, len(d.Value()), err)
				}
				if err := d.Ack(); err != nil {
					t.Fatal(err)
				}
			}
			if err := q.Put(ctx, make([]byte, most+1)); !errors.Is(err, ring.ErrTooLarge) {
				t.Errorf("most %d: one byte more = %v, want ErrTooLarge", most, err)
			}
			if err := s.TryPut(strings.Repeat("x", most+1)); !errors.Is(err, ring.ErrTooLarge) {
				t.Errorf("most %d: one byte more = %v, want ErrTooLarge", most, err)
			}
		}
		if q.Len() != 0 || s.Len() != 0 {
			t.Errorf("most %d: %d and %d messages are left", most, q.Len(), s.Len())
		}
	}
}

// Likewise through a pipe, whose Buffer is the most and 8 more, and by a Broadcast.
func TestMessageSizesOfOthers(t *testing.T) {
	r, ctx := shmtest.Region(t), testproc.Watchdog(t)
	for _, most := range []int{1, 112, 113, 256, 4096, 100_000} {
		left := testproc.Get(ring.OpenPipe[[]byte](r, fmt.Sprint("pipe", most), ring.Left, &ring.PipeOptions{Buffer: most + 8}))(t)
		right := testproc.Get(ring.OpenPipe[[]byte](r, fmt.Sprint("pipe", most), ring.Right, nil))(t)
		b := testproc.Get(ring.OpenBroadcast[string](r, fmt.Sprint("broadcast", most), &ring.BroadcastOptions{Capacity: 4, MaxMessage: most}))(t)
		s := testproc.Get(b.Subscribe())(t)
		for range 20 {
			for _, n := range []int{0, 1, most - 1, most} {
				want := bytes.Repeat([]byte{byte(n) | 1}, n)
				if err := errors.Join(left.Send(ctx, want), b.Publish(ctx, string(want))); err != nil {
					t.Fatalf("most %d: %d bytes: %v", most, n, err)
				}
				if got, err := right.Recv(ctx); err != nil || !bytes.Equal(got, want) {
					t.Fatalf("most %d: %d bytes became %d in the pipe, %v", most, n, len(got), err)
				}
				if got, missed, err := s.Next(ctx); err != nil || missed != 0 || got != string(want) {
					t.Fatalf("most %d: %d bytes became %d of a broadcast, %v", most, n, len(got), err)
				}
			}
			if err := left.Send(ctx, make([]byte, most+1)); !errors.Is(err, ring.ErrTooLarge) {
				t.Errorf("most %d: Send of one byte more = %v, want ErrTooLarge", most, err)
			}
			if err := b.TryPublish(strings.Repeat("x", most+1)); !errors.Is(err, ring.ErrTooLarge) {
				t.Errorf("most %d: TryPublish of one byte more = %v, want ErrTooLarge", most, err)
			}
		}
	}
}

// A poison message goes round and round among others, which all come through;
// its Attempt counts.
func TestNackForEver(t *testing.T) {
	rounds := effort.Or(5000, 500)
	ctx := testproc.Watchdog(t)
	q := testproc.Get(ring.OpenQueue[int64](shmtest.Region(t), "q", &ring.QueueOptions{Capacity: 3}))(t)
	const poison = -1
	if err := q.Put(ctx, poison); err != nil {
		t.Fatal(err)
	}
	var sent, got sync.WaitGroup
	sent.Add(1)
	go func() {
		defer sent.Done()
		for i := range rounds {
			if err := q.Put(ctx, int64(i)); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	var mu sync.Mutex
	attempts, others := 0, map[int64]int{}
	for range 4 {
		got.Add(1)
		go func() {
			defer got.Done()
			for d, err := range q.Leases(ctx) {
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				giveBack := false
				if d.Value() == poison {
					attempts++
					if d.Attempt() != attempts {
						t.Errorf("attempt %d came as %d", attempts, d.Attempt())
					}
					giveBack = attempts < rounds
				} else {
					others[d.Value()]++
				}
				end := d.Ack
				if giveBack {
					end = d.Nack
				}
				if err := end(); err != nil {
					t.Error(err)
				}
				mu.Unlock()
				if err := end(); !errors.Is(err, shm.ErrNotOwner) {
					t.Errorf("the second end of a lease = %v, want ErrNotOwner", err)
				}
			}
		}()
	}
	sent.Wait()
	for range 2 {
		if err := q.Shutdown(); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	}
	if err := q.Join(ctx); err != nil {
		t.Error(err)
	}
	got.Wait()
	if attempts != rounds || len(others) != rounds {
		t.Errorf("%d attempts, %d other messages, want %d of both", attempts, len(others), rounds)
	}
	for v, n := range others {
		if n != 1 {
			t.Errorf("message %d came %d times", v, n)
		}
	}
	if _, err := q.Get(ctx); !errors.Is(err, io.EOF) {
		t.Errorf("Get at the end = %v, want EOF", err)
	}
}

// Ten thousand objects are made, found, found missing, and removed; the
// memory comes back.
func TestManyObjects(t *testing.T) {
	n := effort.Or(10_000, 1000)
	dir := filepath.Dir(shmtest.Region(t).Name())
	r := testproc.Get(shm.Create(filepath.Join(dir, "many"), &shm.Options{Objects: n}))(t)
	defer r.Close()
	before := testproc.Get(r.Snapshot())(t).Memory.Used
	for round := range 2 {
		for i := range n {
			if _, err := tsync.OpenMutex(r, fmt.Sprint("m", i)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := tsync.OpenMutex(r, "one-more"); !errors.Is(err, shm.ErrNoSpace) {
			t.Errorf("one more than there is room for = %v, want ErrNoSpace", err)
		}
		for i := range n {
			if _, err := tsync.OpenMutex(r.Existing(), fmt.Sprint("m", i)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := tsync.OpenMutex(r.Existing(), "m-1"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("one that is not there = %v, want ErrNotExist", err)
		}
		count := 0
		for range r.Objects() {
			count++
		}
		if count != n {
			t.Errorf("round %d: %d objects listed, want %d", round, count, n)
		}
		if err := r.Check(); err != nil {
			t.Error(err)
		}
		for i := range n {
			if err := r.Remove(fmt.Sprint("m", i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	// Making one collects what was dropped.
	if _, err := ring.OpenQueue[int64](r, "last", nil); err != nil {
		t.Fatal(err)
	}
	if err := r.Remove("last"); err != nil {
		t.Fatal(err)
	}
	if err := r.Check(); err != nil {
		t.Error(err)
	}
	t.Logf("%d bytes used before, %d after", before, testproc.Get(r.Snapshot())(t).Memory.Used)
}

// Objects that are made, used, dropped and removed in a loop, larger together
// than the region by far.
func TestFleetingObjects(t *testing.T) {
	dir := filepath.Dir(shmtest.Region(t).Name())
	r := testproc.Get(shm.Create(filepath.Join(dir, "small"), &shm.Options{Size: 2 << 20, Objects: 8}))(t)
	defer r.Close()
	n := effort.Or(1000, 200)
	for i := range n {
		q, err := ring.OpenQueue[int64](r, fmt.Sprint("reply", i), &ring.QueueOptions{Capacity: 5000})
		if err != nil {
			t.Fatalf("object %d: %v", i, err)
		}
		if err := q.TryPut(int64(i)); err != nil {
			t.Fatal(err)
		}
		if v, err := q.TryGet(); err != nil || v != int64(i) {
			t.Fatalf("TryGet = %d, %v, want %d", v, err, i)
		}
		if err := r.Remove(fmt.Sprint("reply", i)); err != nil {
			t.Fatal(err)
		}
		if err := fleeting(r, i); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
	}
	if err := r.Check(); err != nil {
		t.Error(err)
	}
}

// fleeting makes, uses, drops and removes an object of another kind.
func fleeting(r *shm.Region, i int) error {
	ctx := context.Background()
	const name = "fleeting"
	var err error
	switch i % 4 {
	case 0:
		q, e := ring.OpenSPSC[int64](r, name, &ring.SPSCOptions{Capacity: 5000})
		if err = e; err == nil {
			err = q.TryPut(1)
		}
	case 1:
		c, e := ring.OpenPipe[int64](r, name, ring.Left, &ring.PipeOptions{Buffer: 40_000})
		if err = e; err == nil {
			err = c.Send(ctx, 1)
		}
	case 2:
		b, e := ring.OpenBroadcast[string](r, name, &ring.BroadcastOptions{Capacity: 20, Buffer: 80_000, MaxMessage: 1000})
		if err = e; err == nil {
			_, e = b.Subscribe()
			err = errors.Join(e, b.Publish(ctx, "text"))
		}
	default:
		a, e := atomics.OpenArray[[5]int64](r, name, 100)
		if err = e; err == nil {
			a.Store(i%100, [5]int64{1})
		}
	}
	return errors.Join(err, r.Remove(name))
}
