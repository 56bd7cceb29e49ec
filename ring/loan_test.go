package ring_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"runtime"
	"testing"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// sheet is a plain type that is larger than a slot.
type sheet struct {
	N    int64
	Text [1000]byte
}

// fill is a message of n bytes, another for each seed.
func fill(b []byte, seed int) []byte {
	for i := range b {
		b[i] = byte(seed + i + i>>8)
	}
	return b
}

func message(n, seed int) []byte { return fill(make([]byte, n), seed) }

// What is filled in place arrives, of every length, and is read in place.
func TestLoanAndView(t *testing.T) {
	q := open[[]byte](t, region(t), "q", &ring.QueueOptions{Capacity: 4, Buffer: 64 << 10, MaxMessage: 20000})
	ctx := watchdog(t)
	for i, n := range []int{0, 1, 112, 113, 256, 257, 4096, 4097, 20000} {
		l, err := q.Loan(ctx, n+n%3*100%(20001-n))
		if err != nil {
			t.Fatal(n, err)
		}
		b := l.Bytes()
		if len(b) < n || cap(b) != len(b) {
			t.Fatalf("%d, %d bytes for %d", len(b), cap(b), n)
		}
		fill(b[:n], i)
		if q.Len() != 0 {
			t.Errorf("Len is %d before it is put", q.Len())
		}
		if err := l.Put(ctx, n); err != nil {
			t.Fatal(n, err)
		}
		if l.Bytes() != nil {
			t.Error("Bytes after Put")
		}
		d, err := q.Lease(ctx)
		if err != nil {
			t.Fatal(n, err)
		}
		if v := d.View(); !bytes.Equal(v, message(n, i)) || cap(v) != n && n > 112 {
			t.Errorf("%d bytes: a view of %d, %d", n, len(v), cap(v))
		}
		if first, second := d.View(), d.View(); n > 112 && &first[0] != &second[0] {
			t.Error("two views are two copies")
		}
		if v := d.Value(); !bytes.Equal(v, message(n, i)) {
			t.Errorf("%d bytes: a value of %d", n, len(v))
		} else if v2 := d.Value(); n > 0 && &v[0] != &v2[0] {
			t.Error("two Values are two copies")
		} else if n > 112 && &d.View()[0] == &v[0] {
			t.Error("Value is no copy")
		}
		if err := d.Ack(); err != nil {
			t.Fatal(err)
		}
		if n > 112 && d.View() != nil {
			t.Error("a view after Ack")
		}
		if v := d.Value(); !bytes.Equal(v, message(n, i)) {
			t.Errorf("after Ack %d bytes: a value of %d", n, len(v))
		}
	}
	if err := q.Join(ctx); err != nil {
		t.Error(err)
	}
}

