package engine

import (
	"sync/atomic"

	"example.com/tandem/internal/mem"
)

// For tests that cannot be in this package, since package sim imports it.

func RecoverSPSC(a mem.Area, env Env, dead Self) error { return recoverSPSC(a, env, dead) }
func CheckSPSC(a mem.Area) error                       { return checkSPSC(a) }

// InitAt is Init, as if so many messages had passed.
func (c SPSCConfig) InitAt(a mem.Area, pos uint64) {
	c.Init(a)
	*a.W64(spscTail), *a.W64(spscHead) = pos, pos
}

// PutAt and GetAt are where this process's sides are, and whether it has them.
func (s *SPSC) PutAt() (pos uint64, mine bool) { return s.put.pos, s.put.mine }
func (s *SPSC) GetAt() (pos uint64, mine bool) { return s.get.pos, s.get.mine }

// An SPSCView is the words as memory has them.
type SPSCView struct {
	Tail, Head, End, Producer, Consumer uint64
	Shut                                bool
}

func ViewSPSC(a mem.Area) SPSCView {
	w := func(off uint64) uint64 { return atomic.LoadUint64(a.W64(off)) }
	return SPSCView{w(spscTail), w(spscHead), w(spscEnd), w(spscProducer), w(spscConsumer), w(spscItems)&spscShut != 0}
}

func SPSCName(s Self) uint64 { return spscName(s) }
