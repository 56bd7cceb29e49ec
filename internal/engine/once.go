package engine

import (
	"fmt"

	"example.com/tandem/internal/mem"
)

// A Once is something that is done once in the region's life: a mutex, held by
// who does it, and a word that says that it has been done.
//
//	line 0  a Mutex
//	line 1  done 64 | reserved, zero …
//
//	done  mutex
//	0     free     nobody has done it
//	0     held     its owner is at it
//	1     held     it has been done, and its owner is about to unlock
//	1     free     done; Do is a load
//
// done is stored by who holds the mutex, after all that it did (rule 3), and
// never taken back. Who waits looks at done first when it has the mutex.
//
// Death: a runner that dies before it stores done has not done it: the mutex
// is taken from it, with no mark, and whoever is next runs it. One that dies
// after has done it. Who waits sleeps on the mutex, which recovery wakes.
type Once struct {
	m    Mutex
	done *uint64
}

// OnceSize is the size of a Once in bytes.
const OnceSize = MutexSize + 128

const onceDone = MutexSize

// InitOnce writes one that was not done; a is zeroed.
func InitOnce(a mem.Area) { InitMutex(a.Sub(0, MutexSize)) }

// AttachOnce is this process's use of the Once in a.
func AttachOnce(a mem.Area, env Env) (*Once, error) {
	if !a.Has(0, OnceSize) {
		return nil, fmt.Errorf("once of %d bytes: %w", a.Size(), ErrCorrupt)
	}
	m, err := AttachMutex(a.Sub(0, MutexSize), env)
	if err != nil {
		return nil, err
	}
	return &Once{m: *m, done: a.W64(onceDone)}, nil
}

// Done reports whether it has been done.
func (o *Once) Done() bool { return mem.Load64(o.done) != 0 }

// Begin waits by s until it has been done, or until this process is to do it:
// run. Then either Commit and End follow, or End alone.
func (o *Once) Begin(s Sleeper) (run bool, err error) {
	if o.Done() {
		return false, nil
	}
	if _, err := o.m.Recover(s); err != nil {
		if o.Done() {
			return false, nil
		}
		return false, err
	}
	if o.Done() {
		return false, o.End()
	}
	return true, nil
}

// Commit says that it has been done. By who runs it.
func (o *Once) Commit() error {
	if who, held := o.m.Owner(); !held || who != o.m.env.Self {
		return ErrNotOwner
	}
	mem.Store64(o.done, 1)
	return nil
}

// End lets the next begin.
func (o *Once) End() error { return o.m.Unlock() }

func recoverOnce(a mem.Area, env Env, dead Self) error {
	o, err := AttachOnce(a, env)
	if err != nil {
		return err
	}
	return o.m.takeFrom(dead, false)
}

func init() {
	register(KindOnce, Ops{
		Name:    "once",
		Recover: recoverOnce,
		Kick: func(a mem.Area, env Env) {
			if o, err := AttachOnce(a, env); err == nil {
				o.m.kick()
			}
		},
		Look: func(a mem.Area) Look {
			o, err := AttachOnce(a, Env{})
			if err != nil {
				return Look{State: "corrupt"}
			}
			l := lookMutex(a.Sub(0, MutexSize))
			switch {
			case l.State == "corrupt":
			case o.Done():
				l.State = "done"
			case l.Owner != nil:
				l.State = "running"
			default:
				l.State = "not done"
			}
			return l
		},
		Check: func(a mem.Area) error {
			o, err := AttachOnce(a, Env{})
			if err != nil {
				return err
			}
			if d := mem.Load64(o.done); d > 1 {
				return fmt.Errorf("once with done %#x: %w", d, ErrCorrupt)
			}
			return checkMutex(a.Sub(0, MutexSize))
		},
	})
}
