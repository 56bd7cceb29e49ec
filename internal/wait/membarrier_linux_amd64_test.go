package wait

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
)

func TestMembarrier(t *testing.T) {
	switch err := sys.Membarrier(); err {
	case nil:
		if !Membarrier() {
			t.Error("no membarrier, and the system has one")
		}
		Reach()
		until(t, "reached", Reached)
	case unix.ENOSYS, unix.EPERM:
		if register(); Membarrier() || Reached() {
			t.Errorf("membarrier %v, reached %v, and the system has none: %v", Membarrier(), Reached(), err)
		}
	default:
		t.Error(err)
	}
	if n := testing.AllocsPerRun(100, func() { Membarrier(); Reach(); Reached() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if sys.Forced("nomembarrier") {
		if Membarrier() {
			t.Error("a membarrier, and it is forced off")
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestMembarrier$")
	cmd.Env = append(os.Environ(), "TANDEM_FORCE=nomembarrier")
	if out, err := cmd.CombinedOutput(); err != nil {
		testproc.SkipForeign(t, err)
		t.Errorf("with TANDEM_FORCE=nomembarrier: %v\n%s", err, out)
	}
}
