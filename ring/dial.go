package ring

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"syscall"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/wait"
	"example.com/tandem/shm"
)

var errRefused = fmt.Errorf("%w: %w", engine.ErrNobody, syscall.ECONNREFUSED)

// Dial is a connection to the process that listens under the name ([Listen]), which may be
// this one. It returns when that has accepted it. So Dial and then Accept in one goroutine
// do not meet, other than with TCP.
//
// syscall.ECONNREFUSED at once where nobody listens, and as soon as the one that listens
// has closed the listener or the region, or died, before it has accepted.
// [shm.ErrNoSpace] where the region has no room for the connection, [shm.ErrMismatch] where
// the name is that of an object of another kind, fs.ErrInvalid where it cannot be one,
// [shm.ErrClosed] when the region is closed, ctx's error when ctx ends; then there is no
// connection, at the other end neither. ctx has nothing to do with the connection that is
// returned.
//
// It waits for an Accept, and for room in the backlog, as long as ctx lasts: it spins for
// moments, then sleeps. Before, it makes the connection's memory, and waits for what an OpenX
// waits for (see package shm), as long as ctx lasts, too. A process that dies in it leaves nothing, or a connection whose
// other end reads io.EOF.
//
// # A connection
//
// Both ends, Dial's and Accept's, are a net.Conn with what those of package net's Unix
// sockets have beside it: CloseRead, CloseWrite, ReadFrom, WriteTo. LocalAddr and RemoteAddr
// are of network "tandem" and read REGION/NAME:PID, of the process at that end. SyscallConn
// is there, and returns errors.ErrUnsupported: there is no descriptor.
//
// Read waits while there is nothing, Write while there is no room: each spins for up to 150
// microseconds, or, of many Reads of a process, is looked for by the one of them that spins;
// then it sleeps. A Read of which nothing is expected, because its peer has only ever
// answered, may begin up to two milliseconds late. A deadline (SetDeadline, SetReadDeadline,
// SetWriteDeadline) ends a call that waits, with os.ErrDeadlineExceeded, also if it is set
// meanwhile; one that is over ends each call at once, also if bytes are there; the zero time
// takes it away. What a Write had written by then is told, and can be read.
//
// CloseWrite is the end of what is written: the peer reads what is there, then io.EOF.
// CloseRead has the peer's Write return syscall.EPIPE. Close is both; a peer that has left
// bytes of this end unread when it closes, or dies, is syscall.ECONNRESET for Read instead of
// io.EOF. Calls that are under way at the own end return net.ErrClosed, and Close waits until
// none of them has the memory any more: for no other process, but for a disk that is just
// being read or written. Close of the region ends both halves of all connections, with an
// error that is [shm.ErrClosed], too.
//
// A peer that dies is noticed within milliseconds: what it has written can be read, then comes
// io.EOF, or ECONNRESET as above, and a Write is syscall.EPIPE. A Write until then goes into
// the buffer, as of a peer that is slow; and a stopped peer is a slow one.
//
// ReadFrom and WriteTo, which io.Copy calls, copy from and to regular files, TCP and Unix
// sockets and other connections without a copy of their own. They wait as Read and Write do,
// with their deadlines and errors, and for the other side. n is how many bytes have come from
// the one, and gone to the other.
func Dial(ctx context.Context, r *shm.Region, name string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, &shm.Error{Op: opDial, Region: r.Name(), Object: name, Err: err}
	}
	s := ListenOptions{}.spec(name)
	s.Op, s.Until = opDial, ctx
	var of *listens
	core, err := object.Open(r.Existing(), s, func(core *object.Core) (err error) {
		of, err = listensOn(core)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = &shm.Error{Op: opDial, Region: r.Name(), Object: name, Err: errRefused}
	}
	if err != nil {
		return nil, err
	}
	defer core.Close()
	c, err := of.dial(ctx, core)
	if err != nil {
		return nil, core.Done(opDial, err)
	}
	return c, nil
}

func (of *listens) dial(ctx context.Context, core *object.Core) (*streamConn, error) {
	word, err := of.eng.Listening()
	if err != nil {
		return nil, errRefused
	}
	mine, err := of.home.MakeUnnamed(of.stream(ctx, core, word))
	if err != nil {
		return nil, err
	}
	connected := false
	defer func() {
		if !connected {
			of.home.CloseUnnamed(mine, true) // which refuses, too, if ctx's methods panicked
		}
	}()
	s, err := engine.AttachStream(mine.Area, mine.Env, true)
	if err != nil {
		return nil, err
	}
	left, area := new(engine.DialLeft), mine.Area // not of mine, which is to be collected
	defer mine.OnLeave(func(in func(mem.Area) mem.Area) { left.Leave(in(area)) })()
	why := of.await(ctx, core, s, word, engine.Dialled{Entry: mine.Entry, Gen: mine.Ref.Generation})
	answered, accepted := s.Answered()
	if !answered {
		won, err := s.Refuse()
		if err == engine.ErrGone { // what the answer was cannot be seen any more
			mine.Gate.Undo(func() { left.Leave(mine.Area) }) // where the zeroes were refused; else Close has, by now
			accepted = left.Accepted()
		}
		switch {
		case err != nil && !accepted:
			return nil, err
		case won:
			return nil, why
		}
		accepted = true
	}
	if !accepted {
		return nil, shm.ErrCorrupt // nobody else refuses
	}
	connected = true
	who, _ := s.Peer()
	return newStreamConn(mine, s, addrOf(core, of.home.PIDOf(core.Env.Self)), addrOf(core, of.home.PIDOf(who)),
		func() { of.home.CloseUnnamed(mine, false) }), nil
}

// await waits for the answer. It says what is to be said if there was none.
func (of *listens) await(ctx context.Context, core *object.Core, s *engine.Stream, word uint64, d engine.Dialled) error {
	if err := of.queue(ctx, core, word, d); err != nil {
		if err == engine.ErrNobody {
			err = errRefused
		}
		return err
	}
	var by wait.Any
	by.On(core.List, nil)
	by.On(core.List, nil)
	by.Start(ctx, of.spinner)
	defer by.Done()
	if err := of.eng.AwaitAnswer(&by, s, word); err != nil {
		return err
	}
	return errRefused
}

func (of *listens) queue(ctx context.Context, core *object.Core, word uint64, d engine.Dialled) error {
	w := core.WaiterWith(ctx, of.spinner)
	defer w.Done()
	return of.eng.Queue(w, word, d)
}

// stream is the spec of a connection that is dialled under the word.
func (of *listens) stream(ctx context.Context, core *object.Core, word uint64) object.Spec {
	s := streamSpec(opDial, core.Name)
	s.Until = ctx
	c := engine.StreamConfig{Buffer: of.buffer}
	s.Zeroed = engine.StreamZeroed
	s.Create = func(int) ([]object.Field, uint64, func(mem.Area), error) {
		if c.Size() == 0 {
			return nil, 0, nil, shm.ErrCorrupt
		}
		return []object.Field{{Name: fieldBuffer, Value: strconv.Itoa(of.buffer)}}, c.Size(),
			func(a mem.Area) { c.Init(a, core.Env.Self, word) }, nil
	}
	return s
}
