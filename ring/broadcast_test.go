package ring_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"testing"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

type quote struct {
	N     int64
	Price float64
}

type story struct {
	N    int
	Text string
}

// everyForm runs the same on a broadcast of each form of T.
func everyForm(t *testing.T, o ring.BroadcastOptions, n int) {
	t.Run("plain", func(t *testing.T) {
		saysAll(t, o, n, func(i int) quote { return quote{int64(i), float64(i) / 3} })
	})
	t.Run("large", func(t *testing.T) {
		saysAll(t, o, n, func(i int) (v [100]int) { v[0], v[99] = i, -i; return v })
	})
	t.Run("text", func(t *testing.T) {
		saysAll(t, o, n, func(i int) string { return strings.Repeat(fmt.Sprint(i), i%50) })
	})
	t.Run("codec", func(t *testing.T) {
		saysAll(t, o, n, func(i int) story { return story{i, strings.Repeat("x", i%400)} })
	})
	t.Run("nothing", func(t *testing.T) {
		saysAll(t, o, n, func(i int) (v struct{}) { return v })
	})
}

func saysAll[T comparable](t *testing.T, o ring.BroadcastOptions, n int, make func(i int) T) {
	ctx := context.Background()
	b := testproc.Get(ring.OpenBroadcast[T](shmtest.Region(t), "b", &o))(t)
	early := testproc.Get(b.Subscribe())(t)
	if err := b.Publish(ctx, make(0)); err != nil {
		t.Fatal(err)
	}
	late := testproc.Get(b.Subscribe())(t)
	if v, missed, err := early.Next(ctx); err != nil || missed != 0 || v != make(0) {
		t.Fatalf("%v, %d, %v", v, missed, err)
	}
	for i := 1; i < n; i++ {
		if err := b.TryPublish(make(i)); err != nil {
			t.Fatal(err)
		}
		for _, s := range []*ring.Subscriber[T]{early, late} {
			if v, missed, err := s.Next(ctx); err != nil || missed != 0 || v != make(i) {
				t.Fatalf("message %d: %v, %d, %v", i, v, missed, err)
			}
		}
	}
	if err := b.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(ctx, make(0)); !errors.Is(err, ring.ErrShutdown) {
		t.Error(err)
	}
	if _, _, err := early.Next(ctx); err == nil || !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestBroadcast(t *testing.T) {
	for _, mode := range []ring.BroadcastMode{0, ring.Reliable, ring.Lossy} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			everyForm(t, ring.BroadcastOptions{Mode: mode, Capacity: 7}, 200)
		})
	}
	everyForm(t, ring.BroadcastOptions{}, 50)
}

func TestBroadcastBytes(t *testing.T) {
	ctx := context.Background()
	b := testproc.Get(ring.OpenBroadcast[[]byte](shmtest.Region(t), "b", &ring.BroadcastOptions{Capacity: 4, Buffer: 1 << 16, MaxMessage: 1 << 15}))(t)
	s := testproc.Get(b.Subscribe())(t)
	for i, n := range []int{0, 1, 16, 4080, 4081, 1 << 15} {
		msg := bytes.Repeat([]byte{byte(i)}, n)
		if err := b.Publish(ctx, msg); err != nil {
			t.Fatal(err)
		}
		got, _, err := s.Next(ctx)
		if err != nil || got == nil || !bytes.Equal(got, msg) {
			t.Errorf("%d bytes: %d, %v", n, len(got), err)
		}
	}
	if err := b.Publish(ctx, make([]byte, 1<<15+1)); !errors.Is(err, ring.ErrTooLarge) {
		t.Error(err)
	}
}

