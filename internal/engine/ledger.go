package engine

import (
	"fmt"

	"example.com/tandem/internal/mem"
)

// A Ledger is a count that knows each participant's share of it, so that a
// death can take a share back, or leave it: rule 2.
//
//	line 0    T 64 | bell 32 | starving 32 | …     64 waits | recoveries
//	line 1+i  row 64 | base 64 | …   120 epoch: participant i's
//
//	     63    35 34      24 23     0          63       32 31      0
//	    +--------+----------+--------+        +-----------+---------+
//	T   |  seq   |  tenant  | value  |   row  |    seq    |  held   |
//	    +--------+----------+--------+   base |   count   |  base   |
//	                                          +-----------+---------+
//	value   the count, 0 to LedgerMax
//	tenant  index + 1 of the participant that changed it last; 0 is nobody
//	seq     another with every change; in a row, that of the T it was settled for
//	held    the share of a participant that is not the tenant: the sum of its
//	        changes; signed
//	base    the tenant's share is value - base. What else there is in a base is
//	        of no meaning
//	count   another with every change of base
//
// As long as only the tenant changes the value, the rest of it, which is the
// others', stays what it is: the base. So the tenant's next change is one CAS,
// and value and share change at once:
//
//	N1 load T, mine  N2 CAS T to {value+δ, me, seq+1}     (ledger_now.go)
//
// Before another becomes the tenant, the last one's share is in its row:
//
//	S1 load T  S2 load the tenant's base and row; {value-base, seq}: settled
//	S3 load T; not S1's: again  S4 CAS the row to {value-base, seq}
//
//	A1 load T, not mine  A2 load my base and row  A3 settle A1's T (S2 to S4)
//	A4 load T; not A1's: again  A5 CAS my base, A2's, to {count+1, value-held}
//	A6 CAS T, A1's, to {value+δ, me, seq+1}
//
// A settler that comes late does nothing: a row's seqs only grow, since S4
// compares all of what S2 found when T, as S3 says, was still S1's. A tenancy
// ends by an A6 with the row settled for that very T; a settler that still
// wants to settle an older T finds another row than at S2.
//
// A base is right all through a tenancy. A tenancy begins by an A5 and an A6 on
// one T. An A5 of another goroutine may succeed after that first A5, even in the
// middle of the tenancy. Its A2 came after the first A5, or it would
// have read another count and failed. Its A2 also came before the A6, as A4 shows:
// so it saw the same T and the same row, and it writes the same base again.
//
// The numbers of changes have 29 bits. They fail only if a process is stopped
// between two of the steps above while others make an exact multiple of 2^29
// changes, which takes a processor seconds.
//
// Death: a participant that dies before N2 or A6 has changed nothing, after it
// everything; a row that was settled says what is so, and a base of a
// participant that is not the tenant says nothing.
// Recovery: R1 the dead one is the tenant: settle, CAS the tenant out of T
//
//	R2 give back by a change in its name (A1 to A6); R1 again
//	R3 CAS what is left in its row to 0. It is not the tenant and cannot become it
//
// It may die anywhere and be done again, and at last it bumps the bell.
//
// A waiter for a change may find again and again that another was faster.
// Having slept, and waited for longer than patience, it sets starving:
//
//	H1 set starving  H2 arm the bell  H3 try (A1 …)  H4 sleep
//	K1 starving, and I have not slept: arm the bell  K2 starving is 0: H3
//	K3 sleep, for patience at most; then I have slept
//	G1 I have slept, and got it, or give up: starving to 0  G2 ring for all that is left
//
// So those who have not slept stand back for a moment. Nobody sleeps on for it
// while there is something to have: as long as starving is set, the waiter that
// set it is between H1 and G1, or dead, and recovery does G1 and bumps. A call
// that stands back has armed the bell before K2, so either K2 sees G1, or G2
// sees the bell armed.
type Ledger struct {
	t    *uint64
	me   uint64 // this participant as a tenant
	a    mem.Area
	rows uint64
	env  Env

	starving *uint32

	// Bell is for those who wait for a change of the value.
	Bell Bell
}

