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
	"example.com/tandem/sync"
)

func TestLock(t *testing.T) {
	t.Run("L1 a free lock is had at once, and seen to be", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			b.expect("none", "mutex.owner", "m")
			a.expect("ok", "mutex.lock", "m")
			b.expect(fmt.Sprint(a.pid), "mutex.owner", "m")
			a.expect(fmt.Sprint(a.pid), "mutex.owner", "m")
			a.expect("ok", "mutex.unlock", "m")
		})
	})
	t.Run("L2 TryLock of a held lock fails at once, the holder's own too", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			a.expect("true", "mutex.try", "m")
			a.expect("false", "mutex.try", "m")
			b.expect("false", "mutex.try", "m")
			a.expect("ok", "mutex.unlock", "m")
			b.expect("true", "mutex.try", "m")
		})
	})
	t.Run("L3 Unlock of a free lock is an error and changes nothing", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			a.expect("not locked", "mutex.unlock", "m")
			a.expect("true", "mutex.try", "m")
			b.expect("false", "mutex.try", "m")
			a.expect("ok", "mutex.unlock", "m")
			a.expect("not locked", "mutex.unlock", "m")
			b.expect("not locked", "mutex.unlock", "m")
			b.expect("true", "mutex.try", "m")
		})
	})
	t.Run("L4 another goroutine of the holder may unlock, another process may not", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			a.expect("ok", "mutex.lock", "m")
			if w.processes() {
				b.expect("not owner", "mutex.unlock", "m")
				b.expect("not owner", "mutex.mark", "m")
				b.expect(fmt.Sprint(a.pid), "mutex.owner", "m")
				b.expect("false", "mutex.try", "m")
				a.expect("ok", "mutex.unlock", "m") // each of an actor's calls is a goroutine
			} else {
				b.expect("ok", "mutex.unlock", "m")
			}
			b.expect("none", "mutex.owner", "m")
			b.expect("true", "mutex.try", "m")
		})
	})
	t.Run("L5 a timed Lock of a held lock fails after its time", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			a.expect("ok", "mutex.lock", "m")
			for _, x := range []*actor{b, a} {
				if got, took := x.timed("mutex.lock", "m", "100ms"); got != "deadline" || took < 100*time.Millisecond {
					t.Errorf("a Lock of 100 ms = %s after %v", got, took)
				}
			}
		})
	})
	t.Run("L6 a timeout of 0 or less makes no attempt, TryLock makes one", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			for _, d := range []string{"0s", "-1s"} {
				a.expect("deadline", "mutex.lock", "m", d)
				b.expect("none", "mutex.owner", "m")
			}
			a.expect("true", "mutex.try", "m")
			for _, d := range []string{"0s", "-1s"} {
				a.expect("deadline", "mutex.lock", "m", d)
				b.expect("deadline", "mutex.lock", "m", d)
			}
		})
	})
	t.Run("L7 a Lock that timed out has changed nothing", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			a.expect("ok", "mutex.lock", "m")
			b.expect("deadline", "mutex.lock", "m", "20ms")
			a.expect("ok", "mutex.unlock", "m")
			for _, x := range []*actor{a, b} {
				x.expect("none", "mutex.owner", "m")
				x.expect("ok", "mutex.lock", "m")
				x.expect("ok", "mutex.unlock", "m")
			}
		})
	})
	t.Run("L8 it is not reentrant", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a := w.actor()
			a.expect("ok", "mutex.lock", "m")
			c := a.begin("mutex.lock", "m")
			c.blocked()
			a.expect("false", "mutex.try", "m")
			a.expect("ok", "mutex.unlock", "m")
			c.expect("ok")
			a.expect("ok", "mutex.unlock", "m")
		})
	})
	t.Run("L9 five who wait all pass, none early", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a := w.actor()
			a.expect("ok", "mutex.lock", "m")
			var cs []*call
			as := w.actors(3)
			for i := range 5 {
				cs = append(cs, as[i%3].begin("mutex.with", "m", "n", ""))
			}
			for _, c := range cs {
				c.blocked()
			}
			for _, c := range cs {
				c.stillBlocked()
			}
			a.expect("ok", "mutex.unlock", "m")
			for _, c := range cs {
				c.expect("ok")
			}
			wantPasses(w, 5)
			a.expect("none", "mutex.owner", "m")
		})
	})
	t.Run("L9 each of many passes is alone", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			var cs []*call
			for _, a := range w.actors(4) {
				for range 100 {
					cs = append(cs, a.begin("mutex.with", "m", "n", ""))
				}
			}
			for _, c := range cs {
				c.expect("ok")
			}
			wantPasses(w, 400)
		})
	})
	t.Run("L10 With unlocks, whatever its function does", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			for end, want := range map[string]string{"": "ok", "error": "boom", "panic": "panic: boom"} {
				a.expect(want, "mutex.with", "m", "n", end)
				b.expect("true", "mutex.try", "m")
				b.expect("ok", "mutex.unlock", "m")
			}
			wantPasses(w, 3)
		})
	})
	t.Run("L11 a cancelled Lock returns soon, without the lock", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			a.expect("ok", "mutex.lock", "m")
			effort.Median(t, 50*time.Millisecond, 5, func() time.Duration {
				c := b.begin("mutex.lock", "m")
				c.blocked()
				begin := time.Now()
				c.cancel()
				c.expect("canceled")
				return time.Since(begin)
			})
			a.expect(fmt.Sprint(a.pid), "mutex.owner", "m")
			a.expect("ok", "mutex.unlock", "m")
			a.expect("none", "mutex.owner", "m")
			a.expect("true", "mutex.try", "m")
			if w.way == "children" { // whose contexts a signal ends
				c := b.begin("mutex.lock", "m")
				c.blocked()
				b.signal(syscall.SIGTERM)
				c.expect("canceled")
				a.expect(fmt.Sprint(a.pid), "mutex.owner", "m")
			}
		})
	})
	t.Run("L12 signals neither end a wait nor move its deadline", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			a.expect("ok", "mutex.lock", "m")
			b.expect("false", "mutex.try", "m") // it has started, and a signal does not kill it
			defer bombard(b)()
			untimed := b.begin("mutex.lock", "m")
			const d = 300 * time.Millisecond
			if got, took := b.timed("mutex.lock", "m", d.String()); got != "deadline" || took < d {
				t.Errorf("among signals a Lock of %v = %s after %v", d, got, took)
			}
			untimed.blocked()
			a.expect("ok", "mutex.unlock", "m")
			untimed.expect("ok")
		})
	})
	t.Run("L13 every process sees that it is held", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.actors(3)
			m, err := sync.OpenMutex(w.region, "m")
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range as {
				a.expect("ok", "mutex.lock", "m")
				for _, b := range as {
					b.expect(fmt.Sprint(a.pid), "mutex.owner", "m")
				}
				if p, ok := m.Owner(); !ok || p.PID != a.pid {
					t.Errorf("Owner = %v, %v; want pid %d", p, ok, a.pid)
				}
				a.expect("ok", "mutex.unlock", "m")
				for _, b := range as {
					b.expect("none", "mutex.owner", "m")
				}
			}
		})
	})
	t.Run("L14 a handle works wherever it travels", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			a.expect("ok", "mutex.lock", "m")
			b.expect("ok", "mutex.unmarshal", "the same", a.do("mutex.marshal", "m"))
			b.expect("false", "mutex.try", "the same")
			b.expect("false", "mutex.tryInChild", "the same") // a child of b's: where b is a child, a grandchild
			a.expect("ok", "mutex.unlock", "m")
			b.expect("true", "mutex.tryInChild", "the same")
			b.expect("ok", "mutex.lock", "the same")
			a.expect("false", "mutex.try", "m")
		})
	})
	t.Run("L15 stepping the wall clock changes nothing", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			a.expect("ok", "mutex.lock", "m")
			c := b.begin("mutex.lock", "m", "60s")
			c.blocked()
			w.until("a sleep with a deadline is seen", func() bool { return wantMonotonic(t, b.pid) > 0 })
			c.cancel()
			c.expect("canceled")
		})
	})
}

// wantPasses: so many of mutex.with have counted, none over another.
func wantPasses(w *world, n int64) {
	w.t.Helper()
	v, err := atomics.OpenValue(w.region, "n", int64(0))
	if err != nil {
		w.t.Fatal(err)
	}
	if got := v.Load(); got != n {
		w.t.Errorf("%d passes, want %d", got, n)
	}
}

// bombard sends signals to each thread of an actor's process, those that sleep
// for a call included, until stop is called.
func bombard(a *actor) (stop func()) {
	quit, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		for i := 0; ; i++ {
			select {
			case <-quit:
				return
			case <-time.After(time.Millisecond):
			}
			tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", a.pid))
			for _, task := range tasks {
				if tid, err := strconv.Atoi(task.Name()); err == nil {
					unix.Tgkill(a.pid, tid, []unix.Signal{unix.SIGURG, unix.SIGUSR1}[i%2])
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
