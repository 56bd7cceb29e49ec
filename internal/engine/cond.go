package engine

import (
	"errors"
	"fmt"

	"example.com/tandem/internal/mem"
)

// A Cond is a condition variable: waiters wait for something to become true of
// what a lock l guards, and the caller that changes it notifies them, so many
// at a time. l is the caller's, and the caller holds it in every call.
//
//	0    a reentrant lock of its own, where the user brings none (rmutex.go)
//	256  log 64 | from 64 | to 64 | next 64        320 waits | notified | healed | recoveries
//	384  rows in use, a bit each
//	512  a line per participant: row 64 | bell 32 | … | epoch 64
//
//	 63  62        40 39        20 19         0
//	+---+------------+------------+------------+
//	| D |   epoch    |  waiting   |  granted   |    a row: one process's waiters
//	+---+------------+------------+------------+
//	waiting  goroutines of the process that are in Wait
//	granted  how many of them are notified and have not returned; at most waiting
//	epoch    the low bits of the process's
//	D        the process is dead; what is granted is to be dealt to others
//
//	all 0            nobody waits
//	0 e w g  g <= w  w wait, g of them are notified
//	1 e w g          the same of a dead participant; the next holder of l clears it
//
//	 63      11 10        1   0
//	+---------+----+----+---+---+
//	|    0    | to 10 | from 10 | A |    log: A, a grant is on its way between two
//	+---------+----+----+---+---+         rows, which are to become from and to
//
// A row is one word, changed by CAS, by the holder of l; only D is set without
// l, by recovery. A bit of the rows in use may be set for an empty row, never
// clear for another; it is changed under l.
//
// Which of a process's waiters are notified is private: they stand in a line,
// in the order in which they came, and the first granted of them are. So a late
// waiter never takes what was granted before. Joining and leaving the line
// happens under l too. A waiter that leaves was notified and takes a grant with
// it, or was not, and then no waiter before it is touched. The line and the row
// are two words to a reader without l:
//
//	join:  C1 row: waiting+1        C2 to the line's end
//	leave: C3 out of the line       C4 row: waiting-1, and granted-1 if notified
//	look:  C5 load the row          C6 place in the line < granted?
//
// C6 never misses a notified waiter: its place < granted holds at every instant,
// since C3 comes before C4, and a place only falls. Between C3 and C4 of another,
// C6 may also find a waiter that was not notified. So what C6 finds is only a
// reason to take l and to look again.
//
// Wait:   W1 heal, join  W2 unlock l  W3 arm the row's bell  W4 look  W5 sleep
//
//	W6 lock l  W7 heal, look: notified, or given up: leave; else W2
//
// Notify: N1 heal  N2 CAS a row: granted+k  N3 ring its bell; N2 for the next
//
// A wake-up cannot be lost: the bell sees to N2 against W4. A context that ends
// is answered at W7, under l: a grant that was dealt by then is taken, not lost.
// Nobody is notified without a grant, and a grant is taken at C4, in one CAS.
//
// Death: recovery sets D and rings all bells; it never asks for l (R15: a
// stopped process may have it). A waiter that sees D with grants, or A, takes l
// and heals, as does every other holder of l before it looks at rows:
//
//	H1 write from and to  H2 log: A  H3 CAS the dead row to from  H4 CAS another to to
//	H5 log: 0  H6 ring; H1 until the dead row has no grants, or nobody waits
//	H7 CAS the dead row to 0
//
// A holder that dies between H2 and H5 leaves a log, and the next does H3 and
// H4 again, which are the same stores once more: rows change under l only, and
// D is kept. So a grant is neither lost nor doubled. Before H2 nothing has
// happened. A death before C4 leaves the grant to be dealt to others; after C4
// it was taken. A notifier that dies has granted what it has granted, and
// recovery rings for it. An index is not used again before its D is set, and
// its next user heals before it joins.
//
// The process that would have notified may have died holding l. So a waiter
// that sees at W4 that l is abandoned takes l, too, and is told, notified or
// not. Recovery gets to a Cond after it has been to all locks.
//
// A stopped waiter keeps its grant. Nobody waits for it: Notify never sleeps.
//
// Of a call inside, l may be taken: by another goroutine of its process that
// unlocks it, or by an operator. Up to W2 that call then changes its row beside the
// holder of l; so a change of a row that fails is tried again, unless D is set. At W2
// the call is told. It takes l, to leave, and passes on what it was given.
type Cond struct {
	a    mem.Area
	rows int
	env  Env
	mine uint64 // this process's epoch, as in its row
	row  *uint64
	few  *uint64 // the rows in use, if they are 64 at most; else nil
	bell Bell
	line *CondLine
}

