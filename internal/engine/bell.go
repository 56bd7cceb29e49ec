package engine

import (
	"time"

	"example.com/tandem/internal/mem"
)

// A Bell is the word that sleepers of one condition sleep on: an eventcount
// (Reed and Kanodia, CACM 22(2), 1979) that costs the waker a load when nobody
// sleeps.
//
//	 31                2   1   0
//	+-------------------+---+---+
//	|     sequence      | Q | S |
//	+-------------------+---+---+
//	S         somebody may be asleep: may be set without one, never clear with one
//	Q         quiet: a ring woke nobody, and nobody has armed since
//	sequence  changes with every ring that finds S set, and with every Bump
//
//	Q S
//	0 0   nobody sleeps; a ring is a load
//	0 1   a ring makes a system call
//	1 1   the same, and if it wakes nobody S goes with it. Nobody goes to sleep here
//
// Sleeper:  B1 set S, clear Q  B2 look, fruitless  B3 sleep while the word is B1's
// Waker:    W1 change what is looked at  W2 fence  W3 load; S clear: done
//
//	W4 sequence+1  W5 wake n  W6 nobody was asleep: set Q, or clear S and Q if
//	W4 found Q, by CAS on W4's value
//
// A wake-up cannot be lost: of B1 and W3 one comes first. If W3 does, W1 came
// before B2 and the look finds it. If B1 does, W4 changes the word, so either
// the sleeper is in the kernel and W5 finds it, or its sleep fails at once.
// S is never cleared over a sleeper: W5 found nobody; a sleeper that came after
// W5 slept on W4's value or a later one. W4's value has Q, which no sleeper
// sleeps on, and B1 of a later sleeper changes it, so W6 fails. (With one bit
// only, W6 would clear S first and wake those who slipped in between second: a
// waker stopped in the middle would leave them asleep with S clear.)
//
// Death: a waker that dies between W1 and W5 leaves a change untold. Recovery
// of the dead bumps every bell of every object that it had open, whatever S
// says (rule 5). A sleeper that leaves without having looked after its sleep
// (its context ended) rings once more, as it may have been the one woken.
//
// # Wakers without a fence
//
// Where W1 is a store-release, W3 may be done before others see it (amd64). Then W2
// is the sleeper's, if that is a patient one: between B1 and B2 it makes the fences
// of all wakers (Env.Sync). A waker whose W3 came before that has its W1 seen by
// B2; one whose W3 comes after it finds S. It makes its own each time, also where B1
// found S set and had nothing to do: the one that set it may have been stopped
// before its Sync. One that cannot make it sleeps in slices. And one whose Sync may
// have missed a waker sleeps for a slice first, after which each W1 that came before its
// B1 is visible, and each W3 that comes after finds S: as long as S stays set, so that
// there is another slice whenever B1's value is not the one that it last slept on.
type Bell struct {
	w       *uint32
	env     Env
	patient bool
}

const (
	bellAsleep = 1 << 0
	bellQuiet  = 1 << 1
	bellSeq    = 1 << 2
)

func NewBell(w *uint32, env Env) Bell { return Bell{w: w, env: env} }

// patientBell is one whose wakers need no fence.
func patientBell(w *uint32, env Env) Bell { return Bell{w: w, env: env, patient: env.Sync != nil} }

// arm is B1, and W2 for the wakers. can: they have had it.
func (b *Bell) arm() (v uint32, can bool) {
	v = b.Arm()
	return v, !b.patient || b.env.Sync()
}

// slice is how long one sleeps at first that cannot make the wakers' fences. Their
// stores are seen within microseconds, as a rule; each look after it comes later.
const (
	slice      = time.Millisecond
	sliceGrows = 8 // times, to twice of what it was
)

// sliced is how one call has slept so far.
type sliced struct {
	n    int
	v    uint32 // of the last slice
	over bool   // that lasted to its end, and nobody rang
}

