package stormtest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// Callers dial one of a few names, write, and close, again and again; at desks, in other
// processes, somebody listens, and reads each connection to its end, or not that far. Both pass
// on how much it was, to be compared where nobody is killed.
//
// What is read lies where it was written. At the end of a connection, unless it is the reader
// who ends it, all has been read that its caller was told it wrote, and nothing else; of a
// caller that was killed, what it had noted, and of the Write that it was in a part.
const (
	Callers = 1 << 14 // in one storm at most: those that take the place of killed ones included
	desks   = 2
	heading = 16 // bytes at the beginning of each connection that say whose it is
)

var deskOptions = ring.ListenOptions{Buffer: 2048, Backlog: 2}

// A connNote is how many bytes of a caller's Nth connection were written, or read.
type connNote struct {
	By, N, Bytes int64
	What         connWhat
}

type connWhat int64

const (
	connWrote   connWhat = iota
	connEnded            // read to the end
	connDropped          // read so far
)

// Conns are one process's handles.
type Conns struct {
	r     *shm.Region
	notes *ring.Queue[connNote]
	begun *atomics.Array[int64] // by caller: its last connection, of which
	noted *atomics.Array[int64] // so many bytes are written at least,
	most  *atomics.Array[int64] // and at most
	stop  *atomics.Value[int32]
}

// OpenConns finds the connections of a storm, or makes them.
func OpenConns(r *shm.Region) (*Conns, error) {
	s := &Conns{r: r}
	var errs [5]error
	s.notes, errs[0] = ring.OpenQueue[connNote](r, "conns-notes", &ring.QueueOptions{Capacity: 50})
	s.begun, errs[1] = atomics.OpenArray[int64](r, "conns-begun", Callers)
	s.noted, errs[2] = atomics.OpenArray[int64](r, "conns-noted", Callers)
	s.most, errs[3] = atomics.OpenArray[int64](r, "conns-most", Callers)
	s.stop, errs[4] = atomics.OpenValue(r, "conns-stop", int32(0))
	return s, errors.Join(errs[:]...)
}

func deskName(i int) string { return fmt.Sprint("desk-", i) }

// connBytes are those of a connection from there on.
func connBytes(p []byte, by, n, at int64) []byte {
	for i := range p {
		p[i] = byte((by*31 + n*7 + at + int64(i)) % 251)
	}
	if at == 0 {
		binary.LittleEndian.PutUint64(p, uint64(by))
		binary.LittleEndian.PutUint64(p[8:], uint64(n))
	}
	return p
}

// passOn passes on what is due, and keeps what is not passed on.
func (s *Conns) passOn(due *[]connNote) error {
	for len(*due) > 0 {
		if err := s.notes.Put(context.Background(), (*due)[0]); err != nil {
			return err
		}
		*due = (*due)[1:]
	}
	return nil
}

// A Caller dials and writes. It outlives the region, and so does what it has to pass on.
type Caller struct {
	Me  int
	n   int64
	due []connNote
}

// Work dials until the storm ends, which is nil, or the region is closed.
func (c *Caller) Work(s *Conns) error {
	for {
		if err := s.passOn(&c.due); err != nil || s.stop.Load() != 0 {
			return err
		}
		ctx, cancel := aWhile()
		conn, err := ring.Dial(ctx, s.r, deskName(rand.IntN(desks)))
		cancel()
		switch {
		case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, shm.ErrNoSpace), errors.Is(err, context.DeadlineExceeded):
			time.Sleep(rand.N(500 * time.Microsecond))
			continue
		case err != nil:
			return err
		}
		c.n++
		s.noted.Store(c.Me, 0) // the last one's are passed on
		s.most.Store(c.Me, 0)
		s.begun.Store(c.Me, c.n)
		told, err := c.write(s, conn)
		conn.Close()
		c.due = append(c.due, connNote{int64(c.Me), c.n, told, connWrote})
		if err != nil {
			return err
		}
	}
}

// write writes some pieces, and says how many bytes that was by what it was told.
func (c *Caller) write(s *Conns, conn net.Conn) (told int64, err error) {
	for range 1 + rand.IntN(12) {
		p := connBytes(make([]byte, heading+rand.IntN(4000)), int64(c.Me), c.n, told)
		if told > 0 && rand.IntN(8) == 0 {
			conn.SetWriteDeadline(time.Now().Add(rand.N(time.Millisecond)))
		}
		s.most.Store(c.Me, told+int64(len(p)))
		n, err := conn.Write(p)
		told += int64(n)
		s.noted.Store(c.Me, told)
		var e net.Error
		switch {
		case errors.Is(err, syscall.EPIPE): // the reader has ended it
			return told, nil
		case errors.As(err, &e) && e.Timeout():
			conn.SetWriteDeadline(time.Time{})
		case err != nil:
			return told, err
		}
	}
	return told, nil
}

// A Desk listens and reads, where nobody else does. It outlives the region as a Caller does.
type Desk struct{ due []connNote }

// Work listens until the storm ends, which is nil, or the region is closed.
func (d *Desk) Work(s *Conns) error {
	for {
		if err := s.passOn(&d.due); err != nil || s.stop.Load() != 0 {
			return err
		}
		l, err := ring.Listen(s.r, deskName(rand.IntN(desks)), &deskOptions)
		if errors.Is(err, syscall.EADDRINUSE) {
			time.Sleep(rand.N(2 * time.Millisecond))
			continue
		}
		if err != nil {
			return err
		}
		if err := d.attend(s, l); err != nil {
			return err
		}
	}
}

