package engine

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// A Pipe carries messages between two ends, Left and Right: one way, from Left to
// Right, or both. Each way has a ring of bytes, in which a message is a frame; any
// number of processes may have an end. This file has the words, and why they are right;
// pipe_ends.go is how an end is opened and given up, pipe_send.go and pipe_recv.go are
// the operations, pipe_room.go is how one waits for room, pipe_apart.go how those at the
// two ends keep out of each other's way, pipe_recover.go what any process can do.
//
//	   0  buffer 64 | participants 32 | ways 32      written once by Init
//	 128  E 64
//	 256  held, of Left: a bit for each of 1024 participants
//	 384  held, of Right
//	 512  way 0, that Left sends; 768 bytes
//	1280  way 1, that Right sends, if ways is 2
//	   …  the ring of way 0, that of way 1
//
//	way  +0  sending      Mutex, 128
//	   +128  receiving    Mutex, 128
//	   +256  W 64
//	   +384  R 64
//	   +512  data 32 | room 32 | starving 32 | turn 32
//
//	       63                    4 3   2 1  0
//	      +-----------------------+-----+----+
//	E     |        openings       |  R  | L  |   an end: 0 never, 1 open, 2 gone
//	      +-----------------------+-----+----+
//	ring  bytes: buffer, rounded up to a multiple of 64. The byte at position p is at
//	      p mod bytes. A frame: length 32 | 0 32, the body, zeroes or old bytes up to
//	      a multiple of 8. Its first word never wraps; its body may, in two parts
//	W     bytes sent since the beginning, a multiple of 8: 0 ≤ W − R ≤ bytes. It and
//	R     bytes received, only grow. 2^64 bytes are not sent in any region's life
//
//	an end  never → open → gone. A process that has it has its bit set; the last whose
//	        bit goes ends it. What is gone stays so
//
// Who writes: W its sender, with sending held; R its receiver, with receiving held; both
// by one store-release. E by CAS, of who opens an end or ends it; a bit by Or and And of its
// participant, or by And of that one's recovery.
//
//	Open  O1 the own bit of the end: Or
//	      O2 load E; the end is gone: And the bit, ErrPeerGone
//	      O3 CAS E: the end open, openings + 1; lost: O2
//	Close C1 closed, which is private  C2 end the own sleeps
//	      C3 while this process has sending or receiving of the end: yield
//	      C4 And the bit  C5 T1
//	End   T1 load E; not open: done  T2 any bit of the end: done
//	      T3 CAS E: gone; lost: T1
//	      T4 ring for all: data of the way that the end sends, room of the one it receives
//	Send  S0 starving: stand back once
//	      S1 lock sending  S2 closed: unlock, ErrLeft
//	      S3 load W, then E; the other end is gone: unlock, ErrPeerGone
//	      S4 no room by R: unlock; arm room, S1 to S4 once more, sleep
//	      S5 the frame  S6 store W (rule 3)  S7 unlock  S8 data: ring for one
//	Recv  V1 lock receiving  V2 closed: unlock, ErrLeft
//	      V3 load R, E, then W
//	      V4 W ≠ R: copy out  V5 store R (rule 3)  V6 unlock  V7 room: ring for all
//	      V8 W = R, and E says that the other end is gone: unlock, io.EOF
//	      V9 else unlock; arm data, V1 to V8 once more, sleep
//	Poll  V3 without the lock
//
// Where a step asks for R or W, what this process saw last will do, if it is enough: R and W
// only grow, so that an old one says too little, never too much.
//
// # Whole, in order, once
//
// Only who has sending (rule 1: the Mutex names it) writes between W and R + bytes, and
// all of it before S6. Dead before S6, it has sent nothing, and the next sender
// writes over what it left; after S6 the message is sent, though Send has not
// returned. A receiver's copy lies between R and W, where no sender writes before V5. Dead
// before V5, it has received nothing; after it, that one message is gone with it. So
// nothing is ever half done, and recovery only frees the locks.
//
// A lock is held for the copy, and never while asleep. A process that is stopped inside
// its copy stops the others of its end, that way, as long as it is stopped; nobody else.
//
// A store is never late: those of a live holder come before its unlock, and those of a dead
// one are visible before its death can be proven. Region.Close replaces the mapping before
// it recovers the process.
//
// # The end is exact
//
// The bits of an end are in several words, so that no sum of them is of one instant. E
// makes it one. If T3 succeeds, no opening came between T1 and T3 (openings). Whoever had
// opened before T1 had set its bit before; the scan then saw it clear, so it had
// closed; and to hold the end again it would need another O3. So at T3 nobody has it. Who is
// between O1 and O3 finds it gone at O2, or loses O3 and goes there.
//
// And it comes: whoever takes a bit away, recovery too, calls T1. Of two that do at one
// time each And comes before that one's scan, and the later scan sees both clear.
//
// io.EOF is exact, and final. A process sends only while its bit is set: C3 waits for its
// own copies, and one that locks after C3 sees closed (S2; C1 before C3's look, S1 before
// S2). So W is final when E says gone. V3 loads E before W: with E first, W has all that was
// ever sent; the other way round a message might come between.
//
// # A wake-up is not lost
//
// W1 of the bells is S6, V5 or T3; W2 is S7, V6 or T3 itself: a locked instruction, so no
// fence is needed, nor a patient bell. The sleeper's second look is the whole attempt. data
// is rung for one: a message is one's. A Poll that slept takes nothing and so passes its
// wake-up on, as does a Recv that slept and then ends with an error. room is rung for all,
// since senders want different sizes: the one woken may find too little.
//
// # Death, of participant i
//
//	R1 the locks that i has: free, not abandoned
//	R2 i's bit of Left: And, T1; its bit of Right likewise
//	R3 starving to 0; bump all bells, in any case: i may have died at S8, V7, T4 or G1,
//	   or a recoverer of i at T4 (rule 5)
//
// Bits have no epoch. A record is not used again before its recovery is complete, and
// one recoverer at a time is named, which is waited for when it is stopped: so an And of R2
// never meets a later participant of i's record.
//
// # Zeroes
//
// A call that finds E to be 0 in what it has locked is in the zeroes, for an end that is
// open is not 0. It loads E after W (S3), or R (V3), so with E not 0 those were the
// region's, and there is one call of the process at most, each way, that goes on. What it
// stores is a position that no other call had. So a Send that finds its handle closed
// afterwards asks whether W in the zeroes is what it stored, and a Recv the same of R
// (object.Gate.Gave). O3's first is from 0, by Env.change. In the zeroes And and Or do no
// harm, and T3 fails.
type Pipe struct {
	env   Env
	most  uint64 // bytes of the longest message
	bytes uint64 // of each ring
	words uint64 // of the bits of an end
	a     mem.Area

	e    *uint64
	ways [2]*pipeWay // that Left sends, and Right; nil: there is none

	mu atomic.Bool // of what follows: pipe_ends.go
	n  [2]int      // what holds each end in this process
}

