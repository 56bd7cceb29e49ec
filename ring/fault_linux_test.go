package ring_test

import (
	"context"
	"runtime/debug"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// mapped is a page of memory that may be used as prot says.
func mapped(t *testing.T, prot int) []byte {
	b, err := unix.Mmap(-1, 0, unix.Getpagesize(), prot, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(b) })
	return b
}

// faults reports whether f ends with a fault, which a program can choose to survive.
func faults(f func()) (faulted bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { faulted = recover() != nil }()
	f()
	return false
}

// A call that is given memory which cannot be read, or written, has no slot in hand when
// that shows: the queue goes on.
func TestMemoryThatIsNone(t *testing.T) {
	for name, tt := range map[string]struct {
		call func(q *ring.Queue[int64])
		left int // of three messages
	}{
		"PutBatch": {func(q *ring.Queue[int64]) {
			b := mapped(t, unix.PROT_NONE)
			q.PutBatch(bg, unsafe.Slice((*int64)(unsafe.Pointer(&b[0])), 4))
		}, 3},
		"GetBatch": {func(q *ring.Queue[int64]) {
			b := mapped(t, unix.PROT_READ)
			q.GetBatch(bg, unsafe.Slice((*int64)(unsafe.Pointer(&b[0])), 4))
		}, 3},
		"GetInto": {func(q *ring.Queue[int64]) {
			b := mapped(t, unix.PROT_READ)
			q.GetInto(bg, (*int64)(unsafe.Pointer(&b[0])))
		}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			q := open[int64](t, region(t), "q", &ring.QueueOptions{Capacity: 8})
			if n, err := q.PutBatch(bg, []int64{1, 2, 3}); n != 3 || err != nil {
				t.Fatal(n, err)
			}
			if !faults(func() { tt.call(q) }) {
				t.Fatal("no fault")
			}
			for i := range tt.left {
				if v, err := q.TryGet(); err != nil || v != int64(4-tt.left+i) {
					t.Errorf("TryGet = %d, %v", v, err)
				}
			}
			for range 3 * q.Cap() {
				if err := q.TryPut(1); err != nil {
					t.Fatal(err)
				}
				if _, err := q.TryGet(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// So it is with bytes, short ones that lie in their slots and long ones in blocks, and with
// a broadcast's memory.
func TestMemoryThatIsNoneOfBytes(t *testing.T) {
	ctx := testproc.Watchdog(t)
	for _, n := range []int{8, 4000} {
		q := open[[]byte](t, region(t), "q", &ring.QueueOptions{Capacity: 4, Buffer: 16 << 10, MaxMessage: 4096})
		texts := open[string](t, region(t), "q", &ring.QueueOptions{Capacity: 4, Buffer: 16 << 10, MaxMessage: 4096})
		b := testproc.Get(ring.OpenBroadcast[[]byte](region(t), "b", &ring.BroadcastOptions{Capacity: 4, Buffer: 16 << 10, MaxMessage: 4096}))(t)
		sub := testproc.Get(b.Subscribe())(t)
		none, reads := mapped(t, unix.PROT_NONE)[:n], mapped(t, unix.PROT_READ)[:n]
		for range 20 { // more than there are slots, and blocks
			if !faults(func() { q.Put(ctx, none) }) || !faults(func() { texts.TryPut(unsafe.String(&none[0], n)) }) || !faults(func() { b.Publish(ctx, none) }) {
				t.Fatal("no fault")
			}
			testproc.OK(t, q.Put(ctx, make([]byte, n)))
			if !faults(func() { q.GetInto(ctx, &reads) }) {
				t.Fatal("no fault")
			}
			testproc.OK(t, q.Put(ctx, make([]byte, n)))
			if got := testproc.Get(q.Get(ctx))(t); len(got) != n {
				t.Errorf("%d bytes", len(got))
			}
			testproc.OK(t, q.TaskDone())
			testproc.OK(t, q.Join(ctx))
			testproc.OK(t, texts.Put(ctx, string(make([]byte, n))))
			testproc.Get(texts.Get(ctx))(t)
			testproc.OK(t, b.Publish(ctx, make([]byte, n)))
			if got, missed, err := sub.Next(ctx); len(got) != n || missed != 0 || err != nil {
				t.Errorf("%d bytes, %d missed, %v", len(got), missed, err)
			}
		}
	}
}

// So it is where the memory goes while the call waits for room: a place, or blocks.
func TestMemoryThatGoes(t *testing.T) {
	ctx := testproc.Watchdog(t)
	for _, n := range []int{8, 4000} {
		for _, capacity := range []int{1, 4} { // of the long ones four have no room
			r, r2 := region(t), region(t)
			q := open[[]byte](t, r, "q", &ring.QueueOptions{Capacity: capacity, Buffer: 8192, MaxMessage: 4096})
			b := testproc.Get(ring.OpenBroadcast[[]byte](r2, "b", &ring.BroadcastOptions{Capacity: capacity, Buffer: 8192, MaxMessage: 4096}))(t)
			sub := testproc.Get(b.Subscribe())(t)
			goes := func(put func(msg []byte), r *shm.Region, name string, take func()) (faulted bool) {
				msg := mapped(t, unix.PROT_READ)[:n]
				over := make(chan bool)
				go func() { over <- faults(func() { put(msg) }) }()
				waitedFor(ctx, r, name)
				testproc.OK(t, unix.Mprotect(msg[:1], unix.PROT_NONE))
				take()
				return <-over
			}
			for range 5 {
				for q.TryPut(make([]byte, n)) == nil {
				}
				if goes(func(msg []byte) { q.Put(ctx, msg) }, r, "q", func() { testproc.Get(q.Get(ctx))(t) }) != (n > 8 && capacity > 1) {
					t.Error("a message is to be copied before it waits for a place, and not before it waits for blocks")
				}
				for q.Len() > 0 {
					testproc.Get(q.Get(ctx))(t)
				}
				for b.TryPublish(make([]byte, n)) == nil {
				}
				if !goes(func(msg []byte) { b.Publish(ctx, msg) }, r2, "b", func() { sub.Next(ctx) }) {
					t.Error("no fault")
				}
				testproc.OK(t, b.TryPublish(make([]byte, n)))
				for range capacity + 1 {
					soon, cancel := context.WithTimeout(ctx, time.Millisecond)
					sub.Next(soon)
					cancel()
				}
			}
		}
	}
}

// A Send of memory that cannot be read, and a RecvInto of memory that cannot be written, have
// no lock when that has shown: others send, and receive.
func TestPipeMemoryThatIsNone(t *testing.T) {
	ctx := testproc.Watchdog(t)
	t.Run("bytes", func(t *testing.T) {
		left, right := bothEnds[[]byte](t, region(t), "p", nil)
		b := mapped(t, unix.PROT_NONE)
		if !faults(func() { left.Send(ctx, b) }) {
			t.Fatal("no fault")
		}
		testproc.OK(t, left.Send(ctx, []byte("next")))
		if v, err := right.Recv(ctx); string(v) != "next" || err != nil {
			t.Errorf("%q, %v", v, err)
		}
	})
	t.Run("into", func(t *testing.T) {
		left, right := bothEnds[[]byte](t, region(t), "p", nil)
		words, reads := bothEnds[int64](t, region(t), "p", nil)
		b := mapped(t, unix.PROT_READ)
		testproc.OK(t, left.Send(ctx, []byte("first")))
		if !faults(func() { right.RecvInto(ctx, &b) }) {
			t.Fatal("no fault")
		}
		if v, err := right.Recv(ctx); string(v) != "first" || err != nil {
			t.Errorf("%q, %v", v, err)
		}
		testproc.OK(t, words.Send(ctx, 1))
		if !faults(func() { reads.RecvInto(ctx, (*int64)(unsafe.Pointer(&b[:1][0]))) }) {
			t.Fatal("no fault")
		}
		if v, err := reads.Recv(ctx); v != 1 || err != nil {
			t.Errorf("%d, %v", v, err)
		}
	})
	t.Run("text", func(t *testing.T) {
		left, right := bothEnds[string](t, region(t), "p", nil)
		b := mapped(t, unix.PROT_NONE)
		if !faults(func() { left.Send(ctx, unsafe.String(&b[0], len(b))) }) {
			t.Fatal("no fault")
		}
		testproc.OK(t, left.Send(ctx, "next"))
		if v, err := right.Recv(ctx); v != "next" || err != nil {
			t.Errorf("%q, %v", v, err)
		}
	})
}

// Nor has a Send whose memory goes while it waits for room.
func TestPipeMemoryThatGoes(t *testing.T) {
	ctx := testproc.Watchdog(t)
	r := region(t)
	left, right := bothEnds[[]byte](t, r, "p", &ring.PipeOptions{Buffer: 64})
	b := mapped(t, unix.PROT_READ)
	testproc.OK(t, left.Send(ctx, make([]byte, 40)))
	faulted := make(chan bool)
	go func() { faulted <- faults(func() { left.Send(ctx, b[:40]) }) }()
	waitedFor(ctx, r, "p")
	testproc.OK(t, unix.Mprotect(b, unix.PROT_NONE))
	testproc.Get(right.Recv(ctx))(t)
	if !<-faulted {
		t.Fatal("no fault")
	}
	testproc.OK(t, left.Send(ctx, []byte("next")))
	if v, err := right.Recv(ctx); string(v) != "next" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
}
