package shm

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	gosync "sync"
	"sync/atomic"
	"time"
	"weak"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/wait"
)

// An attachment is this process in one region: one mapping, one participant
// record, however many handles point to it.
type attachment struct {
	words             // the mapped region and its geometry, a private copy
	m        *mapping // keeps the memory mapped
	id       object.RegionID
	file     sys.FileID
	name     string   // as errors print it
	path     string   // "" for an anonymous region, and until it is known: under registry.mu then
	fd       *os.File // the file as it was opened: File, fallocate, second mapping
	private  *os.File // an open file description of our own, never handed on: it has the OFD locks
	readOnly bool     // mapped PROT_READ: no record, no guard, not in the registry

	self engine.Self
	env  engine.Env
	gate object.Gate // whether it is closed, and how its calls take that
	list *wait.List

	refs  int                                  // Regions that are open, under registry.mu
	left  chan struct{}                        // set when refs has come to 0, closed when the attachment is: under registry.mu
	cores map[uint32]weak.Pointer[object.Core] // by entry

	changing gosync.Mutex // held around the directory's lock: this process's changes, one by one
	uses     uses         // which objects this process has open

	cleanupLimit time.Duration // tests have one of their own

	tidying    chore // ask.go
	reclaiming chore // reclaim.go
	shelf      shelf // object_shelf.go

	nextCollected uint32 // where the next collect goes on: behind this entry -1; under changing

	recovering gosync.Mutex      // one recovery at a time in this process
	beyond     map[uint32]uint32 // by record: the epoch whose death this build cannot recover; under recovering
	watch      watch             // the guard's view of the others
	linked     uint32            // what this process's alive word is to be, once it is under guard: the guard's
	privateFD  uintptr           // private's descriptor
}

// attach makes this process a participant of the region in v, and returns a
// handle. It takes the file over, also when it fails. When it returns, every dead
// participant has been found, and recovered unless a living one is at it, or it
// had objects open of a kind that this build does not know.
func attach(v regionFile, o *Options) (r *Region, err error) {
	lookAtMyself()
	if o != nil && o.ReadOnly {
		a, err := mapOnly(v)
		if err != nil {
			return nil, err
		}
		return &Region{a: a, closed: new(atomic.Bool)}, nil
	}
	end := time.Now().Add(placeLimit)
	if h := registered(v.id); h != nil {
		v.f.Close()
		h.a.isAt(v.path)
		return h, nil
	}
	var a *attachment
	defer func() { r = came(v.id, a) }() // whatever becomes of this
	a, err = newAttachment(v, end)
	return nil, err
}

func (a *attachment) init(v regionFile, writable bool) error {
	m, err := mapRegion(v.f, v.h.Size, writable)
	if err != nil {
		return err
	}
	a.words = words{region.On(mem.At(m.mem, v.h.Size), v.h.Geometry)}
	a.m, a.fd, a.path, a.name, a.file, a.readOnly = m, v.f, v.path, v.name, v.id, !writable
	copy(a.id[:], a.Bytes(region.HdrID, 16))
	a.list = wait.NewList()
	a.env = engine.Env{Wake: wait.Wake}
	if v.h.Flags&region.FlagUnfenced != 0 && writable {
		wait.Reach()
		a.env.Sync, a.env.Unfenced = wait.Membarrier, wait.ReachedWord()
		a.env.Misses = wait.MissesSome()
	}
	a.cores = map[uint32]weak.Pointer[object.Core]{}
	return nil
}

// mapOnly is an attachment without a record: it looks and changes nothing.
func mapOnly(v regionFile) (*attachment, error) {
	a := &attachment{refs: 1}
	if err := a.init(v, false); err != nil {
		v.f.Close()
		return nil, err
	}
	return a, nil
}