// sleep is B3. It reports whether it was as long as sleeps are: a slice is not, and one
// that grows is when it has grown.
func (b *Bell) sleep(s Sleeper, v uint32, can bool, z *sliced) (long bool, err error) {
	if can && (!b.patient || !b.env.Misses || z.over && v == z.v) {
		return true, s.Sleep(b.w, v)
	}
	grown := 0
	if !can {
		grown = min(z.n, sliceGrows)
	}
	z.n++
	limit := s.Now() + int64(slice)<<grown
	err = sleepUntil(s, b.w, v, limit)
	z.v, z.over = v, s.Now() >= limit
	return grown == sliceGrows, err
}

// Await waits by s until done, which the caller has just found not to be so. It
// looks after each spin, between B1 and B3, and after each sleep. It reports
// whether it slept. An error is s's and comes at once: then done was not looked
// at since that sleep, and if the wake-up may have been meant for another, it is
// for the caller to pass it on.
func (b *Bell) Await(s Sleeper, done func() bool) (slept bool, err error) {
	return b.await(s, done, beside{})
}

// Beside done is what some need, or nil.
type beside struct {
	moved  func() bool // while one spins: if not, done is most likely not so
	waits  *uint64     // a count of the calls that slept, which grows before the first sleep
	unrung func()      // is called after each long sleep in which nobody rang
}

// doneEvery is how many looks at what moves there are for one at all of done,
// which may be so without a move.
const doneEvery = 8

func (b *Bell) await(s Sleeper, done func() bool, o beside) (slept bool, err error) {
	var z sliced
	for {
		for n := 1; s.Spin(); n++ {
			if o.moved != nil && n%doneEvery != 0 && !o.moved() {
				continue
			}
			if done() {
				return slept, nil
			}
		}
		v, can := b.arm() // B1
		if done() {       // B2
			return slept, nil
		}
		if !slept && o.waits != nil {
			mem.Add64(o.waits, 1)
		}
		slept = true
		long, err := b.sleep(s, v, can, &z) // B3
		if err != nil {
			return slept, err
		}
		if long && o.unrung != nil && mem.Load32(b.w) == v {
			o.unrung()
		}
		if done() {
			return slept, nil
		}
	}
}

// Arm is B1. The caller looks once more and then sleeps on Word while it is
// the value returned.
func (b *Bell) Arm() uint32 {
	for {
		v := mem.Load32(b.w)
		if v&(bellAsleep|bellQuiet) == bellAsleep {
			return v
		}
		if n := v&^bellQuiet | bellAsleep; mem.CAS32(b.w, v, n) {
			return n
		}
	}
}

// Word is what a sleeper sleeps on.
func (b *Bell) Word() *uint32 { return b.w }

// Armed reports S: whether Ring would do anything.
func (b *Bell) Armed() bool { return mem.Load32(b.w)&bellAsleep != 0 }

// Ring is W3 to W6: wakes up to n sleepers if there may be any. What they
// look at was changed before by a fenced store, an XCHG or a CAS (W1, W2); of a
// patient one, by a store-release.
func (b *Bell) Ring(n int) {
	if mem.Load32(b.w)&bellAsleep != 0 {
		b.ring(n)
	}
}

//go:noinline
func (b *Bell) ring(n int) {
	for {
		v := mem.Load32(b.w)
		if v&bellAsleep == 0 {
			return
		}
		w := v + bellSeq
		if !mem.CAS32(b.w, v, w) { // W4
			continue
		}
		if b.env.Wake(b.w, n) == 0 { // W5
			if w&bellQuiet == 0 {
				mem.CAS32(b.w, w, w|bellQuiet) // W6
			} else {
				mem.CAS32(b.w, w, w&^(bellQuiet|bellAsleep))
			}
		}
		return
	}
}

// Bump changes the sequence whatever S says and wakes everybody: recovery's
// ring.
func (b *Bell) Bump() {
	mem.Add32(b.w, bellSeq)
	b.env.Wake(b.w, -1)
}
