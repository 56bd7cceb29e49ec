package engine

import (
	"fmt"
	"runtime"

	"example.com/tandem/internal/mem"
)

// A Ledger is a count that knows each participant's share of it, so that a
// death can take a share back, or leave it: rule 2.
//
//	line 0    T 64 | bell 32 | …        64 waits | recoveries
//	line 1+i  row i 64 | 14 wide words 64 | epoch 64: participant i's
//
//	     63    40 39  34 33   24 23        0        63     32 31     0
//	    +--------+------+-------+-----------+      +---------+--------+
//	T   | value  |  δ   | index |   rseq    |  row |  rseq   |  held  |
//	    +--------+------+-------+-----------+      +---------+--------+
//	value  the count, 0 to LedgerMax
//	δ, index, rseq  the last change: by how much, by whom, and which of that
//	       participant's changes it was (the low 24 bits of its number).
//	       δ from -18 to 31 is itself; -32+k says: what wide word k of row index says
//	held   the sum of all δ of the row's participant that were settled; signed
//	wide   bit 63: taken; the low half a δ that is too large for T
//
// The value and a row are two words, so T names its last change, and nobody
// changes T before that change is in its row:
//
//	S1 load T  S2 load row[T.index]; its rseq is T's: settled
//	S3 it is one less: load the wide word, if δ says so  S4 load T; not S1's: again
//	S5 CAS the row to {held+δ, rseq+1}
//	A1 settle (S1 to S5)  A2 load row[me]  A3 CAS T to {value+δ, δ, me, row's rseq+1}
//	A4 a wide word: settle, then give it back
//
// A settler that comes late does nothing twice: at S4 T still named a change
// that was not in the row of S2, and S5 compares all of that row, whose rseq
// has 32 bits. A3's row is current: any change of row[me] since S1 would have
// gone through T. (T comes back to the same 64 bits only if in the meantime
// the same participant made an exact multiple of 2^24 changes that sum to
// nothing; a processor does that in no less than a second.)
// A wide word is written before A3 and cleared after S5, so a settler that
// finds it cleared finds the row changed.
//
// Death: whoever dies before A3 has changed nothing, after A3 everything.
// Recovery settles, clears the wide words of the dead, and gives back what it
// held by a change of its own in the dead one's name, which is why it may die
// anywhere and be done again; at last it forgets what is still held and bumps
// the bell.
type Ledger struct {
	t    *uint64
	a    mem.Area
	rows uint64
	env  Env

	// Bell is for those who wait for a change of the value.
	Bell Bell
}

const (
	ledgerLine = 128

	// LedgerMax is the largest value.
	LedgerMax = 1<<24 - 1

	ledgerWides  = 14
	ledgerCode   = 64 // δ has six bits
	ledgerNarrow = -ledgerCode/2 + ledgerWides
	ledgerSeq    = 1<<24 - 1
	ledgerTaken  = 1 << 63
)

// Offsets in line 0 and in a row's line.
const (
	ledgerBell       = 8
	ledgerWaits      = 64
	ledgerRecoveries = 72

	ledgerWide  = 8
	ledgerEpoch = 120
)

// LedgerSize is the size of a ledger for so many participants.
func LedgerSize(participants int) uint64 { return ledgerLine * (1 + uint64(participants)) }

// InitLedger writes a ledger with a value that nobody holds; a is zeroed.
func InitLedger(a mem.Area, value int) { mem.Store64(a.W64(0), uint64(value)<<40) }

// AttachLedger is this participant's use of the ledger in a.
func AttachLedger(a mem.Area, env Env) (*Ledger, error) {
	l, err := openLedger(a, env)
	if err != nil {
		return nil, err
	}
	if uint64(env.Self.Index) >= l.rows {
		return nil, fmt.Errorf("ledger of %d rows, used by participant %d: %w", l.rows, env.Self.Index, ErrCorrupt)
	}
	mem.Store64(l.line(env.Self.Index).W64(ledgerEpoch), uint64(env.Self.Epoch))
	return l, nil
}

