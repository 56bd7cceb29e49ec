package ring_test

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
)

// Where the peer only answers, a Read naps until something was asked; and no more where
// it has spoken unasked.
func TestStreamNaps(t *testing.T) {
	d, a, _ := stream(t, 128)
	ask := func(nap bool) {
		t.Helper()
		answer := readBegins(d)
		if !nap {
			time.Sleep(100 * time.Microsecond)
		}
		for start := time.Now(); nap && !ring.StreamNaps(d); time.Sleep(10 * time.Microsecond) {
			if len(answer) > 0 || time.Since(start) > testproc.Patience {
				t.Fatal("it does not nap")
			}
			if time.Since(start)%(5*time.Millisecond) < 100*time.Microsecond { // it was over before it was seen
				writes(t, d, "?")
				reads(t, a, "?")
				writes(t, a, "!")
				endsWith(t, "Read", answer, nil)
				answer = readBegins(d)
			}
		}
		writes(t, d, "?")
		reads(t, a, "?")
		writes(t, a, "!")
		endsWith(t, "Read", answer, nil)
	}
	writes(t, d, "?")
	reads(t, a, "?")
	writes(t, a, "!")
	reads(t, d, "!")
	if ring.StreamTrusts(d) {
		t.Error("an end that asked before it read learned that its peer only answers")
	}
	answer := readBegins(d)
	time.Sleep(time.Millisecond) // else it begins after the question
	writes(t, d, "?")
	reads(t, a, "?")
	writes(t, a, "!")
	endsWith(t, "Read", answer, nil)
	for start := time.Now(); !ring.StreamTrusts(d); {
		ask(false)
		if time.Since(start) > testproc.Patience {
			t.Fatal("it does not learn that its peer only answers")
		}
	}
	ask(true)

	// With somebody who watches.
	w := ring.NewStreamPair(t, region(t), 128)
	ring.SpinWatch(t)
	other := readBegins(w.Dialer)
	awaitWatch(t, true, 0)
	ask(true)
	writes(t, w.Acceptor, "x")
	endsWith(t, "the watcher's Read", other, nil)

	// Unasked.
	writes(t, a, "!")
	endsWith(t, "a Read", readBegins(d), nil)
	for start := time.Now(); time.Since(start) < testproc.Patience; { // until a Read has begun by then
		answer = readBegins(d)
		time.Sleep(time.Millisecond)
		writes(t, a, "!")
		endsWith(t, "a Read", answer, nil)
		if !ring.StreamTrusts(d) {
			return
		}
	}
	t.Error("it was spoken to unasked, and naps")
}

// trusting is a stream whose Reads nap, if they begin quietly, at its dialer.
func trusting(t *testing.T) (d, a *ring.StreamConn) {
	t.Helper()
	d, a, _ = stream(t, 128)
	for start := time.Now(); !ring.StreamTrusts(d); {
		answer := readBegins(d)
		time.Sleep(100 * time.Microsecond)
		testproc.OK(t, d.SetReadDeadline(time.Unix(1, 0)))
		endsWith(t, "Read", answer, os.ErrDeadlineExceeded)
		testproc.OK(t, d.SetReadDeadline(time.Time{}))
		if time.Since(start) > testproc.Patience {
			t.Fatal("it does not learn from being roused")
		}
	}
	return d, a
}

func TestStreamAskedBefore(t *testing.T) {
	d, a := trusting(t)
	ring.NoTicks(t)
	endsWith(t, "who has asked", blocked(func() error { ring.NapAsked(d); return nil }), nil)
	awaitWatch(t, false, 0)
	reads(t, a, "?")
}

// Its own Write ends a nap: then it watches, or is as one who is parked, who may.
func TestStreamAsking(t *testing.T) {
	d, a := trusting(t)
	w := ring.NewStreamPair(t, region(t), 128)
	ring.NoTicks(t)
	ring.SpinWatch(t)
	answer := readBegins(d)
	awaitWatch(t, false, 1)
	writes(t, d, "?")
	awaitWatch(t, true, 0)
	writes(t, a, "!")
	endsWith(t, "Read", answer, nil)

	answer = readBegins(d)
	awaitWatch(t, false, 1)
	other := readBegins(w.Dialer)
	awaitWatch(t, true, 1)
	writes(t, d, "?")
	writes(t, w.Acceptor, "x")
	endsWith(t, "the watcher's Read", other, nil)
	awaitWatch(t, true, 0)
	writes(t, a, "!")
	endsWith(t, "Read", answer, nil)
}

