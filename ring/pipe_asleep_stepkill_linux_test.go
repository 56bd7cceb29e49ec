package ring_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill"
)

// A victim is killed after every instruction of what it does at the left end of a pipe, while
// others sleep at either end. Nobody but the victim, or its recovery, wakes them.

// A pipeScene is a state of a pipe, and what a victim does then. Of each way two letters take
// all the room.
type pipeScene struct {
	name  string
	alone bool                             // nobody else has the left end
	full  []ring.End                       // the ends that have sent two letters
	gone  bool                             // the right end is, once the victim has prepared
	do    func(c *ring.Conn[string]) error // once
	peers []stepkill.Op                    // asleep
	wake  func(p *pipePlay)                // when the victim is asleep
	after func(p *pipePlay, low int)       // it has done that so often, or once
}

var stepOther = strings.ToUpper(stepLetter)

var pipeScenes = []pipeScene{
	{name: "send, a receiver asleep", do: sendLetter, peers: []stepkill.Op{rightReceives}, after: afterSend},
	{name: "send, full", full: []ring.End{ring.Left}, do: sendLetter, wake: takeLetter, after: afterSendFull},
	{name: "send, full, another asleep", full: []ring.End{ring.Left}, do: sendLetter, peers: []stepkill.Op{leftSends}, wake: takeLetters, after: afterSendBeside},
	{name: "receive, a sender asleep", full: []ring.End{ring.Right}, do: takeOneLetter, peers: []stepkill.Op{rightSends}, after: afterReceive},
	{name: "receive into, a sender asleep", full: []ring.End{ring.Right}, do: takeLetterInto, peers: []stepkill.Op{rightSends}, after: afterReceive},
	{name: "receive, empty, another asleep", do: takeOneLetter, peers: []stepkill.Op{leftReceives}, wake: sendLetters, after: afterReceiveBeside},
	{name: "poll, another asleep", do: pollLetter, peers: []stepkill.Op{leftReceives}, wake: sendLetters, after: afterPoll},
	{name: "send, nobody there", gone: true, do: sendToNobody, after: afterSendToNobody},
	{name: "send, full, until nobody is there", full: []ring.End{ring.Left}, do: sendToNobody, wake: closeRight, after: afterSendToNobody},
	{name: "receive to the end", full: []ring.End{ring.Right}, gone: true, do: takeToTheEnd, after: afterTheEnd},
	{name: "receive, empty, until the end", do: takeToTheEnd, wake: closeRight, after: afterTheEnd},
	{name: "close, alone, all asleep", alone: true, full: []ring.End{ring.Right}, do: closeEnd, peers: []stepkill.Op{rightReceives, rightSends}, after: afterClose},
}

func sendLetter(c *ring.Conn[string]) error {
	return times(1, func(int) error { return c.Send(bg, stepLetter) })
}

func takeOneLetter(c *ring.Conn[string]) error {
	return times(1, func(int) error { _, err := c.Recv(bg); return err })
}

func takeLetterInto(c *ring.Conn[string]) error {
	var v string
	return times(1, func(int) error { return c.RecvInto(bg, &v) })
}

func sendToNobody(c *ring.Conn[string]) error {
	if err := c.Send(bg, stepLetter); !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("Send = %v", err)
	}
	return nil
}

// takeToTheEnd notes each.
func takeToTheEnd(c *ring.Conn[string]) error {
	for n := 1; ; n++ {
		if _, err := c.Recv(bg); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		stepkill.Note(n)
	}
}

func pollLetter(c *ring.Conn[string]) error {
	return times(1, func(int) error { return c.Poll(bg) })
}

func closeEnd(c *ring.Conn[string]) error { return times(1, func(int) error { return c.Close() }) }

var (
	leftReceives, rightReceives = receives("left", ring.Left), receives("right", ring.Right)
	leftSends, rightSends       = sends("left", ring.Left), sends("right", ring.Right)

	besideOps = map[string]stepkill.Op{}
	_         = registerBeside()
)

// A peer that receives notes how many it has got, to the end.
func receives(name string, end ring.End) stepkill.Op {
	return stepkill.Register("peer receives at the "+name, func(r *shm.Region) (func() error, error) {
		c, err := stepPipe(r, "p", end)
		return func() error {
			for n := 1; ; n++ {
				if _, err := c.Recv(bg); errors.Is(err, io.EOF) {
					return nil
				} else if err != nil {
					return err
				}
				stepkill.Note(n)
			}
		}, err
	})
}

// A peer that sends one letter notes -1 if the other end is gone.
func sends(name string, end ring.End) stepkill.Op {
	return stepkill.Register("peer sends at the "+name, func(r *shm.Region) (func() error, error) {
		c, err := stepPipe(r, "p", end)
		return func() error {
			err := c.Send(bg, stepOther)
			if errors.Is(err, syscall.EPIPE) {
				stepkill.Note(-1)
				return nil
			}
			return err
		}, err
	})
}

