package region

import (
	"runtime"
	"structs"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/wait"
)

// A region's bytes, from offset 0 on; docs/layout.md specifies them for
// readers in other languages, and testdata holds images of them.
//
//	header        4,096 bytes
//	participants  a record of 256 bytes each
//	openers       a row of bits per participant: the objects it has open
//	waits         a row of 512 bytes per participant: what its calls sleep on
//	entries       the directory, 320 bytes an object
//	buckets       its hash table, uint32 entry numbers plus 1
//	extents       free runs of the heap, 16 bytes each: derived from the entries
//	heap          the objects' memory, from a page boundary on
//
// Everything is little-endian and an offset; no pointer is stored. Words that
// different processes write often are 128 bytes apart.
//
// The structs below say where each word is, and nothing else: no word is read or
// written through them, but one by one, by its offset, as package mem does it.
const (
	layoutMagic   = 0x4d45444e41540a1a // "\x1a\nTANDEM": not text, and not any other format
	layoutVersion = 3

	// Bytes.
	HeaderSize = 4096
	RecordSize = 256
	EntrySize  = 320
	ExtentSize = 16
	WaitsSize  = 512
	SlotSize   = 16
	DutyStride = 16 // from post to post

	DutyPosts   = 6
	ShelfPlaces = 16
	EntNameMax  = 200
	recNameMax  = 64
)

// Flags of a region.
const (
	FlagEphemeral = 1 << 0 // it ends with its last participant
	FlagAnonymous = 1 << 1 // a memfd
	FlagUnfenced  = 1 << 2 // those who sleep make the fences of those who publish
)

// knownFlags are those of this build.
func knownFlags() uint32 {
	if runtime.GOARCH != "amd64" { // nobody there knows of others' fences
		return FlagEphemeral | FlagAnonymous
	}
	return FlagEphemeral | FlagAnonymous | FlagUnfenced
}

// LifeGone is the header's life once an ephemeral region has ended.
const LifeGone = 1

// States of a directory entry; directory.go says how they follow each other.
const (
	EntFree    = 0 // not in use
	EntLive    = 1
	EntRemoved = 2 // no name; its memory comes back when no live process has it open
	EntVoid    = 3 // removed, and its memory is just being taken back
)

// A headerLayout is a region's first bytes. Those up to sum never change once the
// file has its name.
type headerLayout struct {
	_            structs.HostLayout
	magic        uint64   //    0  "\x1a\nTANDEM"
	version      uint32   //    8
	flags        uint32   //   12  Flag…
	size         uint64   //   16  bytes of the file
	id           [16]byte //   24  random
	participants uint32   //   40
	objects      uint32   //   44
	boot         [16]byte //   48  the kernel's boot id at creation
	pageSize     uint32   //   64
	_            [4]byte
	created      int64  //   72  Unix nanoseconds
	inode        uint64 //   80  the file's own: a copy of it has another
	sum          uint64 //   88  FNV-1a of bytes 0 to 23, 40 to 47 and 64 to 71
	_            [32]byte
	changes      uint32 //  128  futex: bumped when all are to look at the participants; see shm/bell.go
	next         uint32 //  132  where the search for a free record starts (oldest first)
	ends         uint32 //  136  futex: bumped when a participant is gone
	answers      uint32 //  140  futex: bumped when a participant has dropped what it was asked to, or is gone; see shm/ask.go
	_            [48]byte
	life         uint32 //  192  LifeGone once an ephemeral region has ended
	_            [60]byte
	dirLock      [engine.MutexSize]byte //  256  an engine mutex
	dir          dirLayout              //  384
	_            [80]byte
	duty         [DutyPosts]postLayout //  512  who is on duty; see shm/duty.go
	_            [32]byte
	shelf        [ShelfPlaces]uint64 //  640  {generation:32, entry+1:32} of what may be used again; see shm/object_shelf.go
	_            [3328]byte          // 768 to 4096: zero
}

// A dirLayout is the directory's line. All but seq change under the directory's
// lock only.
type dirLayout struct {
	_       structs.HostLayout
	seq     uint64   //    0  odd while the directory changes; for lookups without the lock
	free    uint32   //    8  first unused entry +1, chained through next: 0 there is the entry that follows, 1<<32-1 (here too) none
	removed uint32   //   12  first removed entry that still has memory, +1
	live    uint32   //   16  live objects
	extents uint32   //   20  rows of the extents table in use
	gen     uint64   //   24  the last generation given to an entry
	_       [16]byte // 32 to 48: zero
}

