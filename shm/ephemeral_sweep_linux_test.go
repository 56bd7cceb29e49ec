package shm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
)

// What a process has locked, as SQLite does, in a file beside a region stays locked, whatever
// it does with regions there: Linux takes such locks away when the process closes the file.
func TestSweepKeepsLocksOfOthers(t *testing.T) {
	dir := testDir(t)
	file := testproc.Get(os.Create(filepath.Join(dir, "app.db")))(t)
	defer file.Close()
	testproc.OK(t, file.Truncate(8<<20))
	testproc.OK(t, unix.FcntlFlock(file.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Len: 1}))
	st := testproc.Get(sys.Stat(file))(t)
	locked := func(after string) {
		t.Helper()
		for line := range strings.Lines(string(testproc.Get(os.ReadFile("/proc/locks"))(t))) {
			if strings.Contains(line, "POSIX") && strings.Contains(line, fmt.Sprintf(":%d ", st.Ino)) {
				return
			}
		}
		t.Fatalf("the lock is gone after %s", after)
	}
	locked("nothing")
	path := filepath.Join(dir, "feed")
	r := testproc.Get(Create(path, ephemeral))(t)
	locked("Create")
	swept.Lock()
	clear(swept.at)
	swept.Unlock()
	second := testproc.Get(Open(path, nil))(t)
	locked("Open")
	testproc.OK(t, errors.Join(second.Close(), r.Close()))
	locked("Close")
}

// A copy of an ephemeral region, to be looked at later, is nobody's to take away.
func TestSweepLeavesCopies(t *testing.T) {
	dir := testDir(t)
	t.Setenv("TANDEM_DIR", dir)
	r := testproc.Get(Create("feed", ephemeral))(t)
	path := filepath.Join(dir, "copy")
	testproc.OK(t, os.WriteFile(path, testproc.Get(os.ReadFile(filepath.Join(dir, "feed")))(t), 0o600))
	testproc.OK(t, os.Chmod(path, 0o600|fs.ModeSticky)) // as cp -p has it
	testproc.OK(t, r.Close())
	other := testproc.Get(Create("other", ephemeral))(t)
	defer other.Close()
	infos := testproc.Get(List())(t)
	if len(infos) != 2 || infos[0].Name != "copy" || infos[0].Stale {
		t.Fatalf("listed: %+v", infos)
	}
	if err := closed(Create("copy", ephemeral)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create over a copy: %v", err)
	}
	for range 2 {
		if err := closed(Open("copy", &Options{ReadOnly: true})); err != nil {
			t.Errorf("to look at: %v", err)
		}
	}
	c := testproc.Get(Open("copy", nil))(t)
	testproc.OK(t, c.Check())
	testproc.OK(t, c.Close())
}

// An anonymous region may have any permissions that a file may have.
func TestAnonymousModes(t *testing.T) {
	for _, mode := range []fs.FileMode{0o600, 0o700, 0o777} {
		if err := closed(Anonymous(&Options{Mode: mode})); err != nil {
			t.Errorf("%#o: %v", mode, err)
		}
	}
}
