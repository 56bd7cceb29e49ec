package engine

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// A Stream is one connection between the process that dialled it and the one that
// accepted it: a ring of bytes each way, [Lamport's] with one writer and one reader, and
// a word for each end that says what it does no more. This file has the words and why
// they are right; stream_io.go writes and reads, stream_end.go is how an end begins and
// ends, stream_recover.go what any process can do.
//
//	  0  buffer 32 | zero 32 | dialled 64        before anybody else can find it
//	128  dialer 64 | acceptor 64                 the ends
//	256  W 64 | data 32                          of what the dialer writes: the writer's line
//	384  R 64 | room 32                          and the reader's
//	512  W, data; 640  R, room                   of what the acceptor writes
//	768  the dialer's bytes, buffer; and then the acceptor's
//
//	 63        32 31    14   13    12   11  10        0
//	+------------+--------+------+----+----+-----------+
//	|   epoch    |  zero  | gone | WC | RC | index + 1 |   dialer, acceptor
//	+------------+--------+------+----+----+-----------+
//	acceptor 0: nobody has answered yet. An index of all ones: refused
//	RC    the end reads no more
//	WC    it writes no more
//	gone  closed or dead: then the other two as well
//
// The dialer's word is its own from birth. The acceptor's goes from 0, once: to who
// accepts, or to refused by the dialer or its recovery. Flags only rise: set by who has
// the end, and by its recovery.
//
// W and R count bytes from the beginning, and do not wrap: 0 ≤ W−R ≤ buffer. W is stored
// by the one end, R by the other, and by nobody else. Each end has its own ones in memory
// of its own; of the other's it takes what is possible and not less than before, or it is
// ErrCorrupt: no peer can have it leave the ring.
//
//	Write  W1 load the peer's end; RC or gone: nobody reads
//	       W2 no room by the R that is known: load R. None: sleep on room
//	       W3 bytes  W4 XCHG W  W5 ring data
//	Read   R1 load the peer's end  R2 load W
//	       R3 bytes there: copy  R4 XCHG R  R5 ring room
//	       R6 none, and R1 had gone, and not all of ours was read: reset
//	       R7 none, and R1 had WC or gone: io.EOF. Else sleep on data
//	End    E1 no call of this end is under way  E2 set the flags  E3 ring data of what it
//	       writes, for WC; room of what it reads, for RC
//
// # One of each
//
// An end is one process's, so who writes and who reads is settled there: by a lock of its
// own, held while asleep, for each of the two. Nothing in the region is held by anybody,
// a death leaves nothing to free, and a stopped process is a full or an empty ring.
//
// # The end is final
//
// Flags are set when no call of the end is under way (E1), or never will be (its death;
// the region's Close, which has taken the memory away): so W is final once WC shows, and
// R once RC does. R1 comes before R2: with W loaded first, bytes that were written before
// WC would be cut off. And what R6 says is so: the peer will not read what it has not.
//
// # Sleeping
//
// Two bells each way with one sleeper each. W4 and R4 are locked instructions, so the look
// at S comes after they are visible (Bell, W2), and no sleeper needs anybody's fence:
// a Write of more than the ring sleeps between two stores, and no sleeper may have to
// wait for a store that is under way. E2 is one, too.
//
// # Death
//
// Before W4 nothing was written, before R4 nothing read; bytes that were copied and not
// published are written over by nobody: the end has no successor. Between W4 and W5, R4
// and R5, E2 and E3 somebody may sleep who should not: recovery sets the flags, refuses
// what nobody has accepted, and then bumps all four bells (rule 5). A process that dies
// between its accepting and the ring of that has its name in the word by then.
//
// # Zeroes
//
// A peer's end is never 0 once there are two: a call that finds it so is in the zeroes of
// a closed region, ErrGone. What a call stores there nobody sees, and the region's Close
// ends both ends of the process, as a death would.
//
// [Lamport's]: https://lamport.azurewebsites.net/pubs/proving.pdf
type Stream struct {
	env       Env
	me        uint64
	own, peer *uint64
	acceptor  *uint64
	dialled   *uint64
	buffer    uint64

	_   [128]byte
	out streamWay // what this end writes
	_   [128]byte
	in  streamWay // what it reads
}

// A streamWay is one direction as one of its ends sees it. Its private words are of the
// one call that writes, or reads.
type streamWay struct {
	pos   uint64 // the own index
	other uint64 // the peer's, as it was last
	last  error  // what was said to who reads when the peer was gone
	over  atomic.Bool

	w, r       *uint64
	ring       unsafe.Pointer
	data, room Bell
}

