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
// The value is not raised above most thereby, nor lowered below 0. It may be
// begun anew at any time, as long as it is this participant's: until its index
// is used again.
func (l *Ledger) Recover(dead uint32, give Give, most int) error {
	err := l.recover(dead, give, most)
	mem.Store32(l.starving, 0)
	l.Bell.Bump()
	return err
}

func (l *Ledger) recover(dead uint32, give Give, most int) error {
	most = min(most, LedgerMax)
	if uint64(dead) >= l.rows {
		return ErrCorrupt
	}
	row, tenant := l.line(dead).W64(0), ledgerTenancy(dead)
	for {
		t := mem.Load64(l.t)
		if t&ledgerTenant == tenant { // R1
			if ok, err := l.settle(t); err != nil {
				return err
			} else if ok {
				mem.CAS64(l.t, t, t&^ledgerTenant+ledgerSeqOne)
			}
			continue
		}
		r := mem.Load64(row)
		d := give.back(rowNumber(r), ledgerValue(t), most)
		if d == 0 {
			if mem.CAS64(row, r, rowWord(0, rowSeq(r))) { // R3
				break
			}
			continue
		}
		if _, err := l.add(dead, d, Limits{Max: max(most, ledgerValue(t))}); err != nil { // R2; if the value has moved: again
			return err
		}
	}
	mem.Add64(l.a.W64(ledgerRecoveries), 1)
	return nil
}

// back is the change that recovery makes for a share of h. A value above most
// is never lowered to it.
func (g Give) back(h, value, most int) int {
	switch {
	case h < 0 && g != Forget:
		return max(0, min(-h, most-value))
	case h > 0 && g == Undo:
		return -min(h, value)
	}
	return 0
}

// CheckLedger verifies what holds at any instant.
func CheckLedger(a mem.Area) error {
	l, err := openLedger(a, Env{})
	if err != nil {
		return err
	}
	if t := mem.Load64(l.t); t&ledgerTenant > l.rows<<24 {
		return fmt.Errorf("ledger word %#x of %d rows: %w", t, l.rows, ErrCorrupt)
	}
	for i := range uint32(l.rows) {
		for range ledgerTries {
			h, ok := l.held(i)
			if ok && max(h, -h) > ledgerShare+LedgerMax {
				return fmt.Errorf("participant %d's share of a ledger is %d: %w", i, h, ErrCorrupt)
			}
			if ok {
				break
			}
		}
	}
	return nil
}

// ledgerTries is how often one looks at a share while others change the value.
const ledgerTries = 100

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
	for i := range uint32(l.rows) {
		h := 0
		for range ledgerTries {
			var ok bool
			if h, ok = l.held(i); ok {
				break
			}
		}
		if h != 0 {
			who := Self{Index: i, Epoch: uint32(mem.Load64(l.line(i).W64(ledgerEpoch)))}
			k.Holders = append(k.Holders, Holding{Who: who, What: what, N: h})
		}
	}
	return k
}
