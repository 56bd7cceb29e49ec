package shm

import (
	"unsafe"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
)

// Duty. A wake-up can go to a guard that is frozen, starved or dying itself,
// and some ends nobody is told of at all: of a process that attaches or leaves
// and has no node in any list for a moment, and of one whose list was silenced.
// To bound what that costs, a few guards look now and then at everything, on
// behalf of all: those on duty. The others sleep for as long as nothing
// happens.
//
// There are region.DutyPosts posts in the header: with four holders frozen and one of
// the others dying, its end is still found in one period.
//
//	holder  u64  {epoch:32, index+1:32} of a participant; 0: nobody
//	beat    u32  grows with each period in which the holder looked
//
// A post whose holder is not there any more is taken by CAS, by whatever guard
// looks first: every newcomer does, and those that are told of an end. A
// process that leaves gives up its post and rings for a successor. A holder
// whose beat stands still loses its post to the next guard that looks, or to
// one that another on duty rings for; and if all beats stand still, any guard
// notices, since each looks at their sum now and then, at times of its own.
//
// Nothing depends on posts but how soon is heard what nobody told: a holder
// that is replaced by mistake, or by somebody who scribbles, or two that think
// that they have one post, do no harm.
const (
	dutyPeriod = 50e6 // nanoseconds between looks that find nothing
	dutyRound  = 1e9  // between looks that also try for a proof where nothing speaks for a death
	dutyStill  = 20   // periods: a beat that stands still for longer is replaced

	pulseStep = 20e9 // nanoseconds between looks at the sum of the beats
	pulseMany = 64   // with more participants than so many each looks the less often
)

func postWord(index, epoch uint32) uint64 { return uint64(epoch)<<32 | uint64(index+1) }

// holds reports whether v is the word of a post whose holder is there.
func (w words) holds(v uint64) bool {
	i := uint32(v)
	if i == 0 || i > w.Geo.Participants {
		return false
	}
	r := w.rec(i - 1).Word()
	return region.Present(r) && region.EpochOf(r) == uint32(v>>32)
}

// A shift is this process's view of the posts of one region; its guard's alone.
type shift struct {
	post  int // that this process holds, or -1
	beats [region.DutyPosts]uint32
	seen  [region.DutyPosts]int64 // since when each beat has been what it is, CLOCK_MONOTONIC
	stood bool                    // none of them has moved for dutyStill
	round int64                   // when the last round was

	called    int64  // when somebody was called to a vacant post
	candidate uint32 // who
}

// takeDuty takes a post if one is to be had and this process has none, and
// reports whether it is on duty. The holder of a post empties those whose
// holders are gone, or stand still, and now and then rings for somebody to take
// them.
func (a *attachment) takeDuty(now int64) bool {
	s, own := &a.watch.shift, postWord(a.self.Index, a.self.Epoch)
	stood := s.stood
	s.post, s.stood = -1, false
	for k := range region.DutyPosts {
		if mem.Load64(a.Post(k)) == own {
			s.post = k
		}
	}
	vacant := false
	for k := range region.DutyPosts {
		v := mem.Load64(a.Post(k))
		if v == own {
			continue
		}
		if b := mem.Load32(a.Beat(k)); b != s.beats[k] || s.seen[k] == 0 {
			s.beats[k], s.seen[k] = b, now
		}
		late := stood || now-s.seen[k] > dutyStill*dutyPeriod
		switch {
		case a.holds(v) && !late:
		case s.post < 0:
			if mem.CAS64(a.Post(k), v, own) {
				s.post = k
			}
		case v == 0:
			vacant = true
		case mem.CAS64(a.Post(k), v, 0):
			vacant = true
			s.called, s.candidate = 0, uint32(v)-1 // the one behind it is called, at once
		}
	}
	if s.post < 0 {
		return false
	}
	mem.Add32(a.Beat(s.post), 1)
	if vacant && now-s.called > dutyRound*9/10 {
		if c, ok := a.call(s.candidate + 1); ok {
			s.called, s.candidate = now, c
		}
	}
	return true
}

// call rings for the next participant from i on that has no post, if there is
// one.
func (w words) call(i uint32) (called uint32, ok bool) {
	n := w.Geo.Participants
	for j := range n {
		c := (i + j) % n
		if r := w.rec(c).Word(); region.StateOf(r) == region.StAlive && !w.onDuty(c, region.EpochOf(r)) {
			w.ring(c)
			return c, true
		}
	}
	return 0, false
}

// giveUpDuty is for a process that leaves: its post goes to another.
func (w words) giveUpDuty(index, epoch uint32) {
	for k := range region.DutyPosts {
		if own := postWord(index, epoch); mem.Load64(w.Post(k)) != own || !mem.CAS64(w.Post(k), own, 0) {
			continue
		}
		w.call(index + 1)
	}
}

func (w words) onDuty(index, epoch uint32) bool {
	for k := range region.DutyPosts {
		if mem.Load64(w.Post(k)) == postWord(index, epoch) {
			return true
		}
	}
	return false
}

// pulse is what the guards that are not on duty see of those who are.
func (a *attachment) pulse() sys.Pulse {
	return sys.Pulse{Base: unsafe.Pointer(a.Beat(0)), Stride: region.DutyStride, N: region.DutyPosts}
}

// pulseTimes are when participant index of so many looks at the pulse, at first
// and from then on: each at a time of its own, so that of many somebody looks
// soon.
func pulseTimes(index uint32, many int) (first, step int64) {
	const golden = 2654435769 // 2^32 over the golden ratio: its multiples are spread evenly (Knuth, TAOCP 6.4)
	step = pulseStep * int64(max(1, many/pulseMany))
	return int64(float64(step) * float64(index*golden) / (1 << 32)), step
}

// rows are what a guard on duty looks at. The words were recorded by the last
// look.
func (a *attachment) rows() sys.Rows {
	w := &a.watch
	if w.nextLocked < 0 { // each holder begins elsewhere
		w.nextLocked = len(w.locked) * w.shift.post / region.DutyPosts
	}
	return sys.Rows{
		Base: unsafe.Pointer(a.rec(0).P64(region.RecWord)), Stride: region.RecordSize,
		Wide: w.words, Narrow: w.alive,
		Beat: a.Beat(w.shift.post),
		File: a.privateFD, Bytes: w.locked, Some: max(4, len(w.locked)/256), Next: w.nextLocked,
	}
}
