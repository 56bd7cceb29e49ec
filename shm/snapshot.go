package shm

import (
	"fmt"
	"runtime"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
)

// A Snapshot is what a region looked like while it was read: each number was
// true at an instant, but not all at the same one.
type Snapshot struct {
	Taken        time.Time      `json:"taken"` // when the last of it had been read: nothing in it is later
	Region       RegionState    `json:"region"`
	Memory       MemoryState    `json:"memory"`
	Participants []Attached     `json:"participants"`
	Gone         []Departed     `json:"gone,omitempty"` // who was here before, the latest first
	Directory    DirectoryState `json:"directory"`
	Objects      []ObjectState  `json:"objects"`
	Removed      []ObjectState  `json:"removed,omitempty"` // removed ones that still have memory: OpenIn says who has them open
	Streams      []ObjectState  `json:"streams,omitempty"` // connections, each by the name that it was dialled under
	Damage       []string       `json:"damage,omitempty"`  // what could not be shown
}

// RegionState is what a region is.
type RegionState struct {
	Name         string    `json:"name"`
	Path         string    `json:"path,omitempty"`
	ID           string    `json:"id"`
	Version      uint32    `json:"version"`
	Size         int64     `json:"size"`
	Participants int       `json:"max_participants"`
	Objects      int       `json:"max_objects"`
	PageSize     int       `json:"page_size"`
	Ephemeral    bool      `json:"ephemeral,omitempty"`
	Anonymous    bool      `json:"anonymous,omitempty"`
	Unfenced     bool      `json:"unfenced,omitempty"` // a process that goes to sleep makes the fences of those that publish
	Ended        bool      `json:"ended,omitempty"`    // an ephemeral region whose last participant is gone
	Created      time.Time `json:"created"`
	Boot         string    `json:"boot"`
	ThisBoot     bool      `json:"this_boot"` // made since the system was started
}

// MemoryState is the heap's, in bytes.
type MemoryState struct {
	Heap     int64 `json:"heap"`
	Used     int64 `json:"used"`
	Free     int64 `json:"free"`
	FileFree int64 `json:"file_free"` // free in the file system that the region is in; -1: unknown
}

// Attached is a participant and what it has done for others.
type Attached struct {
	Participant
	Recoveries int64   `json:"recoveries,omitempty"`          // of dead participants, by this one
	Rescues    int64   `json:"rescues,omitempty"`             // deaths that it noticed without being told
	Open       int     `json:"open"`                          // objects that it has open
	Asleep     int     `json:"asleep,omitempty"`              // calls of its that wait asleep, for whatever
	Unshown    int     `json:"unshown,omitempty"`             // those of them of which nothing says for what
	Stopped    bool    `json:"stopped,omitempty"`             // by a signal or a debugger, as far as this process can see
	Elsewhere  bool    `json:"other_pid_namespace,omitempty"` // its pid is one of another pid namespace than this process's
	Lost       bool    `json:"lost,omitempty"`                // it has ended, and nobody has noticed yet: there is no one else, or all are stopped
	Recoverer  *Holder `json:"recoverer,omitempty"`           // of a dead one: who is recovering it
}

// A Departed is the last user of a record that is free now. Those before it are
// forgotten.
type Departed struct {
	Participant
	Died  bool      `json:"died"`           // it had not closed the region
	Ended time.Time `json:"ended,omitzero"` // when it had closed, or was recovered

	Elsewhere bool `json:"other_pid_namespace,omitempty"` // as of one that is there
}

// DirectoryState is the directory's.
type DirectoryState struct {
	Live     int      `json:"live"`
	Removed  int      `json:"removed"`            // with memory still
	Unopened int      `json:"unopened,omitempty"` // of these, those that nobody has open: about to be taken back
	Streams  int      `json:"streams,omitempty"`  // connections, which have no name
	Kept     int      `json:"kept,omitempty"`     // connections that have ended, whose memory the next may have; it counts as free
	Changes  int64    `json:"changes"`            // begun and ended, since the region was made
	Lock     string   `json:"lock,omitempty"`
	Holder   *Holder  `json:"holder,omitempty"`
	Waits    []Holder `json:"waits,omitempty"` // who waits for the lock
}

