package sys

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A tree is a /proc of a test's own.
type tree struct {
	t   *testing.T
	dir string
}

func newTree(t *testing.T) tree {
	tr := tree{t, t.TempDir()}
	old := procDir
	procDir = tr.dir
	t.Cleanup(func() { procDir = old })
	return tr
}

func (tr tree) must(err error) {
	tr.t.Helper()
	if err != nil {
		tr.t.Fatal(err)
	}
}

func (tr tree) file(path, text string) {
	tr.t.Helper()
	path = filepath.Join(tr.dir, path)
	tr.must(os.MkdirAll(filepath.Dir(path), 0o700))
	tr.must(os.WriteFile(path, []byte(text), 0o600))
}

func (tr tree) link(path, to string) {
	tr.t.Helper()
	path = filepath.Join(tr.dir, path)
	tr.must(os.MkdirAll(filepath.Dir(path), 0o700))
	tr.must(os.Symlink(to, path))
}

// stat is a stat file, written out by proc(5): a second opinion.
func stat(state string, flags, threads, start int) string {
	return fmt.Sprintf("7 (a) b) c) %s 1 1 1 0 -1 %d 0 0 0 0 0 0 0 0 20 0 %d 0 %d 0 0\n", state, flags, threads, start)
}

const (
	running = 0x400000
	exiting = 0x400000 | 0x4
)

// The process asked about lives: it is this one. Only its /proc says otherwise,
// or says nothing.
func TestEndedOnlyWithAProof(t *testing.T) {
	pid := os.Getpid()
	me := strconv.Itoa(pid)
	// process puts a process of so many threads there, and of those that are
	// listed what their stat files say; "" is one that is not there any more.
	process := func(tr tree, threads int, listed ...string) {
		tr.file(me+"/stat", stat("S", running, threads, 42))
		for i, s := range listed {
			task := fmt.Sprintf("%s/task/%d", me, pid+i)
			if tr.must(os.MkdirAll(filepath.Join(tr.dir, task), 0o700)); s != "" {
				tr.file(task+"/stat", s)
			}
		}
	}
	dying := stat("R", exiting, 2, 42)
	// dump puts a process of two threads there which says whether it dumps its
	// core, and signals that are pending to each; -1 is an exiting one with all.
	dump := func(tr tree, dumps int, pending ...int) {
		process(tr, len(pending))
		tr.file(me+"/status", fmt.Sprintf("Name:\ta\nThreads:\t%d\nCoreDumping:\t%d\nSigQ:\t0/1\n", len(pending), dumps))
		for i, p := range pending {
			flags := running
			if p < 0 {
				flags = exiting
			}
			tr.file(fmt.Sprintf("%s/task/%d/stat", me, pid+i), stat("D", flags, len(pending), 42))
			tr.file(fmt.Sprintf("%s/task/%d/status", me, pid+i), fmt.Sprintf("Name:\ta\nSigPnd:\t%016x\nShdPnd:\t0000000000000100\n", uint64(p)))
		}
	}
	for _, tt := range []struct {
		name string
		made func(tr tree)
		want bool
	}{
		{"no /proc", func(tr tree) {}, false},
		{"a start time that is no number", func(tr tree) { tr.file(me+"/stat", strings.Replace(stat("S", running, 1, 42), " 42 ", " x ", 1)) }, false},
		{"a stat file that cannot be read", func(tr tree) { tr.link(me+"/stat", "stat") }, false},
		{"half a stat file", func(tr tree) { tr.file(me+"/stat", "7 (a) S 1 1 1") }, false},
		{"started at another time", func(tr tree) { tr.file(me+"/stat", stat("S", running, 1, 43)) }, true},
		{"started at another time, it says, and it is another namespace's", func(tr tree) {
			tr.file(me+"/stat", stat("S", running, 1, 43))
			tr.link("self", "1")
		}, false},
		{"started at another time, it says, and not whose it is", func(tr tree) {
			tr.file(me+"/stat", stat("S", running, 1, 43))
			tr.file("self", "")
		}, false},
		{"no list of threads", func(tr tree) { tr.file(me+"/stat", stat("S", running, 1, 42)) }, false},
		{"an empty list of threads", func(tr tree) { process(tr, 1); tr.must(os.Mkdir(filepath.Join(tr.dir, me, "task"), 0o700)) }, false},
		{"an empty list of no threads", func(tr tree) { process(tr, 0); tr.must(os.Mkdir(filepath.Join(tr.dir, me, "task"), 0o700)) }, false},
		{"all threads exit", func(tr tree) { process(tr, 2, dying, dying) }, true},
		{"all are exiting or gone for good", func(tr tree) { process(tr, 2, stat("Z", running, 2, 42), dying) }, true},
		{"one runs", func(tr tree) { process(tr, 2, dying, stat("R", running, 2, 42)) }, false},
		{"one was not listed", func(tr tree) { process(tr, 3, dying, dying) }, false},
		{"one ended meanwhile, and may have started another", func(tr tree) { process(tr, 2, dying, "") }, false},
		{"one cannot be read", func(tr tree) {
			process(tr, 2, dying, "")
			tr.link(fmt.Sprintf("%s/task/%d/stat", me, pid+1), "stat")
		}, false},
		{"the number of threads is no number", func(tr tree) {
			process(tr, 1, dying)
			tr.file(me+"/stat", strings.Replace(stat("S", running, 1, 42), " 1 0 42", " x 0 42", 1))
		}, false},
		{"it dumps its core", func(tr tree) { dump(tr, 1, 0, 0) }, true},
		{"it dumps its core, and some were exiting before", func(tr tree) { dump(tr, 1, 0, -1) }, true},
		{"it dumps its core, and one has not heard so", func(tr tree) { dump(tr, 1, 0, 1<<8) }, false},
		{"none has a signal, and it does not dump its core", func(tr tree) { dump(tr, 0, 0, 0) }, false},
		{"a kernel that does not say whether it dumps", func(tr tree) {
			dump(tr, 1, 0, 0)
			tr.file(me+"/status", "Name:\ta\nThreads:\t2\n")
		}, false},
		{"it dumps its core, and of one nothing is known", func(tr tree) {
			dump(tr, 1, 0, 0)
			tr.file(fmt.Sprintf("%s/task/%d/status", me, pid+1), "Name:\ta\n")
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr := newTree(t)
			if tt.made(tr); !strings.Contains(tt.name, "another namespace's") && !strings.Contains(tt.name, "not whose") {
				tr.link("self", me)
			}
			if got := Ended(pid, 42); got != tt.want {
				t.Errorf("Ended = %v, want %v", got, tt.want)
			}
		})
	}
}

