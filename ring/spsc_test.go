package ring_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

func openSPSC[T any](t testing.TB, r *shm.Region, name string, o *ring.SPSCOptions) *ring.SPSC[T] {
	t.Helper()
	s, err := ring.OpenSPSC[T](r, name, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSPSCPutGet(t *testing.T) {
	ctx := context.Background()
	s := openSPSC[pair](t, region(t), "s", &ring.SPSCOptions{Capacity: 3})
	if s.Cap() != 3 || s.Len() != 0 {
		t.Errorf("Cap %d, Len %d", s.Cap(), s.Len())
	}
	for i := range int64(10) {
		if err := s.Put(ctx, pair{i, 1}); err != nil {
			t.Fatal(err)
		}
		if err := s.TryPut(pair{i, 2}); err != nil {
			t.Fatal(err)
		}
		if s.Len() != 2 {
			t.Errorf("Len %d", s.Len())
		}
		if v, err := s.Get(ctx); v != (pair{i, 1}) || err != nil {
			t.Fatalf("Get = %v, %v", v, err)
		}
		if v, err := s.TryGet(); v != (pair{i, 2}) || err != nil {
			t.Fatalf("TryGet = %v, %v", v, err)
		}
	}
	for range 3 {
		if err := s.TryPut(pair{}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := s.TryPut(pair{}); !errors.Is(err, ring.ErrFull) || !strings.HasPrefix(err.Error(), "spsc.TryPut ") {
			t.Errorf("TryPut into a full one = %v", err)
		}
	}
	for range 3 {
		s.TryGet()
	}
	for range 2 {
		if _, err := s.TryGet(); !errors.Is(err, ring.ErrEmpty) {
			t.Errorf("TryGet of none = %v", err)
		}
	}
}

func TestSPSCBatches(t *testing.T) {
	ctx := context.Background()
	s := openSPSC[int32](t, region(t), "s", &ring.SPSCOptions{Capacity: 7})
	next, due := int32(0), int32(0)
	for round := range 40 {
		vs := make([]int32, 1+round%9)
		for i := range vs {
			vs[i] = next + int32(i)
		}
		n, err := s.PutBatch(ctx, vs)
		if n != min(len(vs), 7) || err != nil {
			t.Fatalf("PutBatch of %d = %d, %v", len(vs), n, err)
		}
		next += int32(n)
		for due != next {
			got := make([]int32, 4)
			n, err := s.GetBatch(ctx, got)
			if n != min(4, int(next-due)) || err != nil {
				t.Fatalf("GetBatch = %d, %v", n, err)
			}
			for _, v := range got[:n] {
				if v != due {
					t.Fatalf("%d came, %d was due", v, due)
				}
				due++
			}
		}
	}
	if n, err := s.PutBatch(ctx, nil); n != 0 || err != nil {
		t.Errorf("PutBatch of none = %d, %v", n, err)
	}
	if n, err := s.GetBatch(ctx, nil); n != 0 || err != nil {
		t.Errorf("GetBatch of none = %d, %v", n, err)
	}
}

// Every T that is plain goes as it is, of whatever size.
func TestSPSCTypes(t *testing.T) {
	r, ctx := region(t), context.Background()
	b := openSPSC[big](t, r, "big", &ring.SPSCOptions{Capacity: 2})
	for i := range uint64(5) {
		if err := b.Put(ctx, big{[100]uint64{0: i, 99: i}}); err != nil {
			t.Fatal(err)
		}
		if v, err := b.Get(ctx); v.Words[0] != i || v.Words[99] != i || err != nil {
			t.Fatalf("%v, %v", v, err)
		}
	}
	n := openSPSC[struct{}](t, r, "none", &ring.SPSCOptions{Capacity: 2})
	if err := errors.Join(n.Put(ctx, struct{}{}), n.Put(ctx, struct{}{})); err != nil {
		t.Error(err)
	}
	if k, err := n.GetBatch(ctx, make([]struct{}, 5)); k != 2 || err != nil {
		t.Errorf("%d, %v", k, err)
	}
	if _, err := ring.OpenSPSC[string](r, "text", nil); !errors.Is(err, shm.ErrNotPlain) {
		t.Errorf("of text: %v", err)
	}
	if _, err := ring.OpenSPSC[job](r, "job", nil); !errors.Is(err, shm.ErrNotPlain) || !strings.Contains(fmt.Sprint(err), "job.URL") {
		t.Errorf("of a struct with text: %v", err)
	}
	for name, o := range map[string]*ring.SPSCOptions{"capacity": {Capacity: -1}, "large": {Capacity: 1<<28 + 1}, "wait": {Wait: 7}} {
		if _, err := ring.OpenSPSC[int](r, name, o); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ring.OpenSPSC[int64](r, "big", nil); !errors.Is(err, shm.ErrMismatch) {
		t.Errorf("another T: %v", err)
	}
	if _, err := ring.OpenSPSC[big](r, "big", &ring.SPSCOptions{Capacity: 3}); !errors.Is(err, shm.ErrMismatch) {
		t.Errorf("another capacity: %v", err)
	}
	if s, err := ring.OpenSPSC[big](r.Existing(), "big", nil); err != nil || s.Cap() != 2 {
		t.Errorf("what is there: %v", err)
	}
	if d := openSPSC[int](t, r, "default", nil); d.Cap() != 1024 {
		t.Errorf("%d by default", d.Cap())
	}
}

// What waits is woken: by a message, by room, by the end, by its context, by Close.
func TestSPSCWaits(t *testing.T) {
	for _, mode := range []ring.Wait{ring.Adaptive, ring.Spin, ring.Sleep} {
		r := region(t)
		var s *ring.SPSC[int]
		ctx := watchdog(t)
		name := ""
		open := func(of string) { name, s = of, openSPSC[int](t, r, of, &ring.SPSCOptions{Capacity: 1, Wait: mode}) }
		open("s")
		soon := func(f func(s *ring.SPSC[int])) {
			go func(s *ring.SPSC[int], name string) {
				if mode != ring.Spin {
					waitedFor(ctx, r, name)
				} else {
					time.Sleep(5 * time.Millisecond) // one that spins is in no table
				}
				f(s)
			}(s, name)
		}
		soon(func(s *ring.SPSC[int]) { s.TryPut(1) })
		if v, err := s.Get(ctx); v != 1 || err != nil {
			t.Errorf("Get = %d, %v", v, err)
		}
		open("t")
		s.TryPut(1)
		soon(func(s *ring.SPSC[int]) { s.TryGet() })
		if err := s.Put(ctx, 2); err != nil {
			t.Error(err)
		}
		short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
		if err := s.Put(short, 2); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Put = %v", err)
		}
		if n, err := s.PutBatch(short, []int{2}); n != 0 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("PutBatch = %d, %v", n, err)
		}
		cancel()
		soon(func(s *ring.SPSC[int]) { s.Shutdown() })
		if err := s.Put(ctx, 3); !errors.Is(err, ring.ErrShutdown) {
			t.Errorf("Put = %v", err)
		}
		open("u")
		soon(func(s *ring.SPSC[int]) { s.Shutdown() })
		if _, err := s.Get(ctx); !errors.Is(err, io.EOF) {
			t.Errorf("Get = %v", err)
		}
		open("v")
		soon(func(s *ring.SPSC[int]) { s.Close() })
		if n, err := s.GetBatch(ctx, make([]int, 2)); n != 0 || !errors.Is(err, shm.ErrClosed) {
			t.Errorf("GetBatch = %d, %v", n, err)
		}
	}
}

func TestSPSCShutdown(t *testing.T) {
	ctx := context.Background()
	s := openSPSC[int](t, region(t), "s", &ring.SPSCOptions{Capacity: 4})
	if n, err := s.PutBatch(ctx, []int{1, 2, 3}); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	for range 2 {
		if err := s.Shutdown(); err != nil {
			t.Error(err)
		}
	}
	for _, err := range []error{s.Put(ctx, 4), s.TryPut(4), func() error { _, err := s.PutBatch(ctx, []int{4}); return err }()} {
		if !errors.Is(err, ring.ErrShutdown) {
			t.Errorf("Put after Shutdown = %v", err)
		}
	}
	var got []int
	for v, err := range s.All(ctx) {
		if err != nil {
			t.Error(err)
		}
		got = append(got, v)
	}
	if fmt.Sprint(got) != "[1 2 3]" {
		t.Errorf("%v came", got)
	}
	if _, err := s.TryGet(); !errors.Is(err, io.EOF) {
		t.Errorf("TryGet at the end = %v", err)
	}
	if n, err := s.GetBatch(ctx, make([]int, 3)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("GetBatch at the end = %d, %v", n, err)
	}
}

// All handles of a process are one producer and one consumer.
func TestSPSCHandlesOfAProcess(t *testing.T) {
	r, ctx := region(t), context.Background()
	a, b := openSPSC[int](t, r, "s", nil), openSPSC[int](t, r, "s", nil)
	for i := range 5 {
		if err := errors.Join(a.Put(ctx, i), b.Put(ctx, i)); err != nil {
			t.Fatal(err)
		}
		x, err := b.Get(ctx)
		y, e := a.Get(ctx)
		if x != i || y != i || err != nil || e != nil {
			t.Fatal(x, y, err, e)
		}
	}
	a.Close()
	if err := a.Put(ctx, 1); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Put of a closed handle = %v", err)
	}
	if err := b.Put(ctx, 1); err != nil {
		t.Errorf("Put of another = %v", err)
	}
	var none ring.SPSC[int]
	if err := none.Put(ctx, 1); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("Put of none = %v", err)
	}
	none.Len()
	none.Cap()
	runtime.KeepAlive(b)
}

