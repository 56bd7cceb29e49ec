package shm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"example.com/tandem/internal/testproc"
)

// sender: path. Holds an ephemeral region open until it is told to go.
var sender = testproc.Role("sender", func(args []string) {
	r, err := Create(args[0], ephemeral)
	testproc.Must(err)
	testproc.Say(r.a.id)
	testproc.Hear()
	testproc.Must(r.Close())
	testproc.Say("closed")
	testproc.Hear()
})

// The name of a living region is taken away, or given to another, just when
// somebody comes in by a descriptor.
func TestDescriptorNeedsNoName(t *testing.T) {
	for _, successor := range []bool{false, true} {
		t.Run(fmt.Sprint("successor=", successor), func(t *testing.T) {
			path := testPath(t)
			c := sender.Start(t, path)
			id := c.Line()
			f := testproc.Get(os.OpenFile(path, os.O_RDWR, 0))(t)
			defer f.Close()
			v, err := arrive(f, new(Options))
			if err != nil {
				t.Fatal(err)
			}
			if v.path != path {
				t.Fatalf("it came as %q, want %q", v.path, path)
			}
			if err := Remove(path); err != nil {
				t.Fatal(err)
			}
			var second *Region
			if successor {
				second = testproc.Get(Create(path, ephemeral))(t)
				defer second.Close()
			}
			r, err := v.enter(new(Options))
			if err != nil {
				t.Fatalf("coming into a living region that has just lost its name: %v", err)
			}
			if fmt.Sprint(r.a.id) != id || len(r.Participants()) != 2 {
				t.Errorf("in region %v with %v, want %s", r.a.id, r.Participants(), id)
			}
			c.Say("go")
			c.Expect("closed")
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if successor && !isNamed(path, second.a.file) {
				t.Error("the successor lost its name")
			}
			// It has ended with its last all the same.
			if err := closed(OpenFile(f, nil)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("OpenFile of what has ended = %v, want fs.ErrNotExist", err)
			}
		})
	}
}

// The last one leaves between somebody's look and his share.
func TestNoShareOfTheEnded(t *testing.T) {
	path := testPath(t)
	c := sender.Start(t, path)
	c.Line()
	f := testproc.Get(os.OpenFile(path, os.O_RDWR, 0))(t)
	defer f.Close()
	v, err := arrive(f, new(Options))
	if err != nil {
		t.Fatal(err)
	}
	c.Say("go")
	c.Expect("closed")
	if err := closed(v.enter(new(Options))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("coming into what has ended = %v, want fs.ErrNotExist", err)
	}
}

// Who came by a descriptor takes the name away when it is the last.
func TestLastByDescriptorTakesTheName(t *testing.T) {
	path := testPath(t)
	c := sender.Start(t, path)
	c.Line()
	f := testproc.Get(os.OpenFile(path, os.O_RDWR, 0))(t)
	defer f.Close()
	r := testproc.Get(OpenFile(f, nil))(t)
	c.Say("go")
	c.Expect("closed")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	gone(t, path)
}

// neighbour: path. A process of another user, which is the last to leave.
var neighbour = testproc.Role("neighbour", func(args []string) {
	testproc.Must(syscall.Setgid(65534))
	testproc.Must(syscall.Setuid(65534))
	path, o := args[0], &Options{AnyOwner: true, Size: 1 << 20, Ephemeral: true}
	r, err := Open(path, o)
	testproc.Must(err)
	testproc.Say("in")
	testproc.Hear()
	err = r.Close()
	testproc.Say("Close:", errors.Is(err, syscall.EPERM), err)
	for _, try := range []struct {
		op string
		f  func() (*Region, error)
	}{
		{"Open", func() (*Region, error) { return Open(path, o) }},
		{"Create", func() (*Region, error) { return Create(path, o) }},
		{"OpenOrCreate", func() (*Region, error) { return OpenOrCreate(path, o) }},
	} {
		opened := watchOpens(path)
		r, err := try.f()
		if err == nil {
			r.Close()
		}
		again := opened() > opensOnce
		testproc.Say(fmt.Sprintf("%s: %v %v %v %v", try.op, again, errors.Is(err, syscall.EPERM), errors.Is(err, fs.ErrNotExist), err))
	}
})

// opensOnce is more often than a call opens the file that has its region's name and does
// not begin anew: twice to sweep the directory, once to come in, and to make room for a
// new one. One that tries it again and again does so dozens of times at least.
const opensOnce = 8

// watchOpens counts how often this or another process opens the file at path, until opened
// is called.
func watchOpens(path string) (opened func() int) {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	testproc.Must(err)
	_, err = syscall.InotifyAddWatch(fd, filepath.Dir(path), syscall.IN_OPEN|syscall.IN_CLOSE) // of IN_OPEN alone, two would be one
	testproc.Must(err)
	return func() (n int) {
		defer syscall.Close(fd)
		buf := make([]byte, 1<<16)
		for {
			k, err := syscall.Read(fd, buf)
			if err == syscall.EAGAIN {
				return n
			}
			testproc.Must(err)
			for b := buf[:k]; len(b) > 0; {
				mask, size := binary.NativeEndian.Uint32(b[4:]), binary.NativeEndian.Uint32(b[12:])
				name := string(bytes.TrimRight(b[16:16+size], "\x00"))
				if mask&syscall.IN_OPEN != 0 && name == filepath.Base(path) {
					n++
				}
				b = b[16+size:]
			}
		}
	}
}

// What the last one may not take away, the error says, of every way to meet it, and at
// once: nobody tries it again.
func TestStickyDirectory(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("becoming another user needs root")
	}
	path := testPath(t)
	dir := filepath.Dir(path)
	if err := os.Chmod(dir, fs.ModeSticky|0o777); err != nil {
		t.Fatal(err)
	}
	r := testproc.Get(Create(path, &Options{Size: 1 << 20, Ephemeral: true, Mode: 0o666}))(t)
	c := neighbour.Start(t, path)
	c.Expect("in")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	c.Say("leave")
	const why = "what is left of it cannot be taken away: remove %[1]s: operation not permitted"
	for _, want := range []string{
		"Close: true region.Close %[1]s: " + why,
		"Open: false true true shm.Open %[1]s: an ephemeral region in which no process lives (file does not exist); " + why,
		"Create: false true false shm.Create %[1]s: an ephemeral region in which no process lives has the name; " + why,
		"OpenOrCreate: false true false shm.OpenOrCreate %[1]s: an ephemeral region in which no process lives has the name; " + why,
	} {
		c.Expect(fmt.Sprintf(want, path))
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	// Its owner may.
	if err := closed(Open(path, nil)); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		t.Errorf("Open by its owner = %v, want fs.ErrNotExist", err)
	}
	gone(t, path)
}
