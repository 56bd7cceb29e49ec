package shm

import (
	"fmt"
	"runtime"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/sys"
)

// A Snapshot is what a region looked like while it was read: each number was
// true at an instant, but not all at the same one.
type Snapshot struct {
	Taken        time.Time      `json:"taken"`
	Region       RegionState    `json:"region"`
	Memory       MemoryState    `json:"memory"`
	Participants []Attached     `json:"participants"`
	Directory    DirectoryState `json:"directory"`
	Objects      []ObjectState  `json:"objects"`
	Removed      []ObjectState  `json:"removed,omitempty"` // removed ones that somebody has open
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
	Ended        bool      `json:"ended,omitempty"` // an ephemeral region whose last participant is gone
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
	Recoveries int64 `json:"recoveries,omitempty"` // of dead participants, by this one
	Rescues    int64 `json:"rescues,omitempty"`    // deaths that it noticed without being told
	Open       int   `json:"open"`                 // objects that it has open
}

// DirectoryState is the directory's.
type DirectoryState struct {
	Live    int     `json:"live"`
	Removed int     `json:"removed"`
	Changes int64   `json:"changes"` // begun and ended, since the region was made
	Lock    string  `json:"lock,omitempty"`
	Holder  *Holder `json:"holder,omitempty"`
}

// A Holder is a participant that holds an object or a part of it.
type Holder struct {
	Index int    `json:"index"`
	Epoch uint32 `json:"epoch"`
	PID   int    `json:"pid,omitempty"` // 0: it is not attached any more
	Name  string `json:"name,omitempty"`
	What  string `json:"what,omitempty"` // "lease", "reading", "permit"
	N     int    `json:"n,omitempty"`
}

// ObjectState is an object and the state it is in.
type ObjectState struct {
	Object
	engine.Look
	Owner   *Holder  `json:"owner,omitempty"`
	Holders []Holder `json:"holders,omitempty"`
	OpenIn  []int    `json:"open_in,omitempty"` // participants, by index
}

// Snapshot describes the region and everything in it. It takes no lock and no
// participant slot, changes nothing, and works on a ReadOnly region, and while
// a stopped process holds every lock.
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
	s := &Snapshot{Taken: time.Now(), Region: a.regionState()}
	who := map[uint32]Participant{}
	for i := range a.g.participants {
		r := a.rec(i)
		p, word := r.read()
		if stateOf(word) == stFree {
			continue
		}
		who[i] = p
		s.Participants = append(s.Participants, Attached{
			Participant: p,
			Recoveries:  int64(mem.Load64(r.p64(recRecovered))),
			Rescues:     int64(mem.Load64(r.p64(recRescued))),
			Open:        a.openCount(i),
		})
	}
	holder := func(h engine.Holding) Holder {
		const kept = 1<<20 - 1 // bits of the epoch that every claim has
		p, ok := who[h.Who.Index]
		if !ok || (p.Epoch^h.Who.Epoch)&kept != 0 {
			p = Participant{Epoch: h.Who.Epoch}
		}
		return Holder{Index: int(h.Who.Index), Epoch: p.Epoch, PID: p.PID, Name: p.Name, What: h.What, N: h.N}
	}
	if ops, ok := engine.OpsOf(engine.KindMutex); ok {
		l := ops.Look(a.Sub(hdrDirLock, engine.MutexSize))
		s.Directory.Lock = l.State
		if l.Owner != nil {
			h := holder(engine.Holding{Who: *l.Owner})
			s.Directory.Holder = &h
		}
	}
	s.Directory.Changes = int64(mem.Load64(a.dir64(dirSeq))/2) - 1
	var used uint64
	for i := range a.g.objects {
		if st := a.state(i); st == entFree || st == entVoid {
			continue
		}
		e, ok := a.steady(i)
		if !ok {
			if e = a.read(i); e.state != entFree && e.state != entVoid {
				if err := a.valid(&e); err != nil {
					s.Damage = append(s.Damage, err.Error())
				}
			}
			continue
		}
		o, ok := a.objectState(&e, holder)
		if !ok {
			continue // gone while it was read
		}
		used += e.size
		if e.state == entLive {
			s.Objects = append(s.Objects, o)
		} else {
			s.Removed = append(s.Removed, o)
		}
	}
	s.Directory.Live, s.Directory.Removed = len(s.Objects), len(s.Removed)
	s.Memory = MemoryState{Heap: int64(a.g.heapSize()), Used: int64(used), Free: int64(a.g.heapSize() - min(used, a.g.heapSize())), FileFree: -1}
	if a.fd != nil {
		if n, err := sys.FreeBytes(a.fd); err == nil {
			s.Memory.FileFree = n
		}
	}
	return s
}

func (a *attachment) regionState() RegionState {
	boot := [16]byte(a.Bytes(hdrBoot, 16))
	return RegionState{
		Name:         a.name,
		Path:         a.path,
		ID:           a.id.String(),
		Version:      mem.Load32(a.W32(hdrVersion)),
		Size:         int64(a.g.size),
		Participants: int(a.g.participants),
		Objects:      int(a.g.objects),
		PageSize:     int(mem.Load32(a.W32(hdrPageSize))),
		Ephemeral:    a.g.flags&flagEphemeral != 0,
		Anonymous:    a.g.flags&flagAnonymous != 0,
		Ended:        mem.Load32(a.W32(hdrLife)) == lifeGone,
		Created:      time.Unix(0, int64(mem.Load64(a.W64(hdrCreated)))),
		Boot:         object.RegionID(boot).String(),
		ThisBoot:     boot == sys.BootID(),
	}
}

// objectState describes a steady entry.
func (a *attachment) objectState(e *entry, holder func(engine.Holding) Holder) (o ObjectState, ok bool) {
	if o.Object, ok = a.object(e); !ok {
		return o, false
	}
	ops, known := engine.OpsOf(e.kind)
	if !known {
		o.State = fmt.Sprintf("kind %d is unknown here", uint32(e.kind))
	} else {
		ok = a.peek(e, func() { o.Look = ops.Look(a.area(e)) })
	}
	if o.Look.Owner != nil {
		h := holder(engine.Holding{Who: *o.Look.Owner})
		o.Owner = &h
	}
	for _, h := range o.Look.Holders {
		o.Holders = append(o.Holders, holder(h))
	}
	for _, p := range a.openers(e.i) {
		o.OpenIn = append(o.OpenIn, int(p))
	}
	return o, ok
}
