package engine

import (
	"fmt"

	"example.com/tandem/internal/mem"
)

// recoverCond marks the dead one's row, frees the lock of its own, and rings
// all bells. What was granted to the dead is dealt out by the next holder of l.
func recoverCond(a mem.Area, env Env, dead Self) error {
	c, err := openCond(a, env)
	if err != nil {
		return err
	}
	if int(dead.Index) < c.rows {
		row := c.rowOf(int(dead.Index))
		for {
			r := mem.Load64(row)
			// An older epoch is dead too; a younger one is not for this
			// recovery, which comes late.
			age := int32(uint32(r>>40)-dead.Epoch) << (32 - condEpochBits)
			if r == 0 || r&condDead != 0 || age > 0 {
				break
			}
			if mem.CAS64(row, r, r|condDead) {
				c.count(condRecoveries, 1)
				break
			}
		}
	}
	err = recoverMutex(a.Sub(0, RMutexSize), env, dead)
	c.kick()
	return err
}

// kick has every waiter look again. A waiter that sleeps on a bell is counted
// in the bell's row.
func (c *Cond) kick() {
	for i := range c.rows {
		if b := c.bellOf(i); b.Armed() || mem.Load64(c.rowOf(i)) != 0 {
			b.Bump()
		}
	}
}

func lookCond(a mem.Area) Look {
	c, err := openCond(a, Env{})
	if err != nil {
		return Look{State: "corrupt"}
	}
	l := lookRMutex(a.Sub(0, RMutexSize))
	for i := range c.rows {
		r := mem.Load64(c.rowOf(i))
		if r == 0 || r&condDead != 0 {
			continue
		}
		if !condLegal(r) {
			l.State = "corrupt"
			continue
		}
		who := Self{Index: uint32(i), Epoch: uint32(mem.Load64(c.a.W64(condRows + condLine*uint64(i) + condEpoch)))}
		l.Len += condWaitingOf(r)
		l.Holders = append(l.Holders, Holding{Who: who, What: "waiting", N: condWaitingOf(r)})
		if g := condGrantedOf(r); g > 0 {
			l.Holders = append(l.Holders, Holding{Who: who, What: "notified", N: g})
		}
	}
	return l
}

func checkCond(a mem.Area) error {
	c, err := openCond(a, Env{})
	if err != nil {
		return err
	}
	if err := checkRMutex(a.Sub(0, RMutexSize)); err != nil {
		return err
	}
	if log := mem.Load64(c.a.W64(condLog)); log != 0 {
		i, j := int(log>>1&(MaxParticipants-1)), int(log>>11&(MaxParticipants-1))
		if log>>21 != 0 || log&condActive == 0 || max(i, j) >= c.rows {
			return fmt.Errorf("cond log %#x: %w", log, ErrCorrupt)
		}
	}
	for i := range c.rows {
		if r := mem.Load64(c.rowOf(i)); !condLegal(r) {
			return fmt.Errorf("cond row %d is %#x: %w", i, r, ErrCorrupt)
		}
		for n := 0; c.unseen(i); n++ {
			if n == 100 { // not between two changes
				return fmt.Errorf("cond row %d is in use and does not say so: %w", i, ErrCorrupt)
			}
		}
	}
	return nil
}

// unseen reports that row i is in use and its bit is clear, or that it changes
// all the time.
func (c *Cond) unseen(i int) bool {
	used, bit := c.used(i)
	r := mem.Load64(c.rowOf(i))
	return r != 0 && mem.Load64(used)&bit == 0
}

func init() {
	register(KindCond, Ops{
		Name:    "cond",
		Recover: recoverCond,
		Look:    lookCond,
		Check:   checkCond,
	})
}
