package engine

import (
	"fmt"

	"example.com/tandem/internal/mem"
)

// What any process can do with an RWMutex: recovery, look and check.

func recoverRWMutex(a mem.Area, env Env, dead Self) error {
	l, err := openRWMutex(a, env)
	if err != nil {
		return err
	}
	return l.recover(dead)
}

func (l *RWMutex) recover(dead Self) error {
	bad := l.forget(dead)
	l.drain.Bump()
	// An older epoch of the same index is dead too.
	e := mem.Load64(l.entered)
	who, ok := mutexHeldBy(e)
	inside := ok && who.Index == dead.Index && int32(who.Epoch-dead.Epoch) <= 0
	err := l.m.takeFrom(dead, inside)
	if inside {
		mem.CAS64(l.entered, e, 0) // or one who repairs is inside already
	}
	l.gate.Bump()
	mem.Add64(l.a.W64(rwRecoveries), 1)
	if err == nil {
		err = bad
	}
	return err
}

// forget takes the dead one's readers out.
func (l *RWMutex) forget(dead Self) error {
	if uint64(dead.Index) >= l.rows {
		return ErrCorrupt
	}
	line := l.line(dead.Index)
	for {
		r := mem.Load64(line.W64(0))
		if int32(uint32(r>>32)-dead.Epoch) > 0 {
			return nil // a younger one's: this recovery comes late
		}
		if mem.CAS64(line.W64(0), r, 0) {
			break
		}
	}
	mem.Store32(line.W32(rwPassed), 0)
	mem.And64(l.used(dead.Index/64), ^(uint64(1) << (dead.Index % 64)))
	return nil
}

func lookRWMutex(a mem.Area) Look {
	l, err := openRWMutex(a, Env{})
	if err != nil {
		return Look{State: "corrupt"}
	}
	k := lookMutex(a.Sub(0, MutexSize))
	if l.gate.Armed() || l.drain.Armed() {
		k.Waiters = 1
	}
	for i := range uint32(l.rows) {
		r := mem.Load64(l.line(i).W64(0))
		if n := uint32(r); n > rwMost {
			k.State = "corrupt"
		} else if n != 0 {
			k.Holders = append(k.Holders, Holding{Who: Self{Index: i, Epoch: uint32(r >> 32)}, What: "reader", N: int(n)})
		}
	}
	if k.State != "" {
		return k
	}
	if who, ok := l.Owner(); k.Owner != nil && (!ok || who != *k.Owner) && k.Holders != nil {
		k.State = WaitsForReaders
	} else if mem.Load32(l.starving) != 0 && l.any(rwPassed) {
		k.State = "readers passed over"
	}
	return k
}

// WaitsForReaders is the state of an RWMutex whose writer, which is the owner of its lock,
// does not hold it yet.
const WaitsForReaders = "waiting for readers"

// checkRWMutex verifies what holds at any instant.
func checkRWMutex(a mem.Area) error {
	l, err := openRWMutex(a, Env{})
	if err != nil {
		return err
	}
	if err := checkMutex(a.Sub(0, MutexSize)); err != nil {
		return err
	}
	if e := mem.Load64(l.entered); !rwLegal(e) {
		return fmt.Errorf("rwmutex entered by %#x: %w", e, ErrCorrupt)
	}
	return l.checkRows()
}

func (l *RWMutex) checkRows() error {
	for i := range uint32(l.rows) {
		row := l.line(i).W64(0)
		r := mem.Load64(row)
		switch n := uint32(r); {
		case n > rwMost:
			return fmt.Errorf("rwmutex row %d has %d readers: %w", i, n, ErrCorrupt)
		case n != 0 && mem.Load64(l.used(i/64))>>(i%64)&1 == 0 && mem.Load64(row) == r:
			return fmt.Errorf("rwmutex row %d has %d readers and is not in use: %w", i, n, ErrCorrupt)
		}
	}
	return nil
}

func init() {
	register(KindRWMutex, Ops{
		Name:    "rwmutex",
		Recover: recoverRWMutex,
		Look:    lookRWMutex,
		Check:   checkRWMutex,
	})
}
