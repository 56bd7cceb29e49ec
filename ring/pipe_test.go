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
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

func openPipe[T any](t testing.TB, r *shm.Region, name string, end ring.End, o *ring.PipeOptions) *ring.Conn[T] {
	t.Helper()
	return testproc.Get(ring.OpenPipe[T](r, name, end, o))(t)
}

// bothEnds are those of a new pipe.
func bothEnds[T any](t testing.TB, r *shm.Region, name string, o *ring.PipeOptions) (left, right *ring.Conn[T]) {
	t.Helper()
	return openPipe[T](t, r, name, ring.Left, o), openPipe[T](t, r, name, ring.Right, o)
}

// waitedFor returns when a call sleeps for an object, or ctx ends.
func waitedFor(ctx context.Context, r *shm.Region, object string) {
	for shmtest.Waiting(r, object) == 0 && ctx.Err() == nil {
		time.Sleep(100 * time.Microsecond)
	}
}

// goes sends a message and receives it, both ways.
func goes[T any](t *testing.T, left, right *ring.Conn[T], v T) {
	t.Helper()
	for _, way := range [][2]*ring.Conn[T]{{left, right}, {right, left}} {
		testproc.OK(t, way[0].Send(bg, v))
		testproc.OK(t, way[1].Poll(bg))
		got := testproc.Get(way[1].Recv(bg))(t)
		if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", v) {
			t.Errorf("%#v came, and %#v was sent", got, v)
		}
	}
}

// Whatever T: messages arrive as they are, empty ones too.
func TestPipeTypes(t *testing.T) {
	r := region(t)
	for i := range int64(5) {
		l, e := bothEnds[pair](t, r, "plain", nil)
		goes(t, l, e, pair{i, int32(-i)})
	}
	l, e := bothEnds[big](t, r, "big", nil)
	goes(t, l, e, big{[100]uint64{1, 99: 2}})
	huge, there := bothEnds[[100000]byte](t, r, "huge", nil)
	testproc.OK(t, huge.Send(bg, [100000]byte{99999: 1}))
	if v := testproc.Get(there.Recv(bg))(t); v[99999] != 1 {
		t.Error("the last byte is lost")
	}
	none, nor := bothEnds[struct{}](t, r, "none", nil)
	goes(t, none, nor, struct{}{})
	for _, s := range []string{"", "x", strings.Repeat("long", 1000)} {
		l, e := bothEnds[string](t, r, "text", nil)
		goes(t, l, e, s)
		lb, eb := bothEnds[[]byte](t, r, "bytes", nil)
		goes(t, lb, eb, []byte(s))
		lj, ej := bothEnds[job](t, r, "job", nil)
		goes(t, lj, ej, job{URL: s, Depth: 3})
	}
	p, q := bothEnds[string](t, r, "codec", &ring.PipeOptions{Codec: picky{}})
	goes(t, p, q, "some")
	if err := p.Send(bg, "refused"); !errors.Is(err, ring.ErrCodec) {
		t.Errorf("what does not encode: %v", err)
	}
	testproc.OK(t, p.Send(bg, "bad"))
	testproc.OK(t, p.Send(bg, "good"))
	if _, err := q.Recv(bg); !errors.Is(err, ring.ErrCodec) {
		t.Errorf("what does not decode: %v", err)
	}
	if v, err := q.Recv(bg); v != "good" || err != nil {
		t.Errorf("after it: %q, %v", v, err)
	}
}

// Messages are neither merged nor split, nor out of order, however they lie in the ring.
func TestPipeKeepsBoundaries(t *testing.T) {
	l, e := bothEnds[[]byte](t, region(t), "p", &ring.PipeOptions{Buffer: 200})
	done := make(chan error, 1)
	text := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, i*11%193) }
	go func() {
		for i := range 2000 {
			if err := l.Send(bg, text(i)); err != nil {
				done <- err
				return
			}
		}
		done <- l.Close()
	}()
	for i := range 2000 {
		if b, err := e.Recv(watchdog(t)); err != nil || !bytes.Equal(b, text(i)) {
			t.Fatalf("message %d: %d bytes, %v; want %d", i, len(b), err, len(text(i)))
		}
	}
	testproc.OK(t, <-done)
	if _, err := e.Recv(bg); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

