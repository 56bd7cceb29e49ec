package sys

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"
)

func TestEnded(t *testing.T) {
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	start, err := StartTime(pid)
	if err != nil {
		t.Fatal(err)
	}
	if Ended(pid, start) {
		t.Error("a running process has ended")
	}
	if Stopped(pid, start) {
		t.Error("a running process is stopped")
	}
	if !Ended(pid, start+1) {
		t.Error("a process that started at another time is the same")
	}
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if Ended(pid, start) {
		t.Error("a stopped process has ended")
	}
	for end := time.Now().Add(time.Minute); !Stopped(pid, start); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a stopped process is not stopped")
		}
	}
	if Stopped(pid, start+1) {
		t.Error("a process that started at another time is stopped")
	}
	cmd.Process.Signal(syscall.SIGCONT)
	in.Close()
	for state := byte(0); state != 'Z'; { // ended, and not yet waited for
		f, err := statFields("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			t.Fatal(err)
		}
		state = f[statState][0]
	}
	if !Ended(pid, start) {
		t.Error("a zombie has not ended")
	}
	cmd.Wait()
	if !Ended(pid, start) {
		t.Error("a process that is gone has not ended")
	}
	self, err := StartTime(os.Getpid())
	if err != nil || Ended(os.Getpid(), self) {
		t.Errorf("this process, started at %d (%v), has ended", self, err)
	}
}
