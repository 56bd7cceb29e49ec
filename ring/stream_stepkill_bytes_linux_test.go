package ring_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill"
)

// A victim is killed after every instruction of what an end does, the dialer's and the
// acceptor's, in each state that the rings and the peer can be in. The survivor at the other
// end reads a first part of what was written, all of it if the Write has returned, and then
// the end: io.EOF, or a reset if the victim has left something unread. It is never left
// asleep, and all memory comes back.

const ringful = 64 // stepListen's Buffer

var (
	dots    = strings.Repeat(".", ringful)
	letters = "abcdefgh"
	digits  = "12345678"
)

// A byteStep is an operation in a state. The victim's are prepare and run, the survivor's the
// others.
type byteStep struct {
	name    string
	prepare string                         // what the victim writes before
	takes   int                            // and reads
	file    string                         // what its file has, which run finds as victimFile
	run     func(c *ring.StreamConn) error // the operation
	writes  string                         // what it writes
	reads   int                            // and reads

	meet  string            // what the survivor writes when there is a connection
	ready func(p *survivor) // when the victim stands before its operation
	wake  func(p *survivor) // when it is asleep
}

// A survivor is the other end.
type survivor struct {
	*ring.StreamConn
	t       *testing.T
	r       *shm.Region
	ctx     context.Context
	read    strings.Builder // so far
	end     error           // what ended the reading
	wrote   int
	asleep  chan error // of each call that is asleep, its result
	waiting int
	gone    bool // it reads no more
}

func (p *survivor) says(s string) {
	n, err := p.Write([]byte(s))
	if p.wrote += n; err != nil {
		p.t.Errorf("Write = %v", err)
	}
}

// saysAll says the last that it says.
func (p *survivor) saysAll() {
	p.says(digits)
	if err := p.CloseWrite(); err != nil {
		p.t.Errorf("CloseWrite = %v", err)
	}
}

func (p *survivor) takes(n int) {
	b := make([]byte, n)
	k, err := io.ReadFull(p, b)
	if p.read.Write(b[:k]); err != nil {
		p.t.Errorf("Read = %v", err)
	}
}

func (p *survivor) leaves() {
	p.gone = true
	p.Close()
}

// sleeps has a call of the survivor asleep.
func (p *survivor) sleeps(call func() error) {
	p.waiting++
	go func() { p.asleep <- call() }()
	for {
		n := 0
		for _, o := range testproc.Get(p.r.Snapshot())(p.t).Streams {
			for _, w := range o.Waits {
				if w.PID == os.Getpid() {
					n += w.N
				}
			}
		}
		if n+len(p.asleep) >= p.waiting || p.ctx.Err() != nil { // or it needed not wait
			return
		}
		time.Sleep(100 * time.Microsecond)
	}
}

func (p *survivor) readsAsleep() {
	p.sleeps(func() error {
		b := make([]byte, ringful)
		n, err := p.Read(b)
		p.read.Write(b[:n])
		p.end = err
		return nil
	})
}

func (p *survivor) writesAsleep(s string) {
	p.sleeps(func() error {
		n, err := p.Write([]byte(s))
		p.wrote += n
		if err != nil && !errors.Is(err, syscall.EPIPE) {
			return err
		}
		return nil
	})
}

// refused is nil where a Write finds that nobody reads.
func refused(c *ring.StreamConn, s string) error {
	if _, err := c.Write([]byte(s)); !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("Write = %w", err)
	}
	return nil
}

func writesAll(s string) func(c *ring.StreamConn) error {
	return func(c *ring.StreamConn) error { _, err := c.Write([]byte(s)); return err }
}

func readsAll(n int) func(c *ring.StreamConn) error {
	return func(c *ring.StreamConn) error { _, err := io.ReadFull(c, make([]byte, n)); return err }
}

func endOf(c *ring.StreamConn) error {
	if n, err := c.Read(make([]byte, 1)); err != io.EOF {
		return fmt.Errorf("Read = %d, %v", n, err)
	}
	return nil
}