// A CondLock is the lock of a Cond's user, as far as Wait needs it.
type CondLock interface {
	// Unlock frees it, however often it was locked.
	Unlock() error
	// Lock takes it back, abandoned or not, and reports which. It waits for
	// as long as that takes; an error is a reason why it never will.
	Lock() (suspect bool, err error)
	// Abandoned reports whether a holder of it died, and nobody has repaired
	// since.
	Abandoned() bool
	// Over reports that this process is leaving the region. Lock fails then,
	// and what is left of the Wait in the region is for recovery to take out.
	Over() bool
}

// Offsets.
const (
	condLog   = 256
	condFrom  = 264
	condTo    = 272
	condNext  = 280 // the row at which the next Notify begins
	condUsed  = 384
	condRows  = 512
	condLine  = 128
	condBell  = 8  // in a row's line
	condEpoch = 64 // the whole epoch, to be shown

	condWaits      = 320 // Waits that slept
	condNotified   = 328
	condHealed     = 336 // grants of the dead that were dealt to others
	condRecoveries = 344
)

const (
	condMost    = 1<<20 - 1
	condWaiting = 1 << 20
	condDead    = 1 << 63

	condEpochBits = 23

	condActive = 1

	// How often a change of a row is tried. One that fails shows that another is
	// inside without l, or that the process is dead.
	condTries = 64
)

// CondSize is the size of a Cond for so many participants.
func CondSize(participants int) uint64 { return condRows + condLine*uint64(participants) }

// InitCond writes a Cond that nobody waits on; a is zeroed.
func InitCond(a mem.Area) { InitRMutex(a) }

// AttachCond is this participant's use of the Cond in a. line is the process's
// own, one for each Cond.
func AttachCond(a mem.Area, env Env, line *CondLine) (*Cond, error) {
	c, err := openCond(a, env)
	if err != nil {
		return nil, err
	}
	if int(env.Self.Index) >= c.rows {
		return nil, fmt.Errorf("cond of %d rows, used by participant %d: %w", c.rows, env.Self.Index, ErrCorrupt)
	}
	c.line, c.row, c.bell = line, c.rowOf(int(env.Self.Index)), c.bellOf(int(env.Self.Index))
	c.mine = condEpochOf(env.Self.Epoch)
	return c, nil
}

func openCond(a mem.Area, env Env) (*Cond, error) {
	if !a.Has(0, CondSize(1)) {
		return nil, fmt.Errorf("cond of %d bytes: %w", a.Size(), ErrCorrupt)
	}
	c := &Cond{a: a, env: env, rows: int(min((a.Size()-condRows)/condLine, MaxParticipants))}
	if c.rows <= 64 {
		c.few = a.W64(condUsed)
	}
	return c, nil
}

// CondOwn is the part of a Cond that is a reentrant lock of its own.
func CondOwn(a mem.Area) (mem.Area, error) {
	if !a.Has(0, CondSize(1)) {
		return mem.Area{}, fmt.Errorf("cond of %d bytes: %w", a.Size(), ErrCorrupt)
	}
	return a.Sub(0, RMutexSize), nil
}

func (c *Cond) rowOf(i int) *uint64 { return c.a.W64(condRows + condLine*uint64(i)) }
func (c *Cond) bellOf(i int) Bell {
	return NewBell(c.a.W32(condRows+condLine*uint64(i)+condBell), c.env)
}

func (c *Cond) count(off uint64, n int) { mem.Add64(c.a.W64(off), uint64(n)) }

// Parts of a row.
func condWaitingOf(r uint64) int      { return int(r >> 20 & condMost) }
func condGrantedOf(r uint64) int      { return int(r & condMost) }
func condEpochOf(epoch uint32) uint64 { return uint64(epoch) << 40 &^ condDead }
func condSame(r, s uint64) bool       { return (r^s)&(1<<63-1<<20) == 0 } // epoch and waiting

// condRoom is how many more of a row's waiters can be notified.
func condRoom(r uint64) int {
	if r&condDead != 0 {
		return 0
	}
	return condWaitingOf(r) - condGrantedOf(r)
}

// condLegal is what any row must look like at any instant.
func condLegal(r uint64) bool {
	return r == 0 || condWaitingOf(r) > 0 && condGrantedOf(r) <= condWaitingOf(r)
}

var (
	errTooManyWaiters = errors.New("too many goroutines of this process wait")
	errUnnotified     = fmt.Errorf("%w; not notified", ErrOwnerDied) // it woke to heal
)

