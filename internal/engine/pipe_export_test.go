package engine

import (
	"sync/atomic"

	"example.com/tandem/internal/mem"
)

// For tests that cannot be in this package, since package sim imports it.

func RecoverPipe(a mem.Area, env Env, dead Self) error { return recoverPipe(a, env, dead) }
func CheckPipe(a mem.Area) error                       { return checkPipe(a) }

// InitAt is Init, as if so many bytes had passed each way.
func (c PipeConfig) InitAt(a mem.Area, pos uint64) {
	c.Init(a)
	for i := range c.ways() {
		at := pipeWay0 + i*pipeWaySize
		*a.W64(at + pipeW), *a.W64(at + pipeR) = pos, pos
	}
}

// A PipeView is the words as memory has them.
type PipeView struct {
	W, R               [2]uint64
	State              [2]int
	Held               [2]bool // some bit of an end is set
	Sending, Receiving [2]bool // held
	Starving           [2]bool
}

func ViewPipe(a mem.Area) (v PipeView) {
	w := func(off uint64) uint64 { return atomic.LoadUint64(a.W64(off)) }
	e := w(pipeE)
	c, _ := pipeConfig(a)
	for side := range v.State {
		v.State[side] = int(pipeState(e, side))
		for i := range uint64(c.Participants+63) / 64 {
			v.Held[side] = v.Held[side] || w(pipeHeld+uint64(side)*pipeHeldSize+8*i) != 0
		}
		if uint64(side) < c.ways() {
			at := pipeWay0 + uint64(side)*pipeWaySize
			v.W[side], v.R[side] = w(at+pipeW), w(at+pipeR)
			v.Sending[side] = w(at+pipeSending)&mutexOwner != 0
			v.Starving[side] = atomic.LoadUint32(a.W32(at+pipeStarving)) != 0
			v.Receiving[side] = w(at+pipeReceiving)&mutexOwner != 0
		}
	}
	return v
}

// The states of an end.
const (
	PipeNever = pipeNever
	PipeOpen  = pipeOpen
	PipeGone  = pipeGone
)

// Framed is how many bytes of the ring a message of n takes.
func Framed(n int) uint64 { return framed(uint64(n)) }

// PipeTurn is the word of the bell of those that stand back.
func PipeTurn(a mem.Area, way int) *uint32 {
	return a.W32(pipeWay0 + uint64(way)*pipeWaySize + pipeTurn)
}