const (
	ledgerLine = 128

	// LedgerMax is the largest value.
	LedgerMax = 1<<24 - 1

	ledgerTenant = 2047 << 24
	ledgerSeqOne = 1 << 35

	// A share beyond this, either way, is taken for this: it has lost any
	// meaning but to be very large. In one tenancy it changes by LedgerMax at
	// most, so that no number of changes leads out of 32 bits.
	ledgerShare = 1 << 30
)

// Offsets in line 0 and in a row's line.
const (
	ledgerBell       = 8
	ledgerStarving   = 12
	ledgerWaits      = 64
	ledgerRecoveries = 72

	ledgerBase  = 8
	ledgerEpoch = 120
)

// LedgerSize is the size of a ledger for so many participants.
func LedgerSize(participants int) uint64 { return ledgerLine * (1 + uint64(participants)) }

// InitLedger writes a ledger with a value that nobody holds; a is zeroed.
func InitLedger(a mem.Area, value int) { mem.Store64(a.W64(0), uint64(value)) }

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
	return &Ledger{t: a.W64(0), me: ledgerTenancy(env.Self.Index), a: a, env: env,
		rows: min(a.Size()/ledgerLine-1, MaxParticipants), Bell: NewBell(a.W32(ledgerBell), env), starving: a.W32(ledgerStarving)}, nil
}

func (l *Ledger) line(i uint32) mem.Area { return l.a.Sub(ledgerLine*(1+uint64(i)), ledgerLine) }

// Parts of T.
func ledgerValue(t uint64) int            { return int(t & LedgerMax) }
func ledgerSeq(t uint64) uint64           { return t / ledgerSeqOne }
func ledgerTenancy(i uint32) uint64       { return uint64(i+1) << 24 }
func ledgerIndex(t uint64) (uint32, bool) { return uint32(t&ledgerTenant>>24) - 1, t&ledgerTenant != 0 }

// Parts of a row, and of a base.
func rowNumber(r uint64) int                { return int(int32(r)) }
func rowSeq(r uint64) uint64                { return r >> 32 }
func rowWord(number int, seq uint64) uint64 { return seq<<32 | uint64(uint32(number)) }

// settle is S2 to S4. It reports false if T is not t any more; it may also do so
// for no reason. With true, the row was settled for t at some instant of the call:
// T may have changed since, and the caller's CAS of T finds that out.
func (l *Ledger) settle(t uint64) (bool, error) {
	i, ok := ledgerIndex(t)
	if !ok {
		return true, nil
	}
	if uint64(i) >= l.rows {
		return false, ErrCorrupt
	}
	line := l.line(i)
	b, r := mem.Load64(line.W64(ledgerBase)), mem.Load64(line.W64(0)) // S2
	n := rowWord(ledgerValue(t)-rowNumber(b), ledgerSeq(t))
	if r == n {
		return true, nil
	}
	return mem.Load64(l.t) == t && mem.CAS64(line.W64(0), r, n), nil // S3, S4
}

// Limits is where a change must leave the value, and its participant's share.
// Both share limits 0: any share will do.
type Limits struct {
	Min, Max         int
	HeldMin, HeldMax int
}

// An Outcome is what became of a change.
type Outcome int

const (
	Done    Outcome = iota
	TooLow          // the value would be below Min
	TooHigh         // the value would be above Max
	Overdue         // the participant's share would be outside of its limits
)

// refuse says what forbids a change to v.
func (m *Limits) refuse(v int) Outcome {
	switch {
	case v < max(m.Min, 0):
		return TooLow
	case v > min(m.Max, LedgerMax):
		return TooHigh
	}
	return Done
}

// overdue reports that a share of h is outside of the limits.
func (m *Limits) overdue(h int) bool {
	return (m.HeldMin != 0 || m.HeldMax != 0) && (h < m.HeldMin || h > m.HeldMax)
}

