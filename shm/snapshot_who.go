package shm

import (
	"cmp"
	"slices"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
)

// A viewer is one snapshot's reading of who is there. Times of CLOCK_MONOTONIC
// become times of day by the two clocks at its start.
type viewer struct {
	a        *attachment
	wall     time.Time
	mono     int64
	thisBoot bool
	who      map[uint32]Attached
	sleeps   []slept
}

// A slept is a sleep and whose it is.
type slept struct {
	region.Sleep
	who engine.Self
}

// participants reads the records, and what their calls sleep on.
func (v *viewer) participants() (present []Attached, gone []Departed) {
	for i := range v.a.Geo.Participants {
		r := v.a.rec(i)
		n, word := v.a.attachedIn(r)
		p := n.Participant
		if region.StateOf(word) == region.StFree {
			if d, ok := r.departed(p, word); ok {
				gone = append(gone, d)
			}
			continue
		}
		n.Open = v.a.OpenCount(i)
		if region.Present(word) {
			ss, rest := v.a.Sleeps(i)
			for _, s := range ss {
				n.Asleep += s.N
				v.sleeps = append(v.sleeps, slept{s, engine.Self{Index: i, Epoch: p.Epoch}})
			}
			n.Asleep += rest
			n.Unshown = rest
		}
		v.who[i] = n
		present = append(present, n)
	}
	for k := range present {
		if p := &present[k]; p.State == Dead {
			p.Recoverer = v.recoverer(v.a.rec(uint32(p.Index)), p.Epoch)
		}
	}
	// Where the time of the end is not known, the order is the records'.
	slices.SortStableFunc(gone, func(x, y Departed) int { return y.Ended.Compare(x.Ended) })
	return present, gone
}

// lost reports whether the participant of r, whose state says that it is there,
// has its byte free: proof (a) of deaths.go, and it takes no lock.
func (a *attachment) lost(r record) bool {
	if a.fd == nil {
		return false
	}
	held, err := sys.Test(a.fd, r.ByteOffset())
	return err == nil && !held
}

// stopped reports whether the participant of r is a process of this pid
// namespace that is stopped.
func (r record) stopped(epoch uint32) bool {
	id, ok := r.Identity(epoch)
	return ok && me.Load().near(id) && sys.Stopped(int(id.PID), id.Start)
}

// elsewhere reports whether the pid in r is known to be of another pid namespace
// than this process's.
func (r record) elsewhere() bool {
	ns, mine := uint32(mem.Load64(r.P64(region.RecPIDNS))), uint32(me.Load().namespace)
	return ns != 0 && mine != 0 && ns != mine
}

// departed is the last user of a free record, if its fields are still whole.
func (r record) departed(p Participant, word uint64) (Departed, bool) {
	exits, ended := mem.Load64(r.P64(region.RecExits)), int64(mem.Load64(r.P64(region.RecEnded)))
	if _, ok := r.Identity(p.Epoch); !ok || p.Epoch == 0 || region.EpochOf(exits) != p.Epoch || r.Word() != word {
		return Departed{}, false
	}
	d := Departed{Participant: p, Died: exits&1 != 0, Elsewhere: r.elsewhere()}
	if d.State = Leaving; d.Died {
		d.State = Dead
	}
	if ended != 0 {
		d.Ended = time.Unix(0, ended)
	}
	return d, true
}

// recoverer is the process that the record of a dead one names.
func (v *viewer) recoverer(r record, epoch uint32) *Holder {
	de, index1, e := region.UnpackRecoverer(mem.Load64(r.P64(region.RecRecoverer)))
	switch {
	case de != epoch&region.RecovererEpochs || index1 == 0:
		return nil
	case index1 == region.NewcomerIndex:
		return &Holder{Index: -1}
	}
	h := v.holder(engine.Holding{Who: engine.Self{Index: index1 - 1, Epoch: e}})
	return &h
}

// holder says who a claim names. One without an epoch, which is a bit, names whoever is
// there.
func (v *viewer) holder(h engine.Holding) Holder {
	const kept = 1<<20 - 1 // bits of the epoch that every claim has
	n := Holder{Index: int(h.Who.Index), Epoch: h.Who.Epoch, What: h.What, N: h.N}
	if p, ok := v.who[h.Who.Index]; ok && (h.Who.Epoch == 0 || (p.Epoch^h.Who.Epoch)&kept == 0) {
		n = p.holder()
		n.What, n.N, n.Since = h.What, h.N, v.time(h.Since, &p)
	}
	return n
}

// holder is p as a holder of nothing yet.
func (p *Attached) holder() Holder {
	return Holder{Index: p.Index, Epoch: p.Epoch, PID: p.PID, Name: p.Name,
		Dead: p.Lost || p.State == Dead, Stopped: p.Stopped, Elsewhere: p.Elsewhere}
}

// attachedIn is the participant that has r, if its word says that somebody has.
func (a *attachment) attachedIn(r record) (n Attached, word uint64) {
	p, word := r.read()
	n = Attached{
		Participant: p,
		Recoveries:  int64(mem.Load64(r.P64(region.RecRecovered))),
		Rescues:     int64(mem.Load64(r.P64(region.RecRescued))),
		Elsewhere:   r.elsewhere(),
	}
	if region.Present(word) {
		n.Lost = a.lost(r)
		n.Stopped = r.stopped(p.Epoch)
	}
	return n, word
}

// time is a time of p's CLOCK_MONOTONIC; zero if that cannot be told: another
// time namespace or boot has another clock.
func (v *viewer) time(t int64, p *Attached) time.Time {
	ns := mem.Load64(v.a.rec(uint32(p.Index)).P64(region.RecPIDNS)) >> 32
	mine := me.Load().namespace >> 32
	elsewhere := ns != 0 && mine != 0 && ns != mine
	earlier := !v.thisBoot && p.Started.Before(v.wall.Add(-time.Duration(v.mono)))
	ago := v.mono - t
	if t <= 0 || elsewhere || earlier || ago < -int64(time.Minute) {
		return time.Time{}
	}
	return v.wall.Add(-time.Duration(max(ago, 0))).Round(0) // without a reading of this process's clock
}

// A home is memory that calls may sleep on, and where to say so.
type home struct {
	region.Extent
	waits func() *[]Holder
}

// assign gives each sleep to the home that has the memory.
func (v *viewer) assign(homes []home, present []Attached) {
	slices.SortFunc(homes, func(x, y home) int { return cmp.Compare(x.Off, y.Off) })
	for _, s := range v.sleeps {
		k, at := slices.BinarySearchFunc(homes, s.Off, func(h home, off uint64) int { return cmp.Compare(h.Off, off) })
		if !at {
			k--
		}
		if k < 0 || s.Off >= homes[k].End() {
			for i := range present {
				if present[i].Index == int(s.who.Index) {
					present[i].Unshown += s.N
				}
			}
			continue
		}
		waits := homes[k].waits()
		h := v.holder(engine.Holding{Who: s.who, N: s.N, Since: s.Since})
		// The sleeps are in order of participants.
		if n := len(*waits); n > 0 && (*waits)[n-1].Index == h.Index {
			last := &(*waits)[n-1]
			last.N += h.N
			if last.Since.IsZero() || !h.Since.IsZero() && h.Since.Before(last.Since) {
				last.Since = h.Since
			}
			continue
		}
		*waits = append(*waits, h)
	}
}
