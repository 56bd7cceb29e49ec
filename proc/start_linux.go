package proc

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// forker runs what it is sent on one thread that lives as long as the
// process. The kernel kills a child with PDEATHSIG when the *thread* that
// started it ends, and Go ends a thread whose locked goroutine returns: so no
// other thread may start a child. The thread is parked in between and costs
// no processor.
var forker = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go fork(work)
	return work
})

func fork(work <-chan func()) {
	runtime.LockOSThread() // for good
	if unix.Gettid() == unix.Getpid() {
		// The main thread: process-directed signals prefer it, and the main
		// goroutine may want to lock itself to it. Held here it cannot be
		// chosen again.
		taken := make(chan struct{})
		go func() { close(taken); fork(work) }()
		<-taken
		runtime.UnlockOSThread()
		return
	}
	for f := range work {
		f()
	}
}

func start(ctx context.Context, fn *function, arg any, o *Options) (*Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	name := o.Name
	if name == "" {
		name = fn.name
	}
	h := &head{Token: rand.Text(), Function: fn.name, Name: name}
	regions := newLuggage(h)
	defer regions.close()
	data, err := regions.pack(fn.arg, arg, o.Regions)
	if err != nil {
		return nil, err
	}
	mail, err := handoverFile()
	if err != nil {
		return nil, err
	}
	if err := writeHandover(mail, h, data); err != nil {
		mail.Close()
		return nil, fmt.Errorf("hand over %d bytes: %w", len(data), err)
	}

	delay := outputDelay
	cmd := &exec.Cmd{
		Path:       "/proc/self/exe", // also when the file was replaced or deleted
		Args:       os.Args,
		Dir:        o.Dir,
		Env:        os.Environ(),
		Stdout:     output(o.Stdout, os.Stdout),
		Stderr:     output(o.Stderr, os.Stderr),
		ExtraFiles: append([]*os.File{mail}, regions.files()...),
		WaitDelay:  delay,
	}
	if len(cmd.Args) == 0 {
		cmd.Args = []string{fn.name}
	}
	if o.Dir != "" {
		if abs, err := filepath.Abs(o.Dir); err == nil {
			cmd.Env = append(cmd.Env, "PWD="+abs)
		}
	}
	cmd.Env = append(cmd.Env, o.Env...)
	cmd.Env = append(cmd.Env, childVar+"="+strconv.Itoa(len(cmd.ExtraFiles))+":"+h.Token)
	if !o.KeepOnExit {
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	}
	in, err := input(cmd, o.Stdin)
	if err != nil {
		mail.Close()
		return nil, err
	}

	started := make(chan error)
	forker() <- func() {
		cmd.ExtraFiles = append(cmd.ExtraFiles, uninherited(3+len(cmd.ExtraFiles))...)
		started <- cmd.Start()
	}
	if err := <-started; err != nil {
		mail.Close()
		if o.Dir != "" { // which may be what the error is about
			err = fmt.Errorf("in directory %s: %w", o.Dir, err)
		}
		return nil, err
	}
	if in != nil {
		go in.copy(o.Stdin)
	}
	p := &Process{name: name, os: cmd.Process, mail: mail, done: make(chan struct{})}
	children.add(p)
	grace := o.Grace
	if grace == 0 {
		grace = defaultGrace
	}
	stop := context.AfterFunc(ctx, func() { p.end(grace) })
	go func() {
		awaitEnd(p.PID())
		err := cmd.Wait()
		var exit *exec.ExitError
		switch {
		case errors.As(err, &exit):
			err = nil
		case errors.Is(err, exec.ErrWaitDelay):
			err = fmt.Errorf("not all output was read %v after its end: %w", delay, err)
		}
		if err == nil && in != nil {
			err = in.failed()
		}
		stop()
		regions.ended()
		p.finish(cmd.ProcessState, err)
	}()
	return p, nil
}

// end is what the end of Start's context does.
func (p *Process) end(grace time.Duration) {
	p.Terminate()
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-p.done:
	case <-t.C:
		p.Kill()
	}
}

// awaitEnd parks the goroutine, not a thread, until pid, an unreaped child,
// has ended. Where the kernel has no descriptors of processes it returns at
// once, and the thread is parked in wait4 as usual.
func awaitEnd(pid int) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	defer f.Close()
	c, err := f.SyscallConn()
	if err != nil {
		return
	}
	c.Read(func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return n > 0 || err != nil && err != unix.EINTR
	})
}

// handoverFile makes the file that becomes the child's descriptor 3.
func handoverFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("tandem-child", unix.MFD_CLOEXEC|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // before Linux 6.3
		fd, err = unix.MemfdCreate("tandem-child", unix.MFD_CLOEXEC)
	}
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), "tandem-child"), nil
}

// announceInterrupt tells the child that the next SIGINT is meant for it, and
// does not come from a terminal.
func (p *Process) announceInterrupt() error {
	_, err := p.mail.WriteAt([]byte{1}, interruptsAt)
	if errors.Is(err, os.ErrClosed) {
		return os.ErrProcessDone
	}
	return err
}

// uninherited makes a list of nil files from descriptor first on that closes,
// in a child, whatever would be inherited there: descriptors that this
// process itself inherited, or that C code opened, without FD_CLOEXEC.
func uninherited(first int) []*os.File {
	d, err := os.Open("/proc/self/fd")
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	last := first - 1
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		if err != nil || fd <= last {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			last = fd
		}
	}
	return make([]*os.File, last+1-first)
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

// An inPipe copies a Reader to the child's stdin. Unlike os/exec's it does
// not keep the process from being Done when the Reader blocks.
type inPipe struct {
	io.WriteCloser
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
	w, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return &inPipe{WriteCloser: w}, nil
}

func (p *inPipe) Write(b []byte) (int, error) {
	n, err := p.WriteCloser.Write(b)
	p.written = err
	return n, err
}

func (p *inPipe) copy(r io.Reader) {
	defer p.Close() // also if the Reader ends this goroutine: the child is not to wait
	_, err := io.Copy(p, r)
	if err != nil && p.written == nil {
		p.mu.Lock()
		p.err = fmt.Errorf("read Options.Stdin: %w", err)
		p.mu.Unlock()
	}
}

// failed is the Reader's error, if it came before the child's end.
func (p *inPipe) failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}
