package shm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	gosync "sync"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/testproc"
)

const racingOpeners, racedObjects = 16, 50

// openRacer: path. Opens all objects as soon as it hears, and says where they are.
var openRacer = testproc.Role("open-racer", func(args []string) {
	testproc.Say("ready")
	testproc.Hear()
	r, err := OpenOrCreate(args[0], &Options{Size: 8 << 20})
	testproc.Must(err)
	var at []uint64
	var cores []*object.Core
	for i := range racedObjects {
		c, err := r.OpenObject(sizedSpec(fmt.Sprint("o", i), 1000, object.Field{Name: "n", Value: "1"}))
		testproc.Must(err)
		cores = append(cores, c)
		at = append(at, uint64(uintptr(c.Area.Ptr(0, 1))-uintptr(r.a.Ptr(0, 1))))
	}
	testproc.Say(r.a.id, at)
	testproc.Hear()
	for _, c := range cores {
		c.KeepAlive()
	}
	r.Close()
})

func TestRacingProcesses(t *testing.T) {
	rounds := effort.Or(3, 1)
	for range rounds {
		path := testPath(t)
		var children []*testproc.Child
		for range racingOpeners {
			children = append(children, openRacer.Start(t, path))
		}
		for _, c := range children {
			c.Expect("ready")
		}
		for _, c := range children {
			c.Say("go")
		}
		first := ""
		for _, c := range children {
			line := c.Line()
			if first == "" {
				first = line
			}
			if line != first {
				t.Fatalf("two processes, two answers:\n%s\n%s", first, line)
			}
		}
		r := testproc.Get(Open(path, nil))(t)
		if n := len(slices.Collect(r.Objects())); n != racedObjects {
			t.Errorf("%d objects, want %d", n, racedObjects)
		}
		checkOK(t, r)
		r.Close()
		for _, c := range children {
			c.Kill()
		}
	}
}

// stopper: path. Stops itself while it holds the directory's lock.
var stopper = testproc.Role("stopper", func(args []string) {
	r, err := Open(args[0], nil)
	testproc.Must(err)
	m, _, err := lockable(r, "m")
	testproc.Must(err)
	testproc.Must(m.Lock(r.a.list.Waiter(context.Background())))
	l, err := r.a.lockDirectory()
	testproc.Must(err)
	r.a.BeginChange()
	testproc.Say("stopped")
	testproc.Hear()
	r.a.EndChange()
	l.unlock()
	testproc.Say("on")
	testproc.Hear()
})

// openBehind opens an object on the side. It returns when that has come to wait
// for the directory's lock.
func openBehind(r *Region) <-chan error {
	opened := make(chan error, 1)
	go func() { _, err := r.OpenObject(lockOf("new")); opened <- err }()
	for r.a.list.Sleeping() == 0 {
		time.Sleep(time.Millisecond)
	}
	return opened
}

func TestInspectWhileEveryLockIsHeldByAStoppedProcess(t *testing.T) {
	r, path := newRegion(t, nil)
	openOK(t, r, sizedSpec("queue", 4000, object.Field{Name: "capacity", Value: "8"}, object.Field{Name: "type", Value: "ID uint64 @0\nsize 8 align 8\n"}))
	c := stopper.Start(t, path)
	c.Expect("stopped")
	if err := syscall.Kill(c.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ro := testproc.Get(Open(path, &Options{ReadOnly: true}))(t)
	defer ro.Close()
	if n := len(slices.Collect(ro.Objects())); n != 2 {
		t.Errorf("%d objects, want 2", n)
	}
	s := testproc.Get(ro.Snapshot())(t)
	if h := s.Directory.Holder; h == nil || h.PID != c.PID() {
		t.Errorf("the directory's holder is %v, want pid %d", h, c.PID())
	}
	i := slices.IndexFunc(s.Objects, func(o ObjectState) bool { return o.Name == "m" })
	if i < 0 || s.Objects[i].Owner == nil || s.Objects[i].Owner.PID != c.PID() {
		t.Fatalf("m is not held by %d:\n%v", c.PID(), s)
	}
	for _, want := range []string{"queue", "capacity=8", "ID uint64 @0", fmt.Sprintf("pid %d", c.PID()), "being changed by"} {
		if !strings.Contains(s.String(), want) {
			t.Errorf("%q is missing in\n%s", want, s)
		}
	}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]any
	if err := json.Unmarshal(b, &back); err != nil || back["objects"] == nil {
		t.Errorf("%v: %s", err, b)
	}
	err = ro.Check()
	if err == nil || errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), strconv.Itoa(c.PID())) {
		t.Errorf("Check = %v, want the stopped process's name and no damage", err)
	}
	_, err = ro.OpenObject(lockOf("queue"))
	wantErr(t, err, fs.ErrPermission)
	wantErr(t, ro.Remove("queue"), fs.ErrPermission)

	// Who must wait for it goes on when it does, and Close does not wait.
	opened := openBehind(r)
	other := testproc.Get(Open(path, nil))(t)
	select {
	case err := <-opened:
		t.Errorf("OpenObject = %v while the directory is locked", err)
	default:
	}
	other.Close() // a second handle on the same attachment
	if err := syscall.Kill(c.PID(), syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	c.Say("on")
	c.Expect("on")
	if err := <-opened; err != nil {
		t.Error(err)
	}
	checkOK(t, r)
	checkOK(t, ro)
	c.Kill()
}

func TestKilledWhileItChangesTheDirectory(t *testing.T) {
	r, path := newRegion(t, nil)
	openOK(t, r, lockOf("a"))
	c := stopper.Start(t, path)
	c.Expect("stopped")
	opened := openBehind(r)
	c.Kill()
	select {
	case err := <-opened:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(testproc.Patience):
		t.Fatal("still waiting for a dead process")
	}
	checkOK(t, r)
}

func TestCloseEndsAWaitForTheDirectory(t *testing.T) {
	r, path := newRegion(t, nil)
	c := stopper.Start(t, path)
	c.Expect("stopped")
	opened := openBehind(r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	wantErr(t, <-opened, ErrClosed)
	_, err := r.OpenObject(lockOf("new"))
	wantErr(t, err, ErrClosed)
	wantErr(t, r.Remove("new"), ErrClosed)
	wantErr(t, r.Check(), ErrClosed)
	_, err = r.Snapshot()
	wantErr(t, err, ErrClosed)
	if n := len(slices.Collect(r.Objects())); n != 0 {
		t.Errorf("%d objects in a closed region", n)
	}
	c.Kill()
}

// Goroutines work on the directory while the region is closed under them.
func TestCloseAgainstTheDirectory(t *testing.T) {
	path := testPath(t)
	keep := testproc.Get(Create(path, nil))(t)
	keep.Close()
	for range 8 {
		r := testproc.Get(Open(path, nil))(t)
		var wg gosync.WaitGroup
		started := make(chan bool, 4)
		for g := range 4 {
			wg.Go(func() {
				for i := 0; ; i++ {
					name := fmt.Sprint("o", (i+g)%7)
					_, err := r.OpenObject(sizedSpec(name, uint64(i%3)*5000))
					if err == nil && i%2 == 0 {
						err = r.Remove(name)
					}
					if i == 3 {
						started <- true
					}
					if errors.Is(err, ErrClosed) {
						return
					}
					if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrNoSpace) {
						t.Error(err)
						return
					}
				}
			})
		}
		for range 4 {
			<-started
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		r = testproc.Get(Open(path, nil))(t)
		checkOK(t, r)
		r.Close()
	}
}
