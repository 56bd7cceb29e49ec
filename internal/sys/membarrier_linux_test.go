package sys

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/testproc"
)

func TestMembarrier(t *testing.T) {
	register, barrier := RegisterMembarrier(), Membarrier()
	if os.Getenv("SYS_TEST_NOMEMBARRIER") != "" {
		if register != unix.ENOSYS || barrier != unix.ENOSYS {
			t.Errorf("forced off: register = %v, barrier = %v", register, barrier)
		}
		return
	}
	if register != barrier || barrier != nil && barrier != unix.ENOSYS && barrier != unix.EPERM {
		t.Errorf("register = %v, barrier = %v", register, barrier)
	}
	const getRegistrations = 1 << 9
	if got, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, getRegistrations, 0, 0); register == nil && errno == 0 && got != membarrierRegisterGlobalExpedited|membarrierRegisterPrivateExpedited {
		t.Errorf("registered for %#x", got)
	}
	if err := MembarrierOwn(); err != register {
		t.Errorf("of its own threads: %v", err)
	}
	if barrier != nil {
		t.Logf("this system has none: %v", barrier)
	} else if n := testing.AllocsPerRun(100, func() { Membarrier(); RegisterMembarrier() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestMembarrier$")
	cmd.Env = append(os.Environ(), "TANDEM_FORCE=nomembarrier", "SYS_TEST_NOMEMBARRIER=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		testproc.SkipForeign(t, err)
		t.Errorf("child: %v\n%s", err, out)
	}
}

func BenchmarkMembarrier(b *testing.B) {
	for b.Loop() {
		Membarrier()
	}
}
