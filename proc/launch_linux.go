package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/sys"
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

// A launch is a child on its way. Some of it can hang for as long as a file
// system does not answer: the child's directory may be on a dead mount, or this
// one, or the program. So it runs beside Start, which leaves it alone when its
// context ends; and what may hang is asked for before the thread that forks has
// a part in it. In the fork itself it would be too late: the runtime could not
// even collect garbage.
type launch struct {
	cmd     *exec.Cmd
	env     []string // Options.Env
	token   string
	parent  string // its pid, if the child is to end with it
	mail    *os.File
	regions *luggage
	in      *inPipe
	out     outPipes
	fate    atomic.Int32
}

// The fate of a launch. Until it forks, nothing needs what the child would have
// had, so a caller that abandons it then gives that up at once: a look may hang
// for ever, and an ephemeral region would live as long.
//
//	undecided → forking → started
//	    └──→ abandoned ←┘
const (
	undecided = iota
	forking   // on the thread that forks
	started   // there is a child, and Start returns it
	abandoned // Start has returned without one
)

// errAbandoned says that nobody forks any more. Start has told why.
var errAbandoned = errors.New("abandoned")

// start returns when the child is there, and has closed all that only the child
// needs; after an error, or when ctx, whose Done over is, has ended, there is none, or soon
// none.
func (l *launch) start(ctx context.Context, over <-chan struct{}) error {
	done := make(chan error, 1)
	go func() { done <- l.run() }()
	select {
	case err := <-done:
		return err
	case <-over:
		switch {
		case l.fate.CompareAndSwap(undecided, abandoned):
			l.close()
		case l.fate.CompareAndSwap(forking, abandoned): // run closes it
		default:
			return <-done
		}
		return ctx.Err()
	}
}

func (l *launch) run() error {
	l.look()
	err := l.fork()
	if err == errAbandoned {
		return err
	}
	if err == nil && l.fate.CompareAndSwap(forking, started) {
		l.regions.close()
		return nil
	}
	l.close()
	if err == nil { // nobody has it, and it is in nobody's way
		l.cmd.Process.Kill()
		l.cmd.Wait()
		l.regions.ended()
	}
	return err
}

// close gives up what the child would have had.
func (l *launch) close() {
	l.mail.Close()
	l.in.close()
	l.out.close()
	l.regions.close()
}

// look asks for what the fork will. Whether it can be had, the fork will say.
func (l *launch) look() {
	l.cmd.Env = os.Environ()
	if f, err := os.Open(l.cmd.Path); err == nil {
		f.Close()
	}
	if l.cmd.Dir != "" {
		if abs, err := filepath.Abs(l.cmd.Dir); err == nil {
			l.cmd.Env = append(l.cmd.Env, "PWD="+abs)
		}
		access(l.cmd.Dir)
	}
	l.cmd.Env = append(l.cmd.Env, l.env...)
	l.cmd.Env = append(l.cmd.Env, childVar+"="+strconv.Itoa(len(l.cmd.ExtraFiles))+":"+l.token+":"+l.parent)
}

// access asks a file system what a chdir will.
func access(dir string) { unix.Access(dir, unix.X_OK) }

// fork is done on the thread that forks.
func (l *launch) fork() error {
	forked := make(chan error)
	forker() <- func() {
		if !l.fate.CompareAndSwap(undecided, forking) {
			forked <- errAbandoned
			return
		}
		files, err := uninherited(3 + len(l.cmd.ExtraFiles))
		if err == nil {
			l.cmd.ExtraFiles = append(l.cmd.ExtraFiles, files...)
			err = l.cmd.Start()
		}
		forked <- err
	}
	err := <-forked
	if err == errAbandoned {
		return err
	}
	if err != nil {
		if p := sys.NoProc(err); p != err {
			return fmt.Errorf("start %s: %w", l.cmd.Path, p)
		}
	}
	if err != nil && l.cmd.Dir != "" { // which may be what the error is about
		err = fmt.Errorf("in directory %s: %w", l.cmd.Dir, err)
	}
	return err
}

// uninherited makes a list of nil files from descriptor first on that closes,
// in a child, whatever would be inherited there: descriptors that this
// process itself inherited, or that C code opened, without FD_CLOEXEC.
func uninherited(first int) ([]*os.File, error) {
	d, err := os.Open("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
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
	return make([]*os.File, last+1-first), nil
}
