//go:build race

package wait

import (
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
)

// Two goroutines write a variable, one after the other, with nothing between
// them that orders them but a word in mapped memory, which the detector does
// not see, and the list's own locks, which it must not.
var unordered int

func init() {
	roles["race"] = func(page []uint32) {
		l, turn, w := NewList(), &page[0], &page[32]
		pass := func() {
			wt := l.Waiter(background)
			wt.Spin()
			wt.Sleep(w, 1)
			wt.Done()
			l.Nudge()
		}
		done := make(chan bool)
		go func() {
			unordered = 1
			pass()
			atomic.StoreUint32(turn, 1)
			<-done
		}()
		for atomic.LoadUint32(turn) == 0 {
		}
		pass()
		unordered = 2
		close(done)
	}
}

func TestUsersRaceIsNotHidden(t *testing.T) {
	_, f := sharedPage(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "WAIT_TEST_ROLE=race", "GORACE=exitcode=66")
	cmd.ExtraFiles = []*os.File{f}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "DATA RACE") {
		t.Errorf("a race between two waits was not reported: %v\n%s", err, out)
	}
}
