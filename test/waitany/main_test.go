package waitany

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/proc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

func TestMain(m *testing.M) {
	if os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	proc.Main()
	testproc.Main(m)
}

var bg = context.Background()

func event(t testing.TB, r *shm.Region, name string) *sync.Event {
	return testproc.Get(sync.OpenEvent(r, name))(t)
}

func semaphore(t testing.TB, r *shm.Region, name string) *sync.Semaphore {
	return testproc.Get(sync.OpenSemaphore(r, name, 0))(t)
}

func queue(t testing.TB, r *shm.Region, name string) *ring.Queue[int64] {
	return testproc.Get(ring.OpenQueue[int64](r, name, &ring.QueueOptions{Capacity: 4}))(t)
}

func spsc(t testing.TB, r *shm.Region, name string) *ring.SPSC[int64] {
	return testproc.Get(ring.OpenSPSC[int64](r, name, &ring.SPSCOptions{Capacity: 2}))(t)
}

// second is a second region, in this process alone.
func second(t testing.TB) *shm.Region {
	r := testproc.Get(shm.Anonymous(nil))(t)
	t.Cleanup(func() { r.Close() })
	return r
}

// ends is what a WaitAny ended with.
type ends struct {
	i   int
	err error
}

// begin calls WaitAny in a goroutine, and returns when it sleeps on the object of r.
func begin(t testing.TB, r *shm.Region, name string, ws ...shm.Waitable) <-chan ends {
	t.Helper()
	return beginWith(t, testproc.Watchdog(t), r, name, ws...)
}

func beginWith(t testing.TB, ctx context.Context, r *shm.Region, name string, ws ...shm.Waitable) <-chan ends {
	t.Helper()
	before := shmtest.Waiting(r, name)
	c := make(chan ends, 1)
	go func() {
		i, err := shm.WaitAny(ctx, ws...)
		c <- ends{i, err}
	}()
	if several := len(ws) > 1; several && !sys.HaveWaitv() {
		time.Sleep(5 * time.Millisecond) // it is shown between its looks
	}
	shmtest.AwaitWaiting(t, r, name, before+1)
	return c
}

// want waits for the end.
func want(t testing.TB, c <-chan ends, i int, is error) {
	t.Helper()
	got := <-c
	if got.i != i || !errors.Is(got.err, is) {
		t.Fatalf("WaitAny = %d, %v, want %d, %v", got.i, got.err, i, is)
	}
}

// not makes sure that nothing of ws is ready.
func not(t testing.TB, ws ...shm.Waitable) {
	t.Helper()
	ctx, cancel := context.WithTimeout(bg, 2*time.Millisecond)
	defer cancel()
	if i, err := shm.WaitAny(ctx, ws...); i != -1 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("WaitAny = %d, %v, want the end of its context", i, err)
	}
}

// is makes sure that number i is the lowest that is ready, at once.
func is(t testing.TB, i int, ws ...shm.Waitable) {
	t.Helper()
	if got, err := shm.WaitAny(testproc.Watchdog(t), ws...); got != i || err != nil {
		t.Errorf("WaitAny = %d, %v, want %d", got, err, i)
	}
}

// The rest of the package again where the system offers less, or the process has one
// processor only; and where nobody looks again by himself, so that a wake-up that is lost
// once in many rounds is.
func TestOtherWays(t *testing.T) {
	if os.Getenv("WAITANY_AGAIN") != "" {
		return
	}
	for _, env := range []string{"TANDEM_FORCE=nowaitv", "TANDEM_FORCE=nomembarrier", "GOMAXPROCS=1", "TANDEM_FORCE=norelook"} {
		t.Run(env, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.count=1", testproc.Timeout(t), "-test.run=^TestReady|^TestTaken|^TestCloses|^TestMany$|^TestPasses")
			cmd.Env = append(os.Environ(), "WAITANY_AGAIN=1", env)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			} else if !strings.Contains(string(out), "PASS") {
				t.Errorf("it ran nothing: %s", out)
			}
		})
	}
}
