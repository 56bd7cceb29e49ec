package ring

import (
	"context"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/wait"
)

// A streamConn is one end of a connection.
type streamConn struct {
	eng           *engine.Stream
	core          *object.Core
	local, remote net.Addr
	end           *streamEnding
}

type streamEnding struct {
	eng    *engine.Stream
	closed atomic.Bool
	gone   func()
}

func (e *streamEnding) close() bool {
	if e.closed.Swap(true) {
		return false
	}
	e.eng.End(engine.EndAll)
	e.gone()
	return true
}

func newStreamConn(core *object.Core, eng *engine.Stream, local, remote net.Addr, gone func()) *streamConn {
	c := &streamConn{eng: eng, core: core, local: local, remote: remote, end: &streamEnding{eng: eng, gone: gone}}
	runtime.AddCleanup(c, func(e *streamEnding) { e.close() }, c.end)
	return c
}

func (c *streamConn) waiter() *wait.Waiter { return c.core.Waiter(context.Background()) }

func (c *streamConn) Read(p []byte) (int, error) {
	if c.end.closed.Load() {
		return 0, net.ErrClosed
	}
	w := c.waiter()
	defer w.Done()
	n, err := c.eng.Read(w, p)
	runtime.KeepAlive(c)
	return n, err
}

func (c *streamConn) Write(p []byte) (int, error) {
	if c.end.closed.Load() {
		return 0, net.ErrClosed
	}
	w := c.waiter()
	defer w.Done()
	n, err := c.eng.Write(w, p)
	runtime.KeepAlive(c)
	return n, err
}

func (c *streamConn) Close() error {
	if !c.end.close() {
		return net.ErrClosed
	}
	runtime.KeepAlive(c)
	return nil
}
func (c *streamConn) LocalAddr() net.Addr              { return c.local }
func (c *streamConn) RemoteAddr() net.Addr             { return c.remote }
func (c *streamConn) SetDeadline(time.Time) error      { return nil }
func (c *streamConn) SetReadDeadline(time.Time) error  { return nil }
func (c *streamConn) SetWriteDeadline(time.Time) error { return nil }
