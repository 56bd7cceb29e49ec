package shm

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
)

// What a context ends: the waits of an open for other processes, one for the directory's
// lock, and those in the same process that stand behind it.
func TestUntilForTheDirectory(t *testing.T) {
	r, path := newRegion(t, nil)
	c := stopper.Start(t, path)
	c.Expect("stopped")
	ctx, cancel := context.WithCancel(context.Background())
	s := lockOf("new")
	s.Until = ctx
	ends := make(chan error, 3)
	begin := []func() error{
		func() error { _, err := r.OpenObject(s); return err },
		func() error { _, err := r.a.MakeUnnamed(s); return err },
		func() error { _, err := r.Existing().OpenObject(s); return err },
	}
	for i, f := range begin {
		go func() { ends <- f() }()
		for i == 0 && r.a.list.Sleeping() == 0 { // the others stand behind this one
			time.Sleep(100 * time.Microsecond)
		}
	}
	select {
	case err := <-ends:
		t.Fatalf("the directory is being changed: %v", err)
	case <-time.After(5 * time.Millisecond):
	}
	cancel()
	for range begin {
		if err := <-ends; !errors.Is(err, context.Canceled) {
			t.Errorf("it ends with %v", err)
		}
	}
	c.Say("go on")
	c.Expect("on")
	openOK(t, r, lockOf("new"))
	checkOK(t, r)
}

// And one for others' collectors; who was waited for no longer is asked again.
func TestUntilForRoom(t *testing.T) {
	askFor(t, testproc.Patience)
	r, path := newRegion(t, &Options{Objects: 1})
	openOK(t, r, lockOf("a"))
	c := user.Start(t, path)
	c.Say("a")
	c.Expect("used a")
	c.Freeze()
	testproc.OK(t, r.Remove("a"))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	s := lockOf("b")
	s.Until = ctx
	begun := time.Now()
	_, err := r.OpenObject(s)
	wantErr(t, err, ErrNoSpace)
	if d := time.Since(begun); d > testproc.Patience/2 {
		t.Errorf("it waited for %v", d)
	}
	c.Signal(syscall.SIGCONT)
	openOK(t, r, lockOf("b"))
	checkOK(t, r)
}

// touchy is a context that panics in the call of it that comes when left is 0.
type touchy struct {
	context.Context
	left *atomic.Int32
}

func (c touchy) called() {
	if c.left.Add(-1) == -1 {
		panic("touchy")
	}
}

func (c touchy) Deadline() (time.Time, bool) { c.called(); return c.Context.Deadline() }
func (c touchy) Done() <-chan struct{}       { c.called(); return c.Context.Done() }
func (c touchy) Err() error                  { c.called(); return c.Context.Err() }
func (c touchy) Value(k any) any             { c.called(); return c.Context.Value(k) }

// A context's method that panics leaves no lock of the directory behind, whichever call of
// it that is.
func TestUntilPanics(t *testing.T) {
	r, _ := newRegion(t, nil)
	other := bare(t, r)
	for call, over := int32(0), false; !over; call++ {
		l := testproc.Get(other.lockDirectory())(t)
		left := new(atomic.Int32)
		left.Store(call)
		ctx, cancel := context.WithCancel(context.Background())
		s, ended := lockOf(fmt.Sprint("new", call)), make(chan any)
		s.Until = touchy{ctx, left}
		go func() {
			defer func() { ended <- recover() }()
			r.OpenObject(s)
		}()
		// For some calls it has to wait a while, for more than one slice.
		late := time.AfterFunc(3*lockSlice, l.unlock)
		if over = <-ended == nil; late.Stop() {
			l.unlock()
		}
		cancel()
		mine, err := r.a.lockDirectoryFor(testproc.Patience)
		if err != nil {
			t.Fatalf("after a panic in call %d: %v", call, err)
		}
		mine.unlock()
		if call == 100 {
			t.Fatal("it calls the context for ever")
		}
	}
	checkOK(t, r)
}
