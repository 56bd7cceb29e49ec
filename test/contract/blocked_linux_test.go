package contract_test

import (
	"fmt"
	"os"
	"strings"
	"time"

	"example.com/tandem/internal/testproc"
)

// blocked waits until the call is asleep on the object that its first argument
// names: until the region shows as many sleeping calls of the actor's process
// on that object as blocked has been asked of and have not been answered, this
// one included. It fails the row if the call is answered instead.
func (c *call) blocked() {
	w := c.a.w
	w.t.Helper()
	c.asleep = true
	for begin := time.Now(); w.waits(c) < w.wanted(c); time.Sleep(200 * time.Microsecond) {
		if c.done() {
			break
		}
		if time.Since(begin) > testproc.Patience {
			w.fatal("%v does not get to sleep", c)
		}
	}
	c.stillBlocked()
}

// stillBlocked fails the row if the call has been answered.
func (c *call) stillBlocked() {
	c.a.w.t.Helper()
	if c.done() {
		c.a.w.fatal("%v = %q, want it to block", c, c.answer())
	}
}

// wanted counts the calls of c's process that are to be asleep on c's object.
func (w *world) wanted(c *call) (n int) {
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

// waits counts the calls of c's process that the region shows asleep on c's
// object.
func (w *world) waits(c *call) (n int) {
	w.t.Helper()
	s, err := w.region.Snapshot()
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range s.Objects {
		if s.Objects[i].Name != c.args[0] {
			continue
		}
		for _, h := range s.Objects[i].Waits {
			if h.PID == c.a.pid {
				n += h.N
			}
		}
	}
	return n
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