// What a call of a Stream can end with, beside io.EOF.
var (
	ErrOver   = errors.New("ended at this end")          // by Stop
	ErrUnread = errors.New("the peer reads no more")     // of a Write
	ErrReset  = errors.New("the peer left bytes unread") // of a Read
)

// The offsets of a Stream's words.
const (
	streamBuffer   = 0
	streamDialled  = 8
	streamDialer   = 128
	streamAcceptor = 136
	streamWays     = 256
	streamWaySize  = 256
	streamR        = 128 // from a way
	streamBell     = 8   // from W: data; from R: room
	streamRings    = 768
)

const (
	streamIndex = 1<<11 - 1
	streamRC    = 1 << 11
	streamWC    = 1 << 12
	streamGone  = 1 << 13
	streamAll   = streamRC | streamWC | streamGone

	streamRefused = streamIndex | streamRC | streamWC
)

// StreamConfig is what a Stream is made with, and keeps.
type StreamConfig struct {
	Buffer int // bytes each way, a multiple of 64
}

const (
	streamLeast = 64
	streamMost  = 1 << 30
)

func (c StreamConfig) valid() bool {
	return c.Buffer >= streamLeast && c.Buffer <= streamMost && c.Buffer%64 == 0
}

// Size is how many bytes the Stream needs; 0 if it cannot be made.
func (c StreamConfig) Size() uint64 {
	if !c.valid() {
		return 0
	}
	return streamRings + 2*uint64(c.Buffer)
}

// StreamZeroed is how many bytes are to be zero for Init: the rings may hold anything, as
// W = R = 0 hides that.
const StreamZeroed = streamRings

// Init writes the words, on memory whose first StreamZeroed bytes are zero: dialled by
// who, under the listener's word; nobody has answered.
func (c StreamConfig) Init(a mem.Area, who Self, dialled uint64) {
	*a.W32(streamBuffer) = uint32(c.Buffer)
	*a.W64(streamDialled) = dialled
	*a.W64(streamDialer) = streamName(who)
}

func streamName(s Self) uint64 { return uint64(s.Epoch)<<32 | uint64(s.Index+1) }

// streamHolder is whose an end is.
func streamHolder(x uint64) (who Self, ok bool) {
	i := uint32(x & streamIndex)
	return Self{i - 1, uint32(x >> 32)}, i != 0 && i <= MaxParticipants
}

func badStream(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, a...))
}

// streamConfig reads and checks the configuration.
func streamConfig(a mem.Area) (c StreamConfig, err error) {
	if !a.Has(0, streamRings) {
		return c, badStream("a stream of %d bytes", a.Size())
	}
	c.Buffer = int(mem.Load32(a.W32(streamBuffer)))
	if !c.valid() || c.Size() > a.Size() {
		return c, badStream("buffers of %d bytes in %d", c.Buffer, a.Size())
	}
	return c, nil
}

// AttachStream is one end of a Stream, the dialer's or the acceptor's. There is one of
// each in all processes, since it has where the end stands. It writes nothing.
func AttachStream(a mem.Area, env Env, dialer bool) (*Stream, error) {
	c, err := streamConfig(a)
	if err != nil {
		return nil, err
	}
	s := &Stream{
		env: env, me: streamName(env.Self), own: a.W64(streamDialer), peer: a.W64(streamAcceptor),
		acceptor: a.W64(streamAcceptor), dialled: a.W64(streamDialled), buffer: uint64(c.Buffer),
		out: streamWayOf(a, env, 0, c), in: streamWayOf(a, env, 1, c),
	}
	if !dialer {
		s.own, s.peer = s.peer, s.own
		s.out, s.in = streamWayOf(a, env, 1, c), streamWayOf(a, env, 0, c)
	}
	return s, nil
}

func streamWayOf(a mem.Area, env Env, way uint64, c StreamConfig) streamWay {
	w := streamWays + way*streamWaySize
	r := w + streamR
	return streamWay{
		w: a.W64(w), r: a.W64(r), ring: a.Ptr(streamRings+way*uint64(c.Buffer), uint64(c.Buffer)),
		data: NewBell(a.W32(w+streamBell), env), room: NewBell(a.W32(r+streamBell), env),
	}
}

// Peer is whose the other end is.
func (s *Stream) Peer() (Self, bool) { return streamHolder(mem.Load64(s.peer)) }

// Dialled is the listener's word that the stream was dialled under.
func (s *Stream) Dialled() uint64 { return mem.Load64(s.dialled) }