var byteSteps = []byteStep{
	{name: "write, empty", run: writesAll(letters), writes: letters},
	{name: "write, wrapped", prepare: dots[:60], ready: func(p *survivor) { p.takes(60) }, run: writesAll(letters), writes: letters},
	{name: "write, full", prepare: dots, run: writesAll(letters), writes: letters, wake: func(p *survivor) { p.takes(ringful) }},
	{name: "write, more than there is room for", prepare: dots[:60], run: writesAll(letters), writes: letters, wake: func(p *survivor) { p.takes(4) }},
	{name: "write, the peer asleep", ready: (*survivor).readsAsleep, run: writesAll(letters), writes: letters},
	{name: "write, the peer gone", ready: (*survivor).leaves,
		run: func(c *ring.StreamConn) error { return refused(c, letters) }},
	{name: "write, full, the peer goes", prepare: dots, wake: (*survivor).leaves,
		run: func(c *ring.StreamConn) error { return refused(c, letters) }},
	{name: "write, full, the peer reads no more", prepare: dots, wake: func(p *survivor) { p.takes(1); p.gone = true; p.CloseRead() },
		run: func(c *ring.StreamConn) error { return refused(c, letters) }},
	{name: "read, not empty", ready: func(p *survivor) { p.says(digits) }, run: readsAll(len(digits)), reads: len(digits)},
	{name: "read, wrapped", meet: dots[:60], takes: 60, ready: func(p *survivor) { p.says(digits) }, run: readsAll(len(digits)), reads: len(digits)},
	{name: "read, empty", wake: func(p *survivor) { p.says(digits) }, run: readsAll(len(digits)), reads: len(digits)},
	{name: "read, full, the peer asleep", meet: dots, ready: func(p *survivor) { p.writesAsleep(digits) }, run: readsAll(ringful), reads: ringful},
	{name: "read, the peer gone", ready: func(p *survivor) { p.says(digits); p.leaves() },
		run: func(c *ring.StreamConn) error { return errors.Join(readsAll(len(digits))(c), endOf(c)) }, reads: len(digits)},
	{name: "read, empty, the peer goes", wake: (*survivor).leaves, run: endOf},
	{name: "read, empty, the peer writes no more", wake: func(p *survivor) { p.CloseWrite() }, run: endOf},
	{name: "close write, the peer asleep", ready: (*survivor).readsAsleep, run: (*ring.StreamConn).CloseWrite},
	{name: "close write, not empty", prepare: letters, run: (*ring.StreamConn).CloseWrite},
	{name: "close write, the peer gone", ready: (*survivor).leaves, run: (*ring.StreamConn).CloseWrite},
	{name: "close read, the peer asleep", meet: dots, ready: func(p *survivor) { p.writesAsleep(digits) }, run: (*ring.StreamConn).CloseRead},
	{name: "close read, empty", run: (*ring.StreamConn).CloseRead},
	{name: "close, the peer asleep at both", meet: dots, ready: func(p *survivor) { p.writesAsleep(digits); p.readsAsleep() }, run: (*ring.StreamConn).Close},
	{name: "close, full both ways", prepare: dots, meet: dots, run: (*ring.StreamConn).Close},
	{name: "copy from a file", file: letters, run: copiesIn, writes: letters},
	{name: "copy from a file, wrapped", file: letters, prepare: dots[:60], ready: func(p *survivor) { p.takes(60) }, run: copiesIn, writes: letters},
	{name: "copy from a file, full, the peer asleep", file: letters, prepare: dots, run: copiesIn, writes: letters,
		wake: func(p *survivor) { p.takes(ringful); p.readsAsleep() }},
	{name: "copy to a file", ready: (*survivor).saysAll, run: copiesOut, reads: len(digits)},
	{name: "copy to a file, empty", wake: (*survivor).saysAll, run: copiesOut, reads: len(digits)},
	{name: "copy to a connection", ready: (*survivor).saysAll, run: copiesBack, writes: digits, reads: len(digits)},
	{name: "copy to a connection, full", prepare: dots, ready: (*survivor).saysAll, run: copiesBack, writes: digits, reads: len(digits),
		wake: func(p *survivor) { p.takes(ringful) }},
}

var victimFile *os.File

// hasFile gives the victim its file.
func (st *byteStep) hasFile() (err error) {
	victimFile, err = os.CreateTemp("", "step")
	if err == nil {
		_, err = victimFile.WriteString(st.file)
	}
	if err == nil {
		_, err = victimFile.Seek(0, io.SeekStart)
	}
	return errors.Join(err, os.Remove(victimFile.Name()))
}

// What io.Copy does without a copy of its own.
func copiesIn(c *ring.StreamConn) error   { _, err := c.ReadFrom(victimFile); return err }
func copiesOut(c *ring.StreamConn) error  { _, err := c.WriteTo(victimFile); return err }
func copiesBack(c *ring.StreamConn) error { _, err := c.WriteTo(c); return err }

// byteOps are the victims, by the end that they have.
var byteOps = func() map[string]map[string]stepkill.Op {
	byteOps := map[string]map[string]stepkill.Op{}
	for _, end := range []string{"dialer", "acceptor"} {
		byteOps[end] = map[string]stepkill.Op{}
		for _, st := range byteSteps {
			byteOps[end][st.name] = streamOp("the "+end+": "+st.name, func(r *shm.Region) (func() error, error) {
				c, err := victimConn(r, end)
				if err == nil {
					_, err = c.Write([]byte(st.prepare))
				}
				if err == nil {
					_, err = io.ReadFull(c, make([]byte, st.takes))
				}
				if err == nil && strings.HasPrefix(st.name, "copy ") {
					err = st.hasFile()
				}
				return func() error { return st.run(c.(*ring.StreamConn)) }, err
			})
		}
	}
	return byteOps
}()

