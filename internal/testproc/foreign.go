package testproc

import (
	"errors"
	"syscall"
	"testing"
)

// SkipForeign skips the test if err, of starting the test binary again, is that
// the system does not run such programs: an emulator can run one of another
// architecture by itself while the kernel knows of no emulator (binfmt_misc).
func SkipForeign(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, syscall.ENOEXEC) {
		t.Skipf("this system does not start the test's own program as a process: %v", err)
	}
}