// Add changes the value by d, in this participant's name, all or nothing. It
// never waits. The caller rings the bell for those who may wait for it.
func (l *Ledger) Add(d int, m Limits) (Outcome, error) { return l.add(l.env.Self.Index, d, m) }

func (l *Ledger) add(i uint32, d int, m Limits) (Outcome, error) {
	d = max(-LedgerMax-1, min(d, LedgerMax+1))
	line, tenant := l.line(i), ledgerTenancy(i)
	row, base := line.W64(0), line.W64(ledgerBase)
	for {
		t := mem.Load64(l.t) // A1, N1
		if x, ok := ledgerIndex(t); ok && uint64(x) >= l.rows {
			return Done, ErrCorrupt
		}
		v := ledgerValue(t)
		if o := m.refuse(v + d); o != Done {
			return o, nil
		}
		b, mine := mem.Load64(base), t&ledgerTenant == tenant // A2
		h := v - rowNumber(b)
		if !mine {
			h = max(-ledgerShare, min(rowNumber(mem.Load64(row)), ledgerShare))
		}
		if m.overdue(h + d) {
			if mem.Load64(l.t) != t { // the share may be that of a later T
				continue
			}
			return Overdue, nil
		}
		if !mine {
			if ok, err := l.settle(t); err != nil { // A3
				return Done, err
			} else if !ok || mem.Load64(l.t) != t { // A4
				continue
			}
			if !mem.CAS64(base, b, rowWord(v-h, rowSeq(b)+1)) { // A5
				continue
			}
		}
		n := t&^ledgerTenant | tenant + ledgerSeqOne + uint64(d)
		if ok, err := l.env.change(l.t, t, n); ok || err != nil { // N2, A6
			return Done, err
		}
	}
}

// Wait is Add, which waits by s while the value is too low or too high.
func (l *Ledger) Wait(s Sleeper, d int, m Limits) (o Outcome, err error) {
	var start int64
	slept := false
	for {
		back := !slept && mem.Load32(l.starving) != 0
		if !back {
			if o, err = l.Add(d, m); err != nil || o != TooLow && o != TooHigh {
				break
			}
		}
		if s.Spin() {
			continue
		}
		now := s.Now()
		if start == 0 {
			start = now
		}
		if slept && now-start > patience && mem.Load32(l.starving) == 0 {
			mem.Store32(l.starving, 1) // H1
		}
		word := l.Bell.Arm()                     // H2, K1
		if back && mem.Load32(l.starving) != 0 { // K2
			err = sleepUntil(s, l.Bell.Word(), word, now+patience) // K3
		} else {
			if o, err = l.Add(d, m); err != nil || o != TooLow && o != TooHigh { // H3
				break
			}
			err = s.Sleep(l.Bell.Word(), word) // H4
		}
		slept = true
		if err != nil {
			break
		}
	}
	if slept {
		l.had(err == nil && o == Done)
	}
	return o, err
}

// had ends a Wait that slept.
func (l *Ledger) had(ok bool) {
	mem.Add64(l.a.W64(ledgerWaits), 1)
	ring := 0
	if !ok {
		ring = 1 // the wake-up may have been for another
	}
	if mem.Load32(l.starving) != 0 {
		mem.Store32(l.starving, 0) // G1
		ring = max(ring, l.Value())
	}
	if ring > 0 {
		l.Bell.Ring(ring) // G2
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
		if h, ok := l.held(i); ok {
			return h, nil
		}
	}
}

// held reports false if T changed meanwhile.
func (l *Ledger) held(i uint32) (h int, ok bool) {
	line, t := l.line(i), mem.Load64(l.t)
	if t&ledgerTenant == ledgerTenancy(i) {
		h = ledgerValue(t) - rowNumber(mem.Load64(line.W64(ledgerBase)))
	} else {
		h = rowNumber(mem.Load64(line.W64(0)))
	}
	return h, mem.Load64(l.t) == t
}
