package wait

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
)

// patience bounds every wait for something that must happen.
const patience = testproc.Patience

// roles are what the test binary does when it is run again as another
// process, on the memory that it is given as descriptor 3.
var roles = map[string]func(page []uint32){}

func TestMain(m *testing.M) {
	if role := os.Getenv("WAIT_TEST_ROLE"); role != "" {
		roles[role](mapPage(os.NewFile(3, "shared")))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func mapPage(f *os.File) []uint32 {
	p, err := unix.MmapPtr(int(f.Fd()), 0, nil, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	return unsafe.Slice((*uint32)(p), 1024)
}

// sharedPage is memory that a child can be given, too. It stays mapped.
func sharedPage(t testing.TB) ([]uint32, *os.File) {
	t.Helper()
	fd, err := unix.MemfdCreate("wait-test", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "wait-test")
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(4096); err != nil {
		t.Fatal(err)
	}
	return mapPage(f), f
}

func word(t testing.TB) *uint32 {
	page, _ := sharedPage(t)
	return &page[0]
}

// startRole runs the test binary as another process. The test waits for it
// and fails if it does.
func startRole(t *testing.T, role string, f *os.File, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "WAIT_TEST_ROLE="+role), env...)
	cmd.ExtraFiles = []*os.File{f}
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		testproc.SkipForeign(t, err)
		t.Fatal(err)
	}
	return cmd
}

func mustEnd(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer timer.Stop()
	if err := cmd.Wait(); err != nil {
		t.Errorf("the other process: %v", err)
	}
}

// until waits for something that must become true.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			t.Fatalf("never came true: %s", what)
		}
	}
}

// await is a blocking operation as engines write it: it returns when *w is not v.
func await(l *List, ctx context.Context, w *uint32, v uint32) error {
	wt := l.Waiter(ctx)
	defer wt.Done()
	for {
		if atomic.LoadUint32(w) != v {
			return nil
		}
		if wt.Spin() {
			continue
		}
		if err := wt.Sleep(w, v); err != nil {
			return err
		}
	}
}

// inKernel waits until n threads of this process are asleep in a futex on w:
// FUTEX_REQUEUE with nothing to wake would count them, but it is enough to
// wake and count, since a sleeper looks again and goes back to sleep.
func inKernel(t testing.TB, w *uint32, n int) {
	t.Helper()
	until(t, strconv.Itoa(n)+" sleepers in the kernel", func() bool { return Wake(w, -1) >= n })
}

// TestWithoutWaitv runs every other test again where futex_waitv is forced off.
func TestWithoutWaitv(t *testing.T) {
	if !sys.HaveWaitv() {
		return // this is that run, or a kernel that has none
	}
	args := []string{"-test.skip=^(TestWithoutWaitv|TestMembarrierReachesOthers)$", "-test.count=1", testproc.Timeout(t)}
	for _, a := range os.Args[1:] {
		if strings.HasPrefix(a, "-test.v") || strings.HasPrefix(a, "-test.short") {
			args = append(args, a)
		}
	}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "TANDEM_FORCE=nowaitv")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("with TANDEM_FORCE=nowaitv: %v\n%s", err, out)
	} else if testing.Verbose() {
		t.Logf("%s", out)
	}
}

func protect(t *testing.T, page []byte, prot int) {
	t.Helper()
	if err := unix.Mprotect(page, prot); err != nil {
		t.Fatal(err)
	}
}