// What cannot be sent, or opened.
func TestPipeRefuses(t *testing.T) {
	r := region(t)
	l, e := bothEnds[[]byte](t, r, "p", &ring.PipeOptions{Buffer: 100})
	testproc.OK(t, l.Send(bg, make([]byte, 92)))
	if err := l.Send(bg, make([]byte, 93)); !errors.Is(err, ring.ErrTooLarge) || !strings.HasSuffix(err.Error(), "93 bytes, at most 92: "+ring.ErrTooLarge.Error()) {
		t.Errorf("a message of more than Buffer-8: %v", err)
	}
	if b, err := e.Recv(bg); len(b) != 92 || err != nil {
		t.Errorf("one of Buffer-8: %d, %v", len(b), err)
	}
	o, w := bothEnds[int](t, r, "one", &ring.PipeOptions{Direction: ring.OneWay})
	for _, err := range []error{w.Send(bg, 1), o.Poll(bg), func() error { _, err := o.Recv(bg); return err }()} {
		if !errors.Is(err, ring.ErrDirection) {
			t.Errorf("the wrong way: %v", err)
		}
	}
	testproc.OK(t, o.Send(bg, 3))
	if v, err := w.Recv(bg); v != 3 || err != nil {
		t.Error(v, err)
	}
	for name, err := range map[string]error{
		"end": func() error { _, err := ring.OpenPipe[int](r, "x", 0, nil); return err }(),
		"way": func() error {
			_, err := ring.OpenPipe[int](r, "x", ring.Left, &ring.PipeOptions{Direction: 3})
			return err
		}(),
		"buffer": func() error {
			_, err := ring.OpenPipe[[]byte](r, "x", ring.Left, &ring.PipeOptions{Buffer: 7})
			return err
		}(),
		"shorter": func() error {
			_, err := ring.OpenPipe[pair](r, "x", ring.Left, &ring.PipeOptions{Buffer: 23})
			return err
		}(),
		"none": new(ring.Conn[int]).Send(bg, 1),
	} {
		if !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, o := range map[string]*ring.PipeOptions{"direction": {Direction: ring.OneWay}, "buffer": {Buffer: 104}} {
		if _, err := ring.OpenPipe[[]byte](r, "p", ring.Left, o); !errors.Is(err, shm.ErrMismatch) || !strings.Contains(err.Error(), name) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	if _, err := ring.OpenPipe[string](r, "p", ring.Left, nil); !errors.Is(err, shm.ErrMismatch) {
		t.Errorf("another T: %v", err)
	}
	if _, err := ring.OpenPipe[int](r.Existing(), "nothing", ring.Left, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
}

// The end of an end: what was sent, io.EOF, EPIPE; then a pipe anew.
func TestPipeEnd(t *testing.T) {
	r := region(t)
	l, e := bothEnds[string](t, r, "p", nil)
	again := openPipe[string](t, r, "p", ring.Left, nil)
	testproc.OK(t, l.Send(bg, "last"))
	testproc.OK(t, l.Close())
	testproc.OK(t, l.Close())
	if err := l.Send(bg, ""); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Send of a closed handle: %v", err)
	}
	testproc.OK(t, again.Send(bg, "really"))
	testproc.OK(t, again.Close())
	for _, want := range []string{"last", "really"} {
		testproc.OK(t, e.Poll(bg))
		if v, err := e.Recv(bg); v != want || err != nil {
			t.Errorf("%q, %v; want %q", v, err, want)
		}
	}
	for range 2 {
		testproc.OK(t, e.Poll(bg))
		if _, err := e.Recv(bg); !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %v", err)
		}
		if err := e.Send(bg, "to nobody"); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("to nobody: %v", err)
		}
	}
	for _, r := range []*shm.Region{r, r.Existing()} {
		if _, err := ring.OpenPipe[string](r, "p", ring.Left, nil); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("an end that is gone: %v", err)
		}
	}
	testproc.OK(t, e.Close())
	if _, err := ring.OpenPipe[string](r.Existing(), "p", ring.Left, nil); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("a pipe that is over, by one who makes nothing: %v", err)
	}
	// Of another T, and again of a third.
	for range 3 {
		a, b := bothEnds[int](t, r, "p", &ring.PipeOptions{Direction: ring.OneWay})
		testproc.OK(t, a.Send(bg, 5))
		if v, err := b.Recv(bg); v != 5 || err != nil {
			t.Error(v, err)
		}
		if _, err := ring.OpenPipe[string](r, "p", ring.Right, nil); !errors.Is(err, shm.ErrMismatch) {
			t.Errorf("another T of one that is in use: %v", err)
		}
		testproc.OK(t, errors.Join(a.Close(), b.Close()))
	}
	if _, err := e.Recv(bg); !errors.Is(err, shm.ErrClosed) {
		t.Error(err)
	}
}