func TestLoanOfAPlainType(t *testing.T) {
	q := open[sheet](t, region(t), "q", &ring.QueueOptions{Capacity: 2})
	ctx := watchdog(t)
	for i := range int64(10) {
		l, err := q.Loan(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		p := l.Ptr()
		p.N, p.Text[999] = i, byte(i)
		if l.Bytes() != nil {
			t.Error("Bytes of a plain T")
		}
		if err := l.Put(ctx, 1); err != nil || l.Ptr() != nil {
			t.Fatal(err, l.Ptr())
		}
		d, err := q.Lease(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if v := d.Ptr(); v.N != i || v.Text[999] != byte(i) || v != d.Ptr() || d.View() != nil {
			t.Errorf("%d at %p, %p", v.N, v, d.Ptr())
		}
		if i%2 == 0 {
			if v := d.Value(); v.N != i {
				t.Errorf("%d", v.N)
			}
		}
		if err := d.Nack(); err != nil || d.Ptr() != nil {
			t.Fatal(err, d.Ptr())
		}
		var into sheet
		if err := q.GetInto(ctx, &into); err != nil || into.N != i || into.Text[999] != byte(i) {
			t.Fatal(err, into.N)
		}
	}
}

// Value after Ack is what it was, unless it was read in place.
func TestValueAfterAck(t *testing.T) {
	q := open[[]byte](t, region(t), "q", nil)
	ctx := watchdog(t)
	lease := func(i int) ring.Delivery[[]byte] {
		t.Helper()
		if err := q.Put(ctx, message(1000, i)); err != nil {
			t.Fatal(err)
		}
		d, err := q.Lease(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	old := lease(1)
	if old.Ack() != nil || !bytes.Equal(old.Value(), message(1000, 1)) {
		t.Errorf("after Ack: %d bytes", len(old.Value()))
	}
	viewed := lease(2)
	viewed.View()
	copied := viewed
	if viewed.Ack() != nil || viewed.Value() != nil || copied.Value() != nil || copied.View() != nil {
		t.Errorf("viewed, after Ack: %d bytes", len(viewed.Value()))
	}
	for i := range 5 { // others, that may have the same memory, of the process and of the region
		d := lease(3 + i)
		d.View()
		if viewed.Value() != nil || viewed.View() != nil || !errors.Is(viewed.Ack(), shm.ErrNotOwner) {
			t.Error("an old Delivery is another's")
		}
		if v := d.View(); !bytes.Equal(v, message(1000, 3+i)) {
			t.Errorf("a view of %d bytes", len(v))
		}
		if i%2 == 0 {
			d.Value()
		}
		if d.Ack() != nil || i%2 == 0 && !bytes.Equal(d.Value(), message(1000, 3+i)) {
			t.Errorf("after Ack: %d bytes", len(d.Value()))
		}
	}
}

// Everything that is no loan, or is none any more.
func TestLoanMisuse(t *testing.T) {
	r := region(t)
	q := open[[]byte](t, r, "q", &ring.QueueOptions{Capacity: 2, Buffer: 2000, MaxMessage: 1000})
	ctx := watchdog(t)
	wantErr := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s = %v, want %v", what, err, want)
		}
	}
	loan := func() ring.Loan[[]byte] {
		t.Helper()
		l, err := q.Loan(ctx, 500)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	_, err := q.Loan(ctx, 1001)
	wantErr("too much", err, ring.ErrTooLarge)
	_, err = q.Loan(ctx, -1)
	wantErr("less than nothing", err, fs.ErrInvalid)
	_, err = open[int64](t, r, "numbers", nil).Loan(ctx, 1)
	wantErr("an int64", err, shm.ErrNotPlain)
	_, err = open[string](t, r, "texts", nil).Loan(ctx, 1)
	wantErr("a string", err, shm.ErrNotPlain)
	_, err = open[map[string]int](t, r, "maps", nil).Loan(ctx, 1)
	wantErr("a map", err, shm.ErrNotPlain)
	pages := open[sheet](t, r, "pages", nil)
	for _, n := range []int{-1, 0, 2, 1008} {
		_, err = pages.Loan(ctx, n)
		wantErr("other than one sheet", err, fs.ErrInvalid)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err = q.Loan(ended, 1)
	wantErr("with an ended context", err, context.Canceled)

	var zero ring.Loan[[]byte]
	wantErr("Put of a zero Loan", zero.Put(ctx, 0), shm.ErrNotOwner)
	wantErr("Drop of a zero Loan", zero.Drop(), shm.ErrNotOwner)
	if zero.Bytes() != nil || zero.Ptr() != nil {
		t.Error("a zero Loan has memory")
	}

	l := loan()
	wantErr("Put of more", l.Put(ctx, 501), fs.ErrInvalid)
	wantErr("Put of less than nothing", l.Put(ctx, -1), fs.ErrInvalid)
	wantErr("Put with an ended context", l.Put(ended, 1), context.Canceled)
	if len(l.Bytes()) != 500 {
		t.Error("what did not put it ended it")
	}
	other := l
	wantErr("Put", l.Put(ctx, 500), nil)
	for _, l := range []ring.Loan[[]byte]{l, other} {
		wantErr("Put again", l.Put(ctx, 500), shm.ErrNotOwner)
		wantErr("Drop after Put", l.Drop(), shm.ErrNotOwner)
		if l.Bytes() != nil {
			t.Error("it has memory")
		}
	}
	l = loan()
	wantErr("Drop of an old one", other.Drop(), shm.ErrNotOwner)
	wantErr("Drop", l.Drop(), nil)
	wantErr("Drop again", l.Drop(), shm.ErrNotOwner)
	wantErr("Put after Drop", l.Put(ctx, 1), shm.ErrNotOwner)

	// No place in the queue: the loan stands, and others go on.
	l = loan()
	if err := q.TryPut(message(500, 1)); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
	defer cancel()
	wantErr("Put to a full queue", l.Put(short, 400), context.DeadlineExceeded)
	if _, err := q.Get(ctx); err != nil {
		t.Fatal(err)
	}
	wantErr("and again", l.Put(ctx, 400), nil)

	l = loan()
	wantErr("Shutdown", q.Shutdown(), nil)
	wantErr("Put after Shutdown", l.Put(ctx, 1), ring.ErrShutdown)
	_, err = q.Loan(ctx, 1)
	wantErr("Loan after Shutdown", err, ring.ErrShutdown)
	wantErr("Drop after Shutdown", l.Drop(), nil)
}

// What nobody has any more comes back: of a loan that is neither put nor dropped, and
// of one in whose place there is another by then.
func TestLoanIsCollected(t *testing.T) {
	q := open[[]byte](t, region(t), "q", &ring.QueueOptions{Buffer: 2000, MaxMessage: 1000})
	ctx := watchdog(t)
	for range 3 {
		func() {
			for range 2 {
				if _, err := q.Loan(ctx, 1000); err != nil {
					t.Fatal(err)
				}
			}
		}()
		for { // all that there is is out, until the collector has given back one
			short, cancel := context.WithTimeout(ctx, time.Millisecond)
			l, err := q.Loan(short, 1000)
			cancel()
			if err == nil {
				testproc.OK(t, l.Put(ctx, 500))
				_, err := q.Get(ctx)
				testproc.OK(t, err)
				break
			}
			if ctx.Err() != nil {
				t.Fatal("it never comes back")
			}
			runtime.GC()
		}
		for q.Loans() != 0 {
			if ctx.Err() != nil {
				t.Fatal("one of them never comes back")
			}
			runtime.GC()
			runtime.Gosched()
		}
	}
}

// What has ended holds no queue in the collector's reach.
func TestEndedLoanIsLetGo(t *testing.T) {
	q := open[[]byte](t, region(t), "q", nil)
	ctx := watchdog(t)
	for what, end := range map[string]func(ring.Loan[[]byte]) error{
		"Put":  func(l ring.Loan[[]byte]) error { return l.Put(ctx, 9) },
		"Drop": ring.Loan[[]byte].Drop,
	} {
		l, err := q.Loan(ctx, 9)
		testproc.OK(t, err)
		if !l.Out() {
			t.Error("the collector does not know of it")
		}
		testproc.OK(t, end(l))
		if l.Out() {
			t.Errorf("after %s the collector would give it back", what)
		}
	}
}

// What was lent or viewed stays mapped when nothing else of the region is left.
func TestViewsStayMapped(t *testing.T) {
	for what, of := range map[string]func(t *testing.T, q *ring.Queue[[]byte]) []byte{
		"a loan": func(t *testing.T, q *ring.Queue[[]byte]) []byte {
			l, err := q.Loan(watchdog(t), 5000)
			testproc.OK(t, err)
			return l.Bytes()
		},
		"a view": func(t *testing.T, q *ring.Queue[[]byte]) []byte {
			testproc.OK(t, q.Put(watchdog(t), message(5000, 1)))
			d, err := q.Lease(watchdog(t))
			testproc.OK(t, err)
			return d.View()
		},
	} {
		t.Run(what, func(t *testing.T) {
			b := func() []byte {
				r, err := shm.Anonymous(nil)
				testproc.OK(t, err)
				defer r.Close()
				return of(t, open[[]byte](t, r, "q", nil))
			}()
			for range 20 {
				runtime.GC()
				time.Sleep(time.Millisecond) // for the cleanups, if there are any
			}
			if !bytes.Equal(b, make([]byte, 5000)) {
				t.Error("it is not zeroes")
			}
		})
	}
}

// A loan takes no place in the queue, and a message that is put by it is behind those
// that were put meanwhile.
func TestLoanHoldsUpNobody(t *testing.T) {
	q := open[[]byte](t, region(t), "q", &ring.QueueOptions{Capacity: 2})
	ctx := watchdog(t)
	l, err := q.Loan(ctx, 5000)
	testproc.OK(t, err)
	copy(l.Bytes(), "lent")
	for _, m := range []string{"a", "b"} {
		testproc.OK(t, q.TryPut([]byte(m)))
	}
	if v, err := q.TryGet(); err != nil || string(v) != "a" {
		t.Errorf("%q, %v", v, err)
	}
	testproc.OK(t, l.Put(ctx, 4))
	for _, m := range []string{"b", "lent"} {
		if v, err := q.TryGet(); err != nil || string(v) != m {
			t.Errorf("%q, %v, want %s", v, err, m)
		}
	}
	testproc.OK(t, q.TaskDone())
	testproc.OK(t, q.TaskDone())
	testproc.OK(t, q.TaskDone())
	testproc.OK(t, q.Join(ctx))
}

// Nothing is allocated by what is filled and read in place, or got into what the
// caller has.
func TestLoanViewAndGetIntoAllocateNothing(t *testing.T) {
	if mem.RaceEnabled {
		t.Skip("what is used again is not, for the race detector")
	}
	r, ctx := region(t), context.Background()
	q, pages, numbers := open[[]byte](t, r, "q", nil), open[sheet](t, r, "pages", nil), open[int64](t, r, "numbers", nil)
	into := make([]byte, 0, 5000)
	var p sheet
	var n int64
	put := message(5000, 1)
	for name, f := range map[string]func() error{
		"Loan, Lease, View": func() error {
			l, err := q.Loan(ctx, 5000)
			if err != nil {
				return err
			}
			l.Bytes()[0] = 1
			if err := l.Put(ctx, 5000); err != nil {
				return err
			}
			d, err := q.Lease(ctx)
			if err != nil || d.View()[0] != 1 {
				return err
			}
			return d.Ack()
		},
		"Loan, Drop": func() error {
			l, err := q.Loan(ctx, 5000)
			return errors.Join(err, l.Drop())
		},
		"Put, GetInto":                func() error { return errors.Join(q.Put(ctx, put), q.GetInto(ctx, &into)) },
		"Put, GetInto of a short one": func() error { return errors.Join(q.Put(ctx, put[:9]), q.GetInto(ctx, &into)) },
		"GetInto of an int64":         func() error { return errors.Join(numbers.Put(ctx, 1), numbers.GetInto(ctx, &n)) },
		"Loan, GetInto of a sheet": func() error {
			l, err := pages.Loan(ctx, 1)
			if err != nil {
				return err
			}
			l.Ptr().N = 1
			return errors.Join(l.Put(ctx, 1), pages.GetInto(ctx, &p))
		},
		"Loan, Lease, Ptr of a sheet": func() error {
			l, err := pages.Loan(ctx, 1)
			if err != nil {
				return err
			}
			l.Ptr().N = 1
			if err := l.Put(ctx, 1); err != nil {
				return err
			}
			d, err := pages.Lease(ctx)
			if err != nil || d.Ptr().N != 1 {
				return err
			}
			return d.Ack()
		},
		"Get of a sheet": func() error {
			l, err := pages.Loan(ctx, 1)
			if err != nil {
				return err
			}
			l.Ptr().N = 7
			if err := l.Put(ctx, 1); err != nil {
				return err
			}
			p, err = pages.Get(ctx)
			return err
		},
	} {
		if n := testing.AllocsPerRun(1000, func() {
			if err := f(); err != nil {
				t.Fatal(name, err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// GetInto returns what Get does, into what there is.
func TestGetInto(t *testing.T) {
	r, ctx := region(t), watchdog(t)
	q := open[[]byte](t, r, "q", nil)
	var b []byte
	for i, n := range []int{10, 5000, 0, 200, 6000, 6000} {
		testproc.OK(t, q.Put(ctx, message(n, i)))
		had := cap(b)
		var at *byte
		if had > 0 {
			at = &b[:1][0]
		}
		testproc.OK(t, q.GetInto(ctx, &b))
		if !bytes.Equal(b, message(n, i)) {
			t.Errorf("%d bytes, want %d", len(b), n)
		}
		if had >= n && had > 0 && &b[:1][0] != at {
			t.Errorf("%d bytes fit %d, and are in new memory", n, had)
		}
	}
	testproc.OK(t, q.Put(ctx, nil))
	b = nil
	if err := q.GetInto(ctx, &b); err != nil || b == nil || len(b) != 0 {
		t.Errorf("an empty one: %v, %v", b, err)
	}
	texts := open[string](t, r, "texts", nil)
	var s string
	for _, want := range []string{"short", string(message(1000, 1)), ""} {
		testproc.OK(t, texts.Put(ctx, want))
		if err := texts.GetInto(ctx, &s); err != nil || s != want {
			t.Errorf("%q, %v, want %q", s, err, want)
		}
	}
	maps := open[map[string]int](t, r, "maps", nil)
	testproc.OK(t, maps.Put(ctx, map[string]int{"b": 2}))
	m := map[string]int{"a": 1}
	if err := maps.GetInto(ctx, &m); err != nil || len(m) != 2 || m["b"] != 2 {
		t.Errorf("%v, %v", m, err)
	}
	if err := q.GetInto(ctx, nil); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("into nothing: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := q.GetInto(ended, &b); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
	testproc.OK(t, q.Shutdown())
	if err := q.GetInto(ctx, &b); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

// A message that lies in several pieces, since no free one was long enough, is got,
// leased and viewed as any other. A loan waits for a piece.
func TestMessageInPieces(t *testing.T) {
	q := open[[]byte](t, region(t), "q", &ring.QueueOptions{Capacity: 8, Buffer: 4 * 256, MaxMessage: 512})
	ctx := watchdog(t)
	var leases []ring.Delivery[[]byte]
	for i := range 4 {
		testproc.OK(t, q.Put(ctx, message(256, i)))
	}
	for i := range 4 {
		d, err := q.Lease(ctx)
		testproc.OK(t, err)
		if i%2 == 0 {
			leases = append(leases, d)
		} else {
			testproc.OK(t, d.Ack())
		}
	}
	for round := range 4 {
		testproc.OK(t, q.TryPut(message(500, round)))
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		if _, err := q.Loan(short, 500); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a loan: %v", err)
		}
		cancel()
		if round == 0 {
			if v, err := q.Get(ctx); err != nil || !bytes.Equal(v, message(500, round)) {
				t.Errorf("Get: %d bytes, %v", len(v), err)
			}
			testproc.OK(t, q.TaskDone())
			continue
		}
		d, err := q.Lease(ctx)
		testproc.OK(t, err)
		if v := d.View(); !bytes.Equal(v, message(500, round)) {
			t.Errorf("View: %d bytes", len(v))
		}
		testproc.OK(t, d.Ack())
		if v := d.Value(); !bytes.Equal(v, message(500, round)) {
			t.Errorf("Value: %d bytes", len(v))
		}
	}
	for _, d := range leases {
		testproc.OK(t, d.Ack())
	}
	l, err := q.Loan(ctx, 512)
	testproc.OK(t, err)
	testproc.OK(t, l.Drop())
}

// After Close views and loans are zeroes, and no call through them has an effect.
func TestLoanAndViewAfterClose(t *testing.T) {
	name := "loan-close"
	t.Setenv("TANDEM_DIR", t.TempDir())
	r, err := shm.Create(name, nil)
	testproc.OK(t, err)
	other, err := shm.Open(name, nil)
	_ = other
	testproc.OK(t, err)
	q, pages := open[[]byte](t, r, "q", nil), open[sheet](t, r, "pages", nil)
	ctx := watchdog(t)
	testproc.OK(t, q.Put(ctx, message(5000, 1)))
	d, err := q.Lease(ctx)
	testproc.OK(t, err)
	testproc.OK(t, q.Put(ctx, message(5000, 2)))
	unseen, err := q.Lease(ctx)
	testproc.OK(t, err)
	l, err := q.Loan(ctx, 5000)
	testproc.OK(t, err)
	pl, err := pages.Loan(ctx, 1)
	testproc.OK(t, err)
	view, lent, sheet := d.View(), l.Bytes(), pl.Ptr()
	fill(lent, 3)
	sheet.N = 3
	testproc.OK(t, other.Close())
	testproc.OK(t, r.Close())
	runtime.GC()
	runtime.GC()
	zero := make([]byte, 5000)
	for what, b := range map[string][]byte{"the view": view, "the loan": lent, "a view": d.View(), "another": unseen.View(), "Bytes": l.Bytes()} {
		if !bytes.Equal(b, zero) {
			t.Errorf("%s is %d bytes, not zeroes", what, len(b))
		}
	}
	if v := unseen.Value(); v != nil {
		t.Errorf("Value is %d bytes", len(v))
	}
	if sheet.N != 0 || pl.Ptr().N != 0 {
		t.Error("a sheet that is lent is not zero")
	}
	lent[0], sheet.N = 1, 1 // nobody's, and no fault
	for what, err := range map[string]error{"Put": l.Put(ctx, 1), "Drop": l.Drop(), "Ack": d.Ack(), "Put of a sheet": pl.Put(ctx, 1)} {
		if !errors.Is(err, shm.ErrClosed) {
			t.Errorf("%s = %v", what, err)
		}
	}
	if _, err := q.Loan(ctx, 1); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Loan = %v", err)
	}
	if err := q.GetInto(ctx, &zero); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("GetInto = %v", err)
	}
}

// Close of the handle: a loan can be dropped, not put.
func TestLoanOfAClosedHandle(t *testing.T) {
	r, ctx := region(t), watchdog(t)
	q, other := open[[]byte](t, r, "q", nil), open[[]byte](t, r, "q", nil)
	l, err := q.Loan(ctx, 1000)
	testproc.OK(t, err)
	fill(l.Bytes(), 1)
	testproc.OK(t, q.Close())
	if err := l.Put(ctx, 1000); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Put = %v", err)
	}
	if !bytes.Equal(l.Bytes(), message(1000, 1)) {
		t.Error("the memory is not the loan's")
	}
	testproc.OK(t, l.Drop())
	if n := other.Loans(); n != 0 {
		t.Errorf("%d loans are out", n)
	}
}
