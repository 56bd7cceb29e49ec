package sys

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"example.com/tandem/internal/testproc"
)

// What a process says of its own start is what others read of it: or they would
// take it for another, which is how a process is proven dead.
func TestOwnStartIsWhatOthersRead(t *testing.T) {
	if os.Getenv("SYS_TEST_START") != "" {
		own, err := OwnStart()
		parent, perr := StartTime(os.Getppid())
		fmt.Println("says:", own, err, parent, perr)
		os.Stdin.Read(make([]byte, 1)) // until the parent has looked
		os.Exit(0)
	}
	own, err := OwnStart()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestOwnStartIsWhatOthersRead$")
	cmd.Env = append(os.Environ(), "SYS_TEST_START=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		testproc.SkipForeign(t, err)
		t.Fatal(err)
	}
	var its, mine uint64
	var ierr, merr string
	if _, err := fmt.Fscanf(out, "says: %d %s %d %s", &its, &ierr, &mine, &merr); err != nil || ierr != "<nil>" || merr != "<nil>" {
		t.Errorf("the child: %v, of itself %s, of its parent %s", err, ierr, merr)
	}
	if mine != own {
		t.Errorf("the child reads that this process started at %d, and it says %d", mine, own)
	}
	if read, err := StartTime(cmd.Process.Pid); err != nil || read != its {
		t.Errorf("the child started at %d (%v) for its parent, and says %d", read, err, its)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("the child: %v", err)
	}
}