// Pipes are made anew by many at once, and each that is opened is whole.
func TestPipeAnewAtOnce(t *testing.T) {
	r := region(t)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 30 {
				c, err := ring.OpenPipe[int](r, "p", ring.Left+ring.End(i%2), nil)
				if errors.Is(err, syscall.EPIPE) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if err := c.Send(bg, i); err != nil && !errors.Is(err, syscall.EPIPE) {
					t.Error(err)
				}
				c.Close()
			}
		})
	}
	wg.Wait()
}

// What waits is woken: by a message, by room, by the end, by its context, by Close.
func TestPipeWaits(t *testing.T) {
	r, ctx := region(t), watchdog(t)
	soon := func(f func()) { go func() { waitedFor(ctx, r, "p"); f() }() }
	l, e := bothEnds[[8]byte](t, r, "p", &ring.PipeOptions{Buffer: 64})
	soon(func() { l.Send(bg, [8]byte{1}) })
	if v, err := e.Recv(ctx); v[0] != 1 || err != nil {
		t.Error(v, err)
	}
	soon(func() { l.Send(bg, [8]byte{2}) })
	testproc.OK(t, e.Poll(ctx))
	for range 3 {
		testproc.OK(t, l.Send(ctx, [8]byte{3}))
	}
	soon(func() { e.Recv(bg) })
	testproc.OK(t, l.Send(ctx, [8]byte{4}))
	short, cancel := context.WithTimeout(ctx, 3*time.Millisecond)
	if err := l.Send(short, [8]byte{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Send = %v", err)
	}
	if err := l.Poll(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Poll = %v", err)
	}
	if _, err := l.Recv(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Recv = %v", err)
	}
	cancel()
	other := openPipe[[8]byte](t, r, "p", ring.Left, nil)
	soon(func() { other.Close() })
	if err := other.Send(ctx, [8]byte{}); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Send = %v", err)
	}
	soon(func() { e.Close() })
	if err := l.Send(ctx, [8]byte{}); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("Send = %v", err)
	}
	if _, err := l.Recv(ctx); !errors.Is(err, io.EOF) {
		t.Errorf("Recv = %v", err)
	}
	polls, leaves := bothEnds[[8]byte](t, r, "q", nil)
	go func() { waitedFor(ctx, r, "q"); leaves.Close() }()
	testproc.OK(t, polls.Poll(ctx))
	testproc.OK(t, polls.Close())
}

// An end is given up when nothing reaches the last handle.
func TestPipeDropped(t *testing.T) {
	r, ctx := region(t), watchdog(t)
	e := openPipe[int](t, r, "p", ring.Right, nil)
	func() { openPipe[int](t, r, "p", ring.Left, nil).Send(bg, 1) }()
	if v, err := e.Recv(ctx); v != 1 || err != nil {
		t.Error(v, err)
	}
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				runtime.GC()
			}
		}
	}()
	if _, err := e.Recv(ctx); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	close(stop)
}

