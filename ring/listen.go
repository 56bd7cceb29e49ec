package ring

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/wait"
	"example.com/tandem/shm"
)

const (
	opListen = "ring.Listen"
	opDial   = "ring.Dial"
)

// A listener is what Listen returns. Its Close ends the listening, and so does the
// collector where nothing reaches it, Region.Close, and death.
type listener struct {
	*listening
	forget runtime.Cleanup
}

// A listening is one process's part in a listener object, for as long as it listens.
//
//	Close: K1 closed, and the handle: an Accept that waits ends  K2 take mu  K3 the word
//
// mu is held by who takes from the backlog, asleep or not, so that after K2 nobody here
// takes what is dialled under a later word (engine.Listener, C0).
type listening struct {
	*listens
	core   *object.Core
	word   uint64
	local  streamAddr
	mu     sync.Mutex
	closed atomic.Bool
}

// A listens is what this process has once of a listener object.
type listens struct {
	eng     *engine.Listener
	buffer  int
	home    object.Home
	spinner *wait.Spinner // of who dials
	accepts *wait.Spinner // of who accepts
}

// listensOn is what this process has of the object.
func listensOn(core *object.Core) (*listens, error) {
	var err error
	v := core.SharedOnce(func() any {
		home, _ := core.In.(object.Home)
		l := &listens{home: home, spinner: wait.NewSpinner(wait.Adaptive), accepts: wait.NewSpinner(wait.Adaptive)}
		if l.buffer, err = strconv.Atoi(core.Field(fieldBuffer)); err != nil || home == nil {
			err = shm.ErrCorrupt
			return (*listens)(nil)
		}
		if l.eng, err = engine.AttachListener(core.Area, core.Env); err != nil {
			return (*listens)(nil)
		}
		return l
	})
	core.KeepAlive()
	if l := v.(*listens); l != nil {
		return l, nil
	}
	if err == nil { // another was told
		err = shm.ErrCorrupt
	}
	return nil, err
}

// errNamesake says that another object has the name by now, or none.
var errNamesake = fmt.Errorf("others make it anew again and again: %w", syscall.EADDRINUSE)

// errRemake says that the object is another than is asked for, and that nobody listens.
type errRemake struct{ error }

// remakes bounds how often others may be faster with an object of the name.
const remakes = 8

var errInUse = fmt.Errorf("%w: %w", engine.ErrListens, syscall.EADDRINUSE)

// Listen makes this process the one that is dialled under the name: [Dial] of the name is a
// connection to it, in whatever process of the region, through its memory alone. The
// listener and its connections are package net's, for http.Server, grpc.Server, rpc.Accept
// and whatever else takes one. nil options take the defaults, or what is there.
//
// syscall.EADDRINUSE while another listens, in this process too. The place of a process
// that is dead is free at once, as is that of one that has called Close. What is there is
// taken, if nobody listens any more, and made anew where the options are others; not
// through Region.Existing, where that is shm.ErrMismatch, as it is where the name is that of
// an object of another kind. A Buffer that is negative or larger than 1 GiB, or a Backlog
// that is negative or larger than 1,048,576, is fs.ErrInvalid; [shm.ErrNoSpace] where the
// region has no room for the listener, [shm.ErrClosed] when the region is closed. It waits
// for nobody but who is making or removing an object just now. A process that dies in it
// listens, and is dead, or does not. Where the name is removed (shm.Region.Remove) nobody
// dials this listener any more, and the next Listen of the name is another's; who has dialled
// is accepted yet.
//
// The memory of a connection, 2·Buffer bytes and some, is taken by who dials, and is free
// again when both ends are gone, whoever closed, forgot, or died. Of the last ones the next
// take it as it is, and what was sent lies in it until it is written over. A connection takes one of
// the region's objects (shm.Options.Objects).
//
// Accept waits for who dials, without a deadline: it spins for moments, then sleeps. It
// returns net.ErrClosed when Close is called, or nothing reaches the listener any more, and
// an error that is [shm.ErrClosed], too, when the region is closed. Whoever has dialled and
// was not accepted by then gets syscall.ECONNREFUSED. A process that dies in Accept has
// accepted, and the other end reads io.EOF; or it has not. A stopped process keeps its place,
// and who dials waits for it. Neither a listener nor a connection can be handed to another
// process.
func Listen(r *shm.Region, name string, o *ListenOptions) (net.Listener, error) {
	if o == nil {
		o = &ListenOptions{}
	}
	if err := o.check(); err != nil {
		return nil, &shm.Error{Op: opListen, Region: r.Name(), Object: name, Err: err}
	}
	s := o.spec(name)
	var l *listening
	for try := 0; ; try++ {
		var over uint64
		remake, again := false, false
		_, err := object.Open(r, s, func(core *object.Core) (err error) {
			l, over, err = o.listen(core)
			if e, ok := err.(errRemake); ok {
				remake, err = true, e.error
			}
			again = err == errNamesake
			return err
		})
		if err == nil {
			break
		}
		if !remake && !again || try == remakes {
			return nil, err
		}
		s.Over = nil
		if remake {
			s.Over = func(a mem.Area) bool { return engine.ListenerWord(a) == over }
		}
	}
	h := &listener{listening: l}
	h.forget = runtime.AddCleanup(h, func(l *listening) { l.close() }, l)
	return h, nil
}

