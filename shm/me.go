package shm

import (
	"os"
	"sync/atomic"

	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
)

// Who this process is, as far as /proc tells: for its records, and so that it
// knows whose pids it may ask /proc about.
//
// What cannot be read (a sandbox denies it, no descriptor is left, there is no
// /proc) is unknown. A record whose identity is not known whole says so by
// namespace 0: then nobody asks /proc about it, and only its byte proves a death.
// And a process that does not know its own namespace asks about nobody, so that
// two of whom neither knows are not taken for two of the same.
type myself struct {
	namespace uint64 // 0: unknown
	start     uint64
	err       error // why start, or the namespace, is not known
}

var (
	myPID = os.Getpid()
	me    atomic.Pointer[myself]
)

func init() { lookAtMyself() }

// lookAtMyself reads what is not known yet. A process looks when it starts,
// since what it gives up later it need not know, and when it attaches, since
// what was in the way may be gone. What is known stays: neither the namespace
// nor the start time changes while it runs.
func lookAtMyself() {
	if m := me.Load(); m == nil || m.err != nil {
		me.CompareAndSwap(m, readMyself(sys.Namespace, sys.OwnStart))
	}
}

func readMyself(namespace, startTime func() (uint64, error)) *myself {
	m := new(myself)
	if m.namespace, m.err = namespace(); m.err == nil {
		m.start, m.err = startTime()
	}
	return m
}

// identity is what this process's records say.
func (m *myself) identity() region.Identity {
	if m.err != nil {
		return region.Identity{PID: uint32(myPID)}
	}
	return region.Identity{PID: uint32(myPID), NS: m.namespace, Start: m.start}
}

// near reports whether the process that id names is one of this process's
// namespaces, for all that both know.
func (m *myself) near(id region.Identity) bool { return id.NS != 0 && id.NS == m.namespace }

// gone reports that there is no process any more that id could name.
func (m *myself) gone(id region.Identity) bool { return m.near(id) && sys.Gone(int(id.PID)) }

// ended reports that the process that id names is gone, or has no thread that
// will run user code again.
func (m *myself) ended(id region.Identity) bool {
	return m.near(id) && id.Start != 0 && sys.Ended(int(id.PID), id.Start)
}