// A postLayout is a post of those on duty.
type postLayout struct {
	_      structs.HostLayout
	holder uint64  //    0  {epoch:32, index+1:32} of a participant; 0: nobody
	beat   uint32  //    8  grows with each period in which the holder looked
	_      [4]byte // 12 to 16: zero
}

// A recordLayout is a participant's record.
type recordLayout struct {
	_         structs.HostLayout
	word      uint64 //    0  {epoch:32, state:32}
	alive     uint32 //    8  futex: the guard's thread id | FUTEX_WAITERS; the kernel sets FUTEX_OWNER_DIED
	pid       uint32 //   12
	recoverer uint64 //   16  who recovers the dead one; see records.go
	pidns     uint64 //   24  inodes of its pid namespace and, in the high half, its time namespace
	start     uint64 //   32  its start time, in clock ticks since boot (/proc/PID/stat, field 22)
	since     int64  //   40  when it attached, Unix nanoseconds
	nameLen   uint32 //   48
	_         [4]byte
	exits     uint64           //   56  {epoch:32, deaths:32}: the last exit, and which of the last 32 were deaths, bit k that of epoch-k
	name      [recNameMax]byte //   64
	sum       uint64           //  128  of pid, namespaces, start time and epoch; 0 while they change
	ended     int64            //  136  when its last user's end was recorded, Unix nanoseconds
	_         [48]byte
	recovered uint64   //  192  recoveries it has done
	rescued   uint64   //  200  deaths it found that nobody told it of
	bell      uint32   //  208  futex: bumped when its guard is to look at the participants
	asked     uint32   //  212  grows with each request to drop what it does not use
	answered  uint32   //  216  the request that it has answered
	told      uint32   //  220  the last epoch whose end those who listen were told of
	_         [32]byte // 224 to 256: zero
}

// A waitsLayout is a row of the table of waits.
type waitsLayout struct {
	_     structs.HostLayout
	rest  uint64 //    0  calls that sleep and have no slot
	_     [8]byte
	slots [wait.BoardSlots]slotLayout //   16
}

// A slotLayout is a slot of such a row.
type slotLayout struct {
	_     structs.HostLayout
	word  uint64 //    0  {calls:18, offset of the word they sleep on:46}; 0: free
	since uint64 //    8  since when one of them has slept, CLOCK_MONOTONIC nanoseconds
}

// An entryLayout is an entry of the directory.
type entryLayout struct {
	_       structs.HostLayout
	state   uint32 //    0  Ent…; stored last when an object is made
	kind    uint32 //    4  engine.Kind
	gen     uint64 //    8  differs for every object that ever was in this entry
	hash    uint64 //   16  of the name
	off     uint64 //   24  the object's memory, from the start of the region
	size    uint64 //   32  bytes of it taken from the heap, a multiple of 128
	words   uint64 //   40  bytes of the engine's words, from off on; the fields' text follows
	fields  uint32 //   48  bytes of the fields' text
	next    uint32 //   52  next entry +1 in its chain (bucket, free or removed)
	since   int64  //   56  when it was made, Unix nanoseconds
	nameLen uint32 //   64
	_       [4]byte
	name    [EntNameMax]byte //   72
	_       [48]byte         // 272 to 320: zero
}