// A thread goes after the threads were counted: it may have started another
// that the count is of.
func TestEndedWhileThreadsChange(t *testing.T) {
	pid := os.Getpid()
	tr := newTree(t)
	tr.link("self", strconv.Itoa(pid))
	me := filepath.Join(tr.dir, strconv.Itoa(pid))
	task := filepath.Join(me, "task", strconv.Itoa(pid+1), "stat")
	tr.file(fmt.Sprintf("%d/task/%d/stat", pid, pid), stat("R", exiting, 2, 42))
	tr.file(fmt.Sprintf("%d/task/%d/stat", pid, pid+1), stat("R", exiting, 2, 42))
	// Each reading of the process's stat file waits for a line, and who reads
	// again reads another file.
	fifo := func() string {
		path := filepath.Join(tr.dir, "fifo")
		tr.must(unix.Mkfifo(path, 0o600))
		return path
	}
	tr.must(os.Rename(fifo(), filepath.Join(me, "stat")))
	second := fifo()
	ended := make(chan bool)
	go func() { ended <- Ended(pid, 42) }()
	for i := range 2 {
		f, err := os.OpenFile(filepath.Join(me, "stat"), os.O_WRONLY, 0)
		tr.must(err)
		if i == 0 {
			tr.must(os.Rename(second, filepath.Join(me, "stat")))
		} else {
			tr.must(os.Remove(task))
		}
		_, err = f.WriteString(stat("R", exiting, 2, 42))
		tr.must(err)
		tr.must(f.Close())
	}
	if <-ended {
		t.Error("Ended, though a thread went while the threads were counted")
	}
}

// A namespace is told whole or not at all: half of it would be another's.
func TestNamespaceIsKnownWholeOrNot(t *testing.T) {
	me := strconv.Itoa(os.Getpid())
	whole := func(tr tree) {
		tr.link("self", me)
		tr.file(me+"/ns/pid", "")
		tr.file(me+"/ns/time", "")
	}
	for _, tt := range []struct {
		name  string
		made  func(tr tree)
		known bool
	}{
		{"no /proc", func(tr tree) {}, false},
		{"both", whole, true},
		{"a kernel without time namespaces", func(tr tree) { tr.link("self", me); tr.file(me+"/ns/pid", "") }, true},
		{"/proc of other pids", func(tr tree) {
			tr.link("self", me+"0")
			tr.file(me+"0/ns/pid", "")
			tr.file(me+"0/ns/time", "")
		}, false},
		{"no pid namespace", func(tr tree) { tr.link("self", me); tr.file(me+"/ns/time", "") }, false},
		{"the time namespace cannot be looked at", func(tr tree) {
			tr.link("self", me)
			tr.file(me+"/ns/pid", "")
			tr.link(me+"/ns/time", "time")
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr := newTree(t)
			tt.made(tr)
			ns, err := Namespace()
			if known := err == nil; known != tt.known || known != (ns != 0) {
				t.Errorf("Namespace = %#x, %v, want one that is known: %v", ns, err, tt.known)
			}
		})
	}
	if ns, err := Namespace(); err != nil || ns == 0 {
		t.Errorf("Namespace of this process = %#x, %v", ns, err)
	}
}