func registerBeside() bool {
	for _, sc := range pipeScenes {
		besideOps[sc.name] = stepkill.Rehearsed("pipe: "+sc.name, "p", func(r *shm.Region, name string) (func() error, error) {
			c, err := stepPipe(r, name, ring.Left)
			if err != nil || name != stepkill.Rehearsal {
				return func() error { return sc.do(c) }, err
			}
			other, err := stepPipe(r, name, ring.Right)
			return func() error {
				err := errors.Join(other.Send(bg, stepLetter), c.Poll(bg), c.Send(bg, stepLetter))
				_, got := c.Recv(bg)
				err = errors.Join(err, got, other.Send(bg, stepLetter), takeLetterInto(c), other.Close(), takeToTheEnd(c), sendToNobody(c))
				return errors.Join(err, c.Close())
			}, err
		})
	}
	return true
}

func TestPipeBesideSleepersKilledAnywhere(t *testing.T) {
	for _, sc := range stepkill.Some(t, pipeScenes...) {
		t.Run(sc.name, func(t *testing.T) {
			stepkill.Every(t, besideOps[sc.name], func(t *testing.T, s *stepkill.Stage) { sc.play(t, s) })
		})
	}
}

// A pipePlay is one death.
type pipePlay struct {
	*testing.T
	d           stepkill.Death
	left, right *ring.Conn[string]
	peers       []*stepkill.Peer
	over        func() bool
}