func TestPipeAllocatesNothing(t *testing.T) {
	if mem.RaceEnabled {
		t.Skip("the race detector's build allocates otherwise")
	}
	r, ctx := region(t), context.Background()
	l, e := bothEnds[pair](t, r, "p", nil)
	bl, be := bothEnds[big](t, r, "big", nil)
	var b big
	if n := testing.AllocsPerRun(100, func() {
		for range 3 {
			l.Send(ctx, pair{1, 2})
			e.Poll(ctx)
			e.Recv(ctx)
			bl.Send(ctx, b)
			b, _ = be.Recv(ctx)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestPipeSnapshot(t *testing.T) {
	r := region(t)
	l, e := bothEnds[int64](t, r, "p", nil)
	testproc.OK(t, l.Send(bg, 1))
	snap := testproc.Get(r.Snapshot())(t)
	text := snap.String()
	for _, want := range []string{"pipe", "left open, right open", "16 from the left, 0 from the right", "left end #0", "right end #0", "direction=duplex"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	one := strings.Join(strings.Fields(snap.ObjectText(snap.Object("p"))), " ")
	for _, want := range []string{" left end #0.1 (", " right end #0.1 ("} {
		if !strings.Contains(one, want) {
			t.Errorf("no %q in\n%s", want, one)
		}
	}
	testproc.OK(t, l.Close())
	if text := testproc.Get(r.Snapshot())(t).String(); !strings.Contains(text, "left gone, right open") {
		t.Error(text)
	}
	testproc.OK(t, e.Close())
}

// A handle travels, and its bytes hold nothing.
func TestPipeTravels(t *testing.T) {
	r := region(t)
	l, e := bothEnds[string](t, r, "p", &ring.PipeOptions{Codec: picky{}})
	data := testproc.Get(l.MarshalBinary())(t)
	var there ring.Conn[string]
	testproc.OK(t, there.UnmarshalBinary(data))
	testproc.OK(t, l.Close())
	testproc.OK(t, there.Send(bg, "from there"))
	testproc.OK(t, there.Close())
	if v, err := e.Recv(bg); v != "from there" || err != nil {
		t.Error(v, err)
	}
	if _, err := e.Recv(bg); !errors.Is(err, io.EOF) {
		t.Errorf("the bytes hold the end: %v", err)
	}
	if err := there.UnmarshalBinary(data); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("an end that is gone: %v", err)
	}
	testproc.OK(t, e.Close())
	openPipe[string](t, r, "p", ring.Left, &ring.PipeOptions{Codec: picky{}})
	if err := there.UnmarshalBinary(data); !errors.Is(err, syscall.EPIPE) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of a pipe that was made anew: %v", err)
	}
	if _, err := l.MarshalBinary(); !errors.Is(err, shm.ErrClosed) {
		t.Error(err)
	}
	if _, err := new(ring.Conn[string]).MarshalBinary(); err == nil {
		t.Error("what nobody opened travels")
	}
}

// Close of the region ends an end as a death does; calls under way end.
func TestPipeRegionClosed(t *testing.T) {
	r, ctx := region(t), watchdog(t)
	e := openPipe[int](t, r, "p", ring.Right, nil)
	view := testproc.Get(shm.Open(r.Name(), nil))(t) // the same attachment
	l := openPipe[int](t, view, "p", ring.Left, nil)
	done := make(chan error, 1)
	go func() { _, err := l.Recv(ctx); done <- err }()
	shmtest.AwaitWaiting(t, r, "p", 1)
	testproc.OK(t, r.Close())
	testproc.OK(t, view.Close())
	if err := <-done; !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Recv = %v", err)
	}
	for _, err := range []error{l.Send(bg, 1), e.Poll(bg)} {
		if !errors.Is(err, shm.ErrClosed) {
			t.Errorf("after it: %v", err)
		}
	}
	testproc.OK(t, errors.Join(l.Close(), e.Close()))
}