// The sides of a process are given up when it has closed its last handle, and nothing
// reaches that any more; and when the collector has found the last one.
func TestSPSCGivenUp(t *testing.T) {
	for name, close := range map[string]bool{"closed": true, "dropped": false} {
		t.Run(name, func(t *testing.T) {
			if close { // so nothing has the collector look but Close
				defer debug.SetGCPercent(debug.SetGCPercent(-1))
			}
			r := region(t)
			func() {
				s := openSPSC[int](t, r, "s", nil)
				s.TryPut(1)
				s.TryGet()
				if close {
					s.Close()
				}
			}()
			for end := time.Now().Add(testproc.Patience); ; time.Sleep(time.Millisecond) {
				if !close {
					runtime.GC()
				}
				snap, err := r.Snapshot()
				if err != nil {
					t.Fatal(err)
				}
				if len(snap.Objects[0].Holders) == 0 {
					return
				}
				if time.Now().After(end) {
					t.Fatalf("still held: %v", snap)
				}
			}
		})
	}
}

// Also when the first collection finds that something reaches it still, as the call that
// closes it may; and when the side is taken late, by a call that was under way.
func TestSPSCGivenUpLate(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	collections := func() int64 {
		var g debug.GCStats
		debug.ReadGCStats(&g)
		return g.NumGC
	}
	for name, late := range map[string]func(s *ring.SPSC[int]) error{
		"reached": func(s *ring.SPSC[int]) error {
			err, n := s.TryPut(1), collections()
			s.Close()
			for end := time.Now().Add(testproc.Patience); collections() == n; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("Close has nothing collected")
				}
			}
			return err
		},
		"taken": func(s *ring.SPSC[int]) error {
			s.Close()
			time.Sleep(3 * time.Millisecond) // so it is looked at
			return s.PutPast(1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := region(t)
			func() {
				s := openSPSC[int](t, r, "s", nil)
				testproc.OK(t, late(s))
				runtime.KeepAlive(s)
			}()
			for end := time.Now().Add(testproc.Patience); ; time.Sleep(time.Millisecond) {
				snap := testproc.Get(r.Snapshot())(t)
				if len(snap.Objects[0].Holders) == 0 {
					return
				}
				if time.Now().After(end) {
					t.Fatalf("still held: %v", snap)
				}
			}
		})
	}
}

