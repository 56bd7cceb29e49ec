package contract_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/sync"
)

func TestLock(t *testing.T) {
	t.Parallel()
	t.Run("L1 a free lock is had at once, and seen to be", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			b.Expect("none", "mutex.owner", "m")
			a.Expect("ok", "mutex.lock", "m")
			b.Expect(fmt.Sprint(a.PID), "mutex.owner", "m")
			a.Expect(fmt.Sprint(a.PID), "mutex.owner", "m")
			a.Expect("ok", "mutex.unlock", "m")
		})
	})
	t.Run("L2 TryLock of a held lock fails at once, the holder's own too", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("true", "mutex.try", "m")
			a.Expect("false", "mutex.try", "m")
			b.Expect("false", "mutex.try", "m")
			a.Expect("ok", "mutex.unlock", "m")
			b.Expect("true", "mutex.try", "m")
		})
	})
	t.Run("L3 Unlock of a free lock is an error and changes nothing", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("not locked", "mutex.unlock", "m")
			a.Expect("true", "mutex.try", "m")
			b.Expect("false", "mutex.try", "m")
			a.Expect("ok", "mutex.unlock", "m")
			a.Expect("not locked", "mutex.unlock", "m")
			b.Expect("not locked", "mutex.unlock", "m")
			b.Expect("true", "mutex.try", "m")
		})
	})
	t.Run("L4 another goroutine of the holder may unlock, another process may not", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "mutex.lock", "m")
			if w.Processes() {
				b.Expect("not owner", "mutex.unlock", "m")
				b.Expect("not owner", "mutex.mark", "m")
				b.Expect(fmt.Sprint(a.PID), "mutex.owner", "m")
				b.Expect("false", "mutex.try", "m")
				a.Expect("ok", "mutex.unlock", "m") // each of an actor's calls is a goroutine
			} else {
				b.Expect("ok", "mutex.unlock", "m")
			}
			b.Expect("none", "mutex.owner", "m")
			b.Expect("true", "mutex.try", "m")
		})
	})
	t.Run("L5 a timed Lock of a held lock fails after its time", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "mutex.lock", "m")
			for _, x := range []*actor.Actor{b, a} {
				if got, took := x.Timed("mutex.lock", "m", "100ms"); got != "deadline" || took < 100*time.Millisecond {
					t.Errorf("a Lock of 100 ms = %s after %v", got, took)
				}
			}
		})
	})
	t.Run("L6 a timeout of 0 or less makes no attempt, TryLock makes one", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, d := range []string{"0s", "-1s"} {
				a.Expect("deadline", "mutex.lock", "m", d)
				b.Expect("none", "mutex.owner", "m")
			}
			a.Expect("true", "mutex.try", "m")
			for _, d := range []string{"0s", "-1s"} {
				a.Expect("deadline", "mutex.lock", "m", d)
				b.Expect("deadline", "mutex.lock", "m", d)
			}
		})
	})
	t.Run("L7 a Lock that timed out has changed nothing", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "mutex.lock", "m")
			b.Expect("deadline", "mutex.lock", "m", "20ms")
			a.Expect("ok", "mutex.unlock", "m")
			for _, x := range []*actor.Actor{a, b} {
				x.Expect("none", "mutex.owner", "m")
				x.Expect("ok", "mutex.lock", "m")
				x.Expect("ok", "mutex.unlock", "m")
			}
		})
	})
	t.Run("L8 it is not reentrant", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a := w.Actor()
			a.Expect("ok", "mutex.lock", "m")
			c := a.Begin("mutex.lock", "m")
			c.Blocked()
			a.Expect("false", "mutex.try", "m")
			a.Expect("ok", "mutex.unlock", "m")
			c.Expect("ok")
			a.Expect("ok", "mutex.unlock", "m")
		})
	})
	t.Run("L9 five who wait all pass, none early", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a := w.Actor()
			a.Expect("ok", "mutex.lock", "m")
			var cs []*actor.Call
			as := w.Actors(3)
			for i := range 5 {
				cs = append(cs, as[i%3].Begin("mutex.with", "m", "n", ""))
			}
			for _, c := range cs {
				c.Blocked()
			}
			for _, c := range cs {
				c.StillBlocked()
			}
			a.Expect("ok", "mutex.unlock", "m")
			for _, c := range cs {
				c.Expect("ok")
			}
			wantPasses(w, 5)
			a.Expect("none", "mutex.owner", "m")
		})
	})
	t.Run("L9 each of many passes is alone", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			var cs []*actor.Call
			for _, a := range w.Actors(4) {
				for range 100 {
					cs = append(cs, a.Begin("mutex.with", "m", "n", ""))
				}
			}
			for _, c := range cs {
				c.Expect("ok")
			}
			wantPasses(w, 400)
		})
	})
	t.Run("L10 With unlocks, whatever its function does", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for end, want := range map[string]string{"": "ok", "error": "boom", "panic": "panic: boom"} {
				a.Expect(want, "mutex.with", "m", "n", end)
				b.Expect("true", "mutex.try", "m")
				b.Expect("ok", "mutex.unlock", "m")
			}
			wantPasses(w, 3)
		})
	})
	t.Run("L11 a cancelled Lock returns soon, without the lock", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "mutex.lock", "m")
			effort.Median(t, 50*time.Millisecond, 5, func() time.Duration {
				c := b.Begin("mutex.lock", "m")
				c.Blocked()
				begin := time.Now()
				c.Cancel()
				c.Expect("canceled")
				return time.Since(begin)
			})
			a.Expect(fmt.Sprint(a.PID), "mutex.owner", "m")
			a.Expect("ok", "mutex.unlock", "m")
			a.Expect("none", "mutex.owner", "m")
			a.Expect("true", "mutex.try", "m")
			if w.Way == "children" { // whose contexts a signal ends
				c := b.Begin("mutex.lock", "m")
				c.Blocked()
				b.Signal(syscall.SIGTERM)
				c.Expect("canceled")
				a.Expect(fmt.Sprint(a.PID), "mutex.owner", "m")
			}
		})
	})
	t.Run("L12 signals neither end a wait nor move its deadline", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "mutex.lock", "m")
			b.Expect("false", "mutex.try", "m") // it has started, and a signal does not kill it
			defer bombard(b)()
			untimed := b.Begin("mutex.lock", "m")
			const d = 300 * time.Millisecond
			if got, took := b.Timed("mutex.lock", "m", d.String()); got != "deadline" || took < d {
				t.Errorf("among signals a Lock of %v = %s after %v", d, got, took)
			}
			untimed.Blocked()
			a.Expect("ok", "mutex.unlock", "m")
			untimed.Expect("ok")
		})
	})
	t.Run("L13 every process sees that it is held", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.Actors(3)
			m, err := sync.OpenMutex(w.Region, "m")
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range as {
				a.Expect("ok", "mutex.lock", "m")
				for _, b := range as {
					b.Expect(fmt.Sprint(a.PID), "mutex.owner", "m")
				}
				if p, ok := m.Owner(); !ok || p.PID != a.PID {
					t.Errorf("Owner = %v, %v; want pid %d", p, ok, a.PID)
				}
				a.Expect("ok", "mutex.unlock", "m")
				for _, b := range as {
					b.Expect("none", "mutex.owner", "m")
				}
			}
		})
	})
	t.Run("L14 a handle works wherever it travels", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "mutex.lock", "m")
			b.Expect("ok", "mutex.unmarshal", "the same", a.Do("mutex.marshal", "m"))
			b.Expect("false", "mutex.try", "the same")
			b.Expect("false", "mutex.tryInChild", "the same") // a child of b's: where b is a child, a grandchild
			a.Expect("ok", "mutex.unlock", "m")
			b.Expect("true", "mutex.tryInChild", "the same")
			b.Expect("ok", "mutex.lock", "the same")
			a.Expect("false", "mutex.try", "m")
		})
	})
	t.Run("L15 stepping the wall clock changes nothing", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "mutex.lock", "m")
			c := b.Begin("mutex.lock", "m", "60s")
			c.Blocked()
			w.Until("a sleep with a deadline is seen", func() bool { return wantMonotonic(t, b.PID) > 0 })
			c.Cancel()
			c.Expect("canceled")
		})
	})
}

