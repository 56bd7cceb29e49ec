package engine

import (
	"errors"
	"fmt"
	"math/bits"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// An RWMutex is held by one writer, or by any number of readers.
//
//	line 0    a Mutex, the writers'
//	line 1    entered 64 | gate 32 | drain 32 | starving 32 | reserved, zero …
//	          192: waits | drains | stood back | recoveries      (slow paths only)
//	line 2    used: a bit for each row
//	line 3+i  row i 64 | passed 32 | reserved, zero …            participant i's
//
//	 63      32 31      11 10      0        63      32 31       0
//	+----------+----------+---------+      +----------+----------+
//	|  epoch   |    0     |  owner  |  row |  epoch   | readers  |
//	+----------+----------+---------+      +----------+----------+
//	entered  the writer that is inside: index + 1 and epoch, as in the mutex's
//	         word; 0 is nobody. The holder of the mutex writes it
//	gate     the Bell of readers that wait for a writer, and of writers that
//	         stand back for readers
//	drain    the Bell of the writer that waits for readers
//	starving 1: somebody may have been passed over; a hint
//	used     set before the row is, clear only while the row is 0
//	row      how many of the participant's goroutines are inside as readers, or
//	         step in; its own process alone writes it, and after its death recovery
//	passed   how many of them wait and were passed over
//
//	mutex    entered  rows   (A: the mutex's bit, abandoned)
//	free     0        0      free
//	free     0        n      read; or readers step in
//	held     0        n      a writer waits for n readers; no new ones come in
//	held     its      0      written. A row above 0 is a reader who steps out again
//	free A   0        0      abandoned: all are told, readers too
//	held A   ·        0      somebody repairs, or failed to
//	free A   a dead's 0      in the middle of its recovery
//
// The rows alone say who reads (rule 2: a row each, and no total that would
// have to agree with them). A reader touches its own row and looks at the
// mutex's word, so readers in two processes share no line that changes.
//
//	R1 row + 1                              W0 starving: stand back, below
//	R2 mutex neither held nor abandoned:    W1 lock the mutex: no new readers
//	   inside                               W2 all rows are 0, or wait on drain
//	R3 else row - 1; if now 0, ring drain   W3 entered = me: inside
//	R4 wait on gate
//	R5 leaving: row - 1 by CAS, never       W4 leaving: CAS entered to 0
//	   below 0; if now 0, ring drain        W5 unlock the mutex
//	                                        W6 ring gate, for all
//	R6 TryRLock, after R3: the mutex        W7 TryLock, for W2: rows are 0 after
//	   is not held any more: R1                W5: W1
//
// Never a writer with a reader: R1 and R2 against W1 and W2 are Dekker's. All
// four are sequentially consistent, and R1 and W1 are full fences (amd64: LOCK;
// arm64: LDADDAL and CASAL, which LDAR does not pass). So of R1 and W1 one is
// first for all: if R1 is, W2 finds the row; if W1 is, R2 finds the holder.
// W2 looks only at rows whose used bit is set, which was before any R1.
//
// Of several Trys that meet, and nobody else, one gets it. One that reads may step in,
// and out again, because of one that writes, and that may give up because of the row
// that it saw. If R3 is before W5, W7 sees that; else R6 sees W5.
//
// W3 is no fence. What entered says is asked after its writer's death, when all
// that it has stored is there, and by its own process, in W4. Others are shown
// it, if need be a moment later. W4 is a CAS, as somebody may unlock once too
// often while the writer of another process is inside.
//
// No wake-up is lost, by the proof of Bell: what is looked at changes before
// the ring. A writer in W2 looks at rows, and the process that makes one 0
// rings (R3, R5). A reader in R4 looks at the mutex, and the process that frees
// it rings: W6, also where a writer gives up in W2, or TryLock in between.
// Nobody has to ring for another in giving up: the gate is rung for all, and
// drain has one sleeper.
//
// Nobody starves. Readers that come after W1 wait, so a writer waits only for
// those inside. A reader that was woken and passed over again, patience after
// it came, is starving, and writers stand back for it:
//
//	P1 passed + 1  P2 starving = 1, and again after each fruitless look
//	P3 inside, or giving up: passed - 1, ring gate
//	S1 starving is 0: on to W1   S2 no row has passed: starving = 0
//	S3 the mutex is held: wait on gate
//	S4 it is free: wait on gate, for patience all together; then starving = 0
//
// Writers that were asleep on the mutex already go first, each once. After
// that the mutex stays free, and starving readers, which have been woken, get
// in. It is bounded on the other side too: S4 ends after patience whatever
// happens, and clears what a stopped reader said, which says it again only when
// it runs. A hint that S2 or S4 clears too soon is made again by the next
// fruitless look.
//
// Death: a reader's row is set to 0, and its passed (it just stops counting).
// A writer that dies between W3 and W4 leaves the mutex abandoned. One that
// has the mutex but is not inside (in W2, or after W4) leaves nothing: it is
// unlocked for it. Recovery rings both bells whatever they say, since R5 or W5
// may have been the last that the dead one did. All steps may be done twice:
// entered is cleared only after the mutex was taken from the dead, and only if
// it still names it.
type RWMutex struct {
	m        Mutex
	row      *uint64
	base     uint64  // row's value without readers
	bits     *uint64 // the used bits that row's is one of
	bit      uint64
	only     uint64 // what bits is if no other row is in use, and says so
	entered  *uint64
	starving *uint32
	gate     Bell
	drain    Bell
	rows     uint64
	lines    unsafe.Pointer // the rows' lines
	a        mem.Area
}

const rwLine = 128

// Offsets.
const (
	rwEntered  = MutexSize
	rwGate     = MutexSize + 8
	rwDrain    = MutexSize + 12
	rwStarving = MutexSize + 16

	rwWaits      = MutexSize + 64
	rwDrains     = MutexSize + 72
	rwStood      = MutexSize + 80
	rwRecoveries = MutexSize + 88

	rwUsed = MutexSize + rwLine
	rwRows = MutexSize + 2*rwLine

	// In a row's line.
	rwReaders = 0 // the low half of row
	rwPassed  = 8
)

// rwMost is how many goroutines of one process may read.
const rwMost = 1<<31 - 1

var errReaders = errors.New("2147483647 goroutines of this process read already")

// RWMutexSize is the size of an RWMutex for so many participants.
func RWMutexSize(participants int) uint64 { return rwRows + rwLine*uint64(participants) }

// InitRWMutex writes a free one; a is zeroed.
func InitRWMutex(a mem.Area) { InitMutex(a.Sub(0, MutexSize)) }

// AttachRWMutex is this participant's use of the RWMutex in a. It may be
// called again: what the participant holds stays.
func AttachRWMutex(a mem.Area, env Env) (*RWMutex, error) {
	l, err := openRWMutex(a, env)
	if err != nil {
		return nil, err
	}
	i := env.Self.Index
	if uint64(i) >= l.rows {
		return nil, fmt.Errorf("rwmutex of %d rows, used by participant %d: %w", l.rows, i, ErrCorrupt)
	}
	l.row, l.base, l.bits, l.bit = l.line(i).W64(0), uint64(env.Self.Epoch)<<32, l.used(i/64), 1<<(i%64)
	if l.only = l.bit; l.rows > 64 {
		l.only = ^l.bit // which it never is
	}
	for r := mem.Load64(l.row); r>>32 != uint64(env.Self.Epoch); r = mem.Load64(l.row) {
		mem.CAS64(l.row, r, l.base) // it is 0 already: recovery comes before the next user
	}
	mem.Or64(l.bits, l.bit)
	return l, nil
}

// openRWMutex is for a process that may have no row in it.
func openRWMutex(a mem.Area, env Env) (*RWMutex, error) {
	if !a.Has(0, rwRows+rwLine) {
		return nil, fmt.Errorf("rwmutex of %d bytes: %w", a.Size(), ErrCorrupt)
	}
	m, err := AttachMutex(a.Sub(0, MutexSize), env)
	if err != nil {
		return nil, err
	}
	rows := min((a.Size()-rwRows)/rwLine, MaxParticipants)
	return &RWMutex{m: *m, entered: a.W64(rwEntered), starving: a.W32(rwStarving),
		gate: NewBell(a.W32(rwGate), env), drain: NewBell(a.W32(rwDrain), env),
		rows: rows, lines: a.Ptr(rwRows, rwLine*rows), a: a}, nil
}

func (l *RWMutex) line(i uint32) mem.Area { return l.a.Sub(rwRows+rwLine*uint64(i), rwLine) }
func (l *RWMutex) used(k uint32) *uint64  { return l.a.W64(rwUsed + 8*uint64(k)) }

// any reports whether a word of 32 bits at off is not 0 in the line of some row
// in use.
func (l *RWMutex) any(off uint64) bool {
	for k := range uint32(l.rows+63) / 64 {
		for b := mem.Load64(l.used(k)); b != 0; b &= b - 1 {
			i := k*64 + uint32(bits.TrailingZeros64(b))
			if uint64(i) < l.rows && mem.Load32((*uint32)(unsafe.Add(l.lines, rwLine*uint64(i)+off))) != 0 {
				return true
			}
		}
	}
	return false
}

// there reports whether the mutex was taken in the region, and not in zeroes in
// its place, where nothing is in use: of those who go on to W3 one at a time is
// then at it, in the zeroes, too.
func (l *RWMutex) there() bool { return mem.Load64(l.bits)&l.bit != 0 }

// reading is W2's look at all rows.
func (l *RWMutex) reading() bool { return l.any(rwReaders) }

// TryLock locks for writing if nobody is inside. It is not taken when it is
// abandoned: ErrOwnerDied.
func (l *RWMutex) TryLock() (bool, error) {
	for {
		if mem.Load64(l.m.w)&(mutexHolder|mutexAbandoned) == 0 && l.reading() { // W7
			return false, nil // and no reader has noticed
		}
		ok, err := l.m.TryLock() // W1
		if !ok || err != nil {
			return false, err
		}
		if !l.reading() { // W2
			break
		}
		l.giveBack() // W5, W6
	}
	if !l.there() {
		l.giveBack()
		return false, ErrGone
	}
	mem.Release64(l.entered, l.m.me) // W3
	return true, nil
}

// Lock locks for writing, and waits by s for the holders inside. An error means
// not held: ErrOwnerDied at once while it is abandoned, or what s says. Callers
// try LockNow before they make an s.
func (l *RWMutex) Lock(s Sleeper) error {
	_, err := l.lock(s, false)
	return err
}

// Recover locks for writing, abandoned or not, and reports which.
func (l *RWMutex) Recover(s Sleeper) (suspect bool, err error) { return l.lock(s, true) }

func (l *RWMutex) lock(s Sleeper, repair bool) (suspect bool, err error) {
	if mem.Load32(l.starving) != 0 { // W0
		if err := l.standBack(s); err != nil {
			return false, err
		}
	}
	if suspect, err = l.m.lock(s, repair); err != nil { // W1
		return false, err
	}
	if err = l.wait(s); err == nil && !l.there() { // W2
		err = ErrGone
	}
	if err != nil {
		l.giveBack()
		return false, err
	}
	mem.Release64(l.entered, l.m.me) // W3
	return suspect, nil
}

// wait is W2. It does not wait by Bell.Await, since before each sleep it sees to
// it that the rows are such as somebody will clear.
func (l *RWMutex) wait(s Sleeper) error {
	slept := false
	for l.reading() {
		if s.Spin() {
			continue
		}
		if err := l.checkRows(); err != nil {
			return err
		}
		word := l.drain.Arm()
		if !l.reading() {
			break
		}
		slept = true
		if err := s.Sleep(l.drain.Word(), word); err != nil {
			return err
		}
	}
	if slept {
		mem.Add64(l.a.W64(rwDrains), 1)
		mem.Store64(l.m.since, uint64(s.Now()))
	}
	return nil
}

// giveBack is W5 and W6 of a call that has the mutex and was not inside.
func (l *RWMutex) giveBack() {
	l.m.Unlock()
	l.gate.Ring(-1)
}

// standBack is W0: S1 to S4.
func (l *RWMutex) standBack(s Sleeper) error {
	left := int64(patience)
	mem.Add64(l.a.W64(rwStood), 1)
	for mem.Load32(l.starving) != 0 { // S1
		word := l.gate.Arm()
		if !l.any(rwPassed) { // S2
			mem.Store32(l.starving, 0)
			break
		}
		w := mem.Load64(l.m.w)
		if w&mutexAbandoned != 0 {
			break
		}
		if w&mutexOwner != 0 { // S3
			if err := s.Sleep(l.gate.Word(), word); err != nil {
				return err
			}
			continue
		}
		now := s.Now() // S4
		if err := sleepUntil(s, l.gate.Word(), word, now+left); err != nil {
			return err
		}
		if left -= s.Now() - now; left <= 0 {
			mem.Store32(l.starving, 0)
			break
		}
	}
	return nil
}

// Unlock ends this process's writing. ErrNotLocked if nobody writes,
// ErrNotOwner if another process does; then nothing has changed.
func (l *RWMutex) Unlock() error {
	for !l.Leave() {
		if err := l.misuse(); err != nil {
			return err
		}
	}
	return l.Free()
}

// Free is W5 and W6.
func (l *RWMutex) Free() error {
	if !l.m.UnlockGuess() {
		// That nobody has it now is what was wanted.
		if err := l.m.Unlock(); err != nil && err != ErrNotLocked {
			return err
		}
	}
	l.Wake()
	return nil
}

// misuse is what is wrong with a call that only the writer may make. nil:
// nothing any more.
func (l *RWMutex) misuse() error {
	switch e := mem.Load64(l.entered); {
	case e == l.m.me:
		return nil
	case e == 0:
		return ErrNotLocked
	case !rwLegal(e):
		return ErrCorrupt
	}
	return ErrNotOwner
}

// rwLegal is what entered must look like at any instant.
func rwLegal(e uint64) bool {
	_, ok := mutexHeldBy(e)
	return e == 0 || ok && e&^mutexHolder == 0
}

// MarkConsistent says that what the lock guards is whole again. By the writer.
func (l *RWMutex) MarkConsistent() error {
	if err := l.misuse(); err != nil {
		return err
	}
	return l.m.MarkConsistent()
}

// Owner is the writer at this instant.
func (l *RWMutex) Owner() (Self, bool) { return mutexHeldBy(mem.Load64(l.entered)) }