func newAttachment(v regionFile, end time.Time) (_ *attachment, err error) {
	a := &attachment{}
	lived := false
	defer func() {
		if err == nil {
			return
		}
		if a.private != nil {
			a.release() // and with it every lock taken below
		}
		if lived { // L3: it may have been the last share
			endIfDead(v.f, v.id, cmp.Or(v.path, sys.PathOf(v.f)))
		}
		v.f.Close()
	}()
	if a.private, err = sys.Reopen(v.f, true); err != nil {
		return nil, err
	}
	if a.privateFD, err = sys.Descriptor(a.private); err != nil {
		return nil, err
	}
	if err = a.init(v, true); err != nil {
		return nil, err
	}
	if err = a.takeLife(); err != nil {
		return nil, err
	}
	lived = a.Geo.Flags&region.FlagEphemeral != 0
	r, err := a.takeRecord(end)
	if err != nil {
		return nil, err
	}
	a.list.ShowOn(a.Board(a.self.Index))
	a.beginWatch()
	// From here on others can see this process. Its claims need a guard.
	if err = theGuard.add(a); err != nil {
		r.Move(region.RecordWord(a.self.Epoch, region.StAttaching), region.RecordWord(a.self.Epoch, region.StFree))
		a.ended(r, a.self.Epoch)
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	r.Move(region.RecordWord(a.self.Epoch, region.StAttaching), region.RecordWord(a.self.Epoch, region.StAlive))
	a.scan()
	a.reclaimSoon() // what the last users left
	return a, nil
}

// placeLimit bounds the wait for a place that is about to be free: for its
// recovery, which takes milliseconds unless the recoverer is stopped, or for
// the kernel to tear down a dead process, a second or so if that was a big one.
var placeLimit = 5 * time.Second

// takeRecord makes a free record this process's: the byte first, so that it
// is held in every state but Free. Where all are taken it looks for dead ones,
// whose byte it can lock: that is the proof. While others are at what will be a
// free record, it goes round again, until end.
func (a *attachment) takeRecord(end time.Time) (record, error) {
	for try := 0; ; try++ {
		for _, dead := range [...]bool{false, true} {
			if r, ok, err := a.takeAny(dead); ok || err != nil {
				return r, err
			}
		}
		if soon, err := a.places(); !soon || time.Now().After(end) {
			return record{}, err
		}
		backOff(try)
	}
}

// takeAny takes the first record that can be had, starting with the one that
// has been free for longest. ok is false if there is none.
func (a *attachment) takeAny(dead bool) (r record, ok bool, err error) {
	n := a.Geo.Participants
	start := mem.Load32(a.W32(region.HdrNext)) % n
	for k := range n {
		r := a.rec((start + k) % n)
		if !dead && region.StateOf(r.Word()) != region.StFree {
			continue
		}
		err := sys.Lock(a.private, r.ByteOffset(), 1, true)
		if errors.Is(err, sys.ErrLocked) {
			continue
		}
		if err != nil {
			return r, false, err
		}
		if a.takeLocked(r) {
			mem.Store32(a.W32(region.HdrNext), (r.I+1)%n)
			return r, true, nil
		}
		sys.Unlock(a.private, r.ByteOffset(), 1)
	}
	return record{}, false, nil
}

// places says why there is no record to be had, and whether one may be soon.
// One that is free now is just being taken, or its last user's byte is locked
// still; one that is Dead is being recovered, but for those that nobody here
// can recover.
func (a *attachment) places() (soon bool, err error) {
	a.recovering.Lock()
	defer a.recovering.Unlock()
	alive := 0
	for i := range a.Geo.Participants {
		r := a.rec(i)
		w := r.Word()
		switch region.StateOf(w) {
		case region.StFree, region.StLeaving:
			soon = true
		case region.StDead:
			soon = soon || !a.tried(r, region.EpochOf(w))
		default:
			if a.proven(r, w) {
				soon = true
			} else {
				alive++
			}
		}
	}
	all := fmt.Sprint(alive)
	if alive == int(a.Geo.Participants) {
		all = "all"
	}
	return soon, fmt.Errorf("%d participants, %s of them alive (Options.Participants says how many there can be, when a region is made): %w", a.Geo.Participants, all, ErrTooManyParticipants)
}

// takeLocked takes r, whose byte this process holds.
func (a *attachment) takeLocked(r record) bool {
	w := r.Word()
	if region.Present(w) { // with its byte free: dead
		a.declare(r, w, false)
		w = r.Word()
	}
	if region.StateOf(w) == region.StDead {
		a.recoverNewly(r, region.EpochOf(w))
		w = r.Word()
	}
	if region.StateOf(w) != region.StFree {
		return false
	}
	epoch := region.EpochOf(w) + 1
	r.Fill(me.Load().identity(), sys.Name())
	mem.Store64(r.P64(region.RecRecoverer), region.PackRecoverer(epoch, 0, 0))
	if !r.Move(w, region.RecordWord(epoch, region.StAttaching)) {
		return false
	}
	a.self = engine.Self{Index: r.I, Epoch: epoch}
	a.env.Self = a.self
	a.arrived(r.I)
	return true
}

// scan finds and recovers all the dead, whichever process noticed them before.
// It goes round until it finds nobody, for one that it left to a living
// recoverer may have lost that by the end of the round. Each round but the last
// is paid for by a death; the bound is for a region that says anything.
func (a *attachment) scan() {
	for range a.Geo.Participants {
		found := false
		for i := range a.Geo.Participants {
			if i != a.self.Index {
				found = a.scanOne(a.rec(i)) || found
			}
		}
		if !found {
			return
		}
	}
}

// scanOne reports whether the participant of r was dead and is recovered now.
func (a *attachment) scanOne(r record) bool {
	w := r.Word()
	prove := a.obvious
	if region.StateOf(w) != region.StAlive || r.Alive()&sys.FutexOwnerDied != 0 {
		prove = a.proven
	}
	proven := region.Present(w) && prove(r, w)
	if proven {
		a.declare(r, w, true)
		w = region.RecordWord(region.EpochOf(w), region.StDead)
	}
	if region.StateOf(w) != region.StDead {
		return false
	}
	a.recoverDead(r, region.EpochOf(w), proven)
	return r.Word() != w
}
