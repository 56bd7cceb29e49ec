package engine

import (
	"math/rand/v2"
	"sync/atomic"

	"example.com/tandem/internal/mem"
)

// tags counts this process's messages in blocks, and its loans, in all queues, so that
// no handle begins anew.
//
// A tag has room for 2^33. Who puts 100,000 a second comes round in a day, and
// what was put or lent in the round before may be there still: on lease, or a loan. So
// from the second round on no tag is given that a piece or a slot of the queue has. It is
// enough to look once for a stretch of many: within it each is given once, and what was
// given the round before has been seen. (One is nowhere to be seen: a loan's own, while
// the loan is being put. It comes back if there is no slot to be had.)
var tags atomic.Uint64

// tagsFrom is where the tags of a Broadcast's messages begin in this process. A message
// may outlive 2^20 users of one index, and then its tag is not to come again.
var tagsFrom = rand.Uint64()

const (
	tagRound   = 1 << (tagWhoShift - 1)
	tagStretch = 1 << 20
)

// A stretch is so many tags in a row, and which of this process's were taken when it
// began.
type stretch struct {
	n     uint64
	taken map[uint64]bool
}

// newTag is a tag for one more message, which no other has; never 0.
func (q *Queue) newTag() uint64 {
	for {
		mem.RaceDisable()
		n := tags.Add(1)
		mem.RaceEnable()
		seq := n << 1 & (1<<tagWhoShift - 1)
		tag := q.pool.who<<tagWhoShift | seq
		if seq != 0 && (n < tagRound || !q.tagged(n/tagStretch, tag)) {
			return tag
		}
	}
}

// tagged reports whether a tag of stretch n has been in use since the round before.
//
//go:noinline
func (q *Queue) tagged(n uint64, tag uint64) bool {
	s := q.pool.stretch.Load()
	if s == nil || s.n != n {
		s = &stretch{n, map[uint64]bool{}}
		for b := range q.pool.n { // before the slots: what is freed meanwhile is in one
			if o := mem.Load64(q.pool.owner(b)); tagWho(o) == q.pool.who {
				s.taken[o] = true
			}
		}
		for t := range q.tagsOf(q.pool.who) {
			s.taken[t] = true
		}
		q.pool.stretch.Store(s)
	}
	return s.taken[tag]
}
