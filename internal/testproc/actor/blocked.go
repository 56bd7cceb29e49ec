package actor

import (
	"strings"
	"time"

	"example.com/tandem/internal/testproc"
)

// Blocked waits until the call is asleep on the object that its first argument
// names, or at a connection that was dialled under that: until the region shows as many sleeping calls of the actor's process
// on that object as Blocked has been asked of and have not been answered, this
// one included. It fails the test if the call is answered instead.
func (c *Call) Blocked() {
	w := c.Actor.World
	w.T.Helper()
	c.asleep = true
	for begin := time.Now(); w.waits(c) < w.wanted(c); time.Sleep(200 * time.Microsecond) {
		if c.Done() {
			break
		}
		if time.Since(begin) > testproc.Patience {
			w.Fatal("%v does not get to sleep", c)
		}
	}
	c.StillBlocked()
}

// StillBlocked fails the test if the call has been answered.
func (c *Call) StillBlocked() {
	c.Actor.World.T.Helper()
	if c.Done() {
		c.Actor.World.Fatal("%v = %q, want it to block", c, c.Answer())
	}
}

// wanted counts the calls of c's process that are to be asleep on c's object.
func (w *World) wanted(c *Call) (n int) {
	for _, a := range w.started {
		if a.PID != c.Actor.PID {
			continue
		}
		for _, d := range a.calls {
			if d.asleep && d.Args[0] == c.Args[0] && d.atStream() == c.atStream() && !d.Done() {
				n++
			}
		}
	}
	return n
}

// waits counts the calls of c's process that the region shows asleep on c's
// object.
func (w *World) waits(c *Call) (n int) {
	w.T.Helper()
	s, err := w.Region.Snapshot()
	if err != nil {
		w.T.Fatal(err)
	}
	in := s.Objects
	if c.atStream() {
		in = s.Streams
	}
	for i := range in {
		if in[i].Name != c.Args[0] {
			continue
		}
		for _, h := range in[i].Waits {
			if h.PID == c.Actor.PID {
				n += h.N
			}
		}
	}
	return n
}

// atStream reports whether the call is of a connection. One that dials sleeps at the
// listener, wherever else.
func (c *Call) atStream() bool {
	return strings.HasPrefix(c.Verb, "stream.read") || strings.HasPrefix(c.Verb, "stream.write") || c.Verb == "stream.flood"
}
