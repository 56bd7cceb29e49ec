package ring_test

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
)

// A deadline: over when the call begins, set while it waits, moved away, and back.
func TestStreamDeadlines(t *testing.T) {
	r := region(t)
	p := ring.NewStreamPair(t, r, 128)
	d, a := p.Dialer, p.Acceptor
	writes(t, a, "there")
	testproc.OK(t, d.SetReadDeadline(time.Now().Add(-time.Second)))
	errIs(t, "Read with bytes there", reading(d), os.ErrDeadlineExceeded)
	testproc.OK(t, d.SetReadDeadline(time.Time{}))
	reads(t, d, "there")

	for name, call := range map[string]func() error{
		"Read":  func() error { return reading(d) },
		"Write": func() error { _, err := d.Write(make([]byte, 200)); return err },
	} {
		waits := blocked(call)
		testproc.OK(t, d.SetDeadline(time.Now().Add(time.Hour)))
		awaitAsleep(t, r, 1)
		testproc.OK(t, d.SetDeadline(time.Now().Add(5*time.Millisecond)))
		endsWith(t, name, waits, os.ErrDeadlineExceeded)
		if name == "Write" {
			b := make([]byte, 128)
			testproc.Get(io.ReadFull(a, b))(t)
		}
		testproc.OK(t, d.SetDeadline(time.Now().Add(time.Hour)))

		// Two wait: for bytes, and for the first of them.
		first, second := blocked(call), blocked(call)
		awaitAsleep(t, r, 1)
		testproc.OK(t, d.SetDeadline(time.Now().Add(2*time.Millisecond)))
		endsWith(t, name, first, os.ErrDeadlineExceeded)
		endsWith(t, name, second, os.ErrDeadlineExceeded)
		testproc.OK(t, d.SetDeadline(time.Now().Add(2*time.Millisecond)))
		first, second = blocked(call), blocked(call)
		endsWith(t, name, first, os.ErrDeadlineExceeded)
		endsWith(t, name, second, os.ErrDeadlineExceeded)
		testproc.OK(t, d.SetDeadline(time.Time{}))
		if name == "Write" {
			b := make([]byte, 128)
			testproc.Get(io.ReadFull(a, b))(t)
		}
	}
	// Moved away in time: it goes on.
	for soon := 100 * time.Millisecond; ; soon *= 2 {
		begun := time.Now()
		testproc.OK(t, d.SetReadDeadline(begun.Add(soon)))
		waits := blocked(func() error { return reading(d) })
		testproc.OK(t, d.SetReadDeadline(time.Time{}))
		if time.Since(begun) >= soon { // not in time
			writes(t, a, "x")
			if err := <-waits; err != nil {
				reads(t, d, "x")
			}
			continue
		}
		time.Sleep(soon + 10*time.Millisecond)
		writes(t, a, "x")
		endsWith(t, "Read", waits, nil)
		break
	}

	// What was written before the deadline is told.
	n, err := 0, error(nil)
	for soon := 2 * time.Millisecond; n == 0 && soon < testproc.Patience; soon *= 2 { // it may begin late
		testproc.OK(t, d.SetWriteDeadline(time.Now().Add(soon)))
		n, err = d.Write(make([]byte, 200))
	}
	if n != 128 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a Write that times out: %d, %v", n, err)
	}
}

// A deadline is heard by a call that waits for its turn, behind one that does not wait.
func TestStreamDeadlineOfTheLock(t *testing.T) {
	d, _, _ := stream(t, 128)
	unlock := ring.LockStream(d)
	second := blocked(func() error { return reading(d) })
	testproc.OK(t, d.SetReadDeadline(time.Unix(1, 0)))
	endsWith(t, "a Read", second, os.ErrDeadlineExceeded)
	testproc.OK(t, d.SetReadDeadline(time.Now().Add(2*time.Millisecond)))
	endsWith(t, "another", blocked(func() error { return reading(d) }), os.ErrDeadlineExceeded)
	second = blocked(func() error { return reading(d) })
	unlock()
	endsWith(t, "one of no lock", second, os.ErrDeadlineExceeded)
}

// A deadline ends a Write that never waits.
func TestStreamDeadlineBetweenPieces(t *testing.T) {
	const long = 48 << 20
	d, a, _ := stream(t, 64<<20)
	b := make([]byte, long)
	testproc.OK(t, d.SetWriteDeadline(time.Now().Add(100*time.Microsecond)))
	n, err := d.Write(b)
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) { // it began late
		testproc.OK(t, d.SetWriteDeadline(time.Now().Add(2*time.Millisecond)))
		n, err = d.Write(b)
	}
	if n == long || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d of %d bytes, %v", n, long, err)
	}
	testproc.OK(t, d.Close())
	if got, err := io.Copy(io.Discard, a); got != int64(n) || err != nil {
		t.Errorf("%d bytes came, %v; %d were written", got, err, n)
	}
}
