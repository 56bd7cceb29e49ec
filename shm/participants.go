package shm

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"runtime"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
)

// State is a participant's.
type State int

const (
	Alive   State = 1 + iota // attached, or attaching
	Leaving                  // closing the region
	Dead                     // gone without having closed
)

// String is "alive", "leaving" or "dead".
func (s State) String() string {
	switch s {
	case Alive:
		return "alive"
	case Leaving:
		return "leaving"
	case Dead:
		return "dead"
	}
	return "unknown"
}

// MarshalText is String, for JSON.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes what MarshalText gives.
func (s *State) UnmarshalText(b []byte) error {
	for _, k := range []State{Alive, Leaving, Dead} {
		if k.String() == string(b) {
			*s = k
			return nil
		}
	}
	return fmt.Errorf("%q is no participant's state: %w", b, fs.ErrInvalid)
}

func publicState(st uint32) State {
	switch st {
	case region.StAttaching, region.StAlive:
		return Alive
	case region.StLeaving, region.StFree:
		return Leaving
	}
	return Dead
}

// A Participant is a process that is, or was, attached to a region. Index and
// Epoch together name it for the region's life.
type Participant struct {
	Index   int       `json:"index"`
	Epoch   uint32    `json:"epoch"`
	PID     int       `json:"pid"` // in its own pid namespace
	Name    string    `json:"name"`
	Started time.Time `json:"attached"` // when it attached
	State   State     `json:"state"`
}

// Self is this process in r. It is the zero Participant where r is read-only or
// closed. It does not block.
func (r *Region) Self() Participant {
	if r.check() != nil || r.a.readOnly {
		return Participant{}
	}
	p, _ := r.a.rec(r.a.self.Index).read()
	runtime.KeepAlive(r.a)
	if r.check() != nil { // it may have been the zeroes
		return Participant{}
	}
	return p
}

// Participants lists who is attached, this process included, and the dead that
// have not been recovered yet. A process that is still in Open is not in it. It
// does not block; after Close there are none.
func (r *Region) Participants() []Participant {
	if r.check() != nil {
		return nil
	}
	ps := r.a.participants()
	runtime.KeepAlive(r.a)
	return ps
}

// ParticipantsOf is Participants of the region that a handle's object is in.
// After Close there are none.
func ParticipantsOf(c *object.Core) []Participant {
	defer runtime.KeepAlive(c)
	return c.In.(*attachment).participants()
}

// Leaves reports whether who is dead or leaves, as far as is known, so that soon nothing
// is his: for a handle on what one process has at a time, in Core.In.
func (a *attachment) Leaves(who engine.Self) bool {
	if who.Index >= a.Geo.Participants {
		return false
	}
	r := a.rec(who.Index)
	alive := r.Word() == region.RecordWord(who.Epoch, region.StAlive)
	return !alive || r.Alive()&sys.FutexOwnerDied != 0
}

func (w words) participants() []Participant {
	var ps []Participant
	for i := range w.Geo.Participants {
		// A process that dies just when it has stored Attaching has told
		// nobody, and a guard that was alone sleeps on. The dead one has made
		// no claim; the next to attach finds it.
		if p, word := w.rec(i).read(); region.StateOf(word) != region.StFree && region.StateOf(word) != region.StAttaching {
			ps = append(ps, p)
		}
	}
	return ps
}

// Exits yields, from the call on, each other participant that dies (State
// Dead) or leaves (State Leaving), within milliseconds. It blocks between them
// and ends when ctx ends or the region is closed. An exit is yielded once the
// region knows of it; what the dead one held may still be under recovery. One
// that attached and was gone again before this process had a look is yielded
// too; nothing but Index, Epoch and State is known of it if its record has been
// taken by another since. Of a region that is closed, or ReadOnly, it yields
// nothing.
func (r *Region) Exits(ctx context.Context) iter.Seq[Participant] {
	if r.check() != nil || r.a.readOnly {
		return func(func(Participant) bool) {}
	}
	a, sub := r.a, r.a.listen(nil)
	held := &struct{ sub *exits }{sub}
	runtime.AddCleanup(held, a.watch.unsubscribe, sub) // where nobody ever asks
	return func(yield func(Participant) bool) {
		a.listen(held.sub) // if it is not the first time
		defer a.watch.unsubscribe(held.sub)
		for {
			p, ok := held.sub.next(ctx)
			if !ok || !yield(p) {
				return
			}
		}
	}
}