func TestSPSCAllocatesNothing(t *testing.T) {
	if mem.RaceEnabled {
		t.Skip("the race detector's build allocates otherwise")
	}
	ctx := context.Background()
	s := openSPSC[pair](t, region(t), "s", &ring.SPSCOptions{Capacity: 8})
	vs := make([]pair, 5)
	if n := testing.AllocsPerRun(100, func() {
		for range 3 {
			s.Put(ctx, pair{})
			s.TryPut(pair{})
			s.PutBatch(ctx, vs)
			s.TryPut(pair{})
			s.TryPut(pair{}) // full
			s.Get(ctx)
			s.GetBatch(ctx, vs)
			s.GetBatch(ctx, vs)
			s.TryGet() // empty
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSPSCSnapshot(t *testing.T) {
	r := shmtest.Region(t)
	s := openSPSC[int64](t, r, "s", &ring.SPSCOptions{Capacity: 9})
	s.TryPut(1)
	s.TryPut(2)
	s.TryGet()
	snap, err := r.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	text := snap.String()
	for _, want := range []string{"spsc", "1 of 9", "producer #0.1 (", "consumer #0.1 (", "capacity=9"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	one := strings.Join(strings.Fields(snap.ObjectText(snap.Object("s"))), " ")
	for _, want := range []string{" producer #0.1 (", " consumer #0.1 ("} {
		if !strings.Contains(one, want) {
			t.Errorf("no %q in\n%s", want, one)
		}
	}
	s.Shutdown()
	if snap, err = r.Snapshot(); err != nil || !strings.Contains(snap.String(), "shut down") {
		t.Errorf("%v\n%v", err, snap)
	}
}
