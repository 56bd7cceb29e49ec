package step

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An Op is an operation that a victim runs.
type Op struct {
	name  string
	guard bool // see RegisterGuard
}

func (o Op) String() string { return o.name }

// Guard reports whether o is of [RegisterGuard].
func (o Op) Guard() bool { return o.guard }

// prepare makes ready for an operation, in the victim, and returns it.
type prepare func(dir string) (run func() error, err error)

var ops = map[string]prepare{}

// Register names an operation; call it at package level. In the victim
// prepare gets the stage's directory, does everything that shall not be
// stepped, and returns the operation. To step over what only a first use does
// (growing a stack, filling a cache) it runs the operation once by itself, on
// an object that nobody looks at. An error of either is a failed test: the
// operation must do what it is meant to, until it dies.
func Register(name string, prepare func(dir string) (run func() error, err error)) Op {
	if _, ok := ops[name]; ok {
		panic("stepkill: two operations named " + name)
	}
	ops[name] = prepare
	return Op{name: name}
}

const (
	envOp  = "TANDEM_STEPKILL_OP"  // the operation to run; set: this process is a child of ours
	envDir = "TANDEM_STEPKILL_DIR" // its stage
	envRun = "TANDEM_STEPKILL_RUN" // "step": stop before the operation, to be stepped
)

// board is a page that parent and child share beside the stage: descriptor 3
// of the child.
type board struct {
	phase atomic.Uint32 // written by the child
	note  atomic.Int32  // written by the child
}

const (
	preparing = iota
	running
	returned
)

const boardFD, boardSize = 3, 4096

func mapBoard(fd int) (*board, []byte, error) {
	b, err := unix.Mmap(fd, 0, boardSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, fmt.Errorf("stepkill: map the board: %w", err)
	}
	return (*board)(unsafe.Pointer(&b[0])), b, nil
}

var mine atomic.Pointer[board] // the child's own board

func init() {
	if os.Getenv(envOp) != "" {
		runtime.LockOSThread() // in an init: to the main thread, which is the one that is stepped
	}
}

// Main runs the operation and never returns, in a child of this package. In
// any other process it returns at once. Call it before anything else.
func Main() {
	name := os.Getenv(envOp)
	if name == "" {
		return
	}
	dir, mode := os.Getenv(envDir), os.Getenv(envRun)
	for _, e := range []string{envOp, envDir, envRun} {
		os.Unsetenv(e) // a child of the operation is not a victim
	}
	b, _, err := mapBoard(boardFD)
	if err != nil {
		fail(err)
	}
	unix.Close(boardFD)
	mine.Store(b)
	prepare, ok := ops[name]
	if !ok {
		fail(fmt.Errorf("stepkill: no operation is named %q; is Main called before it is registered?", name))
	}
	run, err := prepare(dir)
	if err != nil {
		fail(fmt.Errorf("stepkill: prepare %s: %w", name, err))
	}
	b.note.Store(0)
	if mode == "step" {
		deepen(64)
		pid, tid := uintptr(unix.Getpid()), uintptr(unix.Gettid())
		runtime.Gosched() // a new time slice: no yielding for another 10 ms
		unix.RawSyscall(unix.SYS_TGKILL, pid, tid, uintptr(unix.SIGSTOP))
	}
	b.phase.Store(running)
	err = run()
	if err != nil {
		fail(fmt.Errorf("stepkill: %s: %w", name, err))
	}
	b.phase.Store(returned)
	for {
		time.Sleep(time.Hour)
	}
}

// deepen grows the stack, which in the midst of the operation would be some
// ten thousand instructions more, in some runs.
//
//go:noinline
func deepen(n int) byte {
	var frame [1024]byte
	if frame[n] = byte(n); n == 0 {
		return frame[0]
	}
	return deepen(n-1) + frame[n]
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(3)
}

// Note leaves n for the parent to read in [Death.Note]: how far an operation
// of several steps has come. In any other process it does nothing.
func Note(n int) {
	if b := mine.Load(); b != nil {
		b.note.Store(int32(n))
	}
}