// Offsets, in bytes: of the header's fields from the start of the region, of the
// others' from the start of theirs.
const (
	HdrMagic        = uint64(unsafe.Offsetof(headerLayout{}.magic))
	HdrVersion      = uint64(unsafe.Offsetof(headerLayout{}.version))
	hdrFlags        = uint64(unsafe.Offsetof(headerLayout{}.flags))
	HdrSize         = uint64(unsafe.Offsetof(headerLayout{}.size))
	HdrID           = uint64(unsafe.Offsetof(headerLayout{}.id))
	hdrParticipants = uint64(unsafe.Offsetof(headerLayout{}.participants))
	hdrObjects      = uint64(unsafe.Offsetof(headerLayout{}.objects))
	HdrBoot         = uint64(unsafe.Offsetof(headerLayout{}.boot))
	HdrPageSize     = uint64(unsafe.Offsetof(headerLayout{}.pageSize))
	HdrCreated      = uint64(unsafe.Offsetof(headerLayout{}.created))
	hdrInode        = uint64(unsafe.Offsetof(headerLayout{}.inode))
	hdrSum          = uint64(unsafe.Offsetof(headerLayout{}.sum))
	HdrChanges      = uint64(unsafe.Offsetof(headerLayout{}.changes))
	HdrNext         = uint64(unsafe.Offsetof(headerLayout{}.next))
	HdrEnds         = uint64(unsafe.Offsetof(headerLayout{}.ends))
	HdrAnswers      = uint64(unsafe.Offsetof(headerLayout{}.answers))
	HdrLife         = uint64(unsafe.Offsetof(headerLayout{}.life))
	HdrDirLock      = uint64(unsafe.Offsetof(headerLayout{}.dirLock))
	HdrDir          = uint64(unsafe.Offsetof(headerLayout{}.dir))
	hdrDuty         = uint64(unsafe.Offsetof(headerLayout{}.duty))
	hdrShelf        = uint64(unsafe.Offsetof(headerLayout{}.shelf))

	DirSeq     = uint64(unsafe.Offsetof(dirLayout{}.seq))
	DirFree    = uint64(unsafe.Offsetof(dirLayout{}.free))
	DirRemoved = uint64(unsafe.Offsetof(dirLayout{}.removed))
	DirLive    = uint64(unsafe.Offsetof(dirLayout{}.live))
	dirExtents = uint64(unsafe.Offsetof(dirLayout{}.extents))
	DirGen     = uint64(unsafe.Offsetof(dirLayout{}.gen))

	dutyHolder = uint64(unsafe.Offsetof(postLayout{}.holder))
	dutyBeat   = uint64(unsafe.Offsetof(postLayout{}.beat))

	RecWord      = uint64(unsafe.Offsetof(recordLayout{}.word))
	RecAlive     = uint64(unsafe.Offsetof(recordLayout{}.alive))
	RecPID       = uint64(unsafe.Offsetof(recordLayout{}.pid))
	RecRecoverer = uint64(unsafe.Offsetof(recordLayout{}.recoverer))
	RecPIDNS     = uint64(unsafe.Offsetof(recordLayout{}.pidns))
	RecStart     = uint64(unsafe.Offsetof(recordLayout{}.start))
	recSince     = uint64(unsafe.Offsetof(recordLayout{}.since))
	RecNameLen   = uint64(unsafe.Offsetof(recordLayout{}.nameLen))
	RecExits     = uint64(unsafe.Offsetof(recordLayout{}.exits))
	RecName      = uint64(unsafe.Offsetof(recordLayout{}.name))
	RecSum       = uint64(unsafe.Offsetof(recordLayout{}.sum))
	RecEnded     = uint64(unsafe.Offsetof(recordLayout{}.ended))
	RecRecovered = uint64(unsafe.Offsetof(recordLayout{}.recovered))
	RecRescued   = uint64(unsafe.Offsetof(recordLayout{}.rescued))
	RecBell      = uint64(unsafe.Offsetof(recordLayout{}.bell))
	RecAsked     = uint64(unsafe.Offsetof(recordLayout{}.asked))
	RecAnswered  = uint64(unsafe.Offsetof(recordLayout{}.answered))
	RecTold      = uint64(unsafe.Offsetof(recordLayout{}.told))

	waitsRest  = uint64(unsafe.Offsetof(waitsLayout{}.rest))
	WaitsSlots = uint64(unsafe.Offsetof(waitsLayout{}.slots))

	slotWord  = uint64(unsafe.Offsetof(slotLayout{}.word))
	SlotSince = uint64(unsafe.Offsetof(slotLayout{}.since))

	EntState   = uint64(unsafe.Offsetof(entryLayout{}.state))
	EntKind    = uint64(unsafe.Offsetof(entryLayout{}.kind))
	EntGen     = uint64(unsafe.Offsetof(entryLayout{}.gen))
	EntHash    = uint64(unsafe.Offsetof(entryLayout{}.hash))
	EntOff     = uint64(unsafe.Offsetof(entryLayout{}.off))
	EntSize    = uint64(unsafe.Offsetof(entryLayout{}.size))
	EntWords   = uint64(unsafe.Offsetof(entryLayout{}.words))
	EntFields  = uint64(unsafe.Offsetof(entryLayout{}.fields))
	EntNext    = uint64(unsafe.Offsetof(entryLayout{}.next))
	entSince   = uint64(unsafe.Offsetof(entryLayout{}.since))
	EntNameLen = uint64(unsafe.Offsetof(entryLayout{}.nameLen))
	EntName    = uint64(unsafe.Offsetof(entryLayout{}.name))
)