// attend reads some connections.
func (d *Desk) attend(s *Conns, l net.Listener) error {
	left := make(chan bool)
	defer close(left)
	go func() { // Accept has no context
		defer l.Close()
		for s.stop.Load() == 0 {
			select {
			case <-left:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	for range 1 + rand.IntN(100) {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) && !errors.Is(err, shm.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		note, err := read(c)
		c.Close()
		d.due = append(d.due, note)
		if err != nil {
			return err
		}
		if err := s.passOn(&d.due); err != nil {
			return err
		}
	}
	return nil
}

// read reads a connection, to its end or not. Of one that has not said whose it is By is -1.
func read(c net.Conn) (note connNote, err error) {
	note = connNote{By: -1, What: connDropped}
	var head [heading]byte
	if n, err := io.ReadFull(c, head[:]); err != nil {
		if err == io.EOF && n == 0 {
			note.What, err = connEnded, nil
		}
		return note, err
	}
	note.By, note.N, note.Bytes = int64(binary.LittleEndian.Uint64(head[:])), int64(binary.LittleEndian.Uint64(head[8:])), heading
	p, want := make([]byte, 3000), make([]byte, 3000)
	for rand.IntN(300) > 0 {
		n, err := c.Read(p[:1+rand.IntN(len(p))])
		connBytes(want[:n], note.By, note.N, note.Bytes)
		if string(p[:n]) != string(want[:n]) {
			return note, fmt.Errorf("the bytes at %d of connection %d of %d are not those that were written", note.Bytes, note.N, note.By)
		}
		note.Bytes += int64(n)
		if err == io.EOF {
			note.What = connEnded
			return note, nil
		}
		if err != nil {
			return note, err
		}
		if rand.IntN(100) == 0 {
			time.Sleep(rand.N(time.Millisecond)) // and there is no room
		}
	}
	return note, nil
}

// A Ledger compares what was written with what was read; it is where nobody is killed.
type Ledger struct {
	s       *Conns
	ended   chan error
	both    int // connections of which both have told
	bytes   int64
	silent  int // written by a caller that wrote nothing
	nothing int // read to the end, and nothing came
	dropped int // before they said whose they were
	half    map[[2]int64]connNote
}

// Ledger makes the names, and compares until the queue of notes ends.
func (s *Conns) Ledger(t testing.TB) *Ledger {
	t.Helper()
	for i := range desks {
		testproc.OK(t, testproc.Get(ring.Listen(s.r, deskName(i), &deskOptions))(t).Close())
	}
	y := &Ledger{s: s, ended: make(chan error, 1), half: map[[2]int64]connNote{}}
	go func() {
		for note, err := range s.notes.All(context.Background()) {
			if err != nil {
				y.ended <- err
				return
			}
			y.add(t, note)
		}
		y.ended <- nil
	}()
	return y
}

func (y *Ledger) add(t testing.TB, note connNote) {
	switch {
	case note.By < 0 && note.What == connEnded:
		y.nothing++
		return
	case note.By < 0:
		y.dropped++
		return
	case note.What == connWrote && note.Bytes == 0:
		y.silent++
		return
	}
	of := [2]int64{note.By, note.N}
	other, ok := y.half[of]
	if !ok {
		y.half[of] = note
		return
	}
	delete(y.half, of)
	wrote, read := note, other
	if read.What == connWrote {
		wrote, read = read, wrote
	}
	if wrote.What != connWrote || read.What == connWrote {
		t.Errorf("connection %d of %d was told of twice: %v, %v", note.N, note.By, other, note)
	}
	y.both++
	y.bytes += read.Bytes
	within(t, read, wrote.Bytes, wrote.Bytes)
}

// within holds what was read against what was written, so much at least and at most.
func within(t testing.TB, read connNote, least, most int64) {
	if read.Bytes > most || read.What == connEnded && read.Bytes < least {
		t.Errorf("of connection %d of %d %d to %d bytes were written, and %d read; to the end: %v",
			read.N, read.By, least, most, read.Bytes, read.What == connEnded)
	}
}

// Begun waits until somebody has dialled.
func (y *Ledger) Begun(t testing.TB, callers int) {
	t.Helper()
	begun(t, y.s.begun, callers)
}

// Stop ends the Callers and the Desks.
func (s *Conns) Stop() { s.stop.Store(1) }

// Balance is when all have ended, so many callers, of whom some were killed, and a desk with
// each.
func (y *Ledger) Balance(t testing.TB, callers, kills int) (both int, bytes int64) {
	t.Helper()
	testproc.OK(t, y.s.notes.Shutdown())
	testproc.OK(t, <-y.ended)
	unread, unwritten := 0, 0
	for of, note := range y.half {
		if note.What == connWrote {
			unread++
			continue
		}
		unwritten++
		by := int(of[0])
		if by >= callers || y.s.begun.Load(by) != of[1] {
			t.Errorf("connection %d of %d was read, and nobody has dialled it: %v", of[1], by, note)
			continue
		}
		within(t, note, y.s.noted.Load(by), y.s.most.Load(by))
	}
	if unwritten > kills || y.nothing > y.silent+kills || unread > y.dropped+2*kills { // one in hands, and a note
		t.Errorf("%d connections were read of callers that were killed, %d written that nobody has read, %d that ended with nothing, for %d that nothing was written to, %d dropped; with %d kills",
			unwritten, unread, y.nothing, y.silent, y.dropped, kills)
	}
	if y.both+y.dropped+y.silent == 0 {
		t.Error("nobody was connected")
	}
	return y.both, y.bytes
}