// A Holder is a participant that holds an object or a part of it, or waits.
type Holder struct {
	Index     int       `json:"index"`
	Epoch     uint32    `json:"epoch"`
	PID       int       `json:"pid,omitempty"` // 0: it is not attached any more
	Name      string    `json:"name,omitempty"`
	Dead      bool      `json:"dead,omitempty"`                // it has died, and is not recovered yet
	Stopped   bool      `json:"stopped,omitempty"`             // it is stopped by a signal or a debugger, as far as this process can see
	Elsewhere bool      `json:"other_pid_namespace,omitempty"` // as of Attached
	What      string    `json:"what,omitempty"`                // of what: see docs/reference.md, "What inspect says"
	N         int       `json:"n,omitempty"`                   // how many of that; calls that wait
	Since     time.Time `json:"since,omitzero"`                // since then at least; zero: unknown. Of waits: the first of the calls
}

// ObjectState is an object and the state it is in.
type ObjectState struct {
	Object

	// What its words say; a field that says nothing of its kind is zero.
	Waiters int    `json:"waiters,omitempty"` // 1: somebody may be asleep; more where the kind counts them
	Len     int    `json:"len,omitempty"`     // messages that wait, elements, parties that have come, calls that wait, permits that are free, bytes of a pipe or a connection
	Cap     int    `json:"cap,omitempty"`     // the most that Len can be; of a queue those on lease, which are Holders, have their places still
	State   string `json:"state,omitempty"`   // a word or two: "abandoned", "shut down"
	Value   string `json:"value,omitempty"`   // what a cell holds, or the count of permits

	Owner   *Holder  `json:"owner,omitempty"`
	Holders []Holder `json:"holders,omitempty"`
	Waits   []Holder `json:"waits,omitempty"`   // who waits asleep, a row each participant
	OpenIn  []int    `json:"open_in,omitempty"` // participants, by index
}

// Snapshot describes the region and everything in it. It takes no lock and no
// participant slot, changes nothing, and works on a ReadOnly region, and while
// a stopped process holds every lock. It does not block. [ErrClosed] after Close.
// What cannot be shown is in Damage, and is no error.
func (r *Region) Snapshot() (*Snapshot, error) {
	var s *Snapshot
	if r.made() {
		s = r.a.snapshot()
	}
	err := r.check()
	runtime.KeepAlive(r)
	if err != nil {
		return nil, &Error{Op: "region.Snapshot", Region: r.Name(), Err: err}
	}
	return s, nil
}

func (a *attachment) snapshot() *Snapshot {
	v := &viewer{a: a, wall: time.Now(), mono: sys.MonotonicNow(), who: map[uint32]Attached{}}
	s := &Snapshot{Region: a.regionState()}
	v.thisBoot = s.Region.ThisBoot
	s.Participants, s.Gone = v.participants()
	v.directory(&s.Directory)
	homes := []home{{region.Extent{Off: region.HdrDirLock, Size: engine.MutexSize}, func() *[]Holder { return &s.Directory.Waits }}}
	var used uint64
	for i := range a.Geo.Objects {
		if st := a.EntryState(i); st == region.EntFree || st == region.EntVoid {
			continue
		}
		e, ok := a.Steady(i)
		if !ok {
			if e = a.Entry(i); e.State != region.EntFree && e.State != region.EntVoid {
				if err := a.Valid(&e); err != nil {
					s.Damage = append(s.Damage, err.Error())
				}
			}
			continue
		}
		o, ok := v.objectState(&e)
		if !ok {
			continue // gone while it was read
		}
		if e.State == region.EntLive || len(o.OpenIn) > 0 { // else whoever makes the next object may have it
			used += e.Size
		}
		if e.State == region.EntRemoved && len(o.OpenIn) == 0 {
			if shelf := a.Shelf(); shelf.Has(i, e.Gen) {
				s.Directory.Kept++
				continue
			}
		}
		to := &s.Objects
		switch {
		case e.State == region.EntRemoved && e.Kind == engine.KindStream:
			to = &s.Streams
		case e.State == region.EntRemoved:
			to = &s.Removed
		}
		k := len(*to)
		*to = append(*to, o)
		homes = append(homes, home{region.Extent{Off: e.Off, Size: e.Size}, func() *[]Holder { return &(*to)[k].Waits }})
	}
	v.assign(homes, s.Participants)
	s.Directory.Live, s.Directory.Removed, s.Directory.Streams = len(s.Objects), len(s.Removed), len(s.Streams)
	for _, o := range s.Removed {
		if len(o.OpenIn) == 0 {
			s.Directory.Unopened++
		}
	}
	s.Memory = MemoryState{Heap: int64(a.Geo.HeapSize()), Used: int64(used), Free: int64(a.Geo.HeapSize() - min(used, a.Geo.HeapSize())), FileFree: -1}
	if a.fd != nil {
		if n, err := sys.FreeBytes(a.fd); err == nil {
			s.Memory.FileFree = n
		}
	}
	s.Taken = time.Now()
	return s
}

