package proc

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/wait"
)

func start(ctx context.Context, fn *function, arg any, o *Options) (*Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	over := ctx.Done() // which may panic: here it costs nothing
	if err := o.check(); err != nil {
		return nil, err
	}
	name := o.Name
	if name == "" {
		name = fn.name
	}
	h := &head{Token: rand.Text(), Function: fn.name, Name: name}
	data, regions, err := packed(h, fn.arg, arg, o.Regions)
	if err != nil {
		return nil, err
	}
	mail, err := handoverFile()
	if err != nil {
		regions.close()
		return nil, err
	}
	if err := writeHandover(mail, h, data); err != nil {
		mail.Close()
		regions.close()
		return nil, fmt.Errorf("hand over %d bytes: %w", len(data), err)
	}

	l, err := launchOf(h, o, mail, regions)
	if err != nil {
		l.close()
		return nil, err
	}
	if err := l.start(ctx, over); err != nil {
		return nil, err
	}
	if l.in != nil {
		go l.in.copy(o.Stdin)
	}
	l.out.start()
	p := &Process{name: name, os: l.cmd.Process, mail: mail, done: make(chan struct{}), told: engine.NewSignal(wait.Wake)}
	children.add(p)
	grace := o.Grace
	if grace == 0 {
		grace = defaultGrace
	}
	stop, heard := func() bool { return true }, false
	defer func() {
		if !heard { // what is the context's has panicked: nobody has the process, and it goes
			p.Kill()
		}
		go p.watch(l, outputDelay, stop)
	}()
	stop = context.AfterFunc(ctx, func() { p.end(grace) })
	heard = true
	return p, nil
}

// launchOf says how a child is started that is to find h in its mail.
func launchOf(h *head, o *Options, mail *os.File, regions *luggage) (l *launch, err error) {
	cmd := &exec.Cmd{
		Path:       "/proc/self/exe", // also when the file was replaced or deleted
		Args:       os.Args,
		Dir:        o.Dir,
		ExtraFiles: append([]*os.File{mail}, regions.files()...),
	}
	if len(cmd.Args) == 0 {
		cmd.Args = []string{h.Function}
	}
	l = &launch{cmd: cmd, env: o.Env, token: h.Token, mail: mail, regions: regions}
	if !o.KeepOnExit {
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		l.parent = strconv.Itoa(os.Getpid())
	}
	if l.in, err = input(cmd, o.Stdin); err == nil {
		err = l.out.connect(cmd, o.Stdout, o.Stderr)
	}
	return l, err
}

// watch waits for the end of the child that l started, and for its output, for
// delay at most; then p is Done. It calls stop, which ends the wait for ctx.
func (p *Process) watch(l *launch, delay time.Duration, stop func() bool) {
	awaitEnd(p.PID())
	err := l.cmd.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = nil
	}
	l.in.end()
	if e := l.out.wait(delay); err == nil {
		err = e
	}
	if err == nil {
		err = l.in.failed()
	}
	stop()
	l.regions.ended()
	p.finish(l.cmd.ProcessState, err)
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

// announceInterrupt tells the child that one SIGINT more is meant for it, and
// does not come from a terminal.
func (p *Process) announceInterrupt() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.interrupts++
	_, err := p.mail.WriteAt(binary.LittleEndian.AppendUint64(nil, p.interrupts), interruptsAt)
	if errors.Is(err, os.ErrClosed) {
		return os.ErrProcessDone
	}
	return err
}
