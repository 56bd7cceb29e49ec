package engine

import (
	"errors"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// A Listener is where streams are dialled: a word that says who listens, and a backlog of
// streams that nobody has answered yet.
//
//	  0  listener 64
//	 64  dial 32
//	128  backlog: a queue of {entry 32, zero 32, gen 64}
//
//	 63        32 31           11 10        0
//	+------------+---------------+-----------+
//	|   epoch    |  generation   | index + 1 |   listener; an index of 0: nobody
//	+------------+---------------+-----------+
//
// The word goes from nobody, or from one that is dead, to who listens, and the generation
// grows; and from who listens to nobody, by itself or by its recovery, and the generation
// stays. So no two Listens have the same word, as long as 2²¹ in one epoch of a process
// do not come while somebody dials.
//
//	Listen  N1 load listener; another's that is not dead: ErrListens
//	        N2 CAS it to {me, generation + 1}  N3 tell. All of this while nobody can take
//	        its name away: the directory's lock is held
//	Close   C0 no Accept under this word is under way, nor begins  C1 CAS it to nobody
//	        C2 tell
//	Dial    D1 load listener: nobody: ErrNobody
//	        D2 make the stream, dialled under that word  D3 put it into the backlog
//	        D4 sleep on the stream's answer, and on dial  D5 answered: that is it
//	        D6 listener is not what it was, or the context has ended: Refuse; too late: D5
//	Accept  A1 take from the backlog  A2 have the stream, if it is still that one
//	        A3 dialled under another word: it refuses itself; A1
//	        A4 Accept of the stream; refused: A1
//
// tell wakes all that sleep on dial, and on either bell of the backlog, where one may wait
// for room, and who does looks at listener as well.
//
// # Yes or no, and never both
//
// That is one CAS of the stream's acceptor, from 0 (Stream). What lies in the backlog holds
// nothing and may be stale: of one that has refused itself, or of one whose dialer is
// dead, or whose memory is another's by now (A2 is the directory's: entry and gen). It
// takes a place in the backlog until an Accept comes by.
//
// # Nobody waits for who is gone
//
// listener changes before anybody is told, and a dialer looks at it after it has armed the
// bells that are rung then (D4 before D5 and D6). A Listen over one that is dead does not
// wait for its recovery, which finds another's word and leaves it. Who accepts and dies
// before it has told: recovery of its streams bumps their bells.
//
// A3 is for those who dial while the listener changes: they refuse themselves, and that is
// all they can do; no new listener accepts one that may be about to. An Accept that goes on
// under an old word would take one that was dialled under the next, and drop it, and nobody
// would answer that: hence C0. The dead, and who has closed the region, take nothing more.
type Listener struct {
	env     Env
	me      uint64
	l       *uint64
	dial    Bell
	backlog *Queue
}

// What a Listener's calls can end with.
var (
	ErrListens = errors.New("somebody listens already")
	ErrNobody  = errors.New("nobody listens")
)

// The offsets of a Listener's words.
const (
	listenerWord    = 0
	listenerDial    = 64
	listenerBacklog = 128
)

const (
	listenerIndex = 1<<11 - 1
	listenerGen   = 1 << 11
	listenerGens  = (1<<21 - 1) * listenerGen
)

// ListenerConfig is what a Listener is made with, and keeps.
type ListenerConfig struct {
	Backlog int // streams that wait
	Rows    int // participants
}

// A Dialled names a stream in the backlog.
type Dialled struct {
	Entry, _ uint32
	Gen      uint64
}

const dialledSize = 16

func (c ListenerConfig) queue() QueueConfig {
	return QueueConfig{Slots: c.Backlog, Room: dialledSize, Rows: c.Rows}
}

// Size is how many bytes the Listener needs; 0 if it cannot be made.
func (c ListenerConfig) Size() uint64 {
	if n := c.queue().Size(); n != 0 {
		return listenerBacklog + n
	}
	return 0
}

// Init writes the words, on zeroed memory of Size bytes: nobody listens.
func (c ListenerConfig) Init(a mem.Area) { c.queue().Init(a.Sub(listenerBacklog, c.queue().Size())) }

// AttachListener is a process's use of a Listener. It writes nothing.
func AttachListener(a mem.Area, env Env) (*Listener, error) {
	if !a.Has(0, listenerBacklog) {
		return nil, badStream("a listener of %d bytes", a.Size())
	}
	q, err := AttachQueue(a.Sub(listenerBacklog, a.Size()-listenerBacklog), env)
	if err != nil {
		return nil, err
	}
	return &Listener{env: env, me: streamName(env.Self), l: a.W64(listenerWord), dial: NewBell(a.W32(listenerDial), env), backlog: q}, nil
}

// Backlog is where streams wait for an Accept.
func (l *Listener) Backlog() *Queue { return l.backlog }

// Listening is the word of who listens; ErrNobody if nobody does.
func (l *Listener) Listening() (word uint64, err error) {
	word = mem.Load64(l.l)
	if word&listenerIndex == 0 {
		return 0, ErrNobody
	}
	return word, nil
}

// ListenerWord is the word of whoever listens, or does not.
func ListenerWord(a mem.Area) uint64 {
	if !a.Has(0, listenerBacklog) {
		return 0
	}
	return mem.Load64(a.W64(listenerWord))
}

// Free reports whether nobody listens, dead being asked as by Listen, and the word. It
// changes nothing.
func (l *Listener) Free(dead func(Self) bool) (word uint64, free bool) {
	word = mem.Load64(l.l)
	if word&listenerIndex == 0 {
		return word, true
	}
	who, ok := streamHolder(word &^ listenerGens)
	return word, ok && dead(who)
}

// listenTries bounds the turns of Listen: each but the last was lost to another's.
const listenTries = 100

// Listen makes this process the one that listens, and returns the word. dead is asked
// about another that does.
func (l *Listener) Listen(dead func(Self) bool) (word uint64, err error) {
	for range listenTries {
		v := mem.Load64(l.l) // N1
		if v&listenerIndex != 0 {
			who, ok := streamHolder(v &^ listenerGens)
			if !ok {
				return 0, badStream("a listener of %#x", v)
			}
			if !dead(who) {
				return 0, ErrListens
			}
		}
		word = l.me | (v+listenerGen)&listenerGens
		ok, err := l.env.change(l.l, v, word) // N2
		if err != nil {
			return 0, err
		}
		if ok {
			l.tell() // N3
			return word, nil
		}
	}
	return 0, ErrListens
}

// Close ends the listening under a word; of an older one it does nothing. No Next of the
// word is under way (C0).
func (l *Listener) Close(word uint64) {
	if mem.CAS64(l.l, word, word&listenerGens) { // C1
		l.tell()
	}
}

func (l *Listener) tell() {
	l.dial.Ring(-1)
	l.backlog.items.Bump()
	l.backlog.space.Bump()
}

// Stands reports whether who listened under the word still does.
func (l *Listener) Stands(word uint64) bool { return mem.Load64(l.l) == word }

// Queue is D3: it puts a stream into the backlog, and waits for room. ErrNobody if the
// listener that it was dialled under does not listen any more.
func (l *Listener) Queue(by Sleeper, word uint64, d Dialled) error {
	var b [dialledSize]byte
	*(*Dialled)(unsafe.Pointer(&b)) = d
	err := l.tryQueue(word, b[:])
	if err == ErrFull {
		if _, e := l.backlog.space.Await(by, func() bool {
			err = l.tryQueue(word, b[:])
			return err != ErrFull
		}); e != nil {
			err = e
		}
		if err != nil {
			l.backlog.passSpace() // it may have been woken as well
		}
	}
	return err
}

func (l *Listener) tryQueue(word uint64, b []byte) error {
	if !l.Stands(word) {
		return ErrNobody
	}
	return l.backlog.TryPut(b)
}

// Next is A1.
func (l *Listener) Next(by Sleeper) (Dialled, error) {
	s, err := l.backlog.Take(by, false)
	if err != nil {
		return Dialled{}, err
	}
	d := *(*Dialled)(l.backlog.Body(s))
	if !l.backlog.Release(s) {
		return Dialled{}, ErrGone
	}
	l.backlog.TaskDone()
	return d, nil
}

// AwaitAnswer is D4 and D5: until the stream, dialled under the word, has an answer, or
// nobody is there any more to give it. Errors are by's.
func (l *Listener) AwaitAnswer(by AnySleeper, s *Stream, word uint64) error {
	var a Any
	a.Reset()
	a.Add(answerOf{s})
	a.Add(standsOf{l, word})
	if i, err := a.Look(); i >= 0 || err != nil {
		return err
	}
	i, err := a.Wait(by)
	if i >= 0 {
		return nil
	}
	return err
}

type answerOf struct{ s *Stream }

func (a answerOf) Ready(uint64) (bool, error) { yes, _ := a.s.Answered(); return yes, nil }
func (a answerOf) Awaited() (*Bell, bool)     { return a.s.Answer(), false }

type standsOf struct {
	l    *Listener
	word uint64
}

func (o standsOf) Ready(uint64) (bool, error) { return !o.l.Stands(o.word), nil }
func (o standsOf) Awaited() (*Bell, bool)     { return &o.l.dial, false }

// recoverListener is Close for the dead, and recovery of the backlog.
func recoverListener(a mem.Area, env Env, dead Self) error {
	if !a.Has(0, listenerBacklog) {
		return badStream("a listener of %d bytes", a.Size())
	}
	w := a.W64(listenerWord)
	if v := mem.Load64(w); v&^listenerGens == streamName(dead) {
		mem.CAS64(w, v, v&listenerGens) // one that listens by now over the dead one is left alone
	}
	b := NewBell(a.W32(listenerDial), env)
	b.Bump()
	return recoverQueue(a.Sub(listenerBacklog, a.Size()-listenerBacklog), env, dead)
}

func lookListener(a mem.Area) Look {
	l, err := AttachListener(a, Env{})
	if err != nil {
		return Look{State: "corrupt"}
	}
	o := Look{Len: l.backlog.Len(), Cap: l.backlog.Cap()}
	if who, ok := streamHolder(mem.Load64(l.l) &^ listenerGens); ok {
		o.Holders = []Holding{{Who: who, What: "listening", N: 1}}
	}
	if l.dial.Armed() || l.backlog.items.Armed() {
		o.Waiters = 1
	}
	return o
}

func checkListener(a mem.Area) error {
	l, err := AttachListener(a, Env{})
	if err != nil {
		return err
	}
	if v := mem.Load64(l.l); v&listenerIndex > MaxParticipants {
		return badStream("a listener of %#x", v)
	}
	ops, _ := OpsOf(KindQueue)
	return ops.Check(a.Sub(listenerBacklog, a.Size()-listenerBacklog))
}

func init() {
	register(KindListener, Ops{Name: "listener", Recover: recoverListener, Look: lookListener, Check: checkListener})
}
