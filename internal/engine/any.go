package engine

import "example.com/tandem/internal/mem"

// Any is a wait for one of several things, of any kinds and regions, which takes none of
// them: select over Bells. It needs nothing of a bell that Await does not, and costs those
// who ring nothing that another sleeper would not.
//
// A thing is a Source. It is ready when the call that takes from it, or one like it,
// would not wait: a look of its own says so, which changes nothing. Whoever is told so
// may find it taken by another, and comes back.
//
//	A0  of each its Since, which is what moves is compared with; then a look
//	A1  arm each bell (B1)
//	A2  one Sync for all, if any is patient: after all arms, before all looks
//	A3  look at each until one is ready
//	A4  sleep while all words are what A1 made them: one wake-up of any ends it
//	A5  off all words: look at each, also behind the first that is ready, whatever it was
//	    that ended the sleep; and ring, for one, each that is ready and is rung for one.
//	    One is ready: the lowest. None: A1
//
// # A wake-up is not lost
//
// To this call: each bell is armed before the look, so the proof is Bell's, for each by
// itself. A2 is of the system and not of a region, so one serves all; it comes after the
// last arm, since what is published between it and an arm would be under way at the look.
//
// To another, who sleeps on the same bell: where a ring wakes one alone, for one change,
// it may be this call that is woken, which takes nothing. A sleep may use up one wake-up
// of each of its words, since it leaves them one after the other, and it is told of one at
// most. So A5 looks at all. A ring comes after its change and has drained it, so the look
// finds what it was for, and rings once more, for one of those who still sleep; or
// somebody has taken it, and nothing is owed. The caller may not take what it is told of
// either: A5 rings for that as well. It is off all words by then, and so does not wake
// itself. Each call passes on what it was given, and then returns or finds nothing, so
// that this ends.
//
// Without a sleep nothing was used up, and nothing is rung: what is ready when one comes
// costs looks. Bells that are rung for all owe nobody anything.
//
// An error of the sleeper's ends the wait after A5, which is owed for this as for any
// end of a sleep; what is ready by then comes with the error, for the caller to choose.
//
// # Stops and deaths
//
// A call that is stopped asleep is off the words, or is as any sleeper that was woken
// and stopped: what it was woken for the others find by their own looks, after a while
// (Sleeper). One that dies leaves its bells armed, which costs two rings each. Between a
// wake-up and A5: recovery bumps each bell of each object that it had open (rule 5).
//
// # Who cannot sleep on several words
//
// A sleeper without Arms sleeps for a time and looks again. It arms nothing, is on no
// bell, and so has nobody's wake-up: A1, A2 and A5's rings are left out.
type Any struct {
	of     []anyOf
	words  []*uint32 // of the bells
	values []uint32  // A1's

	waits  bool // the bells are armed: it is a sleep on words
	sync   func() bool
	misses bool
	slices int  // so far
	over   bool // the last slice lasted to its end, and no patient bell has moved since

	bad int // whose error look has found; -1: nobody's
}

// A Source is something that Any can wait for. It is looked at by Ready, and slept on by
// its bell, which whoever makes it ready rings.
type Source interface {
	// Ready reports whether it is so now, or was at some time since Since; it changes
	// nothing, and may be called of zeroes. An error says that it cannot be told.
	Ready(since uint64) (bool, error)
	// Awaited is the bell, and whether a ring may wake one alone: then who does not
	// take what the ring was for passes it on.
	Awaited() (b *Bell, one bool)
}

// A SinceSource is one whose Ready needs to know what it was when the call began.
type SinceSource interface{ Since() uint64 }

// An UnrungSource has something to make good after a long sleep for which nobody rang.
type UnrungSource interface{ Unrung() }

// An AnySleeper is a Sleeper on several words.
type AnySleeper interface {
	Spin() bool
	Now() int64
	// Arms reports that SleepAny sleeps on the words, and not for a time alone.
	Arms() bool
	// SleepAny sleeps while each word has its value, at most. It returns when it is on
	// none of them any more: nil at a time of Now's at the latest, if limit is not 0, and
	// otherwise as Sleep. A wake-up of each may have been used up.
	SleepAny(words []*uint32, values []uint32, limit int64) error
}

