package sync_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// A worker is another process that does to the mutex m what it is told, and
// answers with what came of it. It attaches by the region's name, as a process
// that nobody here started would.
var worker = testproc.Role("worker", func(args []string) {
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	m, err := sync.OpenMutex(r.Existing(), "m")
	testproc.Must(err)
	testproc.Say("ready")
	for {
		line, ok := testproc.Hear()
		if !ok {
			return
		}
		switch what, arg, _ := strings.Cut(line, " "); what {
		case "lock":
			err = m.Lock(background)
		case "trylock":
			var ok bool
			ok, err = m.TryLock()
			testproc.Say(ok)
		case "recover":
			var suspect bool
			suspect, err = m.Recover(background)
			testproc.Say(suspect)
		case "mark":
			err = m.MarkConsistent()
		case "unlock":
			err = m.Unlock()
		case "owner":
			p, ok := m.Owner()
			testproc.Say(p.PID, ok)
		case "arrive": // with a handle
			b, e := hex.DecodeString(arg)
			testproc.Must(e)
			m = new(sync.Mutex)
			err = m.UnmarshalBinary(b)
		case "close":
			err = r.Close()
		}
		testproc.Say(outcome(err))
	}
})

func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, sync.ErrOwnerDied):
		return "owner died"
	case errors.Is(err, sync.ErrNotOwner):
		return "not owner"
	case errors.Is(err, sync.ErrNotLocked):
		return "not locked"
	}
	return err.Error()
}

func start(t testing.TB, r *shm.Region) *testproc.Child {
	t.Helper()
	c := worker.Start(t, r.Name())
	c.Expect("ready")
	return c
}

// ask tells c to do something and expects the answers.
func ask(t testing.TB, c *testproc.Child, what string, answers ...string) {
	t.Helper()
	c.Say(what)
	for _, a := range answers {
		c.Expect(a)
	}
}

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
		if strings.Contains(states(t, pid), "R") {
			quiet = 0
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d does not get to sleep", pid)
		}
	}
}

// stop stops a process and waits until each of its threads has stopped.
func stop(t testing.TB, c *testproc.Child) {
	t.Helper()
	c.Signal(syscall.SIGSTOP)
	deadline := time.Now().Add(testproc.Patience)
	for strings.Trim(states(t, c.PID()), "T") != "" {
		if time.Now().After(deadline) {
			t.Fatalf("process %d does not stop", c.PID())
		}
		time.Sleep(time.Millisecond)
	}
}

// states is a letter for each thread of a process: R, S, D, T …
func states(t testing.TB, pid int) (all string) {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	must(t, err)
	for _, task := range tasks {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", pid, task.Name()))
		if err == nil { // else it has ended
			all += string(b[strings.LastIndexByte(string(b), ')')+2])
		}
	}
	return all
}