func openLedger(a mem.Area, env Env) (*Ledger, error) {
	if !a.Has(0, 2*ledgerLine) {
		return nil, fmt.Errorf("ledger of %d bytes: %w", a.Size(), ErrCorrupt)
	}
	return &Ledger{t: a.W64(0), a: a, env: env, rows: a.Size()/ledgerLine - 1,
		Bell: NewBell(a.W32(ledgerBell), env)}, nil
}

func (l *Ledger) line(i uint32) mem.Area { return l.a.Sub(ledgerLine*(1+uint64(i)), ledgerLine) }

// Parts of T.
func ledgerValue(t uint64) int    { return int(t >> 40) }
func ledgerIndex(t uint64) uint32 { return uint32(t>>24) & (MaxParticipants - 1) }
func ledgerDelta(t uint64) int    { return int(int64(t<<24) >> 58) } // or wide word + -32

func ledgerWord(value, code int, index uint32, rseq uint32) uint64 {
	return uint64(value)<<40 | uint64(code)&(ledgerCode-1)<<34 | uint64(index)<<24 | uint64(rseq)&ledgerSeq
}

// Parts of a row.
func rowHeld(r uint64) int              { return int(int32(r)) }
func rowSeq(r uint64) uint32            { return uint32(r >> 32) }
func rowWord(held int, q uint32) uint64 { return uint64(q)<<32 | uint64(uint32(held)) }

// pending is S2 to S4: the row of t's last change, and whether that change is
// still to be entered in it, and how much it is. ok is false when T is not t
// any more.
func (l *Ledger) pending(t uint64) (r uint64, d int, open, ok bool, err error) {
	i := ledgerIndex(t)
	if uint64(i) >= l.rows {
		return 0, 0, false, false, ErrCorrupt
	}
	line := l.line(i)
	r = mem.Load64(line.W64(0)) // S2
	switch (uint32(t) - rowSeq(r)) & ledgerSeq {
	case 0:
		return r, 0, false, true, nil
	case 1:
	default:
		if mem.Load64(l.t) != t {
			return 0, 0, false, false, nil
		}
		return 0, 0, false, false, ErrCorrupt
	}
	cleared := false
	if d = ledgerDelta(t); d < ledgerNarrow { // S3
		w := mem.Load64(line.W64(ledgerWide + 8*uint64(d+ledgerCode/2)))
		d, cleared = int(int32(w)), w&ledgerTaken == 0
	}
	if mem.Load64(l.t) != t { // S4
		return 0, 0, false, false, nil
	}
	if cleared {
		if mem.Load64(line.W64(0)) == r {
			return 0, 0, false, false, ErrCorrupt
		}
		return 0, 0, false, false, nil
	}
	return r, d, true, true, nil
}

// settle is S1 to S5. It reports false if T was not t any more.
func (l *Ledger) settle(t uint64) (bool, error) {
	r, d, open, ok, err := l.pending(t)
	if !open || !ok || err != nil {
		return ok, err
	}
	row := l.line(ledgerIndex(t)).W64(0)
	return mem.CAS64(row, r, rowWord(rowHeld(r)+d, rowSeq(r)+1)), nil // S5
}

// settled settles T as it is now.
func (l *Ledger) settled() error {
	for {
		if ok, err := l.settle(mem.Load64(l.t)); ok || err != nil {
			return err
		}
	}
}

// Limits is where a change must leave the value, and its participant's share.
// Both share limits 0: any share will do.
type Limits struct {
	Min, Max         int
	HeldMin, HeldMax int
}

// An Outcome is what came of a change.
type Outcome int

const (
	Done    Outcome = iota
	TooLow          // the value would be below Min
	TooHigh         // the value would be above Max
	Overdue         // the participant's share would be outside of its limits
)

