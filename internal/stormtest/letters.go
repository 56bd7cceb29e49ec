package stormtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// Writers send numbered letters through one pipe; readers receive them, and pass on which
// they have got, to be counted where nobody is killed, and where both ends are held from
// begin to end.
//
// Each letter whose Send returned arrives once, but the one that a reader had in its hands
// when it was killed. What a reader gets of one writer is in order.
type letterNote struct{ By, N, To int64 }

// Writers is how many there may be in one storm: those that take the place of killed ones
// included.
const Writers = 1 << 14

// Letters are one process's handles, but those on the pipe.
type Letters struct {
	r     *shm.Region
	read  *ring.Queue[letterNote]
	noted *atomics.Array[int64] // by writer: so many are sent
	stop  *atomics.Value[int32]
}

// OpenLetters finds the letters of a storm, or makes them.
func OpenLetters(r *shm.Region) (*Letters, error) {
	l := &Letters{r: r}
	var errs [3]error
	l.read, errs[0] = ring.OpenQueue[letterNote](r, "letters-read", &ring.QueueOptions{Capacity: 50})
	l.noted, errs[1] = atomics.OpenArray[int64](r, "letters-noted", Writers)
	l.stop, errs[2] = atomics.OpenValue(r, "letters-stop", int32(0))
	return l, errors.Join(errs[:]...)
}

func (l *Letters) open(end ring.End) (*ring.Conn[[]byte], error) {
	return ring.OpenPipe[[]byte](l.r, "letters", end, &ring.PipeOptions{Direction: ring.OneWay, Buffer: 4096})
}

// NewLetter begins with whose it is, and which of its, and goes on as that says.
func NewLetter(b []byte, by, n int64) []byte {
	b = binary.LittleEndian.AppendUint64(b[:0], uint64(by))
	b = binary.LittleEndian.AppendUint64(b, uint64(n))
	for i := range n * 37 % 600 {
		b = append(b, byte(n+i))
	}
	return b
}

// ReadLetter fails for one that is not whole.
func ReadLetter(b []byte) (by, n int64, err error) {
	if len(b) >= 16 {
		by, n = int64(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint64(b[8:]))
		if bytes.Equal(NewLetter(nil, by, n), b) {
			return by, n, nil
		}
	}
	return 0, 0, fmt.Errorf("a torn letter: %x", b)
}

// with calls work with a handle on an end, and with another one when that was closed under
// it, until the region is. An end that is gone is the end of the storm.
func (l *Letters) with(end ring.End, work func(*ring.Conn[[]byte]) error) error {
	for {
		c, err := l.open(end)
		if errors.Is(err, syscall.EPIPE) {
			return nil
		}
		if err != nil {
			return err
		}
		if rand.IntN(2) == 0 {
			time.AfterFunc(rand.N(50*time.Millisecond), func() { c.Close() })
		}
		err = work(c)
		c.Close()
		if !errors.Is(err, shm.ErrClosed) {
			return err
		}
	}
}

// A while is a context that ends soon, now and then.
func aWhile() (context.Context, context.CancelFunc) {
	if rand.IntN(8) > 0 {
		return context.Background(), func() {}
	}
	return context.WithTimeout(context.Background(), rand.N(2*time.Millisecond))
}

// A Writer sends. It outlives the region: a Send that returned an error has sent nothing,
// and is tried again.
type Writer struct {
	Me   int
	done int64 // so many are sent
}

// Work sends until the storm ends, which is nil, or the region is closed.
func (p *Writer) Work(l *Letters) error {
	l.noted.Store(p.Me, p.done) // the last one may have gone with the region
	var b []byte
	return l.with(ring.Left, func(c *ring.Conn[[]byte]) error {
		for l.stop.Load() == 0 {
			b = NewLetter(b, int64(p.Me), p.done+1)
			ctx, cancel := aWhile()
			err := c.Send(ctx, b)
			cancel()
			switch {
			case err == nil:
				p.done++
				l.noted.Store(p.Me, p.done)
			case !errors.Is(err, context.DeadlineExceeded):
				return err
			}
		}
		return nil
	})
}

// A Reader receives. It outlives the region, and so does what it has in its hands.
type Reader struct {
	Me  int
	due *letterNote
}

// Work receives until the pipe ends, which is nil, or the region is closed.
func (c *Reader) Work(l *Letters) error {
	return l.with(ring.Right, func(pipe *ring.Conn[[]byte]) error {
		for {
			if c.due != nil {
				if err := l.read.Put(context.Background(), *c.due); err != nil {
					return err
				}
				c.due = nil
			}
			err := c.receive(pipe)
			switch {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil && !errors.Is(err, context.DeadlineExceeded):
				return err
			}
		}
	})
}

func (c *Reader) receive(pipe *ring.Conn[[]byte]) error {
	ctx, cancel := aWhile()
	defer cancel()
	switch rand.IntN(16) {
	case 0:
		if err := pipe.Poll(ctx); err != nil {
			return err
		}
	case 1:
		if _, err := shm.WaitAny(ctx, pipe); err != nil {
			return err
		}
	}
	b, err := pipe.Recv(ctx)
	if err != nil {
		return err
	}
	by, n, err := ReadLetter(b)
	if err == nil {
		c.due = &letterNote{by, n, int64(c.Me)}
	}
	return err
}

// A Mail holds both ends, and counts what is read; it is where nobody is killed.
type Mail struct {
	l           *Letters
	left, right *ring.Conn[[]byte]
	came        *arrivals
	ended       chan error
}

// Mail counts until the queue of what is read ends.
func (l *Letters) Mail(t testing.TB) *Mail {
	m := &Mail{l: l, came: newArrivals(), ended: make(chan error, 1)}
	m.left = testproc.Get(l.open(ring.Left))(t)
	m.right = testproc.Get(l.open(ring.Right))(t)
	go func() {
		for v, err := range l.read.All(context.Background()) {
			if err != nil {
				m.ended <- err
				return
			}
			m.came.add(t, "letter", v.By, v.N, v.To)
		}
		m.ended <- nil
	}()
	return m
}

// Begun waits until something is sent.
func (m *Mail) Begun(t testing.TB, writers int) {
	t.Helper()
	begun(t, m.l.noted, writers)
}

// End ends the Writers, and the Readers when they have received all.
func (m *Mail) End(t testing.TB) {
	t.Helper()
	m.l.stop.Store(1)
	testproc.OK(t, m.left.Close())
}

// Balance is when all have ended: of what the first so many writers noted all was read, but
// for what went with readers that were killed, so many at most; without, that and no more.
func (m *Mail) Balance(t testing.TB, writers, killed int) (sent, lost int) {
	t.Helper()
	if _, err := m.right.Recv(context.Background()); !errors.Is(err, io.EOF) {
		t.Errorf("at the end of the letters: %v", err)
	}
	testproc.OK(t, m.l.read.Shutdown())
	testproc.OK(t, <-m.ended)
	testproc.OK(t, m.right.Close())
	sent, lost = m.came.against(t, "letter", m.l.noted, writers, 1)
	if lost > killed || killed == 0 && m.came.n != sent {
		t.Errorf("%d letters were sent, %d read, %d lost, with %d readers killed", sent, m.came.n, lost, killed)
	}
	return sent, lost
}
