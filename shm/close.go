package shm

import (
	"errors"
	"os"
	gosync "sync"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/wait"
)

// Close ends this handle, and with the last handle of the process its part in
// the region: an orderly death. Every call of this process that is blocked in
// the region wakes with ErrClosed, every handle on its objects returns
// ErrClosed from then on (what returns no error reads zeroes and writes
// nowhere), and what this process still held is recovered as if it had died:
// locks are abandoned, leases go back, shares end. A second Close does nothing.
//
// A call that is under way meanwhile says what it did. One that gave something
// returns nil if it was given: an Unlock, a Put, a Release, a Set. One that took
// a lock or a permit gives it back before it returns ErrClosed. So ErrClosed
// means that nothing has happened, and nil that it has, just before the region
// was closed: a Lock that returns nil then held what Close has abandoned.
//
// It waits for no longer than it takes the goroutines of this process that sleep
// in the region, or change its directory, to leave, and for a disk that a copy of a
// connection's reads or writes just then; and for no other process, but
// where it leaves memory behind for which somebody has to change the directory:
// then for 10 ms at most for the process that is just changing it. If this
// process dies in it, the others recover it as one that died before.
//
// Where there is no address space to map the region once more, for what it takes
// to do that in, and the collector finds none within 100 ms, the others do it,
// and are told that it died; if there are none, the next process that opens the
// region does it.
//
// The last to leave an ephemeral region takes its name away. Where it may not,
// in a sticky directory that is another user's file, the region has ended all
// the same, and the error says so.
func (r *Region) Close() error {
	if !r.made() {
		return &Error{Op: "region.Close", Err: errNoRegion}
	}
	if r.closed.Swap(true) {
		return nil
	}
	a := r.a
	registry.mu.Lock()
	a.refs--
	last := a.refs == 0
	if last {
		a.depart()
	}
	registry.mu.Unlock()
	if !last {
		return nil
	}
	defer a.forget()
	if err := a.close(); err != nil {
		return &Error{Op: "region.Close", Region: a.name, Err: err}
	}
	return nil
}

// Detach closes the region k for this whole process, whatever handles on it are
// open: package proc, when a child's function has returned. It does nothing if
// the region is not open. It blocks as Region.Close does.
func Detach(k object.RegionKey) error {
	registry.mu.Lock()
	a := registry.m[k.File]
	if a == nil || a.id != k.ID {
		registry.mu.Unlock()
		return nil
	}
	if left := a.left; left != nil { // another goroutine closes it
		registry.mu.Unlock()
		<-left
		return nil
	}
	a.depart() // a later Close of a handle counts below zero
	registry.mu.Unlock()
	err := a.close()
	a.forget()
	if err != nil {
		return &Error{Op: "shm.Detach", Region: a.name, Err: err}
	}
	return nil
}

