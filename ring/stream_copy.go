package ring

import (
	"errors"
	"io"
	"math"
	"os"
	"runtime"
	"syscall"

	"example.com/tandem/internal/engine"
)

// io.Copy to a connection and from one.
//
// Between it and a file, or a socket, the kernel copies out of the ring and into it, and
// between two connections one copy does. Any other io.Reader or io.Writer gets a buffer of
// its own: in the ring a peer would see what it has half done, and could change what it
// looks at twice; and it may panic, or take its time, and a Close waits for who has the
// ring's memory. What the kernel, too, may have to wait for is waited for before: each of
//
//	C1  wait until the connection can go on, with its lock held as a Read or Write has it
//	C2  wait until the file can, with the file's
//	C3  take the connection's lock if that is free; else C1
//	C4  read or write what does not make the kernel wait, as much as there is
//
// waits for one thing, and holds nothing that another waits for but by that. Of a file that
// is read, whether it has more comes before C1: at its end there is nothing to wait for, and
// what became of the connection since is for who writes next.

// ReadFrom writes what r has, up to its io.EOF, which is no error.
func (c *streamConn) ReadFrom(r io.Reader) (n int64, err error) {
	from, most := r, int64(math.MaxInt64)
	l, limited := r.(*io.LimitedReader)
	if limited {
		from, most = l.R, l.N
	}
	if raw := rawOf(from); raw != nil {
		n, err = c.end.copyIn(raw, most)
		if limited {
			l.N -= n
		}
		runtime.KeepAlive(c)
		return n, err
	}
	return io.Copy(streamWriter{c}, r)
}

// WriteTo writes to w what is read, up to the end of it.
func (c *streamConn) WriteTo(w io.Writer) (n int64, err error) {
	if to, ok := w.(*streamConn); ok {
		n, err = c.end.copyOver(to.end)
		runtime.KeepAlive(to)
	} else if raw := rawOf(w); raw != nil {
		n, err = c.end.copyOut(raw)
	} else {
		return io.Copy(w, streamReader{c})
	}
	runtime.KeepAlive(c)
	return n, err
}

// What has not the connection's ReadFrom, and WriteTo.
type (
	streamWriter struct{ c *streamConn }
	streamReader struct{ c *streamConn }
)

func (w streamWriter) Write(p []byte) (int, error) { return w.c.Write(p) }
func (r streamReader) Read(p []byte) (int, error)  { return r.c.Read(p) }

// copyMost is how much is copied at once.
const copyMost = 64 << 10

// copyIn copies from a descriptor until its end.
func (e *streamEnd) copyIn(from *rawEnd, most int64) (n int64, err error) {
	for n < most {
		if err = e.out.now((*engine.Stream).HasRoom); err != nil {
			over, failed := from.isOver(again(err))
			switch {
			case over:
				return n, nil
			case failed != nil && again(err):
				return n, failed
			case failed != nil: // which nobody else is told
				return n, errors.Join(e.fail(opStreamWrite, err), failed)
			}
			if again(err) {
				err = e.out.wait((*engine.Stream).HasRoom, (*engine.Stream).AwaitRoom) // C1
			}
			if err != nil {
				return n, e.fail(opStreamWrite, err)
			}
		}
		k, over := 0, false
		var failed error                         // the descriptor's
		why := from.Read(func(fd uintptr) bool { // C2
			failed = nil
			err = e.out.direct(e.eng.WroteInZeroes, func() (int, error) { // C3
				err := error(engine.ErrOver)
				e.core.Gate.Here(func() { // what a disk brings comes into no other's memory
					var p []byte
					if p, err = e.eng.Room(int(min(most-n, copyMost))); err != nil {
						return
					}
					if k, failed = from.readNow(fd, p); k > 0 { // C4
						e.eng.Filled(uint64(k))
					}
					over = k == 0 && failed == nil
				})
				return k, err
			}, &k)
			return !errors.Is(failed, syscall.EAGAIN)
		})
		n += int64(k)
		switch {
		case over && err == nil:
			return n, nil
		case why != nil:
			return n, why
		case failed != nil && k == 0:
			return n, os.NewSyscallError("read", failed)
		case err != nil && !again(err):
			over, failed := from.isOver(false)
			switch err = e.fail(opStreamWrite, err); {
			case over:
				return n, nil
			case failed != nil:
				return n, errors.Join(err, failed)
			}
			return n, err
		}
	}
	return n, nil
}