type anyOf struct {
	Source
	bell  *Bell
	since uint64
	one   bool
}

// Reset makes it a wait for nothing, which keeps nothing alive.
//
//go:norace
func (a *Any) Reset() {
	clear(a.of)
	clear(a.words)
	*a = Any{of: a.of[:0], words: a.words[:0], values: a.values[:0], bad: -1}
}

// Add adds a source, and is A0 of it. The same may be there twice.
//
//go:norace
func (a *Any) Add(s Source) {
	bell, one := s.Awaited()
	o := anyOf{Source: s, bell: bell, one: one}
	if at, ok := s.(SinceSource); ok {
		o.since = at.Since()
	}
	if bell.patient {
		a.sync, a.misses = bell.env.Sync, a.misses || bell.env.Misses
	}
	a.of = append(a.of, o)
	a.words = append(a.words, bell.w)
	a.values = append(a.values, 0)
}

// Look is the lowest that is ready, or -1: the rest of A0, and A3. If none is, an error is
// that of the lowest that could not tell: Bad.
func (a *Any) Look() (int, error) { return a.look(false) }

//go:norace
func (a *Any) look(pass bool) (first int, err error) {
	first = -1
	for i := range a.of {
		o := &a.of[i]
		ready, e := o.Ready(o.since)
		switch {
		case e != nil && err == nil:
			err, a.bad = e, i
		case ready:
			if first < 0 {
				first = i
			}
			if !pass {
				return first, nil
			}
			if o.one {
				o.bell.Ring(1)
			}
		}
	}
	if first >= 0 {
		err = nil
	}
	return first, err
}

// Bad is the source whose error was returned; -1: none's, but the sleeper's.
//
//go:norace
func (a *Any) Bad() int { return a.bad }

// Wait waits by s, after a fruitless Look, until one is ready. With an error of s's comes
// the lowest that is ready all the same, or -1.
//
//go:norace
func (a *Any) Wait(s AnySleeper) (int, error) {
	a.waits = s.Arms()
	for {
		for s.Spin() {
			if i, err := a.look(false); i >= 0 || err != nil {
				return i, err
			}
		}
		limit := int64(0)
		if a.waits {
			limit = a.arm(s)
			if i, err := a.look(false); i >= 0 || err != nil { // A3
				return i, err
			}
		}
		err := s.SleepAny(a.words, a.values, limit) // A4
		if limit != 0 {
			a.over = s.Now() >= limit
		}
		i, e := a.look(a.waits) // A5
		if err != nil {
			a.bad = -1
			return i, err
		}
		if i >= 0 || e != nil {
			return i, e
		}
		if limit == 0 {
			a.unrung()
		}
	}
}

// arm is A1 and A2, and says until when one may sleep: who cannot make the fences of
// others, and who may have missed some, sleeps for a slice at first, as Bell.sleep does.
//
//go:norace
func (a *Any) arm(s AnySleeper) (limit int64) {
	for i := range a.of {
		b := a.of[i].bell
		v := b.Arm()
		if v != a.values[i] && b.patient {
			a.over = false
		}
		a.values[i] = v
	}
	if a.sync == nil {
		return 0
	}
	can := a.sync()
	if can && (!a.misses || a.over) {
		return 0
	}
	grown := 0
	if !can {
		grown = min(a.slices, sliceGrows)
	}
	a.slices++
	return s.Now() + int64(slice)<<grown
}

// unrung is of a long sleep: each for which nobody rang makes good what it can.
//
//go:norace
func (a *Any) unrung() {
	for i := range a.of {
		o := &a.of[i]
		if u, ok := o.Source.(UnrungSource); ok && mem.Load32(o.bell.w) == a.values[i] {
			u.Unrung()
		}
	}
}
