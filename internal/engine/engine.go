package engine

import (
	"errors"
	"fmt"
	"sync/atomic"

	"example.com/tandem/internal/mem"
)

// Self names a participant in the claims it writes: rule 1. The index is its
// record's, below MaxParticipants; the epoch tells the record's successive
// users apart. Words narrower than 32 bits for the epoch keep its low bits,
// which is sound since a record is not used again before every claim of its
// last user has been recovered.
type Self struct {
	Index uint32
	Epoch uint32
}

// MaxParticipants bounds a participant's index: ten bits of a claim word.
const MaxParticipants = 1024

// An Env is what an algorithm is given beside its memory.
type Env struct {
	Self Self
	// Wake wakes up to n sleepers on w, in every process, and returns how many
	// it woke. It never blocks. n < 0 wakes all.
	Wake func(w *uint32, n int) int
	// Here runs f while the memory is the region, and reports whether it is: in a
	// process that has closed the region there may be zeroes in its place. nil: it
	// is, always. f does not wait.
	Here func(f func()) bool
	// Sync makes the fences of those who publish without one, for a caller that is
	// about to sleep, or to say that there is nothing: what they have stored before
	// it can be seen after it. It reports whether it could. nil: nobody publishes
	// without a fence in this region.
	Sync func() bool
	// Misses says that a Sync may miss somebody for whom Unfenced holds (package sys has
	// why): so nobody rests on it alone.
	Misses bool
	// Unfenced says that the Syncs of all processes reach this one, so that it
	// may publish without a fence. nil: they do not.
	Unfenced *atomic.Bool
}

// Within is the Env of a caller that uses the memory by a mapping that may go.
func (e Env) Within(here func(f func()) bool) Env {
	e.Here = here
	return e
}

// Bare is for a caller that is in the middle of a Here, or has the memory for
// good.
func (e Env) Bare() Env {
	e.Here = nil
	return e
}

// change is CAS64 of a word that nothing but its first change finds to be 0.
// One from another value fails in the zeroes that may have come in the region's
// place, since they are never changed: from 0 it is made with Here alone, or is
// ErrGone. So what has succeeded has happened in the region, for all to see.
func (e *Env) change(w *uint64, old, new uint64) (bool, error) {
	if old == 0 {
		return e.changeHere(w, old, new)
	}
	return mem.CAS64(w, old, new), nil
}

// changeHere is change of any word.
//
//go:noinline
func (e *Env) changeHere(w *uint64, old, new uint64) (ok bool, err error) {
	if e.Here == nil {
		return mem.CAS64(w, old, new), nil
	}
	if !e.Here(func() { ok = mem.CAS64(w, old, new) }) {
		err = ErrGone
	}
	return ok, err
}

// A Sleeper is one blocking call's way to wait. It carries the caller's
// context, and ends all waits of a region that is closed.
type Sleeper interface {
	// Sleep sleeps while *w == v, at most. nil means look again: the word
	// changed, somebody woke it, or no reason at all; at the latest after half
	// a second or so, since a wake-up may have gone to a process that was
	// stopped before it could act on it. An error means the wait must end, and
	// is what the operation returns after it has cleaned up.
	Sleep(w *uint32, v uint32) error
	// Spin is called after each fruitless look before a Sleep. It relaxes the
	// processor for about a microsecond or yields, and reports whether another
	// look is worth it before sleeping.
	Spin() bool
	// Now is CLOCK_MONOTONIC in nanoseconds (in a simulation: its steps).
	Now() int64
}

// A TimedSleeper can also end a sleep at a time of Now's.
type TimedSleeper interface {
	Sleeper
	// SleepUntil is Sleep, which returns nil at the limit at the latest.
	SleepUntil(w *uint32, v uint32, limit int64) error
}

// sleepUntil sleeps without a limit where the sleeper knows none.
func sleepUntil(s Sleeper, w *uint32, v uint32, limit int64) error {
	if t, ok := s.(TimedSleeper); ok {
		return t.SleepUntil(w, v, limit)
	}
	return s.Sleep(w, v)
}

// What can be wrong with a call, for every kind. Package shm and its siblings
// re-export them.
var (
	ErrCorrupt     = errors.New("region is corrupt")
	ErrOwnerDied   = errors.New("a holder died and nobody has repaired since")
	ErrNotOwner    = errors.New("not held by the caller")
	ErrNotLocked   = errors.New("not locked")
	ErrOverRelease = errors.New("released more than was acquired")

	ErrGone = errors.New("this process has closed the region") // and nothing has changed
)

// Kind says what an object is. Numbers are part of the layout.
type Kind uint32

const (
	KindMutex Kind = 1 + iota
	KindRMutex
	KindRWMutex
	KindCond
	KindSemaphore
	KindBoundedSemaphore
	KindEvent
	KindBarrier
	KindOnce
	KindValue
	KindArray
	KindSlice
	KindQueue
	KindSPSC
	KindPipe
	KindListener
	KindBroadcast
	KindStream
)

// Ops is what every process can do with an object of a kind, whatever the
// process itself imports: recovery must not depend on what a survivor links.
// Each takes the object's memory as it is, possibly corrupt, and must neither
// panic, loop for ever nor leave the area.
type Ops struct {
	Name string
	// Recover takes back whatever the dead participant left, then bumps and
	// wakes everybody who sleeps on the object: rule 5. It is idempotent and
	// may run beside live operations, and a second time after a recoverer died
	// in it. env.Self is the recoverer.
	Recover func(a mem.Area, env Env, dead Self) error
	// Unheld gives up what who has in an object only for as long as it has a handle on
	// it, and has none any more. nil: there is no such thing.
	Unheld func(a mem.Area, env Env, who Self) error
	// Has reports whether who has something in it that Unheld would give up; it is there
	// if Unheld is.
	Has func(a mem.Area, who Self) bool
	// Look describes the object's present state for a snapshot, read-only.
	Look func(a mem.Area) Look
	// Check verifies every invariant that holds at any instant.
	Check func(a mem.Area) error
}

// A Look is what a snapshot shows of an object's words. Zero fields are left out.
type Look struct {
	Owner   *Self     `json:"-"`                 // who holds it exclusively
	Since   int64     `json:"-"`                 // since when, or since before when; CLOCK_MONOTONIC, 0: unknown
	Holders []Holding `json:"-"`                 // who holds a share of it: leases, permits, readers
	Waiters int       `json:"waiters,omitempty"` // 1: somebody may be asleep (exact counts come from the kinds that keep them)
	Len     int       `json:"len,omitempty"`
	Cap     int       `json:"cap,omitempty"`
	State   string    `json:"state,omitempty"` // a word or two: "abandoned", "shut down"
	Value   string    `json:"value,omitempty"`
	Cells   [][]byte  `json:"-"` // what the first cells hold, where it is no number; nil: it cannot be read
}

// A Holding is one participant's share of an object.
type Holding struct {
	Who   Self
	What  string // "lease", "reading", "permit"
	N     int
	Since int64 // CLOCK_MONOTONIC, 0: unknown
}

var kinds = map[Kind]Ops{}

// register is called by each kind's file, from an init.
func register(k Kind, o Ops) { kinds[k] = o }

// OpsOf returns a kind's operations. An object of a kind that this build does
// not know keeps its dead users' records out of use.
func OpsOf(k Kind) (Ops, bool) { o, ok := kinds[k]; return o, ok }

func (k Kind) String() string {
	if o, ok := kinds[k]; ok {
		return o.Name
	}
	return fmt.Sprintf("kind %d", uint32(k))
}
