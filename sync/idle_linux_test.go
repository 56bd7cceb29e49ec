package sync_test

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/testproc"
)

// cpu is the processor time of a process so far, in clock ticks.
func cpu(t testing.TB, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	must(t, err)
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	user, err := strconv.Atoi(f[11])
	must(t, err)
	system, err := strconv.Atoi(f[12])
	must(t, err)
	return user + system
}

// idle fails the test if a process runs beside one that does nothing else: on a
// busy machine too it would get as much of the processor.
func idle(t testing.TB, pid int) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	mine := func() time.Duration {
		var ts unix.Timespec
		must(t, unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts))
		return time.Duration(ts.Nano())
	}
	const tick = 10 * time.Millisecond
	const span = 50 * tick
	before := cpu(t, pid)
	for end := mine() + span; mine() < end; {
	}
	if used := time.Duration(cpu(t, pid)-before) * tick; used > span/5 {
		t.Errorf("a blocked process used %v of the processor while one that is not used %v", used, span)
	}
}

// asleep waits until no thread of a process has run for a while.
func asleep(t testing.TB, pid int) {
	t.Helper()
	deadline := time.Now().Add(testproc.Patience)
	for quiet := 0; quiet < 5; quiet++ {
		time.Sleep(4 * time.Millisecond)
		if strings.Contains(testproc.Threads(pid), "R") {
			quiet = 0
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d does not get to sleep", pid)
		}
	}
}