// A pipeWay is what is on its way from one end to the other.
type pipeWay struct {
	sending, receiving *Mutex
	w, r               *uint64
	data, room, turn   Bell
	starving           *uint32
	ring               unsafe.Pointer
	bytes              uint64

	seenW, seenR uint64   // as they were last seen here: with receiving, with sending held
	races        []uint64 // what the race detector knows positions by; else nil

	_     [128]byte // one process may be on both sides
	sends pipeSide
	_     [128]byte
	recvs pipeSide
}

// An end of a pipe.
const (
	PipeLeft = iota
	PipeRight
)

// What an end is, in E.
const (
	pipeNever = iota
	pipeOpen
	pipeGone

	pipeStateBits = 2
	pipeOpening   = 1 << (2 * pipeStateBits)
)

// The offsets of a pipe's words.
const (
	pipeBuffer       = 0
	pipeParticipants = 8
	pipeWays         = 12
	pipeE            = 128
	pipeHeld         = 256
	pipeHeldSize     = 128
	pipeWay0         = 512
	pipeWaySize      = 768

	pipeSending   = 0
	pipeReceiving = 128
	pipeW         = 256
	pipeR         = 384
	pipeData      = 512
	pipeRoom      = 516
	pipeStarving  = 520
	pipeTurn      = 524

	pipeFrame = 8 // bytes before a message
)

var (
	// ErrPeerGone is what a sender gets whose other end is gone, and who opens one
	// that is gone.
	ErrPeerGone = errors.New("the end is gone")

	// ErrLeft says that the handle was closed.
	ErrLeft = errors.New("the end was closed here")

	// ErrWay says that messages do not go that way.
	ErrWay = errors.New("messages go from left to right only")
)

// PipeConfig is what a pipe is made with, and keeps.
type PipeConfig struct {
	Buffer       int // bytes each way: of frames, whose messages have 8 less
	Duplex       bool
	Participants int
}

const pipeMost = 1 << 40 // bytes of a ring

func (c PipeConfig) valid() bool {
	return c.Buffer >= pipeFrame && c.Buffer <= pipeMost && c.Participants >= 1 && c.Participants <= MaxParticipants
}

func (c PipeConfig) ways() uint64 {
	if c.Duplex {
		return 2
	}
	return 1
}

func (c PipeConfig) ring() uint64 { return (uint64(c.Buffer) + 63) &^ 63 }

// Size is how many bytes the pipe needs; 0 if it cannot be made.
func (c PipeConfig) Size() uint64 {
	if !c.valid() {
		return 0
	}
	return pipeWay0 + c.ways()*(pipeWaySize+c.ring())
}

// Init writes the words, on zeroed memory of Size bytes: empty, both ends never opened.
func (c PipeConfig) Init(a mem.Area) {
	*a.W64(pipeBuffer) = uint64(c.Buffer)
	*a.W32(pipeParticipants) = uint32(c.Participants)
	*a.W32(pipeWays) = uint32(c.ways())
}

