package shm

import (
	"fmt"
	"syscall"
	"testing"

	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
)

// forker: path open|broken. Opens a region, or makes an ephemeral one, forks
// without exec, leaves in order, or as well as it can when the region cannot be
// mapped a second time, and says so; the child has all descriptors and lives on.
var forker = testproc.Role("forker", func(args []string) {
	attach, o := Open, &Options{}
	if args[1] == "broken" {
		attach, o = Create, &Options{Ephemeral: true}
	}
	r, err := attach(args[0], o)
	testproc.Must(err)
	pid, _, e := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if pid == 0 && e == 0 {
		for fd := range uintptr(3) { // the forked child: nothing of Go's runtime from here on
			syscall.RawSyscall(syscall.SYS_CLOSE, fd, 0, 0)
		}
		for {
			syscall.RawSyscall6(syscall.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
		}
	}
	testproc.Say("forked", pid)
	if args[1] == "broken" {
		r.a.fd.Close()
	}
	err = r.Close()
	testproc.Say("closed", err == nil)
	testproc.Hear()
})

// forkedAndClosed has a forker do it, and kills what it forked at the end.
func forkedAndClosed(t *testing.T, path, how string) {
	t.Helper()
	c := forker.Start(t, path, how)
	var pid int
	if _, err := fmt.Sscanf(c.Line(), "forked %d", &pid); err != nil || pid == 0 {
		t.Fatal(pid, err)
	}
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
	c.Expect(fmt.Sprint("closed ", how == "open"))
}

// Who has closed a region keeps no place in it, whoever it has forked.
func TestClosedThoughAForkedChildLives(t *testing.T) {
	path := testPath(t)
	testproc.Get(Create(path, &Options{Participants: 1}))(t).Close()
	forkedAndClosed(t, path, "open")
	f, _, err := openFile(path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if at, held, err := sys.FirstLocked(f, 0, 1<<40); held || err != nil {
		t.Errorf("byte %d is locked, %v, %v", at, held, err)
	}
	r := testproc.Get(Open(path, nil))(t)
	defer r.Close()
	if p := r.Self(); p.Index != 0 || p.Epoch != 3 {
		t.Errorf("self %+v, want epoch 3 of record 0", p)
	}
}

// Nor does it keep an ephemeral region alive, however its Close went.
func TestEndedThoughAForkedChildLives(t *testing.T) {
	path := testPath(t)
	forkedAndClosed(t, path, "broken")
	r, err := Create(path, &Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
}

// Nor does who ended one keep the next to come waiting for it.
func TestEndIsLetGo(t *testing.T) {
	path := testPath(t)
	r := testproc.Get(Create(path, &Options{Participants: 2, Ephemeral: true}))(t)
	f, _, err := openFile(path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	theGuard.remove(r.a)
	r.a.release() // as its death does
	if over, err := endIfDead(f, r.a.file, path); !over || err != nil {
		t.Fatalf("endIfDead = %v, %v", over, err)
	}
	g := testproc.Get(sys.Reopen(f, true))(t)
	defer g.Close()
	if at, held, err := sys.FirstLocked(g, 0, 1<<40); held || err != nil {
		t.Errorf("byte %d is locked, %v, %v", at, held, err)
	}
}