// What a slow subscriber of a Lossy broadcast has missed is exact, the end included.
func TestBroadcastMissed(t *testing.T) {
	ctx := context.Background()
	b := testproc.Get(ring.OpenBroadcast[int](shmtest.Region(t), "b", &ring.BroadcastOptions{Mode: ring.Lossy, Capacity: 10}))(t)
	s := testproc.Get(b.Subscribe())(t)
	for i := range 25 {
		if err := b.TryPublish(i); err != nil {
			t.Fatal(err)
		}
	}
	if v, missed, err := s.Next(ctx); err != nil || v != 15 || missed != 15 {
		t.Errorf("%d, %d missed, %v", v, missed, err)
	}
	if v, missed, err := s.Next(ctx); err != nil || v != 16 || missed != 0 {
		t.Errorf("%d, %d missed, %v", v, missed, err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for i := range 100 {
		if err := b.TryPublish(i); err != nil {
			t.Fatal(err)
		}
	}
	if _, missed, err := s.Next(ended); !errors.Is(err, context.Canceled) || missed != 0 {
		t.Errorf("%d missed, %v", missed, err)
	}
	if v, missed, err := s.Next(ctx); err != nil || v != 90 || missed != 98 {
		t.Errorf("%d, %d missed, %v", v, missed, err)
	}
}

// Missed messages before the end come with the end: there, messages are gone for their memory.
func TestBroadcastMissedBeforeTheEnd(t *testing.T) {
	ctx := context.Background()
	last := testproc.Get(ring.OpenBroadcast[[]byte](shmtest.Region(t), "last", &ring.BroadcastOptions{Mode: ring.Lossy}))(t)
	late := testproc.Get(last.Subscribe())(t)
	testproc.OK(t, last.TryPublish([]byte("the last one")))
	last.Void()
	testproc.OK(t, last.Shutdown())
	if v, missed, err := late.Next(ctx); !errors.Is(err, io.EOF) || missed != 1 {
		t.Errorf("%q, %d missed, %v", v, missed, err)
	}
	r := shmtest.Region(t)
	b := testproc.Get(ring.OpenBroadcast[[]byte](r, "b", &ring.BroadcastOptions{Mode: ring.Lossy, Capacity: 8, Buffer: 2 << 10, MaxMessage: 1 << 10}))(t)
	s := testproc.Get(b.Subscribe())(t)
	for range 5 {
		if err := b.TryPublish(make([]byte, 1<<10)); err != nil {
			t.Fatal(err)
		}
	}
	seen := uint64(0)
	testproc.OK(t, b.Shutdown())
	for {
		_, missed, err := s.Next(ctx)
		seen += missed
		if errors.Is(err, io.EOF) {
			break
		}
		seen++
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen != 5 {
		t.Errorf("%d of 5", seen)
	}
}

func TestBroadcastReliableWaits(t *testing.T) {
	ctx := context.Background()
	b := testproc.Get(ring.OpenBroadcast[int](shmtest.Region(t), "b", &ring.BroadcastOptions{Capacity: 2}))(t)
	slow, fast := testproc.Get(b.Subscribe())(t), testproc.Get(b.Subscribe())(t)
	for i := range 2 {
		testproc.OK(t, b.Publish(ctx, i))
		gets(t)(fast.Next(ctx))
	}
	if err := b.TryPublish(2); !errors.Is(err, ring.ErrFull) {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- b.Publish(ctx, 2) }()
	select {
	case err := <-done:
		t.Fatalf("Publish did not wait: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	gets(t)(slow.Next(ctx))
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if err := b.Publish(short, 3); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	go func() { done <- b.Publish(ctx, 3) }()
	testproc.OK(t, slow.Close()) // it was the slowest
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, _, err := slow.Next(ctx); !errors.Is(err, shm.ErrClosed) {
		t.Error(err)
	}
	if v, _, err := fast.Next(ctx); err != nil || v != 2 {
		t.Error(v, err)
	}
}

func gets(t *testing.T) func(v int, missed uint64, err error) {
	return func(_ int, _ uint64, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestBroadcastRefused(t *testing.T) {
	r := shmtest.Region(t)
	testproc.Get(ring.OpenBroadcast[int](r, "b", &ring.BroadcastOptions{Mode: ring.Lossy}))(t)
	for _, o := range []ring.BroadcastOptions{{Capacity: -1}, {Mode: 3}, {Mode: -1}, {Wait: 9}, {Buffer: 10, MaxMessage: 6}} {
		if _, err := ring.OpenBroadcast[int](r, "x", &o); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, o := range []ring.BroadcastOptions{{Mode: ring.Reliable}, {Capacity: 7}} {
		if _, err := ring.OpenBroadcast[int](r, "b", &o); !errors.Is(err, shm.ErrMismatch) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := ring.OpenBroadcast[int32](r, "b", nil); !errors.Is(err, shm.ErrMismatch) {
		t.Error(err)
	}
	if _, err := ring.OpenBroadcast[struct{ x any }](r, "y", nil); !errors.Is(err, ring.ErrCodec) {
		t.Error(err)
	}
	b := testproc.Get(ring.OpenBroadcast[int](r, "b", nil))(t)
	if b.Cap() != 1024 {
		t.Error(b.Cap())
	}
	var none ring.Broadcast[int]
	var nobody ring.Subscriber[int]
	for _, err := range []error{none.TryPublish(1), none.Publish(context.Background(), 1), none.Shutdown(), none.Close(), nobody.Close()} {
		if !errors.Is(err, fs.ErrInvalid) {
			t.Error(err)
		}
	}
}

// Publish and Next allocate nothing where T is plain.
func TestBroadcastAllocates(t *testing.T) {
	if mem.RaceEnabled {
		t.Skip("the race detector allocates")
	}
	ctx := context.Background()
	r := shmtest.Region(t)
	b := testproc.Get(ring.OpenBroadcast[quote](r, "b", nil))(t)
	text := testproc.Get(ring.OpenBroadcast[[]byte](r, "t", nil))(t)
	s, st := testproc.Get(b.Subscribe())(t), testproc.Get(text.Subscribe())(t)
	msg := make([]byte, 100)
	if n := testing.AllocsPerRun(100, func() {
		testproc.OK(t, b.Publish(ctx, quote{1, 2}))
		s.Next(ctx)
	}); n != 0 {
		t.Errorf("%v allocations of a plain message", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		testproc.OK(t, text.Publish(ctx, msg))
		st.Next(ctx)
	}); n > 1 {
		t.Errorf("%v allocations of a []byte", n)
	}
}

// What a snapshot says: how many came, who subscribes, and how far each is behind.
func TestBroadcastSnapshot(t *testing.T) {
	r := shmtest.Region(t)
	b := testproc.Get(ring.OpenBroadcast[int](r, "news", &ring.BroadcastOptions{Capacity: 8}))(t)
	s := testproc.Get(b.Subscribe())(t)
	slow := testproc.Get(b.Subscribe())(t)
	for i := range 5 {
		testproc.OK(t, b.TryPublish(i))
		if i < 3 {
			gets(t)(s.Next(context.Background()))
		}
	}
	snap := testproc.Get(r.Snapshot())(t)
	text := fmt.Sprint(snap)
	for _, want := range []string{"5 of 8, published so far: 5", "is 2 behind", "is 5 behind", "mode=reliable"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	for i := range snap.Objects {
		if one := snap.ObjectText(&snap.Objects[i]); !strings.Contains(one, ", 5 behind") {
			t.Errorf("it says:\n%s", one)
		}
	}
	testproc.OK(t, b.Shutdown())
	if text := fmt.Sprint(testproc.Get(r.Snapshot())(t)); !strings.Contains(text, "shut down") {
		t.Errorf("it says:\n%s", text)
	}
	runtime.KeepAlive(slow)
}

// Of more subscribers than are shown in the object's line the slowest comes first, wherever
// its row is, and of all that are shown when the object alone is.
func TestBroadcastSnapshotOfMany(t *testing.T) {
	r := shmtest.Region(t)
	b := testproc.Get(ring.OpenBroadcast[int](r, "news", &ring.BroadcastOptions{Capacity: 16}))(t)
	var all []*ring.Subscriber[int]
	for range 12 {
		all = append(all, testproc.Get(b.Subscribe())(t))
	}
	for i := range 12 {
		testproc.OK(t, b.TryPublish(i))
	}
	for i, s := range all { // 1 to 12 behind, in the order of their rows
		for range 11 - i {
			gets(t)(s.Next(bg))
		}
	}
	snap := testproc.Get(r.Snapshot())(t)
	line, one := snap.String(), snap.ObjectText(snap.Object("news"))
	for i := range 12 {
		n := 12 - i
		was := fmt.Sprintf("is %d behind", n)
		if i < 8 {
			k := strings.Index(line, was)
			if k < 0 {
				t.Fatalf("no %q, or it stands behind a faster one, in:\n%s", was, snap)
			}
			line = line[k:]
		} else if strings.Contains(line, was) {
			t.Errorf("%q before a slower one in:\n%s", was, snap)
		}
		was = fmt.Sprintf(", %d behind", n)
		k := strings.Index(one, was)
		if k < 0 {
			t.Fatalf("no %q, or it stands behind a faster one, in:\n%s", was, snap.ObjectText(snap.Object("news")))
		}
		one = one[k:]
	}
	if !strings.Contains(line, "and 4 holders more") {
		t.Errorf("it does not say that there are more:\n%s", snap)
	}
	runtime.KeepAlive(all)
}
