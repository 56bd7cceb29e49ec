package shm

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
)

// Without /proc there are no regions, which is not to be taken for one that is
// not there yet: who waits for it would wait for ever.
func TestWithoutProc(t *testing.T) {
	path := newRegionFile(t)
	c := procless.Start(t, path)
	if l := c.Line(); l != "ready" {
		t.Skip(l)
	}
	for range 4 {
		l := c.Line()
		if !strings.HasSuffix(l, " unsupported") {
			t.Error(l)
		}
	}
	if f := testproc.Get(os.ReadDir(testDirOf(path)))(t); len(f) != 1 {
		t.Errorf("the directory has %v", f)
	}
}

func testDirOf(path string) string { return path[:strings.LastIndexByte(path, '/')] }

// procless: path. Says how regions are opened where /proc is not mounted.
var procless = testproc.Role("procless", func(args []string) {
	runtime.LockOSThread()
	f, err := os.OpenFile(args[0], os.O_RDWR, 0)
	testproc.Must(err)
	err = unix.Unshare(unix.CLONE_NEWNS)
	if err == nil {
		err = unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, "")
	}
	if err == nil {
		err = unix.Mount("tandem-test", "/proc", "tmpfs", 0, "")
	}
	if err != nil {
		testproc.Say("cannot cover /proc:", err)
		return
	}
	testproc.Say("ready")
	for name, open := range map[string]func() (*Region, error){
		"Open":         func() (*Region, error) { return Open(args[0], nil) },
		"OpenOrCreate": func() (*Region, error) { return OpenOrCreate(args[0], nil) },
		"OpenFile":     func() (*Region, error) { return OpenFile(f, nil) },
		"Create":       func() (*Region, error) { return Create(args[0]+"-2", nil) },
	} {
		err := closed(open())
		switch {
		case errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrNotExist) && strings.Contains(err.Error(), "is /proc mounted?"):
			testproc.Say(name, "unsupported")
		default:
			testproc.Say(name, "=", err)
		}
	}
})

// What is wrong otherwise is told, and no advice given.
func TestReopenSaysWhatIsWrong(t *testing.T) {
	f := testproc.Get(os.Open(newRegionFile(t)))(t)
	defer f.Close()
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	few := was
	few.Cur = 3
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	_, err := sys.Reopen(f, false)
	if e := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); e != nil {
		t.Fatal(e)
	}
	if !errors.Is(err, unix.EMFILE) || strings.Contains(err.Error(), "/proc mounted") {
		t.Errorf("Reopen without descriptors = %v, want EMFILE", err)
	}
}
