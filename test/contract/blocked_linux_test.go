package contract_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"example.com/tandem/internal/testproc"
)

// blocked waits until the call is asleep on the object that its first argument
// names: until as many calls of the actor's process sleep as have been asked
// for by blocked and not been answered, this one included. It fails the row if
// the call is answered instead.
func (c *call) blocked() {
	c.a.w.t.Helper()
	c.asleep = true
	for begin := time.Now(); !c.a.w.sleepers(c, c.a.w.sleeping(c)); time.Sleep(time.Millisecond) {
		if c.done() {
			c.a.w.fatal("%v = %q, want it to block", c, c.answer())
		}
		if time.Since(begin) > testproc.Patience {
			c.a.w.fatal("%v does not get to sleep", c)
		}
	}
	if c.done() {
		c.a.w.fatal("%v = %q, want it to block", c, c.answer())
	}
}

// sleeping counts the calls of c's process that are to be asleep on c's
// object.
func (w *world) sleeping(c *call) (n int) {
	for _, a := range w.started {
		if a.pid != c.a.pid {
			continue
		}
		for _, d := range a.calls {
			if d.asleep && d.args[0] == c.args[0] && !d.done() {
				n++
			}
		}
	}
	return n
}

// sleepers reports that n calls of c's process are asleep: goroutines by their
// stacks, a process if none of its threads has run for a while.
func (w *world) sleepers(c *call, n int) bool {
	if !w.processes() {
		buf := make([]byte, 1<<20)
		return strings.Count(string(buf[:runtime.Stack(buf, true)]), "internal/wait.(*Waiter).sleep(") >= n
	}
	for quiet := 0; quiet < 5; quiet++ {
		time.Sleep(4 * time.Millisecond)
		if strings.ContainsRune(threads(c.a.pid), 'R') {
			return false
		}
	}
	return true
}

// threads is a letter for each thread of a process: R, S, D, T …
func threads(pid int) (states string) {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, task := range tasks {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", pid, task.Name()))
		if err == nil { // else it has ended
			states += string(b[strings.LastIndexByte(string(b), ')')+2])
		}
	}
	return states
}

// all reports that each letter is is, and that there is one.
func all(letters string, is rune) bool {
	return letters != "" && strings.Trim(letters, string(is)) == ""
}