// close leaves the region:
//
//	1  no operation starts any more, nobody sleeps, and nobody is changing
//	   the directory: that is done to the file, too, not only to the mapping
//	2  the record says Leaving, so that those on duty look at it in every
//	   round, and the guard lets go of the region
//	3  the region is mapped a second time, for what follows; or, if there is
//	   no address space for that, what others are told through
//	4  the first mapping becomes zeroes of this process's own, in one step:
//	   no operation that is still under way can write to the region; and what
//	   one has stored before is visible, also where the processors were told of
//	   the zeroes without an interrupt. Some objects are looked at there and then,
//	   for calls that cannot see them any more (object.Gate.Leave)
//	5  what this process held is recovered through the second mapping, as a
//	   guard does for the dead, and memory that only it had open is given back
//	6  the record is freed, then its byte
//
// Without the second mapping the byte is unlocked instead of 5 and 6, and the
// others are told to look: they do it, as for one who died.
//
// A death in between leaves the record Alive or Leaving with its byte free. If
// the kernel refuses the zeroes, the byte stays locked for as long as this
// process runs: others would recover what it can still write to.
func (a *attachment) close() error {
	a.gate.Shut() // 1
	a.list.Close()
	a.finishChanges()
	defer a.fd.Close()
	if a.readOnly {
		return a.gate.Replace(a.m.zero)
	}
	a.rec(a.self.Index).Move(region.RecordWord(a.self.Epoch, region.StAlive), region.RecordWord(a.self.Epoch, region.StLeaving)) // 2
	theGuard.remove(a)
	a.watch.close()
	second, err := mapSecond(a.fd, a.Geo) // 3
	zero := func() error {
		if err := a.m.zero(); err != nil {
			return err
		}
		wait.FenceOwn()
		if err == nil {
			a.gate.Leave(second.in(a.m))
		} else {
			a.gate.Leave(a.m.window(a.fd))
			a.m.silence()
		}
		return nil
	}
	if zerr := a.gate.Replace(zero); zerr != nil { // 4
		undead.Store(a, true)
		if err == nil {
			second.unmap()
		}
		return errors.Join(zerr, err)
	}
	defer a.release()
	if err != nil {
		return a.leaveToOthers(err)
	}
	defer second.unmap()
	second.giveUpDuty(a.self.Index, a.self.Epoch)
	second.leave(a.self, a.env, func() { second.reclaimLeaving(a) }) // 5, 6
	return a.leaveLife(second.words)
}

// leaveToOthers is the end of a close that has no second mapping, for err.
func (a *attachment) leaveToOthers(err error) error {
	sys.Unlock(a.private, a.rec(a.self.Index).ByteOffset(), 1)
	w, e := a.m.announce(a.fd, a.Geo)
	if e != nil {
		return errors.Join(err, e) // they find out, now that the byte is free
	}
	defer a.m.silence()
	w.giveUpDuty(a.self.Index, a.self.Epoch)
	w.changed()
	return a.leaveLife(w)
}

// release gives up every lock of this process's description, and that. To close
// it would not do while a child lives that was forked without exec and has the
// description, too.
func (a *attachment) release() {
	sys.Unlock(a.private, 0, 0) // 0 bytes: all there are
	a.private.Close()
}

// undead holds attachments whose byte must stay locked.
var undead gosync.Map

// freeTries bounds how often somebody else may scribble on the word just then.
const freeTries = 64

// leave frees the record of self after its recovery by itself. Whatever the
// record's word was made to say by somebody else, nobody has the record while
// this process holds the byte. reclaim is called when no object is open any more.
func (w words) leave(self engine.Self, env engine.Env, reclaim func()) {
	r := w.rec(self.Index)
	if !w.recoverObjects(env, self) {
		return
	}
	reclaim()
	r.Exited(self.Epoch, false)
	mem.Store32(r.P32(region.RecAlive), sys.FutexWaiters)
	for range freeTries {
		if r.Move(r.Word(), region.RecordWord(self.Epoch, region.StFree)) {
			w.ended(r, self.Epoch)
			return
		}
	}
}

// A second mapping of a region, for the short while of a close.
type secondMapping struct {
	words
	m unsafe.Pointer
}

func mapSecond(f *os.File, g region.Geometry) (secondMapping, error) {
	var m unsafe.Pointer
	err := withRoomSoon(func() (err error) {
		m, err = sys.Map(f, uintptr(g.Size), true)
		return err
	})
	if err != nil {
		return secondMapping{}, err
	}
	return secondMapping{words{region.On(mem.At(m, g.Size), g)}, m}, nil
}

// in says where in it memory of the first one, m, is.
func (s *secondMapping) in(m *mapping) func(mem.Area) mem.Area {
	return func(a mem.Area) mem.Area {
		return s.Sub(uint64(uintptr(a.Ptr(0, 0))-uintptr(m.mem)), a.Size())
	}
}

func (s *secondMapping) unmap() { sys.Unmap(s.m, uintptr(s.Geo.Size)) }
