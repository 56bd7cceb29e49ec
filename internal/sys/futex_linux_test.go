package sys

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/testproc"
)

func sharedWord(t *testing.T) *uint32 {
	t.Helper()
	b, err := unix.MmapPtr(-1, 0, nil, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.MunmapPtr(b, 4096) })
	return (*uint32)(b)
}

func TestMonotonicNowIsTheKernelsClock(t *testing.T) {
	for range 100 {
		before := readMonotonic()
		now := MonotonicNow()
		after := readMonotonic()
		if now < before || now > after+int64(100*time.Microsecond) {
			t.Fatalf("MonotonicNow = %d, CLOCK_MONOTONIC was %d before and %d after", now, before, after)
		}
	}
}

func TestFutexErrors(t *testing.T) {
	w := sharedWord(t)
	*w = 7
	soon := func() int64 { return MonotonicNow() + int64(2*time.Millisecond) }
	// What is no longer mapped could by now be mapped by the runtime.
	barred, err := unix.MmapPtr(-1, 0, nil, 4096, unix.PROT_NONE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.MunmapPtr(barred, 4096)
	for _, tt := range []struct {
		name string
		wait func() error
		want error
	}{
		{"other value", func() error { return FutexWait(w, 8, 0) }, unix.EAGAIN},
		{"deadline", func() error { return FutexWait(w, 7, soon()) }, unix.ETIMEDOUT},
		{"deadline long past", func() error { return FutexWait(w, 7, 1) }, unix.ETIMEDOUT},
		{"not to be read", func() error { return FutexWait((*uint32)(barred), 7, soon()) }, unix.EFAULT},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := untroubled(tt.wait); err != tt.want {
				t.Errorf("FutexWait = %v, want %v", err, tt.want)
			}
		})
	}
	if n := FutexWake(w, 1) + FutexWake(w, -1) + FutexWakePrivate(w, 1); n != 0 {
		t.Errorf("woke %d where nobody sleeps", n)
	}
	if n := FutexWake((*uint32)(barred), -1); n != 0 {
		t.Errorf("woke %d on a page that is not to be read", n)
	}
}

// untroubled calls f again where a signal interrupted it: one of the Go
// runtime's can come at any time.
func untroubled(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// wakeAll wakes until n sleepers were woken on w, by wakes of at most k.
func wakeAll(t *testing.T, w *uint32, n, k int, wake func(*uint32, int) int) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for n > 0 {
		woken := wake(w, k)
		if k >= 0 && woken > k {
			t.Fatalf("a wake of %d woke %d", k, woken)
		}
		n -= woken
		if time.Now().After(deadline) {
			t.Fatalf("%d sleepers were not found asleep", n)
		}
		time.Sleep(100 * time.Microsecond)
	}
}

func TestFutexWakeCounts(t *testing.T) {
	for _, k := range []int{1, 2, -1} {
		w := sharedWord(t)
		done := make(chan error)
		for range 5 {
			go func() {
				for {
					if err := FutexWait(w, 0, 0); err != unix.EINTR {
						done <- err
						return
					}
				}
			}()
		}
		wakeAll(t, w, 5, k, FutexWake)
		for range 5 {
			if err := <-done; err != nil {
				t.Errorf("a woken FutexWait = %v", err)
			}
		}
	}
}

func TestFutexBits(t *testing.T) {
	w := sharedWord(t)
	got := make(chan uint32)
	for _, bits := range []uint32{1, 2} {
		go func() {
			for FutexWaitBits(w, 0, bits, 0) == unix.EINTR {
			}
			got <- bits
		}()
	}
	for _, bits := range []uint32{2, 1} {
		wakeAll(t, w, 1, -1, func(w *uint32, n int) int { return FutexWakeBits(w, n, bits) })
		if g := <-got; g != bits {
			t.Errorf("a wake of bits %d woke %d", bits, g)
		}
	}
}

func TestFutexWaitv(t *testing.T) {
	if !HaveWaitv() {
		_, err := FutexWaitv([]Waitv{SharedWaitv(sharedWord(t), 1)}, 0)
		if err != unix.ENOSYS && err != unix.EPERM && !Forced("nowaitv") {
			t.Errorf("HaveWaitv is false, but FutexWaitv = %v", err)
		}
		return
	}
	a, b := sharedWord(t), sharedWord(t)
	*b = 3
	words := []Waitv{SharedWaitv(a, 0), PrivateWaitv(b, 3)}
	type result struct {
		i   int
		err error
	}
	for want, wake := range []func() int{
		func() int { return FutexWake(a, 1) },
		func() int { return FutexWakePrivate(b, 1) },
	} {
		done := make(chan result)
		go func() {
			for {
				if i, err := FutexWaitv(words, 0); err != unix.EINTR {
					done <- result{i, err}
					return
				}
			}
		}()
		wakeAll(t, a, 1, 1, func(*uint32, int) int { return wake() })
		if r := <-done; r.err != nil || r.i != want {
			t.Errorf("FutexWaitv = %d, %v, want %d", r.i, r.err, want)
		}
	}
	if _, err := FutexWaitv([]Waitv{SharedWaitv(a, 0), PrivateWaitv(b, 4)}, 0); err != unix.EAGAIN {
		t.Errorf("FutexWaitv on another value = %v", err)
	}
	start := MonotonicNow()
	if err := untroubled(func() error { _, err := FutexWaitv(words, start+int64(3*time.Millisecond)); return err }); err != unix.ETIMEDOUT {
		t.Errorf("FutexWaitv at its deadline = %v", err)
	}
	if d := MonotonicNow() - start; d < int64(3*time.Millisecond) {
		t.Errorf("FutexWaitv came back after %v, before its deadline", time.Duration(d))
	}
	for _, n := range []int{0, MaxWaitv + 1} {
		if _, err := FutexWaitv(make([]Waitv, n), 0); err != unix.EINVAL {
			t.Errorf("FutexWaitv of %d words = %v", n, err)
		}
	}
}

func TestForced(t *testing.T) {
	if os.Getenv("SYS_TEST_FORCED") != "" {
		if !Forced("nowaitv") || !Forced("other") || Forced("now") || Forced("") || HaveWaitv() {
			os.Exit(1)
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestForced$")
	cmd.Env = append(os.Environ(), "TANDEM_FORCE=other,nowaitv", "SYS_TEST_FORCED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		testproc.SkipForeign(t, err)
		t.Errorf("child: %v\n%s", err, out)
	}
}

func TestWakeAllocatesNothing(t *testing.T) {
	w := sharedWord(t)
	if n := testing.AllocsPerRun(100, func() {
		FutexWake(w, 1)
		FutexWake(w, -1)
		FutexWait(w, 1, 0)
		FutexWait(w, 0, 1)
		MonotonicNow()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMonotonicNow(b *testing.B) {
	for b.Loop() {
		MonotonicNow()
	}
}

func BenchmarkWakeNobody(b *testing.B) {
	var w uint32
	for b.Loop() {
		FutexWake(&w, 1)
	}
}