// Bytes of the file that serve as locks, of open file descriptions; and of each
// record the first (Record.ByteOffset). shm/ephemeral.go has the rules.
const (
	NameByte = int64(HdrMagic)
	LifeByte = int64(HdrLife)
)

// What docs/layout.md promises, exact both ways: where the two differ the compiler
// prints both.
var (
	_ [4096]byte = [unsafe.Sizeof(headerLayout{})]byte{}
	_ [0]byte    = [HdrMagic]byte{}
	_ [8]byte    = [HdrVersion]byte{}
	_ [12]byte   = [hdrFlags]byte{}
	_ [16]byte   = [HdrSize]byte{}
	_ [24]byte   = [HdrID]byte{}
	_ [40]byte   = [hdrParticipants]byte{}
	_ [44]byte   = [hdrObjects]byte{}
	_ [48]byte   = [HdrBoot]byte{}
	_ [64]byte   = [HdrPageSize]byte{}
	_ [72]byte   = [HdrCreated]byte{}
	_ [80]byte   = [hdrInode]byte{}
	_ [88]byte   = [hdrSum]byte{}
	_ [128]byte  = [HdrChanges]byte{}
	_ [132]byte  = [HdrNext]byte{}
	_ [136]byte  = [HdrEnds]byte{}
	_ [140]byte  = [HdrAnswers]byte{}
	_ [192]byte  = [HdrLife]byte{}
	_ [256]byte  = [HdrDirLock]byte{}
	_ [384]byte  = [HdrDir]byte{}
	_ [512]byte  = [hdrDuty]byte{}
	_ [640]byte  = [hdrShelf]byte{}

	_ [48]byte = [unsafe.Sizeof(dirLayout{})]byte{}
	_ [0]byte  = [DirSeq]byte{}
	_ [8]byte  = [DirFree]byte{}
	_ [12]byte = [DirRemoved]byte{}
	_ [16]byte = [DirLive]byte{}
	_ [20]byte = [dirExtents]byte{}
	_ [24]byte = [DirGen]byte{}

	_ [16]byte = [unsafe.Sizeof(postLayout{})]byte{}
	_ [0]byte  = [dutyHolder]byte{}
	_ [8]byte  = [dutyBeat]byte{}

	_ [256]byte = [unsafe.Sizeof(recordLayout{})]byte{}
	_ [0]byte   = [RecWord]byte{}
	_ [8]byte   = [RecAlive]byte{}
	_ [12]byte  = [RecPID]byte{}
	_ [16]byte  = [RecRecoverer]byte{}
	_ [24]byte  = [RecPIDNS]byte{}
	_ [32]byte  = [RecStart]byte{}
	_ [40]byte  = [recSince]byte{}
	_ [48]byte  = [RecNameLen]byte{}
	_ [56]byte  = [RecExits]byte{}
	_ [64]byte  = [RecName]byte{}
	_ [128]byte = [RecSum]byte{}
	_ [136]byte = [RecEnded]byte{}
	_ [192]byte = [RecRecovered]byte{}
	_ [200]byte = [RecRescued]byte{}
	_ [208]byte = [RecBell]byte{}
	_ [212]byte = [RecAsked]byte{}
	_ [216]byte = [RecAnswered]byte{}
	_ [220]byte = [RecTold]byte{}

	_ [512]byte = [unsafe.Sizeof(waitsLayout{})]byte{}
	_ [0]byte   = [waitsRest]byte{}
	_ [16]byte  = [WaitsSlots]byte{}

	_ [16]byte = [unsafe.Sizeof(slotLayout{})]byte{}
	_ [0]byte  = [slotWord]byte{}
	_ [8]byte  = [SlotSince]byte{}

	_ [320]byte = [unsafe.Sizeof(entryLayout{})]byte{}
	_ [0]byte   = [EntState]byte{}
	_ [4]byte   = [EntKind]byte{}
	_ [8]byte   = [EntGen]byte{}
	_ [16]byte  = [EntHash]byte{}
	_ [24]byte  = [EntOff]byte{}
	_ [32]byte  = [EntSize]byte{}
	_ [40]byte  = [EntWords]byte{}
	_ [48]byte  = [EntFields]byte{}
	_ [52]byte  = [EntNext]byte{}
	_ [56]byte  = [entSince]byte{}
	_ [64]byte  = [EntNameLen]byte{}
	_ [72]byte  = [EntName]byte{}
)