func (sc pipeScene) play(t *testing.T, s *stepkill.Stage) {
	ctx := stepkill.Watchdog(t)
	p := &pipePlay{T: t, over: func() bool { return ctx.Err() != nil }}
	var err error
	if p.right, err = stepPipe(s.Region, "p", ring.Right); err != nil {
		t.Fatal(err)
	}
	if !sc.alone {
		if p.left, err = stepPipe(s.Region, "p", ring.Left); err != nil {
			t.Fatal(err)
		}
	}
	p.right.Begin(lettersFrom)
	for _, end := range sc.full {
		for range 2 {
			if err := p.at(end).Send(ctx, stepOther); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.OnReady(func() {
		if sc.gone {
			closeRight(p)
		}
		for _, op := range sc.peers {
			peer := s.StartBlocked(op)
			peer.Asleep()
			p.peers = append(p.peers, peer)
		}
	})
	var wake func()
	if sc.wake != nil {
		wake = func() { sc.wake(p) }
	}
	p.d = s.Die(wake)
	p.until("it has not been recovered", func() bool { return len(s.Region.Participants()) == 1+len(p.peers) })
	low := p.d.Note
	if p.d.Returned {
		low = 1
	}
	sc.after(p, low)
}

func (p *pipePlay) at(end ring.End) *ring.Conn[string] {
	if end == ring.Left {
		return p.left
	}
	return p.right
}

const letterFrame = 8 + (len(stepLetter)+7)/8*8

// letters is how many were sent by an end, and received.
func (p *pipePlay) letters(end ring.End) (sent, received int) {
	w, r := p.right.Way(end)
	return int(w-lettersFrom) / letterFrame, int(r-lettersFrom) / letterFrame
}

func (p *pipePlay) until(what string, ok func() bool) {
	p.Helper()
	for ; !ok(); time.Sleep(50 * time.Microsecond) {
		if p.over() {
			p.Fatalf("after a death %v: %s", p.d, what)
		}
	}
}

// between holds what the victim has done against what it may have.
func (p *pipePlay) between(what string, n, low int) {
	p.Helper()
	if n < low || n > 1 {
		p.Fatalf("after a death %v: %s %d, want %d to 1", p.d, what, n, low)
	}
}

func (p *pipePlay) send(end ring.End) {
	p.Helper()
	if err := p.at(end).Send(bg, stepOther); err != nil {
		p.Errorf("after a death %v: %v", p.d, err)
	}
}

// take receives a letter at an end, and reports whether it is the victim's.
func (p *pipePlay) take(end ring.End) bool {
	p.Helper()
	v, err := p.at(end).Recv(bg)
	if err != nil || v != stepOther && v != stepLetter {
		p.Errorf("after a death %v: %q, %v", p.d, v, err)
	}
	return v == stepLetter
}

func takeLetter(p *pipePlay) { p.take(ring.Right) }

func closeRight(p *pipePlay) {
	if err := p.right.Close(); err != nil {
		p.Error(err)
	}
}

// takeLetters makes room for both that wait. They come to the lock at once, or one finds the
// other's room taken and sleeps again.
func takeLetters(p *pipePlay) {
	takeLetter(p)
	time.Sleep(time.Millisecond)
	takeLetter(p)
}

// sendLetters sends one for the peer, which has slept for longer, and when that sleeps again
// one for the victim.
func sendLetters(p *pipePlay) {
	p.send(ring.Right)
	p.until("a letter lies there", func() bool { sent, received := p.letters(ring.Right); return sent == received })
	p.peers[0].Asleep() // again, or still, where the victim had it
	p.send(ring.Right)
}

func afterSend(p *pipePlay, low int) {
	sent, _ := p.letters(ring.Left)
	p.between("sent", sent, low)
	p.until("the receiver sleeps", func() bool { return p.peers[0].Note() == sent })
	p.send(ring.Left)
	p.until("the receiver sleeps then", func() bool { return p.peers[0].Note() == sent+1 })
}

// afterSendFull receives all that is there: the victim's is the last, and comes once.
func afterSendFull(p *pipePlay, low int) {
	sent, received := p.letters(ring.Left)
	p.between("sent", sent-2, low)
	for n := received + 1; n <= sent; n++ {
		if p.take(ring.Right) != (n == 3) {
			p.Errorf("after a death %v: letter %d of %d is another's", p.d, n, sent)
		}
	}
}

func afterSendBeside(p *pipePlay, low int) {
	theirs := 0
	for {
		returned := p.peers[0].Returned()
		sent, received := p.letters(ring.Left)
		if returned && sent == received {
			break
		}
		if received < sent {
			if p.take(ring.Right) {
				theirs++
			}
		} else if time.Sleep(50 * time.Microsecond); p.over() {
			p.Fatalf("after a death %v: a sender sleeps", p.d)
		}
	}
	p.between("sent", theirs, low)
	if sent, _ := p.letters(ring.Left); sent != 3+theirs {
		p.Errorf("after a death %v: %d letters were sent, %d of them the dead one's", p.d, sent, theirs)
	}
}

func afterReceive(p *pipePlay, low int) {
	_, received := p.letters(ring.Right)
	p.between("received", received, low)
	if received == 0 {
		p.take(ring.Left)
	}
	p.until("the sender sleeps", p.peers[0].Returned)
	for range 2 {
		p.take(ring.Left)
	}
	if sent, received := p.letters(ring.Right); sent != 3 || received != 3 {
		p.Errorf("after a death %v: %d letters were sent, %d received", p.d, sent, received)
	}
}

func afterReceiveBeside(p *pipePlay, low int) {
	all := func() (sent int) {
		p.Helper()
		sent, _ = p.letters(ring.Right)
		p.until("a receiver sleeps", func() bool { _, received := p.letters(ring.Right); return received == sent })
		p.until("a receiver sleeps", func() bool { return p.peers[0].Note() >= sent-1 })
		return sent
	}
	all()
	p.send(ring.Right)
	sent := all()
	if low == 1 || p.d.Asleep {
		p.until("a receiver sleeps", func() bool { return p.peers[0].Note() == sent-low })
	}
	p.between("received", sent-p.peers[0].Note(), low)
}

func afterSendToNobody(p *pipePlay, _ int) {
	closeRight(p) // it died before it slept
	if sent, received := p.letters(ring.Left); sent%2 != 0 || received != 0 {
		p.Errorf("after a death %v: %d letters were sent, %d received", p.d, sent, received)
	}
	if err := p.left.Send(stepkill.Watchdog(p.T), stepOther); !errors.Is(err, syscall.EPIPE) {
		p.Errorf("after a death %v: Send = %v", p.d, err)
	}
}

// afterTheEnd receives what the victim has left. The end is there for all.
func afterTheEnd(p *pipePlay, _ int) {
	closeRight(p) // it died before it slept
	sent, received := p.letters(ring.Right)
	low, high := p.d.Note, min(p.d.Note+1, sent)
	if p.d.Returned {
		low = sent
	}
	if received < low || received > high {
		p.Errorf("after a death %v: received %d, want %d to %d", p.d, received, low, high)
	}
	for range sent - received {
		p.take(ring.Left)
	}
	for range 2 {
		if v, err := p.left.Recv(stepkill.Watchdog(p.T)); !errors.Is(err, io.EOF) {
			p.Errorf("after a death %v: Recv = %q, %v", p.d, v, err)
		}
	}
}

func afterPoll(p *pipePlay, _ int) {
	sent, _ := p.letters(ring.Right)
	p.until("a receiver sleeps", func() bool { return p.peers[0].Note() == sent })
	p.send(ring.Right)
	p.until("a receiver sleeps then", func() bool { return p.peers[0].Note() == sent+1 })
}

func afterClose(p *pipePlay, _ int) {
	p.until("a receiver has no end", p.peers[0].Returned)
	p.until("a sender has no end", p.peers[1].Returned)
	if p.peers[0].Note() != 0 || p.peers[1].Note() != -1 {
		p.Errorf("after a death %v: %d letters were received, and a sender has %d", p.d, p.peers[0].Note(), p.peers[1].Note())
	}
}