func victimConn(r *shm.Region, end string) (c net.Conn, err error) {
	if end == "dialer" {
		return dialled(r)
	}
	if keptListener, err = stepListen(r, "svc"); err != nil {
		return nil, err
	}
	return keptListener.Accept()
}

func TestDialerKilledAnywhere(t *testing.T)   { killedAtBytes(t, "dialer") }
func TestAcceptorKilledAnywhere(t *testing.T) { killedAtBytes(t, "acceptor") }

func killedAtBytes(t *testing.T, end string) {
	steps := byteSteps
	if i, all := stepkill.Pick(t, end, len(steps)); !all {
		steps = steps[i : i+1]
	}
	for _, st := range steps {
		t.Run(st.name, func(t *testing.T) {
			stepkill.Every(t, byteOps[end][st.name], func(t *testing.T, s *stepkill.Stage) { st.play(t, s, end) })
		})
	}
}

// play is one death.
func (st *byteStep) play(t *testing.T, s *stepkill.Stage, end string) {
	var l net.Listener
	conns := make(chan net.Conn, 1)
	p := &survivor{t: t, r: s.Region, ctx: stepkill.Watchdog(t), asleep: make(chan error, 2)}
	begin := func(c net.Conn, err error) {
		if err != nil {
			t.Errorf("no connection: %v", err)
		} else if _, err := c.Write([]byte(st.meet)); err != nil {
			t.Error(err)
		}
		conns <- c
	}
	if end == "dialer" {
		l = testproc.Get(stepListen(s.Region, "svc"))(t)
		go func() { begin(l.Accept()) }()
	} else {
		go func() { begin(dialled(s.Region)) }()
	}
	s.OnReady(func() {
		c := <-conns
		if c == nil {
			t.FailNow()
		}
		p.StreamConn, p.wrote = c.(*ring.StreamConn), len(st.meet)
		if st.ready != nil {
			st.ready(p)
		}
	})
	wake := func() { st.wake(p) }
	if st.wake == nil {
		wake = nil
	}
	d := s.Die(wake)
	for range p.waiting {
		select {
		case err := <-p.asleep:
			if err != nil {
				t.Errorf("after a death %v: %v", d, err)
			}
		case <-p.ctx.Done():
			t.Fatalf("after a death %v: the survivor sleeps on:\n%v", d, testproc.Get(s.Region.Snapshot())(t))
		}
	}
	if !p.gone {
		st.check(p, d)
	}
	p.Close()
	servedAgain(t, d, s.Region, l)
}

// check reads to the end.
func (st *byteStep) check(p *survivor, d stepkill.Death) {
	t := p.t
	p.SetDeadline(time.Now().Add(testproc.Patience))
	if p.end == nil {
		b, err := io.ReadAll(p)
		p.read.Write(b)
		if p.end = err; err == nil {
			p.end = io.EOF
		}
	}
	got, all := p.read.String(), st.prepare+st.writes
	if !strings.HasPrefix(all, got) || !strings.HasPrefix(got, st.prepare) || d.Returned && got != all {
		t.Errorf("after a death %v: read %q of %q", d, got, all)
	}
	left := p.wrote - st.takes // unread, if the operation did not read it
	switch reset := errors.Is(p.end, syscall.ECONNRESET); {
	case !reset && p.end != io.EOF:
		t.Errorf("after a death %v: Read = %v", d, p.end)
	case reset && strings.Contains(got, digits):
		t.Errorf("after a death %v: Read = %v, of a peer that had written what it read: %q", d, p.end, got)
	case reset && left == 0, !reset && left > st.reads, d.Returned && reset != (left > st.reads) && st.closesWhole():
		t.Errorf("after a death %v: Read = %v; %d bytes were written, %d read before, %d in the end", d, p.end, p.wrote, st.takes, st.reads)
	}
	for {
		_, err := p.Write([]byte("x"))
		if errors.Is(err, syscall.EPIPE) {
			return
		}
		if err != nil {
			t.Fatalf("after a death %v: Write = %v", d, err)
		}
		time.Sleep(100 * time.Microsecond) // its death is not proven yet, and the end was its CloseWrite's
	}
}

// closesWhole is for the operations of which the end is seen only after the victim's death.
func (st *byteStep) closesWhole() bool { return !strings.HasPrefix(st.name, "close write") }