// Add changes the value by d, in this participant's name, all or nothing. It
// never waits. The caller rings the bell for those who may wait for it.
func (l *Ledger) Add(d int, m Limits) (Outcome, error) { return l.add(l.env.Self.Index, d, m) }

func (l *Ledger) add(i uint32, d int, m Limits) (Outcome, error) {
	line := l.line(i)
	code, wide := d, (*uint64)(nil)
	for {
		t := mem.Load64(l.t)
		ok, err := l.settle(t) // A1
		if err == nil && !ok {
			continue
		}
		r := mem.Load64(line.W64(0)) // A2
		v, h := ledgerValue(t)+d, rowHeld(r)+d
		o := Done
		switch {
		case v < max(m.Min, 0):
			o = TooLow
		case v > min(m.Max, LedgerMax):
			o = TooHigh
		case (m.HeldMin != 0 || m.HeldMax != 0) && (h < m.HeldMin || h > m.HeldMax) || h != int(int32(h)):
			o = Overdue
			if mem.Load64(l.t) != t { // the row may be of a later T
				continue
			}
		}
		if err != nil || o != Done {
			if wide != nil {
				mem.Store64(wide, 0)
			}
			return o, err
		}
		if wide == nil && (d < ledgerNarrow || d >= ledgerCode/2) {
			if code, wide = takeWide(line, d); wide == nil {
				return o, ErrCorrupt
			}
			continue
		}
		if mem.CAS64(l.t, t, ledgerWord(v, code, i, rowSeq(r)+1)) { // A3
			if wide != nil { // A4
				err = l.settled()
				mem.Store64(wide, 0)
			}
			return Done, err
		}
	}
}

// takeWide takes one of a row's wide words for d. They are this process's own;
// that all are taken, by goroutines in the middle of an Add, is rare and short.
// That it is not short means that they hold what nobody put there: nil.
//
//go:noinline
func takeWide(line mem.Area, d int) (code int, w *uint64) {
	for range 1_000_000 {
		for k := range ledgerWides {
			w = line.W64(ledgerWide + 8*uint64(k))
			if mem.Load64(w) == 0 && mem.CAS64(w, 0, ledgerTaken|uint64(uint32(d))) {
				return k - ledgerCode/2, w
			}
		}
		runtime.Gosched()
	}
	return 0, nil
}

// Wait is Add, which waits by s while the value is too low or too high.
func (l *Ledger) Wait(s Sleeper, d int, m Limits) (Outcome, error) {
	looks, slept := 0, false
	for {
		o, err := l.Add(d, m)
		if o == TooLow || o == TooHigh {
			if s.Spin(looks) {
				looks++
				continue
			}
			looks = 0
			word := l.Bell.Arm()
			if o, err = l.Add(d, m); err == nil && (o == TooLow || o == TooHigh) {
				slept = true
				if err = s.Sleep(l.Bell.Word(), word); err == nil {
					continue
				}
			}
		}
		if slept {
			mem.Add64(l.a.W64(ledgerWaits), 1)
			if err != nil || o != Done {
				l.Bell.Ring(1) // the wake-up may have been for another
			}
		}
		return o, err
	}
}

// Value is the count at this instant.
func (l *Ledger) Value() int { return ledgerValue(mem.Load64(l.t)) }

// Held is a participant's share at some instant of the call.
func (l *Ledger) Held(i uint32) (int, error) {
	if uint64(i) >= l.rows {
		return 0, ErrCorrupt
	}
	for {
		t := mem.Load64(l.t)
		if ledgerIndex(t) != i {
			r := mem.Load64(l.line(i).W64(0))
			if mem.Load64(l.t) == t {
				return rowHeld(r), nil
			}
			continue
		}
		r, d, _, ok, err := l.pending(t)
		if err != nil || ok {
			return rowHeld(r) + d, err
		}
	}
}
