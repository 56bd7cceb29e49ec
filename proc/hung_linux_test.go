package proc_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/proc"
	"example.com/tandem/shm"
)

// deadMount mounts a file system whose server takes requests and answers none,
// and returns a channel on which it tells of each. At the end of the test the
// server is gone, and who waits for it has an error.
func deadMount(t *testing.T) (dir string, asked <-chan uint32) {
	t.Helper()
	dir = t.TempDir()
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("no FUSE here: %v", err)
	}
	if err := unix.Mount("tandem-test", dir, "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fd)); err != nil {
		unix.Close(fd)
		t.Skipf("cannot mount: %v", err)
	}
	dev := os.NewFile(uintptr(fd), "/dev/fuse") // it can be polled from here on
	t.Cleanup(func() {
		dev.Close()
		unix.Unmount(dir, unix.MNT_DETACH)
	})
	requests := make(chan uint32, 64)
	go func() {
		b := make([]byte, 1<<20)
		for {
			n, err := dev.Read(b) // fuse_in_header: len, opcode, unique, …
			if err != nil || n < 40 {
				return
			}
			opcode := binary.LittleEndian.Uint32(b[4:])
			if opcode != 26 {
				requests <- opcode
				continue
			}
			var out [80]byte // FUSE_INIT: fuse_out_header, fuse_init_out
			binary.LittleEndian.PutUint32(out[0:], uint32(len(out)))
			copy(out[8:16], b[8:16])
			binary.LittleEndian.PutUint32(out[16:], 7)
			binary.LittleEndian.PutUint32(out[20:], 31)
			binary.LittleEndian.PutUint32(out[36:], 1<<16) // max_write
			dev.Write(out[:])
		}
	}()
	return dir, requests
}

// A Start whose directory does not answer keeps no other from starting, and ends
// with its context.
func TestStartHangs(t *testing.T) {
	dir, asked := deadMount(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	const hung = 3
	errs := make(chan error, hung)
	for range hung {
		go func() {
			p, err := ends.Start(ctx, how{}, &proc.Options{Dir: dir})
			if err == nil {
				err = fmt.Errorf("%s was started in a directory that does not answer", p.Name())
			}
			errs <- err
		}()
	}
	for range hung {
		select {
		case <-asked:
		case err := <-errs:
			t.Fatal("a Start before its context ended: ", err)
		case <-testproc.Watchdog(t).Done():
			t.Fatal("nobody asks for the directory")
		}
	}
	started := make(chan *proc.Process, 1)
	go func() {
		p, err := ends.Start(context.Background(), how{Do: "exit", Code: 3}, nil)
		if err != nil {
			t.Error(err)
		}
		started <- p
	}()
	select {
	case p := <-started:
		if p != nil {
			wantCode(t, p, 3)
		}
	case <-testproc.Watchdog(t).Done():
		t.Fatal("a Start waits for one that hangs")
	}
	runtime.GC() // which waits for who forks
	select {
	case err := <-errs:
		t.Fatal("a Start before its context ended: ", err)
	default:
	}
	cancel()
	for range hung {
		select {
		case err := <-errs:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Start = %v, want context.Canceled", err)
			}
		case <-testproc.Watchdog(t).Done():
			t.Fatal("Start goes on after the end of its context")
		}
	}
	noError(t, proc.WaitAll(testproc.Watchdog(t)))
}

