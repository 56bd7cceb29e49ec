//go:build linux

package step_test

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"example.com/tandem/test/stepkill/step"
)

func TestPeers(t *testing.T) {
	t.Setenv("TANDEM_STEPKILL", "8")
	step.Every(t, shortStores, func(t *testing.T, s *step.Stage) {
		w := mustWords(t, s.Dir)
		p := s.StartBlocked(sleeper)
		p.Asleep()
		s.Die(nil)
		if p.Returned() {
			t.Error("the peer did not sleep")
		}
		futexWake(&w[1])
		p.Wait()
		p.Kill()
		s.Leave(shortStores)
		if w[stores-1].Load() != stores {
			t.Error("what the dead peer did is not there")
		}
	})
}

// guarded has a thread with a robust list, which does stores when it is woken.
var guarded = step.RegisterGuard("guarded", func(dir string) error {
	w, err := words(dir)
	if err != nil {
		return err
	}
	list, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return err
	}
	// head {next, offset, pending}, and at 64 the one node.
	head, node := uintptr(unsafe.Pointer(&list[0])), uintptr(unsafe.Pointer(&list[64]))
	binary.LittleEndian.PutUint64(list[0:], uint64(node))
	binary.LittleEndian.PutUint64(list[64:], uint64(head))
	ready := make(chan error)
	go func() {
		runtime.LockOSThread()
		if _, _, e := unix.RawSyscall(unix.SYS_SET_ROBUST_LIST, head, 24, 0); e != 0 {
			ready <- e
			return
		}
		ready <- nil
		futexWait(&w[0])
		for i := range stores {
			w[i+1].Store(1)
		}
		futexWait(&w[stores+1])
	}()
	return <-ready
})

func TestGuard(t *testing.T) {
	t.Setenv("TANDEM_STEPKILL", "40")
	seen := map[int]int{}
	step.Every(t, guarded, func(t *testing.T, s *step.Stage) {
		w := mustWords(t, s.Dir)
		s.OnReady(func() { futexWake(&w[0]) })
		s.Die(nil)
		n := 0
		for n < stores && w[n+1].Load() == 1 {
			n++
		}
		seen[n]++
	})
	for n := range stores + 1 {
		if seen[n] == 0 {
			t.Errorf("nobody died with %d words written: %v", n, seen)
		}
	}
}

var failing = step.Register("failing", func(string) (func() error, error) {
	return func() error { return errors.New("it does not do what it should") }, nil
})

// TestFails runs tests that must fail, in another process, and reads what
// they say.
func TestFails(t *testing.T) {
	if step.RaceEnabled {
		t.Skip("the tests that it runs are skipped")
	}
	for name, want := range map[string][]string{
		"TestWrongState": {"word 7 was written", "TestWrongState/effect=", "the victim of short-stores died after instruction", "others_test.go:"},
		"TestFailing":    {"failing: it does not do what it should"},
	} {
		cmd := exec.Command("/proc/self/exe", "-test.run=^"+name+"$")
		cmd.Env = append(os.Environ(), "STEPKILL_MUST_FAIL=1", "TANDEM_STEPKILL=20")
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Errorf("%s passes", name)
		}
		for _, w := range want {
			if !strings.Contains(string(out), w) {
				t.Errorf("%s does not say %q:\n%s", name, w, out)
			}
		}
	}
}

func TestWrongState(t *testing.T) {
	if os.Getenv("STEPKILL_MUST_FAIL") == "" {
		return // part of TestFails
	}
	step.Every(t, shortStores, func(t *testing.T, s *step.Stage) {
		w := mustWords(t, s.Dir)
		s.Die(nil)
		if w[7].Load() != 0 && w[8].Load() == 0 {
			t.Error("word 7 was written")
		}
	})
}

func TestFailing(t *testing.T) {
	if os.Getenv("STEPKILL_MUST_FAIL") == "" {
		return // part of TestFails
	}
	step.Every(t, failing, func(t *testing.T, s *step.Stage) { s.Die(nil) })
}