// copyOut copies to a descriptor until there is nothing to be read any more.
func (e *streamEnd) copyOut(to *rawEnd) (n int64, err error) {
	for {
		if err = e.in.wait((*engine.Stream).HasBytes, (*engine.Stream).AwaitBytes); err != nil {
			if err == io.EOF {
				return n, nil
			}
			return n, e.fail(opStreamRead, err)
		}
		k := 0
		var failed error
		why := to.Write(func(fd uintptr) bool {
			failed = nil
			err = e.in.direct(e.eng.ReadInZeroes, func() (int, error) {
				err := error(engine.ErrOver)
				e.core.Gate.Here(func() { // of the zeroes nothing goes out
					var p []byte
					if p, err = e.eng.There(copyMost); err != nil {
						return
					}
					if k, failed = to.writeNow(fd, p); k > 0 {
						e.eng.Emptied(uint64(k))
					}
				})
				return k, err
			}, &k)
			return !errors.Is(failed, syscall.EAGAIN)
		})
		n += int64(k)
		switch {
		case why != nil:
			return n, why
		case failed != nil && k == 0:
			return n, os.NewSyscallError("write", failed)
		case err != nil && !again(err):
			if err == io.EOF {
				return n, nil
			}
			return n, e.fail(opStreamRead, err)
		}
	}
}

// copyOver copies from one connection to another. As of a Read and a Write, what the other
// end can read has been read here.
func (e *streamEnd) copyOver(to *streamEnd) (n int64, err error) {
	for {
		if err = e.in.wait((*engine.Stream).HasBytes, (*engine.Stream).AwaitBytes); err != nil {
			if err == io.EOF {
				return n, nil
			}
			return n, e.fail(opStreamRead, err)
		}
		if err = to.out.wait((*engine.Stream).HasRoom, (*engine.Stream).AwaitRoom); err != nil {
			return n, to.fail(opStreamWrite, err)
		}
		read, wrote := 0, 0
		var failed error // the other's
		err = e.in.direct(e.eng.ReadInZeroes, func() (k int, err error) {
			p, err := e.eng.There(copyMost)
			if err != nil {
				return 0, err
			}
			failed = to.out.direct(to.eng.WroteInZeroes, func() (int, error) {
				q, err := to.eng.Room(len(p))
				if err != nil {
					return 0, err
				}
				if !e.core.Gate.Here(func() { k = copy(q, p); e.eng.Emptied(uint64(k)) }) {
					return 0, engine.ErrOver
				}
				to.eng.Filled(uint64(k))
				return k, nil
			}, &wrote)
			return k, nil
		}, &read)
		n += int64(wrote)
		switch {
		case failed != nil && !again(failed):
			return n, to.fail(opStreamWrite, failed)
		case err != nil && !again(err):
			if err == io.EOF { // since the look before
				return n, nil
			}
			return n, e.fail(opStreamRead, err)
		}
	}
}

// now reports whether an attempt would not wait.
func (h *streamHalf) now(try attempt) error {
	if err := h.begin(); err != nil {
		return err
	}
	defer h.lock.unlock()
	_, err := try(h.end.eng, nil)
	if err != nil && h.end.core.Closed.Load() {
		return h.why()
	}
	return err
}

// wait is C1.
func (h *streamHalf) wait(try attempt, late lateAttempt) error {
	if err := h.begin(); err != nil {
		return err
	}
	defer h.lock.unlock()
	_, err := try(h.end.eng, nil)
	if again(err) {
		_, err = h.await(nil, try, late)
	}
	if err != nil && h.end.core.Closed.Load() {
		return h.why()
	}
	return err
}

// direct is C3: f is one attempt, n what came of it.
func (h *streamHalf) direct(inZeroes func() bool, f func() (int, error), n *int) (err error) {
	if !h.lock.seize() {
		return engine.ErrOver
	}
	defer h.lock.unlock()
	if err = h.ended(); err != nil {
		return err
	}
	if h.what == engine.EndWriting {
		watch.speaks(&h.end.in)
		defer watch.spoke(&h.end.in)
	}
	*n, err = f()
	if h.end.core.Closed.Load() {
		*n, err = h.inRegion(*n, err, inZeroes)
	}
	return err
}
