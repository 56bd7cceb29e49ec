package proc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// What is no file is copied through a pipe, by a goroutine each, and not by
// os/exec's, which a Reader or a Writer that blocks keeps from ever saying that
// the process has ended.

// An inPipe copies a Reader to the child's stdin. Unlike os/exec's it does
// not keep the process from being Done when the Reader blocks.
type inPipe struct {
	w       *os.File
	child   *os.File // its end
	mu      sync.Mutex
	written error // by the last Write: the child does not read any more
	err     error // the Reader's
}

func input(cmd *exec.Cmd, r io.Reader) (*inPipe, error) {
	if f, ok := r.(*os.File); ok || r == nil {
		if ok {
			cmd.Stdin = f
		}
		return nil, nil
	}
	child, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdin = child
	return &inPipe{w: w, child: child}, nil
}

func (p *inPipe) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.written = err
	return n, err
}

// copy is called when the child has its end.
func (p *inPipe) copy(r io.Reader) {
	p.child.Close()
	defer p.w.Close() // also if the Reader ends this goroutine: the child is not to wait
	_, err := io.Copy(p, r)
	if err != nil && p.written == nil {
		p.mu.Lock()
		p.err = fmt.Errorf("read Options.Stdin: %w", err)
		p.mu.Unlock()
	}
}

// end is called when the child has ended: nobody reads any more.
func (p *inPipe) end() {
	if p != nil {
		p.w.Close()
	}
}

// close is for a child that was never there.
func (p *inPipe) close() {
	if p != nil {
		p.child.Close()
		p.w.Close()
	}
}

// failed is the Reader's error, if it came before the child's end.
func (p *inPipe) failed() error {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// outPipes are a child's stdout and stderr where they are copied.
type outPipes struct {
	all   []*outPipe
	child []*os.File // its ends, closed here once it has them
}

// An outPipe copies what the child writes to a Writer.
type outPipe struct {
	r    *os.File
	w    io.Writer
	done chan error // what ended the copying
}

// connect gives cmd its stdout and stderr. After an error the caller closes o,
// as ever.
func (o *outPipes) connect(cmd *exec.Cmd, stdout, stderr io.Writer) (err error) {
	cmd.Stdout, err = o.file(output(stdout, os.Stdout))
	if err != nil {
		return err
	}
	if stdout != nil && same(stdout, stderr) { // one goroutine at a time calls it
		cmd.Stderr = cmd.Stdout
		return nil
	}
	cmd.Stderr, err = o.file(output(stderr, os.Stderr))
	return err
}

// file is what the child writes to for w to get it; nil for nil.
func (o *outPipes) file(w io.Writer) (io.Writer, error) {
	if _, ok := w.(*os.File); ok || w == nil {
		return w, nil
	}
	r, child, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	o.all = append(o.all, &outPipe{r, w, make(chan error, 1)})
	o.child = append(o.child, child)
	return child, nil
}

// same reports whether two Writers are one.
func same(a, b io.Writer) bool {
	defer func() { recover() }() // types that cannot be compared
	return a == b
}

// start is called when the child has its ends.
func (o *outPipes) start() {
	o.closeChild()
	for _, p := range o.all {
		go func() {
			err := errors.New("the Writer has ended its goroutine")
			defer func() {
				p.r.Close() // the child hears that nobody reads any more
				p.done <- err
			}()
			_, err = io.Copy(p.w, p.r)
		}()
	}
}

func (o *outPipes) closeChild() {
	for _, f := range o.child {
		f.Close()
	}
	o.child = nil
}

// close is for a child that was never there.
func (o *outPipes) close() {
	o.closeChild()
	for _, p := range o.all {
		p.r.Close()
	}
}

// wait is called when the child has ended. It returns when all that it wrote
// has been given to the Writers, or after delay: then what the Writers have not
// taken is lost, and one that is blocked is left with the goroutine that called
// it, which does not call it again.
func (o *outPipes) wait(delay time.Duration) (err error) {
	late := time.NewTimer(delay)
	defer late.Stop()
	for i, p := range o.all {
		select {
		case e := <-p.done:
			if err == nil {
				err = e
			}
		case <-late.C:
			for _, p := range o.all[i:] {
				p.r.Close()
			}
			return fmt.Errorf("not all output was taken %v after its end: %w", delay, exec.ErrWaitDelay)
		}
	}
	return err
}

// output is what the child's stdout or stderr becomes: nil, which is
// /dev/null, where neither the caller nor this process has one.
func output(w io.Writer, own *os.File) io.Writer {
	if w != nil {
		return w
	}
	if own == nil {
		return nil
	}
	c, err := own.SyscallConn()
	if err != nil {
		return nil
	}
	open := false
	c.Control(func(fd uintptr) {
		_, err := unix.FcntlInt(fd, unix.F_GETFD, 0)
		open = err == nil
	})
	if !open {
		return nil
	}
	return own
}