func badPipe(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, a...))
}

// pipeConfig reads and checks the configuration.
func pipeConfig(a mem.Area) (c PipeConfig, err error) {
	if !a.Has(0, pipeWay0) {
		return c, badPipe("a pipe of %d bytes", a.Size())
	}
	buffer, ways := mem.Load64(a.W64(pipeBuffer)), mem.Load32(a.W32(pipeWays))
	c = PipeConfig{Buffer: int(min(buffer, pipeMost+1)), Duplex: ways == 2, Participants: int(mem.Load32(a.W32(pipeParticipants)))}
	if ways != 1 && ways != 2 || !c.valid() || c.Size() > a.Size() {
		return c, badPipe("%d ways of %d bytes for %d participants, in %d", ways, buffer, c.Participants, a.Size())
	}
	return c, nil
}

// AttachPipe is a process's use of a pipe. There is one for all handles of the process: it
// counts what holds each end. It writes nothing.
func AttachPipe(a mem.Area, env Env) (*Pipe, error) {
	c, err := pipeConfig(a)
	if err != nil {
		return nil, err
	}
	p := &Pipe{env: env, most: uint64(c.Buffer) - pipeFrame, bytes: c.ring(), words: (uint64(c.Participants) + 63) / 64, a: a, e: a.W64(pipeE)}
	for i := range c.ways() {
		if p.ways[i], err = attachWay(a, env, i, c); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func attachWay(a mem.Area, env Env, i uint64, c PipeConfig) (*pipeWay, error) {
	at := pipeWay0 + i*pipeWaySize
	sending, err := AttachMutex(a.Sub(at+pipeSending, MutexSize), env)
	if err != nil {
		return nil, err
	}
	receiving, err := AttachMutex(a.Sub(at+pipeReceiving, MutexSize), env)
	if err != nil {
		return nil, err
	}
	y := &pipeWay{
		sending: sending, receiving: receiving, w: a.W64(at + pipeW), r: a.W64(at + pipeR),
		data: NewBell(a.W32(at+pipeData), env), room: NewBell(a.W32(at+pipeRoom), env),
		starving: a.W32(at + pipeStarving), turn: NewBell(a.W32(at+pipeTurn), env),
		ring: a.Ptr(pipeWay0+c.ways()*pipeWaySize+i*c.ring(), c.ring()), bytes: c.ring(),
	}
	if mem.RaceEnabled {
		y.races = make([]uint64, min(c.ring()/8, 1024))
	}
	return y, nil
}

// MaxMessage is how many bytes the longest message has.
func (p *Pipe) MaxMessage() int { return int(p.most) }

// pipeState is what E says of an end.
func pipeState(e uint64, end int) uint64 { return e >> (pipeStateBits * end) & (1<<pipeStateBits - 1) }

// framed is how many bytes of the ring a message of n takes.
func framed(n uint64) uint64 { return pipeFrame + (n+7)&^7 }

// copyIn copies n bytes to position pos of the ring, copyOut from it.
func (y *pipeWay) copyIn(pos uint64, from unsafe.Pointer, n uintptr) {
	at := uintptr(pos % y.bytes)
	first := min(n, uintptr(y.bytes)-at)
	mem.Copy(unsafe.Add(y.ring, at), from, first)
	if n > first {
		mem.Copy(y.ring, unsafe.Add(from, first), n-first)
	}
}

func (y *pipeWay) copyOut(to unsafe.Pointer, pos uint64, n uintptr) {
	at := uintptr(pos % y.bytes)
	first := min(n, uintptr(y.bytes)-at)
	mem.Copy(to, unsafe.Add(y.ring, at), first)
	if n > first {
		mem.Copy(unsafe.Add(to, first), y.ring, n-first)
	}
}

// header is where the first word of the frame at pos is.
func (y *pipeWay) header(pos uint64) unsafe.Pointer {
	return unsafe.Add(y.ring, uintptr(pos%y.bytes))
}

// seen and see are of what is private, and of whoever has the lock: of which the race
// detector is not to make an order.
func seen(p *uint64) uint64 {
	mem.RaceDisable()
	v := atomic.LoadUint64(p)
	mem.RaceEnable()
	return v
}

func see(p *uint64, v uint64) {
	mem.RaceDisable()
	mem.Release64(p, v)
	mem.RaceEnable()
}

// The Recv that returns a message comes after the Send of it. No more is told to the race
// detector.
func (y *pipeWay) raceSent(pos uint64) {
	if mem.RaceEnabled {
		mem.RaceReleaseMerge(unsafe.Pointer(&y.races[pos/8%uint64(len(y.races))]))
	}
}

func (y *pipeWay) raceReceived(pos uint64) {
	if mem.RaceEnabled {
		mem.RaceAcquire(unsafe.Pointer(&y.races[pos/8%uint64(len(y.races))]))
	}
}