// Wait gives up l, waits to be notified, and takes l back. nil: notified. An
// error is the sleeper's, after which l is held too and no notification was
// taken; or ErrOwnerDied, l held and suspect; or what kept l from being taken
// back, and l is not held.
func (c *Cond) Wait(s Sleeper, l CondLock) error {
	if err := c.heal(); err != nil { // W1
		return err
	}
	w, err := c.join()
	if err != nil {
		return err
	}
	due := func() bool { return c.due(w) || l.Abandoned() }
	waits := c.a.W64(condWaits) // grows once for each call
	for {
		if err := l.Unlock(); err != nil { // W2
			c.withdraw(w, l)
			return err
		}
		ended := error(nil)
		if !due() {
			var slept bool
			if slept, ended = c.bell.await(s, due, beside{waits: waits}); slept { // W3 to W5
				waits = nil
			}
		}
		suspect, err := l.Lock() // W6
		if err != nil {
			c.drop(w, l)
			return err
		}
		told, left, err := c.decide(w, l, ended != nil || suspect) // W7
		if !left {
			continue
		}
		switch {
		case err != nil:
			return err
		case suspect && ended != nil && !told:
			return errors.Join(ErrOwnerDied, ended)
		case suspect && !told:
			return errUnnotified
		case suspect:
			return ErrOwnerDied
		case told:
			return nil
		}
		return ended
	}
}

// join is C1 and C2.
func (c *Cond) join() (*condWaiter, error) {
	i := int(c.env.Self.Index)
	for range condTries {
		if used, bit := c.used(i); mem.Load64(used)&bit == 0 {
			mem.Or64(used, bit)
		}
		r := mem.Load64(c.row)
		switch {
		case r == 0:
			mem.Store64(c.a.W64(condRows+condLine*uint64(i)+condEpoch), uint64(c.env.Self.Epoch))
		case !c.own(r):
			return nil, ErrCorrupt
		case condWaitingOf(r) == condMost:
			return nil, errTooManyWaiters
		}
		if mem.CAS64(c.row, r, (r|c.mine)+condWaiting) { // C1
			return c.line.join(), nil // C2
		}
	}
	return nil, ErrCorrupt
}

// own reports whether r is what a row of this process's with waiters looks like.
func (c *Cond) own(r uint64) bool { return r != 0 && condLegal(r) && r>>40 == c.mine>>40 }

// due reports whether there is a reason to take l and look, for w, which
// waits: C5, C6, and what there is to heal.
func (c *Cond) due(w *condWaiter) bool {
	if mem.Load64(c.a.W64(condLog)) != 0 {
		return true
	}
	r := mem.Load64(c.row)                                        // C5
	if r>>40 != c.mine>>40 || c.line.first(w, condGrantedOf(r)) { // C6
		return true
	}
	for i := c.next(0); i < c.rows; i = c.next(i + 1) {
		if r := mem.Load64(c.rowOf(i)); r&condDead != 0 && condGrantedOf(r) > 0 {
			return true
		}
	}
	return false
}

// decide is W7. It reports whether w was notified, and whether it has left:
// since it was, or because it is to end, or by an error.
func (c *Cond) decide(w *condWaiter, l CondLock, end bool) (told, left bool, err error) {
	if err := c.heal(); err != nil {
		c.drop(w, l)
		return false, true, err
	}
	r := mem.Load64(c.row)
	if told = c.line.first(w, condGrantedOf(r)); c.own(r) && !told && !end {
		return false, false, nil
	}
	if !c.leave(w, r, told) {
		return false, true, ErrCorrupt
	}
	return told, true, nil
}

// leave is C3 and C4. r is the row, and told whether w is notified in it. It reports
// false if the row is corrupt.
func (c *Cond) leave(w *condWaiter, r uint64, told bool) bool {
	c.line.leave(w) // C3
	for range condTries {
		if !c.own(r) {
			break
		}
		if mem.CAS64(c.row, r, condLeft(r, told)) { // C4
			return true
		}
		r = mem.Load64(c.row)
	}
	return false
}

// condLeft is r with one waiter less, and one grant if that was notified. Where all
// are notified the one that leaves is.
func condLeft(r uint64, told bool) uint64 {
	n := r - condWaiting
	if g := condGrantedOf(r); told && g > 0 || g == condWaitingOf(r) {
		n--
	}
	if condWaitingOf(n) == 0 {
		return 0
	}
	return n
}

// withdraw takes w out whose call does not hold l any more: W2 says so. Rows are not
// changed without l, so it is taken for that; and what w was given goes to another.
func (c *Cond) withdraw(w *condWaiter, l CondLock) {
	if _, err := l.Lock(); err != nil {
		c.drop(w, l)
		return
	}
	if told, _, err := c.decide(w, l, true); told && err == nil {
		c.Notify(1, func() bool { return true })
	}
	l.Unlock()
}

// drop takes w out as far as that can be done: l cannot be had, or rows are corrupt.
// Where the process is leaving the row stays as it is: recovery deals its grants to
// others.
func (c *Cond) drop(w *condWaiter, l CondLock) {
	if l.Over() {
		c.line.leave(w)
		return
	}
	r := mem.Load64(c.row)
	c.leave(w, r, c.line.first(w, condGrantedOf(r)))
}
