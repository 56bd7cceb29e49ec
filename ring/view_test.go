package ring_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

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