// A Start that hangs keeps nothing of what its child would have had after the end
// of its context: neither descriptors nor an ephemeral region.
func TestStartHangsWithoutLuggage(t *testing.T) {
	dir, asked := deadMount(t)
	path, r := house(t)
	defer r.Close()
	hang := func(meanwhile func()) {
		t.Helper()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		done := make(chan error, 1)
		go func() {
			_, err := ends.Start(ctx, how{}, &proc.Options{Dir: dir, Regions: []*shm.Region{r}, Stdin: strings.NewReader("a"), Stdout: io.Discard})
			done <- err
		}()
		select {
		case <-asked:
		case <-testproc.Watchdog(t).Done():
			t.Fatal("nobody asks for the directory")
		}
		meanwhile()
		cancel()
		select {
		case err := <-done:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Start = %v, want context.Canceled", err)
			}
		case <-testproc.Watchdog(t).Done():
			t.Fatal("Start goes on after the end of its context")
		}
	}
	before := openDescriptors(t)
	hang(func() {
		if n := openDescriptors(t); n <= before {
			t.Errorf("%d descriptors, %d before Start", n, before)
		}
	})
	if n := openDescriptors(t); n != before {
		t.Errorf("%d descriptors after Start, %d before it", n, before)
	}
	hang(func() {
		noError(t, r.Close())
		if !there(path) {
			t.Error("the region has ended before the Start that hands it on")
		}
	})
	if there(path) {
		t.Error("the region is still there")
	}
}

// A stuckWriter takes nothing until it may.
type stuckWriter struct {
	calls atomic.Int32
	may   chan struct{}
}

func (w *stuckWriter) Write(b []byte) (int, error) {
	w.calls.Add(1)
	<-w.may
	return len(b), nil
}

// A Writer that blocks delays the end of a process, but not for ever.
func TestWriterBlocks(t *testing.T) {
	soon := proc.SetOutputDelay(20 * time.Millisecond)
	defer soon()
	for _, both := range []bool{false, true} {
		w := &stuckWriter{may: make(chan struct{})}
		o := &proc.Options{Stdin: strings.NewReader("a\nb\n"), Stdout: w}
		if both {
			o.Stderr = w
		}
		p := start(t, echo, struct{}{}, o)
		if err := p.Wait(testproc.Watchdog(t)); !errors.Is(err, exec.ErrWaitDelay) {
			t.Errorf("Wait = %v, want %v", err, exec.ErrWaitDelay)
		}
		if code, ok := p.ExitCode(); code != 0 || !ok {
			t.Errorf("ExitCode = %d, %v", code, ok)
		}
		killed := start(t, ends, how{Do: "listen"}, &proc.Options{Stdout: w})
		noError(t, killed.Kill())
		wantCode(t, killed, -9)
		noError(t, proc.WaitAll(testproc.Watchdog(t)))
		calls := w.calls.Load()
		close(w.may)
		if n := w.calls.Load(); n > calls {
			t.Errorf("the Writer was called %d times more after the end", n-calls)
		}
	}
	soon()
	// One that fails is told, and the child has somebody less to write to.
	r, failing, err := os.Pipe()
	check(err)
	r.Close()
	defer failing.Close()
	p := start(t, echo, struct{}{}, &proc.Options{Stdout: onlyWriter{failing}})
	if err := p.Wait(testproc.Watchdog(t)); !errors.Is(err, unix.EPIPE) {
		t.Errorf("Wait after a failed Write = %v, want EPIPE", err)
	}
}

// An onlyWriter is a file that does not look like one.
type onlyWriter struct{ f *os.File }

func (w onlyWriter) Write(b []byte) (int, error) { return w.f.Write(b) }

func init() { modes["no /proc"] = withoutProc }

// withoutProc is a process that covers /proc, in a mount namespace of its own.
func withoutProc() {
	if err := unix.Mount("tandem-test", "/proc", "tmpfs", 0, ""); err != nil {
		fmt.Println(err)
		os.Exit(77)
	}
	_, err := ends.Start(context.Background(), how{}, nil)
	if !errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "is /proc mounted?") {
		fmt.Printf("Start = %v\n", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// The program is found through /proc, and that it is not there is no file that
// may come.
func TestStartWithoutProc(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), modeVar+"=no /proc")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	switch {
	case err != nil && (cmd.ProcessState == nil || cmd.ProcessState.ExitCode() == 77):
		t.Skipf("cannot cover /proc: %v, %s", err, out)
	case err != nil:
		t.Errorf("%v: %s", err, out)
	}
}