func (a *attachment) regionState() RegionState {
	boot := [16]byte(a.Bytes(region.HdrBoot, 16))
	return RegionState{
		Name:         a.name,
		Path:         a.where(),
		ID:           a.id.String(),
		Version:      mem.Load32(a.W32(region.HdrVersion)),
		Size:         int64(a.Geo.Size),
		Participants: int(a.Geo.Participants),
		Objects:      int(a.Geo.Objects),
		PageSize:     int(mem.Load32(a.W32(region.HdrPageSize))),
		Ephemeral:    a.Geo.Flags&region.FlagEphemeral != 0,
		Anonymous:    a.Geo.Flags&region.FlagAnonymous != 0,
		Unfenced:     a.Geo.Flags&region.FlagUnfenced != 0,
		Ended:        mem.Load32(a.W32(region.HdrLife)) == region.LifeGone,
		Created:      time.Unix(0, int64(mem.Load64(a.W64(region.HdrCreated)))),
		Boot:         object.RegionID(boot).String(),
		ThisBoot:     boot == sys.BootID(),
	}
}

// directory describes the directory's line and lock.
func (v *viewer) directory(d *DirectoryState) {
	a := v.a
	d.Changes = int64(mem.Load64(a.Dir64(region.DirSeq))/2) - 1
	if ops, ok := engine.OpsOf(engine.KindMutex); ok {
		l := ops.Look(a.Sub(region.HdrDirLock, engine.MutexSize))
		d.Lock, d.Holder = l.State, v.owner(&l)
	}
}

// owner is the holder of what l is a look of.
func (v *viewer) owner(l *engine.Look) *Holder {
	if l.Owner == nil {
		return nil
	}
	h := v.holder(engine.Holding{Who: *l.Owner, Since: l.Since})
	return &h
}

// objectState describes a steady entry.
func (v *viewer) objectState(e *region.Entry) (o ObjectState, ok bool) {
	a := v.a
	if o.Object, ok = a.object(e); !ok {
		return o, false
	}
	var l engine.Look
	ops, known := engine.OpsOf(e.Kind)
	if !known {
		o.State = fmt.Sprintf("kind %d is unknown here", uint32(e.Kind))
	} else {
		ok = a.peek(e, func() { l = ops.Look(a.Words(e)) })
		o.Waiters, o.Len, o.Cap, o.State, o.Value = l.Waiters, l.Len, l.Cap, l.State, l.Value
		if len(l.Cells) > 0 {
			o.Value = cellsText(o.Type, &l)
		}
	}
	o.Owner = v.owner(&l)
	for _, h := range l.Holders {
		o.Holders = append(o.Holders, v.holder(h))
	}
	for _, p := range a.Openers(e.I) {
		o.OpenIn = append(o.OpenIn, int(p))
	}
	return o, ok
}
