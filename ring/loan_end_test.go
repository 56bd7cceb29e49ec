package ring_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

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

// A Close that has begun: until there are zeroes, what has ended is somebody else's
// memory, and what has not is the loan's still.
func TestLoanWhileClosing(t *testing.T) {
	ctx := watchdog(t)
	for what, end := range map[string]func(put, drop func() error) error{
		"Put":     func(put, _ func() error) error { return put() },
		"Drop":    func(_, drop func() error) error { return drop() },
		"nothing": func(_, _ func() error) error { return nil },
	} {
		r, err := shm.Anonymous(nil)
		testproc.OK(t, err)
		defer r.Close()
		q, pages := open[[]byte](t, r, "q", nil), open[sheet](t, r, "pages", nil)
		l, err := q.Loan(ctx, 5000)
		testproc.OK(t, err)
		pl, err := pages.Loan(ctx, 1)
		testproc.OK(t, err)
		testproc.OK(t, end(func() error { return l.Put(ctx, 5000) }, l.Drop))
		testproc.OK(t, end(func() error { return pl.Put(ctx, 1) }, pl.Drop))
		q.Shut()
		if got, want := l.Bytes() != nil, what == "nothing"; got != want {
			t.Errorf("after %s it has bytes: %v", what, got)
		}
		if got, want := pl.Ptr() != nil, what == "nothing"; got != want {
			t.Errorf("after %s it has a pointer: %v", what, got)
		}
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
