package ring_test

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"time"

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
