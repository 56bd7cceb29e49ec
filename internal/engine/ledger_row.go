package engine

import (
	"fmt"

	"example.com/tandem/internal/mem"
)

// Give is what becomes of a dead participant's share.
type Give int

const (
	Forget   Give = iota // the value stays as it is
	GiveBack             // what it took (its share is below 0) is put back
	Undo                 // and what it added is taken away
)

// Recover takes a dead participant out of the ledger, and tells all who wait.
// The value does not leave 0 to most thereby. It may be begun anew at any
// time, as long as it is this participant's: until its index is used again.
func (l *Ledger) Recover(dead uint32, give Give, most int) error {
	err := l.recover(dead, give, most)
	l.Bell.Bump()
	return err
}

func (l *Ledger) recover(dead uint32, give Give, most int) error {
	most = min(most, LedgerMax)
	if uint64(dead) >= l.rows {
		return ErrCorrupt
	}
	if err := l.settled(); err != nil {
		return err
	}
	// From here on T names no unsettled change of the dead but ours.
	line := l.line(dead)
	for k := range uint64(ledgerWides) {
		mem.Store64(line.W64(ledgerWide+8*k), 0)
	}
	row := line.W64(0)
	for {
		r := mem.Load64(row)
		d := 0
		if h, v := rowHeld(r), l.Value(); h < 0 && give != Forget {
			d = min(-h, most-v)
		} else if h > 0 && give == Undo {
			d = -min(h, v)
		}
		if h := rowHeld(r); d == 0 || h < 0 && d < 0 {
			if mem.CAS64(row, r, rowWord(0, rowSeq(r))) {
				break
			}
			continue
		}
		m := Limits{Max: most}
		if d < 0 {
			m.Max = LedgerMax // a value above most, which only damage makes, may fall
		}
		if _, err := l.add(dead, d, m); err != nil { // if the value has moved: again
			return err
		}
		if err := l.settled(); err != nil {
			return err
		}
	}
	mem.Add64(l.a.W64(ledgerRecoveries), 1)
	return nil
}

// CheckLedger verifies what holds at any instant.
func CheckLedger(a mem.Area) error {
	l, err := openLedger(a, Env{})
	if err != nil {
		return err
	}
	for range 100 { // T may change while one looks; then it was right a moment ago
		t := mem.Load64(l.t)
		if _, _, _, ok, err := l.pending(t); err != nil {
			return fmt.Errorf("ledger word %#x: %w", t, err)
		} else if ok {
			break
		}
	}
	return nil
}

// LookLedger adds the value and everybody's share to a look. what names a share.
func LookLedger(a mem.Area, what string) Look {
	l, err := openLedger(a, Env{})
	if err != nil {
		return Look{State: "corrupt"}
	}
	k := Look{Value: fmt.Sprint(l.Value())}
	if l.Bell.Armed() {
		k.Waiters = 1
	}
	for i := range uint32(min(l.rows, MaxParticipants)) {
		h := 0
		for range 100 { // Held, but bounded
			t := mem.Load64(l.t)
			r, d := mem.Load64(l.line(i).W64(0)), 0
			if ledgerIndex(t) == i {
				var ok bool
				if r, d, _, ok, err = l.pending(t); err != nil || !ok {
					continue
				}
			}
			h = rowHeld(r) + d
			break
		}
		if h != 0 {
			who := Self{Index: i, Epoch: uint32(mem.Load64(l.line(i).W64(ledgerEpoch)))}
			k.Holders = append(k.Holders, Holding{Who: who, What: what, N: h})
		}
	}
	return k
}
