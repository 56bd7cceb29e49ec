package engine

import (
	"fmt"

	"example.com/tandem/internal/mem"
)

// An RMutex is a Mutex that its holder may lock again.
//
//	line 0  a Mutex
//	line 1  shown 64 | reserved, zero …
//
//	 63       32 31          11 10      0
//	+-----------+--------------+---------+
//	|  holder   |    depth     |  owner  |    shown
//	+-----------+--------------+---------+
//	holder  which of the owner's holders, by its number
//	depth   how often it has locked, up to 2^21-1
//	owner   as in the mutex: what another wrote says nothing
//
// The mutex's word is the truth between processes: it is free, or a process
// has it. Which call chain of that process has it, and how deep, is that
// process's own affair and lies in its private memory: nobody else can act on
// it, and it ends with the process, as the claim does by the mutex's recovery.
// So there is no second word to get out of step with the first: to lock again
// changes nothing that is shared, and shown is only to be shown.
//
// Death: the mutex's. Whatever the depth was, the lock is abandoned.
type RMutex struct {
	Mutex
	shown *uint64
}

// RMutexSize is the size of an RMutex in bytes.
const RMutexSize = 256

const (
	rmutexShown    = 128
	rmutexDepthOne = 1 << 11
	rmutexDepthMax = 1<<21 - 1
)

// InitRMutex writes a free mutex; a is zeroed and has RMutexSize bytes.
func InitRMutex(a mem.Area) { InitMutex(a) }

// AttachRMutex is this process's use of the mutex in a.
func AttachRMutex(a mem.Area, env Env) (*RMutex, error) {
	if !a.Has(0, RMutexSize) {
		return nil, fmt.Errorf("rmutex of %d bytes: %w", a.Size(), ErrCorrupt)
	}
	m, err := AttachMutex(a, env)
	if err != nil {
		return nil, err
	}
	return &RMutex{*m, a.W64(rmutexShown)}, nil
}

// Show lets others see how deep which holder is. The caller holds the mutex.
func (m *RMutex) Show(holder uint32, depth int) {
	mem.Hint64(m.shown, uint64(holder)<<32|uint64(min(depth, rmutexDepthMax))*rmutexDepthOne|m.me&mutexOwner)
}

// Mine reports whether this process has the mutex.
func (m *Mutex) Mine() bool { return mem.Load64(m.w)&mutexHolder == m.me }

func lookRMutex(a mem.Area) Look {
	if !a.Has(0, RMutexSize) {
		return Look{State: "corrupt"}
	}
	l := lookMutex(a)
	if s := mem.Load64(a.W64(rmutexShown)); l.Owner != nil && s&mutexOwner == uint64(l.Owner.Index+1) {
		l.Value = fmt.Sprintf("holder %d, depth %d", s>>32, s>>11&rmutexDepthMax)
	}
	return l
}

func checkRMutex(a mem.Area) error {
	if !a.Has(0, RMutexSize) {
		return fmt.Errorf("rmutex of %d bytes: %w", a.Size(), ErrCorrupt)
	}
	return checkMutex(a)
}

func init() {
	register(KindRMutex, Ops{
		Name: "rmutex",
		Recover: func(a mem.Area, env Env, dead Self) error {
			if !a.Has(0, RMutexSize) {
				return checkRMutex(a)
			}
			return recoverMutex(a, env, dead)
		},
		Look:  lookRMutex,
		Check: checkRMutex,
	})
}
