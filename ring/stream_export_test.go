package ring

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/internal/wait"
	"example.com/tandem/shm"
)

// A StreamConn is what Dial and Accept return.
type StreamConn = streamConn

// StreamDirect reports whether ReadFrom, or WriteTo, copies straight from x, or to it.
func StreamDirect(x any) bool { return rawOf(x) != nil }

// LockStream has all Reads wait.
func LockStream(c *StreamConn) (unlock func()) {
	c.end.in.lock.take()
	return c.end.in.lock.unlock
}

// SpinWatch has Reads spin, so that who watches goes on to.
func SpinWatch(t testing.TB) {
	watch.spin.SetEver(2 * testproc.Patience)
	watch.spin.SetMode(wait.Spin)
	t.Cleanup(func() {
		watch.spin.SetMode(wait.Adaptive)
		watch.spin.SetEver(0)
	})
}

// HopefulReads has the Reads of the process believe that a spin pays; it reports whether they
// still do.
func HopefulReads() (still func() bool) {
	watch.spin.SetEver(0)
	return func() bool { return watch.spin.Looks() > 0 }
}

// Watching is whether somebody watches, and how many Reads are parked.
func Watching() (on bool, parked int) {
	watch.mu.Lock()
	defer watch.mu.Unlock()
	return watch.on.Load(), len(watch.parked)
}

// StreamTrusts reports whether a Read that begins quietly naps, and StreamNaps whether one
// does.
func StreamTrusts(c *StreamConn) bool { return c.end.in.nap.trust > 0 }
func StreamNaps(c *StreamConn) bool   { return c.end.in.nap.on.Load() }

// NoTicks has naps last until they are ended.
func NoTicks(t testing.TB) {
	ticks := func(on bool) {
		watch.mu.Lock()
		watch.ticks = on
		watch.mu.Unlock()
	}
	for free := false; !free; time.Sleep(napTick) {
		watch.mu.Lock()
		free = !watch.ticks
		watch.mu.Unlock()
	}
	ticks(true)
	t.Cleanup(func() { ticks(false) })
}

// ParkRoused parks a Read that was roused before, while somebody seems to watch.
func ParkRoused(c *StreamConn) (watches bool) {
	c.end.in.over.Store(true)
	watch.mu.Lock()
	watch.on.Store(true)
	watch.mu.Unlock()
	watches = watch.takes(&c.end.in)
	watch.mu.Lock()
	watch.on.Store(false)
	watch.mu.Unlock()
	return watches
}

// NapAsked is a nap that begins when something was written.
func NapAsked(c *StreamConn) {
	testproc.Get(c.Write([]byte("?")))
	watch.nap(&c.end.in)
}

type streamTestAddr string

func (a streamTestAddr) Network() string { return "tandem" }
func (a streamTestAddr) String() string  { return string(a) }

// A StreamPair is both ends of a stream, in one process.
type StreamPair struct {
	Dialer, Acceptor *StreamConn
	Gone             [2]atomic.Int32 // calls
	Area             mem.Area
	Name             string
}

var streamPairs atomic.Int64

// NewStreamPair makes one, with buffers of so many bytes.
func NewStreamPair(t testing.TB, r *shm.Region, buffer int) *StreamPair {
	t.Helper()
	config := engine.StreamConfig{Buffer: buffer}
	s := object.Spec{Op: "ring.test", Kind: engine.KindStream, Name: fmt.Sprintf("stream-%d", streamPairs.Add(1)),
		Create: func(int) ([]object.Field, uint64, func(mem.Area), error) {
			return nil, config.Size(), func(a mem.Area) {}, nil
		}}
	p := &StreamPair{Name: s.Name}
	var cores [2]*object.Core
	for i := range cores {
		c, err := r.OpenObject(s)
		if err != nil {
			t.Fatal(err)
		}
		cores[i] = c
	}
	p.Area = cores[0].Area
	config.Init(p.Area, cores[0].Env.Self, 1)
	p.Dialer, p.Acceptor = p.join(t, cores[0], cores[1])
	return p
}

// Unread is how much lies in the ring that the dialer writes, or the other.
func (p *StreamPair) Unread(dialers bool) int {
	way := uint64(512)
	if dialers {
		way = 256
	}
	return int(mem.Load64(p.Area.W64(way)) - mem.Load64(p.Area.W64(way+128)))
}

// join makes the two ends over memory that is dialled.
func (p *StreamPair) join(t testing.TB, d, a *object.Core) (dialer, acceptor *StreamConn) {
	t.Helper()
	de, err := engine.AttachStream(d.Area, d.Env, true)
	if err != nil {
		t.Fatal(err)
	}
	ae, err := engine.AttachStream(a.Area, a.Env, false)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := ae.Accept(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	left, right := net.Addr(streamTestAddr("dialer")), net.Addr(streamTestAddr("acceptor"))
	gone := func(i int, own uint64, c *object.Core) func() {
		return func() {
			if x := mem.Load64(p.Area.W64(own)); x&(1<<13) == 0 && !c.Closed.Load() { // not in the zeroes
				t.Errorf("an end is gone, and its word is %#x", x)
			}
			p.Gone[i].Add(1)
			c.Close()
		}
	}
	return newStreamConn(d, de, left, right, gone(0, 128, d)), newStreamConn(a, ae, right, left, gone(1, 136, a))
}

// NewStreamEnd makes one end of the stream of a name, whose other end another process has
// under the same name. The dialer's comes first.
func NewStreamEnd(r *shm.Region, name string, buffer int, dialer bool) *StreamConn {
	config := engine.StreamConfig{Buffer: buffer}
	c, err := r.OpenObject(object.Spec{Op: "ring.test", Kind: engine.KindStream, Name: name,
		Create: func(int) ([]object.Field, uint64, func(mem.Area), error) {
			return nil, config.Size(), func(a mem.Area) {}, nil
		}})
	testproc.Must(err)
	if dialer {
		config.Init(c.Area, c.Env.Self, 1)
	}
	eng, err := engine.AttachStream(c.Area, c.Env, dialer)
	testproc.Must(err)
	if !dialer {
		_, err := eng.Accept()
		testproc.Must(err)
	}
	return newStreamConn(c, eng, streamTestAddr("here"), streamTestAddr("there"), func() { c.Close() })
}