// Whatever writes ends a nap, and a Write that waits for room: not only one that is through.
func TestStreamAskingOtherwise(t *testing.T) {
	file := func(t *testing.T) *os.File {
		f := testproc.Get(os.Create(filepath.Join(t.TempDir(), "f")))(t)
		t.Cleanup(func() { f.Close() })
		return f
	}
	for name, ask := range map[string]func(t *testing.T, d net.Conn) (asked chan error, bytes int){
		"ReadFrom": func(t *testing.T, d net.Conn) (chan error, int) {
			f := file(t)
			testproc.Get(f.WriteString("question"))(t)
			testproc.Get(f.Seek(0, io.SeekStart))(t)
			return blocked(func() error { _, err := d.(io.ReaderFrom).ReadFrom(f); return err }), 8
		},
		"a long Write": func(t *testing.T, d net.Conn) (chan error, int) {
			return blocked(func() error { _, err := d.Write(make([]byte, 200)); return err }), 200
		},
	} {
		for _, first := range []string{"nap", "ask"} {
			t.Run(name+", first "+first, func(t *testing.T) {
				d, a := trusting(t)
				ring.NoTicks(t)
				ring.SpinWatch(t)
				var answer chan error
				if first == "nap" {
					answer = readBegins(d)
					awaitWatch(t, false, 1)
				}
				asked, n := ask(t, d)
				if first == "ask" {
					answer = readBegins(d)
				}
				awaitWatch(t, true, 0)
				testproc.Get(io.ReadFull(a, make([]byte, n)))(t)
				endsWith(t, "the question", asked, nil)
				writes(t, a, "!")
				endsWith(t, "Read", answer, nil)
			})
		}
	}
	t.Run("WriteTo does not nap", func(t *testing.T) {
		d, a := trusting(t)
		ring.NoTicks(t)
		ring.SpinWatch(t)
		f := file(t)
		done := blocked(func() error { _, err := d.WriteTo(f); return err })
		awaitWatch(t, true, 0)
		writes(t, a, "all")
		testproc.OK(t, a.Close())
		endsWith(t, "WriteTo", done, nil)
	})
}

// What came in a nap was not asked for, though its end did ask for something then.
func TestStreamAskedTooLate(t *testing.T) {
	d, a := trusting(t)
	ring.NoTicks(t)
	answer := readBegins(d)
	awaitWatch(t, false, 1)
	for !ring.StreamNaps(d) { // it is about to
		time.Sleep(10 * time.Microsecond)
	}
	writes(t, a, "!")
	writes(t, d, "?")
	endsWith(t, "Read", answer, nil)
	if ring.StreamTrusts(d) {
		t.Error("it was spoken to in a nap, and naps again")
	}
}

// A server that reads while it works on an answer, and is roused when it is done, expects
// the next question.
func TestStreamServerExpects(t *testing.T) {
	d, a := trusting(t)
	ring.NoTicks(t)
	ring.SpinWatch(t)
	writes(t, a, "?")
	reads(t, d, "?")
	while := readBegins(d)
	awaitWatch(t, false, 1)
	writes(t, d, "!")
	testproc.OK(t, d.SetReadDeadline(time.Unix(1, 0)))
	endsWith(t, "a Read", while, os.ErrDeadlineExceeded)
	testproc.OK(t, d.SetReadDeadline(time.Time{}))
	next := readBegins(d)
	awaitWatch(t, true, 0)
	writes(t, a, "?")
	endsWith(t, "the next", next, nil)
}

// A Read that naps is roused by all that ends a Read, and by what comes.
func TestStreamNapEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		then func(d, a net.Conn)
		want error
		self bool // it would last for ever
	}{
		"bytes":        {func(_, a net.Conn) { io.WriteString(a, "x") }, nil, false},
		"Close":        {func(d, _ net.Conn) { d.Close() }, net.ErrClosed, true},
		"deadline":     {func(d, _ net.Conn) { d.SetReadDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded, true},
		"soon":         {func(d, _ net.Conn) { d.SetReadDeadline(time.Now().Add(time.Millisecond)) }, os.ErrDeadlineExceeded, false},
		"peer's Close": {func(_, a net.Conn) { a.Close() }, io.EOF, false},
	} {
		t.Run(name, func(t *testing.T) {
			d, a := trusting(t)
			if tt.self {
				ring.NoTicks(t)
			}
			answer := readBegins(d)
			time.Sleep(100 * time.Microsecond)
			tt.then(d, a)
			endsWith(t, "a Read", answer, tt.want)
		})
	}
}
