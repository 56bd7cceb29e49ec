package ring_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"testing"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/testproc"
)

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