// wantPasses: so many of mutex.with have counted, none over another.
func wantPasses(w *world, n int64) {
	w.T.Helper()
	v, err := atomics.OpenValue(w.Region, "n", int64(0))
	if err != nil {
		w.T.Fatal(err)
	}
	if got := v.Load(); got != n {
		w.T.Errorf("%d passes, want %d", got, n)
	}
}

// bombard sends signals to each thread of an actor's process, those that sleep
// for a call included, until stop is called.
func bombard(a *actor.Actor) (stop func()) {
	quit, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		for i := 0; ; i++ {
			select {
			case <-quit:
				return
			case <-time.After(time.Millisecond):
			}
			tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", a.PID))
			for _, task := range tasks {
				if tid, err := strconv.Atoi(task.Name()); err == nil {
					unix.Tgkill(a.PID, tid, []unix.Signal{unix.SIGURG, unix.SIGUSR1}[i%2])
				}
			}
		}
	}()
	return func() { close(quit); <-over }
}

// wantMonotonic looks at the threads of a process that sleep in a futex call
// with a deadline, and counts them: each names the clock that its deadline is
// of. A test cannot set the clock, but this is the only deadline there is
// beside the runtime's timers, which run on the monotonic clock.
func wantMonotonic(t *testing.T, pid int) (n int) {
	t.Helper()
	const futexClockRealtime = 256
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
	if err != nil || len(files) == 0 {
		t.Skip("no /proc/PID/task/TID/syscall to see the clock of a sleep in")
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrPermission) {
			t.Skip("the clock of a sleep is not to be seen: ", err)
		}
		call := make([]int64, 7) // number and arguments
		for i, f := range strings.Fields(string(b)) {
			if i < len(call) {
				call[i], _ = strconv.ParseInt(f, 0, 64)
			}
		}
		realtime := false
		switch {
		case call[0] == unix.SYS_FUTEX_WAITV && call[4] != 0:
			realtime = call[5] != unix.CLOCK_MONOTONIC
		case call[0] == unix.SYS_FUTEX && call[4] != 0:
			realtime = call[2]&futexClockRealtime != 0
		default:
			continue
		}
		n++
		if realtime {
			t.Errorf("%s: %s: it sleeps on the wall clock", file, b)
		}
	}
	return n
}
