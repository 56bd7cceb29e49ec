package engine

import (
	"errors"
	"fmt"

	"example.com/tandem/internal/mem"
)

// A Once is something that is to be done to success once, and a lock for the
// call that is at it.
//
//	line 0  a Mutex, 128 bytes: its holder is the runner
//	128     done 64 | done by 64 | begun 64 | reserved, zero …
//
//	done     0: not done yet; 1: done, for good
//	done by  the holder bits of the runner, as the mutex has them
//	begun    how many runs began
//
//	done runner
//	0    nobody  the next caller runs it
//	0    n       n runs it; others sleep on the mutex
//	1    n       n is about to leave
//	1    nobody  done: Begin is a load
//
//	Begin   O1 load done   O2 lock the mutex; before each sleep and after it: O1
//	        O3 done after all: unlock
//	Finish  F1 done by, then done = 1 (success only)   F2 bump the mutex, wake all   F3 unlock it
//
// It runs one at a time by O2, and never again by O3, since F1 comes before F3.
//
// A wake-up cannot be lost: those who wait for a turn are the mutex's
// sleepers; F3 after a failure wakes one, which runs it or, giving up, passes
// the wake-up on (L5). Those who wait for the end look at done between L2 and
// L3. If F1 comes before that look, it finds done; else F2 changes the word
// that L3 compares, and wakes all. So all go at once, and not one by one
// through the lock.
//
// Death: a runner's leaves the mutex to recovery, which frees it and wakes
// all (rule 5). Nobody is told of it: what a run leaves half done is the next
// run's to make good, so the mutex is never abandoned. Dead before F1, it was
// not done; after F1, it was, and F2 and F3 are what recovery does.
type Once struct {
	m    Mutex
	a    mem.Area
	done *uint64
}

// OnceSize is the size of a Once in bytes.
const OnceSize = MutexSize + 64

// Offsets behind the mutex.
const (
	onceDone  = MutexSize
	onceBy    = MutexSize + 8
	onceBegun = MutexSize + 16
)

// InitOnce writes a once that is not done; a is zeroed and has OnceSize bytes.
func InitOnce(a mem.Area) { InitMutex(a.Sub(0, MutexSize)) }

// AttachOnce is this process's use of the once in a.
func AttachOnce(a mem.Area, env Env) (*Once, error) {
	if !a.Has(0, OnceSize) {
		return nil, fmt.Errorf("once of %d bytes: %w", a.Size(), ErrCorrupt)
	}
	m, err := AttachMutex(a.Sub(0, MutexSize), env)
	if err != nil {
		return nil, err
	}
	return &Once{m: *m, a: a, done: a.W64(onceDone)}, nil
}

// Done reports whether it is done. It is O1; what is in the word of a region
// that is corrupt, Begin says.
func (o *Once) Done() bool { return mem.Load64(o.done) == 1 }

// Begin reports false if it is done, and true if the caller is to do it now,
// and then to call Finish. It waits by s while another is at it. An error
// means neither.
func (o *Once) Begin(s Sleeper) (run bool, err error) {
	if o.Done() { // O1
		return false, nil
	}
	if !o.m.LockNow() { // O2
		switch err := o.m.Lock(onceSleeper{s, o}); err {
		case nil:
		case errOnceDone:
			return false, nil
		case ErrOwnerDied: // which this mutex never says
			return false, ErrCorrupt
		default:
			return false, err
		}
	}
	if d := mem.Load64(o.done); d != 0 { // O3
		if err = o.m.Unlock(); err == nil && d != 1 {
			err = ErrCorrupt
		}
		return false, err
	}
	mem.Add64(o.a.W64(onceBegun), 1)
	return true, nil
}

// Finish ends what Begin began. It never waits. ErrNotLocked and ErrNotOwner
// mean that the run was another's by then.
func (o *Once) Finish(success bool) error {
	if success {
		mem.Store64(o.a.W64(onceBy), o.m.me)
		mem.Store64(o.done, 1) // F1
		o.m.kick()             // F2
	}
	return o.m.Unlock() // F3
}

// errOnceDone ends the wait for the mutex of a once that is done.
var errOnceDone = errors.New("done")

// A onceSleeper waits for the mutex, but no more than for the end of it all.
type onceSleeper struct {
	Sleeper
	o *Once
}

func (s onceSleeper) Sleep(w *uint32, v uint32) error {
	if s.o.Done() {
		return errOnceDone
	}
	err := s.Sleeper.Sleep(w, v)
	if s.o.Done() {
		return errOnceDone
	}
	return err
}

func (s onceSleeper) SleepUntil(w *uint32, v uint32, limit int64) error {
	if s.o.Done() {
		return errOnceDone
	}
	err := sleepUntil(s.Sleeper, w, v, limit)
	if s.o.Done() {
		return errOnceDone
	}
	return err
}

func recoverOnce(a mem.Area, env Env, dead Self) error {
	o, err := AttachOnce(a, env)
	if err != nil {
		return err
	}
	return errors.Join(o.m.takeFrom(dead, false), checkOnce(a))
}

// lookOnce is what a snapshot shows: as the owner who runs it, and as the
// value how many runs began.
func lookOnce(a mem.Area) Look {
	if checkOnce(a) != nil {
		return Look{State: "corrupt"}
	}
	l := lookMutex(a.Sub(0, MutexSize))
	l.Value = fmt.Sprint(mem.Load64(a.W64(onceBegun)))
	switch {
	case mem.Load64(a.W64(onceDone)) != 0:
		l.State = "done"
	case l.Owner != nil:
		l.State = "running"
	default:
		l.State = "not done"
	}
	return l
}

func checkOnce(a mem.Area) error {
	if !a.Has(0, OnceSize) {
		return fmt.Errorf("once of %d bytes: %w", a.Size(), ErrCorrupt)
	}
	m := a.Sub(0, MutexSize)
	if err := checkMutex(m); err != nil {
		return err
	}
	if w := mem.Load64(m.W64(0)); w&mutexAbandoned != 0 {
		return fmt.Errorf("once, mutex word %#x: %w", w, ErrCorrupt)
	}
	if d := mem.Load64(a.W64(onceDone)); d > 1 {
		return fmt.Errorf("once, done word %#x: %w", d, ErrCorrupt)
	}
	return nil
}

func init() {
	register(KindOnce, Ops{
		Name:    "once",
		Recover: recoverOnce,
		Look:    lookOnce,
		Check:   checkOnce,
	})
}
