package shm

import (
	"os"

	"github.com/edsrzf/mmap-go"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sys"
	"unsafe"
)

// Close ends this handle, and with the last handle of the process its part in
// the region: an orderly death. Whoever is blocked in the region in this
// process wakes with ErrClosed, every handle on its objects returns ErrClosed
// from then on (what returns no error reads zeroes and writes nowhere), and
// what this process still held is recovered as if it had died: locks are
// abandoned, leases go back, shares end. A second Close does nothing.
//
// It takes well under a millisecond and waits for no other process. If this
// process dies in it, the others recover it as one that died before.
func (r *Region) Close() error {
	if r.closed.Swap(true) {
		return nil
	}
	a := r.a
	registry.mu.Lock()
	a.refs--
	last := a.refs == 0
	if last && registry.m[a.file] == a {
		delete(registry.m, a.file)
	}
	registry.mu.Unlock()
	if !last {
		return nil
	}
	if err := a.close(); err != nil {
		return &Error{Op: "region.Close", Region: a.name, Err: err}
	}
	return nil
}

// close leaves the region:
//
//	1  no operation starts any more, nobody sleeps, and the directory is not
//	   being changed: that goes to the file, too
//	2  the guard lets go of the region
//	3  the region is mapped a second time, for what follows
//	4  the first mapping becomes zeroes of this process's own, in one step:
//	   no operation that is still under way can write to the region
//	5  what this process held is recovered through the second mapping, as a
//	   guard does for the dead
//	6  the record is freed, then its byte
//
// A death in between leaves the record Alive or Leaving with its byte free.
func (a *attachment) close() error {
	a.closed.Store(true) // 1
	a.list.Close()
	a.settle()
	defer a.fd.Close()
	if a.readOnly {
		return a.m.zero()
	}
	theGuard.remove(a) // 2
	a.watch.close()
	defer a.private.Close()
	second, err := mapSecond(a.fd, a.g) // 3
	if zerr := a.m.zero(); err == nil { // 4
		err = zerr
	}
	if err != nil {
		// No way to clean up: the others do, once the byte is free.
		return err
	}
	defer second.unmap()
	second.leave(a.self, a.env) // 5, 6
	a.leaveLife(second.words)
	return nil
}

// leave frees the record of self after its recovery by itself.
func (w words) leave(self engine.Self, env engine.Env) {
	r := w.rec(self.Index)
	leaving := recordWord(self.Epoch, stLeaving)
	if !r.move(recordWord(self.Epoch, stAlive), leaving) {
		return // declared dead, which only a corrupted record explains
	}
	if !w.recoverObjects(env, self) {
		return
	}
	mem.Store64(r.p64(recLastExit), leaving)
	mem.Store32(r.p32(recAlive), sys.FutexWaiters)
	r.move(leaving, recordWord(self.Epoch, stFree))
}

// A second mapping of a region, for the short while of a close.
type secondMapping struct {
	words
	m mmap.MMap
}

func mapSecond(f *os.File, g geometry) (secondMapping, error) {
	m, err := mmap.MapRegion(f, int(g.size), mmap.RDWR, 0, 0)
	if err != nil {
		return secondMapping{}, err
	}
	return secondMapping{words{mem.At(unsafe.Pointer(&m[0]), g.size), g}, m}, nil
}

func (s *secondMapping) unmap() { s.m.Unmap() }