// listen takes the place. An errRemake comes with the word of the object. Nobody takes the name
// away from an object that somebody has just begun to listen on, nor begins on one that has it
// no more: both are done with the directory's lock.
func (o *ListenOptions) listen(core *object.Core) (*listening, uint64, error) {
	of, err := listensOn(core)
	if err != nil {
		return nil, 0, err
	}
	dead := func(who engine.Self) bool { return of.home.IsDead(who) }
	if err := o.differs(core); err != nil {
		word, free := of.eng.Free(dead)
		if !free {
			return nil, 0, errInUse
		}
		return nil, word, errRemake{err}
	}
	word, err := of.take(core)
	if err != nil {
		return nil, 0, err
	}
	l := &listening{listens: of, core: core, word: word}
	l.local = addrOf(core, of.home.PIDOf(core.Env.Self))
	return l, 0, nil
}

// takeTries bounds how often others may be faster.
const takeTries = 100

// take makes this process the one that listens. Proofs of a death are made without the lock.
func (of *listens) take(core *object.Core) (word uint64, err error) {
	var gone engine.Self // who listened, and is dead
	for range takeTries {
		named, err := of.home.Named(core, func() (err error) {
			word, err = of.eng.Listen(func(who engine.Self) bool { return who == gone })
			return err
		})
		switch {
		case err == nil && !named:
			return 0, errNamesake
		case err != engine.ErrListens:
			return word, err
		}
		if _, free := of.eng.Free(func(who engine.Self) bool {
			dead := of.home.IsDead(who)
			if dead {
				gone = who
			}
			return dead
		}); !free {
			break
		}
	}
	return 0, errInUse
}

// Accept returns the next connection that was dialled, and waits for one.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.accept()
	runtime.KeepAlive(l)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Close ends the listening. Who waits in Accept gets net.ErrClosed, as does another Close;
// who has dialled and was not accepted gets syscall.ECONNREFUSED. Connections go on.
func (l *listener) Close() error {
	ok := l.close()
	l.forget.Stop()
	runtime.KeepAlive(l)
	if !ok {
		return l.fail("close", net.ErrClosed)
	}
	return nil
}

// Addr is where it listens.
func (l *listener) Addr() net.Addr { return l.local }

func (l *listening) close() bool {
	if l.closed.Swap(true) { // K1
		return false
	}
	l.core.Close()
	l.mu.Lock() // K2
	defer l.mu.Unlock()
	l.eng.Close(l.word) // K3; in the zeroes of a closed region it does nothing
	l.core.KeepAlive()
	return true
}

func (l *listening) accept() (*streamConn, error) {
	for {
		d, err := l.next()
		if err != nil {
			return nil, l.fail("accept", err)
		}
		c, err := l.take(d)
		if err != nil {
			return nil, l.fail("accept", err)
		}
		if c != nil {
			return c, nil
		}
	}
}

func (l *listening) next() (engine.Dialled, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.core.Free(); err != nil {
		return engine.Dialled{}, err
	}
	w := l.core.WaiterWith(context.Background(), l.accepts)
	defer w.Done()
	return l.eng.Next(w)
}

// take accepts what was dialled. It returns nil if that is gone, or refused, or none.
func (l *listening) take(d engine.Dialled) (*streamConn, error) {
	core, err := l.home.OpenUnnamed(streamSpec("accept", l.core.Name), d.Entry, d.Gen)
	if err != nil {
		return nil, l.core.Free() // stale, or scribbled on
	}
	s, err := engine.AttachStream(core.Area, core.Env, false)
	if err == nil && s.Dialled() == l.word {
		var ok bool
		if ok, err = s.Accept(); ok {
			who, _ := s.Peer()
			home := l.home // and not l, which may be closed, and whose object removed, long before c is
			return newStreamConn(core, s, l.local, addrOf(core, home.PIDOf(who)), func() { home.CloseUnnamed(core, false) }), nil
		}
	}
	l.home.CloseUnnamed(core, true)
	if err == engine.ErrGone {
		return nil, err
	}
	return nil, l.core.Free()
}

var errListenerGone = fmt.Errorf("%w: %w", shm.ErrClosed, net.ErrClosed)

// fail makes the error of an operation, which is package net's.
func (l *listening) fail(op string, err error) error {
	switch {
	case l.closed.Load():
		err = net.ErrClosed
	case l.core.Gate.Closed():
		err = errListenerGone
	}
	return &net.OpError{Op: op, Net: l.local.Network(), Addr: l.local, Err: err}
}

// streamSpec is a connection's, without what it is made with.
func streamSpec(op, name string) object.Spec {
	return object.Spec{Op: op, Kind: engine.KindStream, Name: name}
}

// A streamAddr is an end of a connection, or where one listens.
type streamAddr struct {
	region, object string
	pid            int
}

func addrOf(core *object.Core, pid int) streamAddr {
	return streamAddr{region: core.Region, object: core.Name, pid: pid}
}

// Network is "tandem".
func (streamAddr) Network() string { return "tandem" }

// String is region/object:pid; the pid is 0 of a process that was gone already.
func (a streamAddr) String() string { return fmt.Sprintf("%s/%s:%d", a.region, a.object, a.pid) }
